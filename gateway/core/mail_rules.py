"""What mail goes through and to whom: the server's address in a setting, and addresses of people."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from ipaddress import ip_address
from typing import Literal
from urllib.parse import unquote, urlsplit

PORTS = {"smtp": 587, "smtps": 465}  # RFC 8314: submission, and submission within TLS
LONGEST_ADDRESS, LONGEST_LOCAL = 254, 64  # characters, as RFC 5321 has them
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"  # RFC 5322, and RFC 6531 beyond ASCII
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAMED = re.compile(r"\"?+([^\"<>]*+)\"?+ *+<([^<>]*)>")

Tls = Literal["at once", "required", "if offered"]


class BadAddress(ValueError):
    """A text that is no address of a person's; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server that takes our mail. Without a user it is spoken to by whoever may come."""

    host: str
    port: int
    tls: Tls
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Server:
        """The server of smtp://user:password@host:port or smtps://. Raises ValueError.

        User and password are written as in a URL: an @ in them is %40.
        """
        if not url.isprintable() or " " in url:
            raise ValueError("has a blank or a sign that is not seen")
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("must look like smtp://user:password@host:587 or smtps://user:password@host:465")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(
                "must have nothing behind the host and its port; / ? # in a password are %2F %3F %23"
            )
        try:
            port = parts.port
        except ValueError:
            raise ValueError("must have a port up to 65535") from None
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if any((user, password)) and not all((user, password)):
            raise ValueError("must have a user and a password, or neither")
        tls: Tls = "if offered" if _is_loopback(parts.hostname) else "required"
        return cls(
            parts.hostname,
            PORTS[parts.scheme] if port is None else port,
            "at once" if parts.scheme == "smtps" else tls,
            user,
            password,
        )


def check(smtp_url: str, mail_from: str) -> None:
    """Raises ValueError, which names the setting, for settings of mail that cannot be used."""
    for name, value, read in (("SMTP_URL", smtp_url, Server.parse), ("MAIL_FROM", mail_from, sender)):
        try:
            if value:
                read(value)
        except ValueError as error:
            raise ValueError(f"GATEWAY_{name}: {error}") from None
    if bool(smtp_url) != bool(mail_from):
        why = "is required with" if smtp_url else "means nothing without"
        raise ValueError(f"GATEWAY_MAIL_FROM: {why} GATEWAY_SMTP_URL")


def address(text: str) -> str:
    """An address of one person or list, without mailto:, its domain in ASCII. Raises BadAddress.

    Quoted local parts, address literals and several addresses are refused: hardly anybody has the first two.
    """
    given = text.strip(" ")
    given = given[7:] if given[:7].lower() == "mailto:" else given
    if not given.isprintable():
        raise BadAddress("must not have line breaks or other signs that are not seen")
    local, at, domain = given.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or re.search(r"[,;?<>\s]", given):
        raise BadAddress("must be one address such as team@example.com")
    try:
        domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        domain = ""
    if not _DOMAIN.fullmatch(domain):
        raise BadAddress("must have a domain behind its @ such as example.com")
    if len(local.encode()) > LONGEST_LOCAL or len(local.encode()) + 1 + len(domain) > LONGEST_ADDRESS:
        raise BadAddress(f"must have at most {LONGEST_ADDRESS} characters, {LONGEST_LOCAL} before its @")
    return f"{local}@{domain}"


def sender(text: str) -> Address:
    """Who mail is from: an address, or a name and an address in <>. Raises BadAddress."""
    if not text.isprintable():
        raise BadAddress("must be on one line")
    found = _NAMED.fullmatch(text)
    name, plain = (found[1].strip(), address(found[2])) if found else ("", address(text))
    if not plain.isascii():
        raise BadAddress("must be ASCII before its @: not every server takes other letters")
    return Address(name, addr_spec=plain)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
