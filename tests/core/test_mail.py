"""Mail: what is written, how it is sent and what is told when it is not, on real servers of this machine."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.core import mail, mail_rules
from gateway.core.config import Config
from gateway.core.mail import Mail, NotSent
from gateway.core.mail_rules import BadAddress, Server
from tests.mail_server import FROM, USER, Mailbox, configured, taking
from tests.receivers import Authority, resolving

HOSTILE = (
    "Hi\r\nBcc: eve@example.net\r\n\r\nbody",
    "=?utf-8?q?Hi=0D=0ABcc:_eve@example.net?=",
    "\x00\u202e\u2028Grüße 👋 " + "lang " * 60,
    "x" * 5_000,
    "",
    "日本語" * 90,
)


@pytest.fixture(name="box")
def _box() -> Iterator[Mailbox]:
    with taking(enable_SMTPUTF8=True) as box, configured(box.port):
        yield box


def test_what_is_sent(box: Mailbox) -> None:
    """A mail has two forms of its words and says which thread it is of, who sent it and that nobody did."""
    page = "<p>Größe</p>" + "<b>long</b>" * 500
    first, second = mail.message_id("msg_1"), f"<{'r' * 200}@example.net>"
    mail.send(
        Mail(
            "team@example.com",
            "Größe & more",
            "Größe\n.\n..\nFrom me\n" + "wort " * 400,
            page,
            mail.message_id("msg_2"),
            (first, second),
            "https://gateway.example/" + "u" * 300,
        )
    )

    [told] = box.mails
    assert (told["From"], told["To"], told["Subject"]) == (FROM, "team@example.com", "Größe & more")
    assert (told["Message-ID"], told["In-Reply-To"]) == ("<msg_2@example.com>", second)
    assert told["References"].split() == ["<msg_1@example.com>", second]
    assert told["Auto-Submitted"] == "auto-generated"
    assert told["List-Unsubscribe"] == "<https://gateway.example/" + "u" * 300 + ">"
    assert told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert told.get_content_type() == "multipart/alternative"
    plain, html = told.iter_parts()
    assert plain.get_content().replace("\r\n", "\n") == "Größe\n.\n..\nFrom me\n" + "wort " * 400 + "\n"
    assert html.get_content_type() == "text/html"
    assert html.get_content().strip() == page
    lines = box.raw[0].split(b"\r\n")
    assert {bytes([sign]) for line in lines for sign in line if sign > 126 or sign < 32} == set()
    whole = [line for line in lines if len(line) > 78]  # ids and addresses are never cut
    assert [re.sub(rb"(.)\1+", rb"\1", line) for line in whole] == [
        b"In-Reply-To: <r@example.net>",
        b" <r@example.net>",
        b"List-Unsubscribe: <htps:/gateway.example/u>",
    ]


def test_words_of_senders_stay_words(box: Mailbox) -> None:
    """Whatever a sender writes becomes one line of a subject, and the body: no header and no address."""
    for words in HOSTILE:
        mail.send(Mail("team@example.com", words, words, f"<p>{words}</p>", headers={"X-About": words}))
        told = box.mails[-1]
        assert "Bcc" not in told
        assert told["To"] == "team@example.com"
        assert len(told["Subject"].splitlines()) <= 1
        assert len(told["Subject"]) <= mail.LONGEST_SUBJECT
        assert all(len(line) <= 78 for line in box.raw[-1].split(b"\r\n"))
        assert box.envelopes[-1].rcpt_tos == ["team@example.com"]
    assert box.mails[2]["Subject"].startswith("Grüße 👋 lang lang")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("team@example.com", "team@example.com"),
        ("mailto:Team+x@Example.COM", "Team+x@example.com"),
        (" o'neil@example.co.uk ", "o'neil@example.co.uk"),
        ("team@bücher.example", "team@xn--bcher-kva.example"),
        ("grüße@example.com", "grüße@example.com"),
        ("team@localhost", "team@localhost"),
        ("", None),
        ("team", None),
        ("@example.com", None),
        ("team@", None),
        ("a@b@example.com", None),
        ("team@example..com", None),
        ("team@-example.com", None),
        (".team@example.com", None),
        ("a@example.com, b@example.com", None),
        ("a@example.com;b@example.com", None),
        ("Team <team@example.com>", None),
        ("mailto:team@example.com?bcc=eve@example.net", None),
        ("team@example.com\r\nBcc: eve@example.net", None),
        ("team\n@example.com", None),
        ("team@example.com\0", None),
        ('"a b"@example.com', None),
        ("team@[127.0.0.1]", None),
        (f"{'x' * 65}@example.com", None),
        (f"x@{'a.' * 130}com", None),
    ],
)
def test_addresses(text: str, said: str | None) -> None:
    """One address, its domain in ASCII; everything else is refused, and nothing is sent to it."""
    if said is not None:
        assert mail_rules.address(text) == said
        return
    with pytest.raises(BadAddress, match=r"^must "):
        mail_rules.address(text)
    with pytest.raises(BadAddress):
        mail.composed(Mail(text, "x", "x"))


def test_letters_beyond_ascii(box: Mailbox) -> None:
    """Such an address is written as it is, and where the server takes none that is said."""
    mail.send(Mail("grüße@bücher.example", "x", "x"))
    assert box.mails[0]["To"] == "grüße@xn--bcher-kva.example"
    assert box.envelopes[0].rcpt_tos == ["grüße@xn--bcher-kva.example"]

    with taking(enable_SMTPUTF8=False) as old, configured(old.port):
        with pytest.raises(NotSent, match="SMTPUTF8") as refused:
            mail.send(Mail("grüße@bücher.example", "x", "x"))
        assert refused.value.permanent
        mail.send(Mail("team@bücher.example", "x", "x"))
        assert old.envelopes[0].rcpt_tos == ["team@xn--bcher-kva.example"]


def test_refusals(box: Mailbox) -> None:
    """4xx may pass and 5xx will not, be it the recipient or what is said."""
    for answers in (box.recipient_answers, box.data_answers):
        for answer, permanent in (("451 4.7.1 Greylisted", False), ("550 5.1.1 Nobody", True)):
            answers.append(answer)
            with pytest.raises(NotSent, match=re.escape(answer)) as refused:
                mail.send(Mail("team@example.com", "x", "x"))
            assert (refused.value.permanent, refused.value.status) == (permanent, int(answer[:3]))
    mail.send(Mail("team@example.com", "x", "x"))
    assert len(box.mails) == 1


def test_away() -> None:
    """A server that is away, silent or never ends may be there later; without one that is said."""
    with pytest.raises(NotSent, match="needs GATEWAY_SMTP_URL"):
        mail.send(Mail("team@example.com", "x", "x"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with configured(port), pytest.raises(NotSent, match=r"did not answer in 0\.1 seconds") as away:
            mail.send(Mail("team@example.com", "x", "x"), timeout=0.1)
        assert not away.value.permanent
    with configured(port), pytest.raises(NotSent, match="takes no connections"):
        mail.check()

    def drip() -> None:
        taken, _ = endless.accept()
        with taken, suppress(OSError):
            while True:
                taken.sendall(b"220-still here\r\n")

    with socket.create_server(("127.0.0.1", 0)) as endless:
        threading.Thread(target=drip, daemon=True).start()
        with configured(endless.getsockname()[1]), pytest.raises(NotSent, match=r"answer in 0\.2 seconds"):
            mail.send(Mail("team@example.com", "x", "x"), timeout=0.2)


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No word and no password goes in the clear to another computer, nor to who proves to be another."""
    url = "smtp://gateway:p%40ss%2Fword@mail.test:{port}"
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    mail._tls.cache_clear()

    def told(url: str, port: int) -> str:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(mail_test=["127.0.0.1"]))
        with configured(port, url=url):
            try:
                mail.send(Mail("team@example.com", "x", "x"))
            except NotSent as error:
                assert not error.permanent
                return error.why
        return ""

    with taking() as box:
        assert told(url, box.port) == "the mail server offers no TLS (STARTTLS)"
        assert box.hello == []
    with taking(authority.serving("mail.test"), auth_required=True) as box:
        assert told(url, box.port) == ""
        assert box.hello == [(True, USER)]
        assert "does not take the user and password: 535" in told(url.replace("p%40ss", "other"), box.port)
    with taking(authority.serving("mail.test"), at_once=True) as box:
        assert told("smtps://mail.test:{port}", box.port) == ""
    with taking(authority.serving("other.test"), auth_required=True) as box:
        assert "has no valid certificate: Hostname mismatch" in told(url, box.port)
        assert box.hello == []
        assert (
            told(url.replace("mail.test", "localhost"), box.port) == ""
        )  # of its own making, on this computer
        assert box.hello == [(True, USER)]
    mail._tls.cache_clear()


def test_settings() -> None:
    """The port and TLS follow from the scheme and the host, and a password is shown by nobody."""
    known = {
        "smtp://mail.example.com": (587, "required"),
        "smtps://mail.example.com": (465, "at once"),
        "smtp://u:p%40@mail.example.com:25": (25, "required"),
        "smtp://localhost:25": (25, "if offered"),
        "smtp://127.8.9.1:25": (25, "if offered"),
        "smtp://[::1]:25": (25, "if offered"),
        "smtp://localhost.example.com:25": (25, "required"),
    }
    for url, (port, tls) in known.items():
        server = Server.parse(url)
        assert (server.port, server.tls) == (port, tls)
        assert "p@" not in repr(server)
    for text in ("Feedback", "a@example.com, b@example.com", "ü@example.com", "A\n <a@example.com>"):
        with pytest.raises(ValueError, match=r"^GATEWAY_MAIL_FROM: "):
            Config(smtp_url="smtp://localhost", mail_from=text)
