"""`feedback-gateway mail`."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.command import command
from gateway.cli.errors import Failure
from gateway.core import mail as sending
from gateway.core.config import Config
from gateway.core.mail import Mail, NotSent


@click.group()
def mail() -> None:
    """The server that mail goes through."""


@command(mail, "test", opens=False)
@click.argument("email")
def mail_test(email: str) -> tuple[Any, str]:
    """Send a mail to an address, and say what is wrong when the server does not take it."""
    config = Config.from_env()
    sending.connect(config)
    words = f"This is a test: feedback-gateway at {config.url} can send mail."
    try:
        sending.send(Mail(email, "A test of feedback-gateway", f"{words}\n"))
    except NotSent as error:
        raise Failure(error.why) from None
    return {"email": email, "sent": True}, f"the server took a mail for {email}"
