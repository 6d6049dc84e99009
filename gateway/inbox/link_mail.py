"""One-time links by mail, to whom they are for."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.core import mail
from gateway.core.cooperative import aside
from gateway.core.mail import Mail, NotSent
from gateway.inbox.i18n import _

PATIENCE = 10.0  # seconds: somebody waits for the page


def send_link(email: str, link: str, *, invites: bool) -> str | None:
    """Mails a link that `invites` or gives a new password: why that failed, or "".

    None where nothing goes by mail: then it is handed on by whoever made it.
    """
    if not mail.is_configured():
        return None
    host = urlsplit(link).netloc
    if invites:
        subject = _("Your invitation to the inbox of feedback")
        words = _("You are invited to read feedback at %(host)s.", host=host)
        how_long = _("This link makes your account. It works once, for 7 days:")
    else:
        subject = _("A new password for the inbox of feedback")
        words = _("A new password was asked for you at %(host)s.", host=host)
        how_long = _("This link lets you choose it. It works once, for 24 hours:")
    done = _("If you did not expect this, you need not do anything.")
    try:
        aside(
            mail.send, Mail(email, subject, f"{words}\n\n{how_long}\n\n{link}\n\n{done}\n"), timeout=PATIENCE
        )
    except NotSent as error:
        return error.why
    return ""
