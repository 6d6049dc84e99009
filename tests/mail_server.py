"""Mail servers of this machine: what they are sent is read back by the standard library."""

from __future__ import annotations

import asyncio
import email.policy
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from gateway.core import mail
from gateway.core.config import Config

USER, PASSWORD = "gateway", "p@ss/word"
FROM = "Feedback <feedback@example.com>"


@dataclass
class Mailbox:
    """What a server has taken, and what it answers next in place of 250."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    recipient_answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    hello: list[tuple[bool, str | None]] = field(default_factory=list)  # of each mail: within TLS, as whom

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, _: Any) -> str:
        if self.recipient_answers:
            return self.recipient_answers.pop(0)
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answers:
            return self.data_answers.pop(0)
        assert isinstance(envelope.content, bytes)
        read = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(read, EmailMessage)
        self.mails.append(read)
        self.raw.append(envelope.content)
        self.envelopes.append(envelope)
        self.hello.append((session.ssl is not None, session.auth_data and session.auth_data.login.decode()))
        return "250 OK"


@contextmanager
def taking(tls: ssl.SSLContext | None = None, *, at_once: bool = False, **options: Any) -> Iterator[Mailbox]:
    """A server that takes mail, with STARTTLS or TLS `at_once` where it has a context.

    With `auth_required=True` only from USER with PASSWORD.
    """
    box = Mailbox()
    if options.get("auth_required"):
        options["authenticator"] = _authenticator
    loop, within = asyncio.new_event_loop(), tls if at_once else None
    offered = None if at_once else tls
    starting = loop.create_server(
        lambda: SMTP(box, loop=loop, hostname="mail.test", tls_context=offered, **options),
        "127.0.0.1",
        0,
        ssl=within,
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    # In its own thread: that of the tests may run the loop of a browser.
    server = asyncio.run_coroutine_threadsafe(starting, loop).result()
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    """Takes no more, and ends what is under way."""
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _authenticator(server: SMTP, session: Session, envelope: Envelope, how: str, said: Any) -> AuthResult:
    right = said.login == USER.encode() and said.password == PASSWORD.encode()
    return AuthResult(success=right, handled=False, auth_data=said)


@contextmanager
def configured(port: int, *, url: str = "smtp://127.0.0.1:{port}") -> Iterator[None]:
    """Mail goes to the server on this port, until the block ends."""
    mail.connect(Config(smtp_url=url.format(port=port), mail_from=FROM))
    try:
        yield
    finally:
        mail.connect(Config())
