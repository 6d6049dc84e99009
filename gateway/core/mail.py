"""Mail: one message to one address, through the server that GATEWAY_SMTP_URL names.

The words of senders stand in the subject and the body, never in an address. A server elsewhere must offer
TLS and prove its name, before it is told a password or a word; on this very computer TLS is used if offered,
whatever the certificate. Each call blocks its thread.
"""

from __future__ import annotations

import re
import secrets
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import localtime
from functools import cache

from gateway.core import mail_rules
from gateway.core.config import Config
from gateway.core.mail_rules import Server

LONGEST_SUBJECT = 200  # characters
LONGEST_SAID = 300  # characters of a server's answer that are told
# What stands as it is, however long: mail programs and servers compare ids and follow addresses.
_VERBATIM = ("message-id", "in-reply-to", "references", "list-unsubscribe")
_ID = re.compile(r"<[!-;=?-~]{1,900}>")  # RFC 5322: a message's id, of which no line is longer than 998
_ENHANCED = re.compile(r"5\d\d (5\.\d{1,3}\.\d{1,3})(?!\S)")
# RFC 3463: no such mailbox, system, syntax, ambiguous, moved, or disabled; RFC 7505: takes no mail.
_NOBODY = re.compile(r"5\.(?:1\.(?:[1-46]|10)|2\.1)")

_server: Server | None = None
_from = Address()


class NotSent(Exception):
    """A mail that the server has not taken; `why` says it in words.

    It is `permanent` when the same mail would be refused again (5xx). All else may pass: settings change.
    `nobody` says that the server knows the address to be nobody's, `after` how many milliseconds it asks to
    wait.
    """

    def __init__(
        self, why: str, permanent: bool, status: int | None = None, *, nobody: bool = False, after: int = 0
    ) -> None:
        super().__init__(why)
        self.why, self.permanent, self.status = why, permanent, status
        self.nobody, self.after = nobody, after


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one address. `subject` becomes one line; `html` is a second form of `text`, or "".

    `message_id` is its own id and `references` are those of the thread before it, the first message first,
    each in <>. `unsubscribe` is a https address that takes one click (RFC 8058).
    """

    to: str
    subject: str
    text: str
    html: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()
    unsubscribe: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def connect(config: Config) -> None:
    """Sets the server and who mail is from: GATEWAY_SMTP_URL and GATEWAY_MAIL_FROM."""
    global _server, _from
    _server = Server.parse(config.smtp_url) if config.smtp_url else None
    _from = mail_rules.sender(config.mail_from) if config.smtp_url else Address()


def is_configured() -> bool:
    """Whether there is a server for mail."""
    return _server is not None


def message_id(name: str = "") -> str:
    """The id of a message, in <>: always the same for the same `name`, else one of its own."""
    return f"<{name or secrets.token_hex(16)}@{_from.domain or 'localhost'}>"


def composed(mail: Mail) -> EmailMessage:
    """A mail as it is sent. Raises BadAddress, and ValueError for an id that is none."""
    to = mail_rules.address(mail.to)
    local, _, domain = to.rpartition("@")
    made = EmailMessage(_Policy(linesep="\r\n", utf8=not to.isascii()))
    made["From"], made["To"] = _from, Address(username=local, domain=domain)
    made["Subject"] = _line(mail.subject)[:LONGEST_SUBJECT]
    made["Date"], made["Message-ID"] = localtime(), _ids(mail.message_id or message_id())
    if mail.references:
        made["In-Reply-To"], made["References"] = _ids(mail.references[-1]), _ids(*mail.references)
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: programs that answer mail leave it alone
    if mail.unsubscribe:
        made["List-Unsubscribe"] = f"<{_line(mail.unsubscribe)}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    for name, value in mail.headers.items():
        made[name] = _line(value)
    made.set_content(_text(mail.text), cte="quoted-printable")
    if mail.html:
        made.add_alternative(_text(mail.html), subtype="html", cte="quoted-printable")
    return made


def send(mail: Mail, *, timeout: float = 15.0) -> None:
    """Has the server take a mail, within `timeout` seconds in all. Raises NotSent."""
    if _server is None:
        raise NotSent("needs GATEWAY_SMTP_URL", permanent=False)
    try:
        made = composed(mail)
    except ValueError as error:  # BadAddress is one
        raise NotSent(str(error), permanent=True) from None
    to = mail_rules.address(mail.to)
    with _session(_server, timeout) as smtp:
        if not to.isascii() and not smtp.has_extn("smtputf8"):
            why = "the mail server takes no address with other letters than ASCII before its @ (SMTPUTF8)"
            raise NotSent(why, permanent=True)
        _accepted(smtp, made, to)


def _accepted(smtp: smtplib.SMTP, made: EmailMessage, to: str) -> None:
    options = () if to.isascii() else ("SMTPUTF8", "BODY=8BITMIME")
    try:
        smtp.sendmail(_from.addr_spec, [to], made.as_bytes(), options)
    except smtplib.SMTPRecipientsRefused as error:
        code, said = error.recipients[to]
        raise _refused("the address is refused", code, said, nobody=_is_nobody(code, said)) from None
    except smtplib.SMTPResponseException as error:  # the sender or what is said
        raise _refused("the mail is refused", error.smtp_code, error.smtp_error) from None


@contextmanager
def _session(server: Server, timeout: float) -> Iterator[smtplib.SMTP]:
    """A connection on which mail is taken, until the block ends; what fails in it is NotSent, in words."""
    over, smtp = threading.Event(), smtplib.SMTP(local_hostname=_from.domain, timeout=timeout)

    def cut() -> None:
        over.set()
        with suppress(OSError, AttributeError):  # it is closed, or was never open
            socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)  # type: ignore[arg-type]  # None is suppressed

    # A socket's own timeout begins anew with each byte.
    timer = threading.Timer(timeout, cut)
    timer.daemon = True
    timer.start()
    try:
        _open(smtp, server, timeout)
        yield smtp
        with suppress(smtplib.SMTPException, OSError):  # it has taken the mail
            smtp.quit()
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        late = over.is_set() or isinstance(error, TimeoutError)
        why = f"did not answer in {timeout:g} seconds" if late else _reason(error)
        status = getattr(error, "smtp_code", None)
        raise NotSent(f"the mail server {why}", permanent=False, status=status) from None
    finally:
        timer.cancel()
        smtp.close()


def _open(smtp: smtplib.SMTP, server: Server, timeout: float) -> None:
    """Connects, with TLS and as the user where there are any."""
    smtp.sock = socket.create_connection((server.host, server.port), timeout)
    smtp.sock.settimeout(2 * timeout)  # the timer comes first
    if server.tls == "at once":
        _encrypt(smtp, server)
    code, said = smtp.getreply()
    if code != 220:
        raise smtplib.SMTPConnectError(code, said)
    smtp.ehlo_or_helo_if_needed()
    if server.tls != "at once" and smtp.has_extn("starttls"):
        code, said = smtp.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, said)
        _encrypt(smtp, server)
        smtp.ehlo()  # RFC 3207: what was said in the clear is forgotten
    elif server.tls == "required":
        raise NotSent("the mail server offers no TLS (STARTTLS)", permanent=False)
    if server.user:
        smtp.login(server.user, server.password)


def _encrypt(smtp: smtplib.SMTP, server: Server) -> None:
    """Has the rest go through TLS. Not smtplib's own way, during whose handshake nobody could end it."""
    context = _tls_of_anybody() if server.tls == "if offered" else _tls()
    assert smtp.sock is not None, "it was opened just now"
    sock = context.wrap_socket(smtp.sock, server_hostname=server.host, do_handshake_on_connect=False)
    smtp.sock, smtp.file = sock, None  # what came before the handshake may be anybody's
    sock.do_handshake()


