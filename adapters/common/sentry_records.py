"""What the items of Sentry's envelopes become: words of people, errors and messages of programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from adapters.common.envelopes import Item, object_in
from adapters.common.plain_text import first_line, one_line
from adapters.common.schemas import Payload, Text, length
from adapters.common.sentry_event import author_of, event_tags, sender_of
from adapters.common.sentry_words import failures_of, frame_of, message_of, policy_of, template_of
from adapters.common.severities import stated
from adapters.common.times import moment_or_seconds
from adapters.common.untrusted_json import first_scalar, first_text, first_url, object_of, present
from adapters.contract import Fault, Inbound, Refused, invalid
from adapters.contract.record import PART_HEADER, Author, Record

ID_LENGTH = 64
DEFAULT = "{{ default }}"  # in a fingerprint: what the event would be grouped by without one
AHEAD, BEHIND = 55 * 60_000, 30 * 86_400_000  # milliseconds from which a clock is corrected

Json = Mapping[str, Any]


class UserReport(Payload):
    """A user's words on an error, as an item and as the body of the older REST call."""

    event_id = Text(length(least=1), required=True)
    comments = Text(required=True)
    name = Text(allow_none=True)
    email = Text(allow_none=True)


def read_item(inbound: Inbound, header: Json, item: Item) -> list[Record]:
    """What an item becomes: a record, nothing, or what says that it could not be read."""
    kind = first_text(item.header, "type")
    if kind not in READERS:
        return []
    try:
        if type(dropped := item.header.get("dropped")) is int:
            raise invalid(Fault(f"{kind} length", f"{dropped} bytes are more than are read of an item"))
        record = READERS[kind](inbound, header, object_in(inbound, item.payload, kind))
    except Refused as refused:
        return [unreadable(refused)]
    return [record] if record.text else []  # a feedback without words is dropped, as at Sentry


def _user_report(inbound: Inbound, header: Json, sent: Json) -> Record:
    return report_of(inbound, UserReport.check(sent))


def event_of(inbound: Inbound, header: Json, sent: Json) -> Record:
    """An error or a message, or a feedback: Python has no other way to send one."""
    read_as = _feedback if object_of(object_of(sent, "contexts"), "feedback") else _alert
    return read_as(inbound, header, sent)


def _feedback(inbound: Inbound, header: Json, sent: Json) -> Record:
    feedback = object_of(object_of(sent, "contexts"), "feedback")
    if not isinstance(feedback.get("message"), str):
        raise invalid(Fault("contexts.feedback.message", "Expected string"))
    words, event_id = first_text(feedback, "message"), event_id_of(header) or event_id_of(sent)
    subject = {
        **_subject(sent, event_id),
        "url": first_url(feedback, "url") or first_url(object_of(sent, "request"), "url"),
        "associated_event_id": event_id_of(feedback, "associated_event_id"),
        "replay_id": first_scalar(feedback, "replay_id"),
        **_clock(header, sent, inbound),
    }
    return Record(
        title=first_line(words),
        text=words,
        kind="feedback",
        subject=present(subject),
        author=sender_of(feedback, author_of(object_of(sent, "user"))),
        tags=_tags(sent, source=first_scalar(feedback, "source")),
        external_id=event_id or None,
        occurred_at=_moment(header, sent, inbound),
        dedupe_key=f"feedback:{event_id}" if event_id else None,
    )


def report_of(inbound: Inbound, sent: Json) -> Record:
    """A user's words on an error."""
    words, event_id = sent["comments"].strip(), event_id_of(sent)
    return Record(
        title=first_line(words),
        text=words,
        kind="user_report",
        subject=present({"associated_event_id": event_id}),
        author=Author(name=sent.get("name") or None, email=sent.get("email") or None),
        occurred_at=inbound.received_at,
        dedupe_key=f"user_report:{event_id}:{_digest(words)}" if event_id else None,
    )


def _alert(inbound: Inbound, header: Json, sent: Json) -> Record:
    """An exception or a message that a program sent."""
    event_id, failures = event_id_of(header) or event_id_of(sent), failures_of(sent)
    message, frame = message_of(sent), frame_of(sent)
    culprit = first_scalar(sent, "culprit", "transaction") or _place(frame)
    message = message or policy_of(sent)
    # An event may have no words at all: then it is known by where it happened.
    failure = "" if message and not failures else next(iter(failures), _function(frame) or culprit)
    if not (failure or message):
        raise invalid(Fault("event", "Expected a message, an exception or where it happened"))
    # What tells this story from others: the template of a message, not what was filled in.
    by_default = [failure, culprit] if failure else [template_of(sent) or message]
    given = sent.get("fingerprint")
    parts = [part for part in given if isinstance(part, str)] if isinstance(given, list) else []
    grouped = [word for part in parts or [DEFAULT] for word in (by_default if part == DEFAULT else [part])]
    return Record(
        title=one_line(failure or message),
        text="\n".join(dict.fromkeys(filter(None, (message, *(failures or [failure]))))),
        type="alert",
        kind="event",
        **stated(first_scalar(sent, "level") or "error"),
        subject=present({**_subject(sent, event_id), "culprit": culprit, **_clock(header, sent, inbound)}),
        author=author_of(object_of(sent, "user")),
        tags=_tags(sent),
        external_id=event_id or None,
        occurred_at=_moment(header, sent, inbound),
        dedupe_key=f"event:{event_id}" if event_id else None,
        incident_key=f"event:{inbound.params.get('project_number', '')}:{_digest(chr(0).join(grouped))}",
        state="triggered",
    )


