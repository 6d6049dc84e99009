"""Why something is refused or was not sent, in the reader's language; the API's own words are English."""

from __future__ import annotations

from gateway.inbox import known_faults
from gateway.inbox.i18n import _
from gateway.inbox.reasons import blanks, parts_of
from gateway.replies import by_mail, in_discord, in_issues, in_slack

# What schemas, gateway.api.filters, gateway.destinations, gateway.replies, gateway.core.outbound_rules and
# gateway.core.mail say; the more particular first.
FORMS = (
    "String must contain at least %(n)s character(s)",
    "String must contain at most %(n)s character(s)",
    "Array must contain at least %(n)s element(s)",
    "Invalid enum value. Expected %(words)s, received '%(word)s'",
    "Must be one of %(words)s",
    "Must be at most %(n)s characters",
    "Must be at most %(n)s values",
    "Must be at most %(n)s",
    "Must be a whole number from %(least)s to %(most)s",
    "Number must be a whole one from %(least)s to %(most)s",
    "Must be a zone such as %(example)s",
    "People are not told %(names)s: there is nothing to read",
    "Must be an ISO 8601 time such as %(example)s",
    "Must not be below %(name)s",
    "Must have at most %(n)s words",
    "Must be 1 to %(n)s printable ASCII characters without blanks at its ends",
    "%(name)s is no name of a header",
    "There are %(n)s destinations, which is the most",
    "must begin with https://, unless GATEWAY_OUTBOUND_ALLOW names %(host)s",
    "must have port 443 or one from %(port)s, unless GATEWAY_OUTBOUND_ALLOW names %(host)s",
    "%(host)s leads to an address of this machine, its network or nobody: "
    "GATEWAY_OUTBOUND_ALLOW would have to name it",
    "%(host)s leads to a private address: that needs GATEWAY_OUTBOUND_PRIVATE=on",
    "is longer than %(n)s characters",
    "its filter cannot be read: %(why)s",
    # of mail, and of answers to authors
    "must have at most %(n)s characters, %(most)s before its @",
    "the author's address is none to send mail to: %(why)s",
    "the address is refused: %(words)s",
    "the mail is refused: %(words)s",
    "Slack answered %(n)s and no JSON of its own",
    "Slack answered: %(words)s",
    "That is %(n)s mails, and %(before)s were written within a day: %(most)s are the most.",
    "the mail server %(why)s",
    # of records that are merged
    *("No such feedback: %(name)s", "One record stands for at most %(n)s others."),
    *("GitHub answered %(n)s", "GitLab answered %(n)s", "Discord answered %(n)s"),
    *known_faults.FORMS,
)
_WORKFLOW = (
    "in the channel's menu choose Workflows, then Send webhook alerts to a channel, and give the address "
    "that it shows, https://....api.powerplatform.com/...&sig=..."
)
PHRASES = (
    *("Required", "Unknown parameter", "Must not be empty", "Must be given once", "must not contain NUL"),
    *("Must be a number from 0 to 1", "Must have a word to search for", "Is set by the gateway"),
    "Must have at least two letters of one word before *",
    "must be ASCII without blanks and backslashes: a name in its xn-- spelling, the rest in %XX",
    *("must begin with https://", "must have no fragment (#)", "must have no user name or password"),
    *("must name a host", "must name a host, and a port up to 65535 if any"),
    "must name a host: that is no IPv6 address",
    # by kinds of destinations
    "must be a webhook, https://discord.com/api/webhooks/ID/TOKEN without /slack or /github behind it: "
    "the channel's settings, Integrations, Webhooks have it",
    "must be an incoming webhook, https://YOUR-SERVER/hooks/ and 26 letters and digits: "
    "make one under Integrations, Incoming Webhooks",
    "must be a topic, https://ntfy.sh/TOPIC, or one of your own server's, without anything behind it",
    "must be an incoming webhook, https://hooks.slack.com/services/..., or "
    "https://slack.com/api/chat.postMessage?channel=C... with the bot's token as the header Authorization",
    f"must be the address of a workflow: {_WORKFLOW}",
    f"is an Office 365 connector, which Microsoft has ended: {_WORKFLOW}",
    "must be an address as https://appriseit.com/services has them, such as gotifys://HOST/TOKEN",
    "needs GATEWAY_OUTBOUND_APPRISE=on: Apprise connects to whatever an address names",
    "needs GATEWAY_SMTP_URL: no server is set that takes mail",
    "must not have line breaks or other signs that are not seen",
    "must be one address such as team@example.com",
    "must have a domain behind its @ such as example.com",
    "Is for kinds that people read: this one is told each change",
    "Must be changes unless `when` is daily or weekly",
    *("it answered 410 Gone", "it has taken nothing for five days"),
    # of answers to authors
    *("needs GATEWAY_SMTP_URL", "Mail needs GATEWAY_SMTP_URL."),
    *("the record has no address of its author", "the record is not from Slack"),
    *("the record is not from GitHub", "the record is not from GitLab", "the record is of no issue"),
    *("the record names no message of Slack's", "the record is gone", "could not be sent"),
    "the address of the author is another one now",
    # of records that are merged
    *("No such feedback.", "They are one already.", "Must be of the same project"),
    "Each must be merged into this record",
    *("the record is not from Discord", "the record names no message of Discord's", in_discord.TOO_LONG),
    *(by_mail.UNWANTED, by_mail.CLOSED, in_slack.UNARMED, in_issues.UNARMED),
    *known_faults.PHRASES,
)
_PARTS = {form: parts_of(form) for form in FORMS}


def faults(reason: str) -> str:
    """Why a delivery or a row is refused, "field: message; field: message", in the reader's language."""
    return "; ".join(_fault(part) for part in reason.split("; "))


def _fault(part: str) -> str:
    said = refusal(part)
    field, sep, message = part.partition(": ")
    return f"{field}{sep}{refusal(message)}" if said == part and sep else said


def refusal(message: str) -> str:
    """A message in the reader's language; one that is not known stays as it is."""
    if message in PHRASES:
        return _(message)
    for form, parts in _PARTS.items():
        filled = blanks(parts, message)
        if filled is not None:
            told = {name: refusal(said) if name == "why" else said for name, said in filled.items()}
            return _(known_faults.SPOKEN.get(form, form), **told)
    return message