def _refused(what: str, code: int, said: bytes | str, *, nobody: bool = False) -> NotSent:
    permanent = 500 <= code < 600
    return NotSent(f"{what}: {_said(code, said)}", permanent=permanent, status=code, nobody=nobody)


def _is_nobody(code: int, said: bytes | str) -> bool:
    """Whether an address is refused as nobody's, and not for what the server thinks of us or the mail."""
    if found := _ENHANCED.match(_said(code, said)):
        return bool(_NOBODY.fullmatch(found[1]))
    return code in (550, 551, 553)  # RFC 5321, 4.2.3: no such mailbox, another one, no name of one


def _said(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {_line(text)[:LONGEST_SAID]}".strip()


def _reason(error: Exception) -> str:
    """What is wrong between the server and us; never a password."""
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "takes no user and password"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"does not take the user and password: {_said(error.smtp_code, error.smtp_error)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"does not take mail: {_said(error.smtp_code, error.smtp_error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has no valid certificate: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"does not speak TLS: {error.reason or 'it ended the handshake'}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "has a name that cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return "takes no connections"
    return "broke off the connection"


class _Policy(EmailPolicy):
    """Mail as it goes over the wire. Ids and addresses are not cut into words of 75 characters (RFC 2047)."""

    def fold_binary(self, name: str, value: object) -> bytes:
        if name.lower() in _VERBATIM:
            return f"{name}: {(self.linesep + ' ').join(str(value).split(' '))}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)  # type: ignore[arg-type]  # a header, whatever it is made of


def _ids(*ids: str) -> str:
    for one in ids:
        if not _ID.fullmatch(one):
            raise ValueError("the id of a message must be in <>, and ASCII without blanks")
    return " ".join(ids)


def _line(text: str) -> str:
    """A text on one line, without signs that are not seen and without what a header would decode."""
    seen = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(seen.split()).replace("=?", "= ?")


def _text(text: str) -> str:
    """A body without halves of characters and without signs that end it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


@cache
def _tls() -> ssl.SSLContext:
    """The system's certificate authorities; SSL_CERT_FILE names others, as everywhere."""
    return ssl.create_default_context()


@cache
def _tls_of_anybody() -> ssl.SSLContext:
    """For this very computer, whose servers have certificates of their own making."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
