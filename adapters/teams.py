"""teams: messages to an outgoing webhook of Microsoft Teams. docs/dialects/teams.md.

Wire facts: learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook,
and OfficeDev/msteams-samples-outgoing-webhook-nodejs, app.js: `Authorization: HMAC` and the base64
HMAC-SHA256 of the body under the security token, which is base64 itself.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator

from marshmallow import fields

from adapters.common.markup import plain
from adapters.common.plain_text import first_line
from adapters.common.signatures import hmac_base64, hook_adapter, same
from adapters.common.tags import PRIVATE, marked, tags
from adapters.common.times import moment_of
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    linked,
    needed,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Fault, Hook, Inbound, Refused, Reply, Signed, invalid
from adapters.contract.description import Proof, Shape, Shown, text
from adapters.contract.record import Author, Record, Saved

THANKS = "Thanks, your feedback is recorded."
USAGE = "Mention me with your feedback, in your own words."
MENTION = re.compile(r"<at[^<>]{0,200}>([^<>]{0,200})</at>")
FIRST = re.compile(rf"((?:<(?:p|div|span)[^<>]{{0,200}}>\s*+){{0,5}}){MENTION.pattern}")
ADDRESS = re.compile(r"https?://[^\s()<>]+")
ROOT = re.compile(r";messageid=(\d{1,20})")

ADVICE = """\
In Microsoft Teams, Manage team > Apps, create an outgoing webhook:

Name: the word that people mention it by
Callback URL: {url}

Teams then shows a security token, once. Give it to this hook, unless you already have:

feedback-gateway hook rotate {hook_id} --secret THE_SECURITY_TOKEN"""


class Said(Shown):
    type = fields.String(metadata={"enum": ["message"]})
    text = text()


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    kind = needed(first_text(sent, "type"), "type")
    if kind != "message":
        return []
    said = _words(sent)
    if not said and any(
        first_text(one, "contentType") != "text/html" for one in objects_of(sent, "attachments")
    ):
        raise invalid(Fault("text", "Expected words in the text or addresses in the attachments"))
    if not said:
        return []
    user, place = object_of(sent, "from"), object_of(sent, "channelData")
    thread, number = first_text(object_of(sent, "conversation"), "id"), first_scalar(sent, "id")
    root = ROOT.search(thread)
    direct = first_text(object_of(sent, "conversation"), "conversationType") in ("personal", "groupChat")
    record = [
        Record(
            text=said,
            title=first_line(said),
            type="chat",
            kind="message",
            subject=present(
                {
                    "team_id": first_text(place, "teamsTeamId") or first_text(object_of(place, "team"), "id"),
                    "channel_id": first_text(place, "teamsChannelId")
                    or first_text(object_of(place, "channel"), "id"),
                    "tenant_id": first_text(object_of(place, "tenant"), "id"),
                    "message_id": number,
                }
            ),
            author=Author.of(first_text(user, "aadObjectId", "id"), first_text(user, "name")),
            tags=tags(
                team=first_text(object_of(place, "team"), "name"),
                channel=first_text(object_of(place, "channel"), "name"),
            ),
            language=_language(first_text(sent, "locale")),
            occurred_at=moment_of(first_text(sent, "timestamp")),
            external_id=number or None,
            dedupe_key=f"{thread}:{number}" if number else None,
            incident_key=thread or None,
            # A reply's conversation names the message that it was written under.
            state=("note" if root and root[1] != number else "triggered") if thread else None,
        )
    ]
    return marked(record, PRIVATE if direct else "")


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """A line under the message: Teams takes an answer without one for a failure."""
    try:
        said = _words(body_of(inbound))
    except Refused:
        return Reply(200, {"type": "message", "text": USAGE})
    return Reply(200, {"type": "message", "text": THANKS if said else USAGE})


def verify(inbound: Inbound, hook: Hook) -> bool:
    scheme, _, given = inbound.headers.get("authorization", "").partition(" ")
    if scheme.upper() != "HMAC":
        return False
    keys = filter(None, map(_key, hook.secrets))
    return any(same(given.strip(), hmac_base64(key, inbound.body)) for key in keys)


def _key(secret: str) -> bytes:
    """The security token as the key that it is; empty when it is no base64."""
    try:
        return base64.b64decode(secret, validate=True)
    except ValueError:
        return b""


def _words(sent: dict[str, object]) -> str:
    """The message without the mention that it begins with; names of people stay."""
    hook = next((first_text(object_of(e, "mentioned"), "name") for e in objects_of(sent, "entities")), "")
    raw = first_text(sent, "text")
    first = FIRST.match(raw)
    rest = first[1] + raw[first.end() :] if first and (not hook or first[2] == hook) else raw
    said = _plain(MENTION.sub(r"@\1", rest))
    return "\n".join(filter(None, (said, *_beside(sent, said))))


def _plain(text: str) -> str:
    return (plain(text) if "<" in text else html.unescape(text)).replace("\xa0", " ").strip()


def _beside(sent: dict[str, object], said: str) -> Iterator[str]:
    """The files of a message, and what its HTML links to and its text does not say."""
    for attachment in objects_of(sent, "attachments"):
        if first_text(attachment, "contentType") != "text/html":
            yield linked(attachment, "name", "contentUrl")
            continue
        addresses = ADDRESS.findall(_plain(first_text(attachment, "content")))
        yield from (address for address in dict.fromkeys(addresses) if address not in said)


def _language(locale: str) -> str | None:
    return locale[:2].lower() if re.match(r"[A-Za-z]{2}(?:-|\Z)", locale) else None


ADAPTER = hook_adapter(
    "teams",
    "Microsoft Teams",
    read,
    reply=reply,
    shape=Shape(
        summary="Take a message to an outgoing webhook of Microsoft Teams.",
        answers={200: Said},
        example={"type": "message", "id": "1", "text": "<at>Feedback</at> It is slow"},
    ),
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        new_secret=None,  # Teams makes it
        unusable=lambda token: "" if _key(token) else "Must be the security token of Teams, which is base64",
        proofs=(Proof("header", "Authorization", "`HMAC` and the signature in base64."),),
    ),
)