# By type of item; any other (session, transaction, client_report, log, ...) is skipped.
READERS: dict[str, Callable[[Inbound, Json, Json], Record]] = {
    "feedback": _feedback,
    "user_report": _user_report,
    "event": event_of,
}


def told_apart(inbound: Inbound, records: list[Record]) -> list[Record]:
    """Records that share the envelope's id get keys of their own, the same ones at every reading.

    What was held of an envelope is not what was read of it.
    """
    counted = Counter[str]()
    part = ":held" if PART_HEADER in inbound.headers else ""
    for index, record in enumerate(records):
        if record.dedupe_key and record.kind != "user_report":
            key = f"{record.dedupe_key}{part}"
            counted[key] += 1
            again = f":{counted[key]}" if counted[key] > 1 else ""
            records[index] = replace(record, dedupe_key=f"{key}{again}")
    return records


def unreadable(refused: Refused) -> Record:
    """What says that an item or an envelope could not be read."""
    return Record(text="", unreadable=refused.problem.message)


def attachment_of(item: Item) -> dict[str, Any]:
    """What is kept of an attachment: its name, its type and how large it was."""
    header = item.header
    named = {"name": first_text(header, "filename")[:200], "type": first_text(header, "content_type")[:200]}
    dropped = header.get("dropped")  # of a large envelope
    return {**present(named), "size": dropped if type(dropped) is int else len(item.payload)}


def _subject(sent: Json, event_id: str) -> dict[str, Any]:
    return {
        "url": first_url(object_of(sent, "request"), "url"),
        "environment": first_scalar(sent, "environment"),
        "release": first_scalar(sent, "release"),  # some write a number
        "event_id": event_id,
    }


def _drift(header: Json, inbound: Inbound) -> int:
    """Milliseconds that the device's clock is behind ours, 0 when that is little or not known.

    As Sentry's Relay does it: sent_at is the device's time of sending, and what is less than 55 minutes
    ahead is left alone. What is behind by less than Sentry keeps events may have been long under way.
    Source: getsentry/relay, clock_drift.rs, MINIMUM_CLOCK_DRIFT_SECS.
    """
    sent_at = moment_or_seconds(header.get("sent_at"))
    drift = inbound.received_at - sent_at if sent_at is not None else 0
    return drift if drift <= -AHEAD or drift >= BEHIND else 0


def _moment(header: Json, sent: Json, inbound: Inbound) -> int | None:
    """When it happened, by our clock if the device's is known to be wrong."""
    told = moment_or_seconds(sent.get("timestamp")) or moment_or_seconds(header.get("sent_at"))
    return None if told is None else told + _drift(header, inbound)


def _clock(header: Json, sent: Json, inbound: Inbound) -> dict[str, str]:
    """What the device's clock said, when it was wrong."""
    told = moment_or_seconds(sent.get("timestamp"))
    if told is None or not _drift(header, inbound):
        return {}
    return {"sent_occurred_at": datetime.fromtimestamp(told / 1000, UTC).isoformat().replace("+00:00", "Z")}


def _place(frame: Json) -> str:
    """Where something was raised, by a frame."""
    place, function = first_scalar(frame, "module", "filename"), first_scalar(frame, "function")
    return " in ".join(filter(None, (place, function)))


def _function(frame: Json) -> str:
    return first_scalar(frame, "function") or first_scalar(frame, "module", "filename", "package")


def _tags(sent: Json, **more: str) -> tuple[str, ...]:
    """`name:value` of each tag, which may be an object or an array of pairs, and of what names the sender."""
    tags = sent.get("tags")
    items = list(tags.items()) if isinstance(tags, dict) else tags if isinstance(tags, list) else []
    pairs = [item for item in items if isinstance(item, list | tuple) and len(item) == 2]
    more = {
        **more,
        "platform": first_scalar(sent, "platform"),
        "sdk": first_scalar(object_of(sent, "sdk"), "name"),
    }
    words = [
        (key, first_scalar({"": value}, "")) for key, value in [*pairs, *more.items()] if isinstance(key, str)
    ]
    return event_tags(words)


def event_id_of(sent: Json, name: str = "event_id") -> str:
    """An event's id as Sentry writes it: without the dashes of a UUID, in lower case."""
    found = first_scalar(sent, name).replace("-", "").lower()
    return found if len(found) <= ID_LENGTH else ""


def _digest(words: str) -> str:
    return sha256(words.encode("utf-8", "replace")).hexdigest()[:32]
