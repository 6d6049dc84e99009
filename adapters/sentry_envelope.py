"""Sentry's SDKs, speaking to this gateway by DSN. Wire format: docs/dialects/sentry_envelope.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from marshmallow import fields

from adapters.common import sentry_dialog, sentry_store, signatures
from adapters.common.envelopes import MOST_ITEMS, Item, envelope_of, header_of, items_of, object_in
from adapters.common.large_envelopes import reduced
from adapters.common.plain_text import first_line, one_line
from adapters.common.schemas import Payload, Text, length
from adapters.common.sentry_event import author_of, event_tags, sender_of
from adapters.common.sentry_words import failures_of, frame_of, message_of, policy_of, template_of
from adapters.common.severities import stated
from adapters.common.times import moment_or_seconds
from adapters.common.untrusted_json import first_scalar, first_text, first_url, object_of, present
from adapters.contract import (
    Adapter,
    Door,
    Fault,
    Hook,
    Inbound,
    Problem,
    Refused,
    Reply,
    Signed,
    invalid,
    tolerant,
)
from adapters.contract.description import Proof, Shape, Shown, text, time
from adapters.contract.record import PART_HEADER, Author, Record, Saved

ID_LENGTH = 64
DEFAULT = "{{ default }}"  # in a fingerprint: what the event would be grouped by without one
# A feedback is `feedback` to the JavaScript SDKs and `default` to Python's, an event is `error` to both.
CATEGORIES = "feedback;default;error"
AHEAD, BEHIND = 55 * 60_000, 30 * 86_400_000  # milliseconds from which a clock is corrected
SILENCE = 60  # seconds that a client is told to be silent when nobody said for how long

Json = Mapping[str, Any]


class UserReport(Payload):
    """A user's words on an error, as an item and as the body of the older REST call."""

    event_id = Text(length(least=1), required=True)
    comments = Text(required=True)
    name = Text(allow_none=True)
    email = Text(allow_none=True)


class Stored(Shown):
    sometimes = ("id",)
    id = text()


class EventShown(Shown):
    id = text(allow_none=True)
    eventID = text()


class ReportShown(Shown):
    id = text(allow_none=True)
    eventID = text()
    event = fields.Nested(EventShown)
    name = text(allow_none=True)
    email = text(allow_none=True)
    comments = text()
    dateCreated = time()
    user = fields.Raw(allow_none=True)
    issue = fields.Raw(allow_none=True)


class DialogAsked(Payload):
    """The address of the form: the words that it shows may stand there too, by their option's name."""

    dsn = Text(required=True)
    eventId = Text()


class DialogTold(Shown):
    sometimes = ("errors",)
    errors = fields.Dict()


class Error(Shown):
    detail = text()


def read(inbound: Inbound) -> list[Record]:
    """The records of the items that can be read; the others are held as an envelope of their own."""
    made: list[tuple[Record, slice]] = []
    bad: list[tuple[Record, slice]] = []
    attachments: list[dict[str, Any]] = []
    after = inbound.body.find(b"\n") + 1 or len(inbound.body)  # what was looked at
    try:
        header = header_of(inbound)
    except Refused as refused:  # its items say what it says
        header = {}
        bad.append((_unreadable(refused), slice(0)))
    try:
        for item in items_of(inbound, READERS):
            after = item.place.stop
            if item.header.get("type") == "attachment":
                attachments += [_attachment(item)] if len(attachments) < MOST_ITEMS else []
            else:
                for record in _read_item(inbound, header, item):
                    (bad if record.unreadable else made).append((record, item.place))
    except Refused as refused:
        bad.append((_unreadable(refused), slice(after, None)))
    records = [record for record, _ in made]
    first = next((number for number, record in enumerate(records) if record.kind == "feedback"), None)
    if first is not None and attachments:  # with the first one only: what is kept grows with the envelope
        subject = {**records[first].subject, "attachments": attachments}
        records[first] = replace(records[first], subject=subject)
    kept = [record for record, _ in bad[:1]]
    if made and bad:
        kept = [replace(kept[0], held=envelope_of(inbound, (place for _, place in bad)))]
    inbound.parts = [*(place for _, place in made), *(None for _ in kept)]
    return [*_told_apart(inbound, records), *kept]


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """The envelope's id, which the SDKs do not read; nothing of ours may look like a limit."""
    try:
        event_id = _event_id(header_of(inbound))
    except Refused:
        event_id = ""
    event_id = event_id or next((str(one.document.get("external_id") or "") for one in saved), "")
    return Reply(200, {"id": event_id} if event_id else {})


def read_report(inbound: Inbound) -> list[Record]:
    record = _report(inbound, UserReport.of(inbound))
    return [record] if record.text else []


def reply_report(inbound: Inbound, saved: list[Saved]) -> Reply:
    """The report as Sentry shows a stored one; what could not be read is told why, with a 200 too."""
    try:
        sent = UserReport.of(inbound)
    except Refused as refused:
        return Reply(200, {"detail": refused.problem.message})
    created = datetime.fromtimestamp(inbound.received_at / 1000, UTC).isoformat(timespec="milliseconds")
    shown = {
        "id": next((str(one.document["id"]) for one in saved if one.document), None),
        "eventID": sent["event_id"],
        "event": {"id": None, "eventID": sent["event_id"]},
        "name": sent.get("name"),
        "email": sent.get("email"),
        "comments": sent["comments"],
        "dateCreated": created.replace("+00:00", "Z"),
        "user": None,
        "issue": None,
    }
    return Reply(200, shown)


def read_dialog(inbound: Inbound) -> list[Record]:
    """What somebody wrote into the form of showReportDialog; its words need no event that we know."""
    sent, wrong = sentry_dialog.filled(inbound)
    return [] if wrong else [_report(inbound, sent)]


def reply_dialog(inbound: Inbound, saved: list[Saved]) -> Reply:
    """Nothing, or which fields to mend: the form shows that and lets its writer try again."""
    try:
        wrong = sentry_dialog.filled(inbound)[1]
    except Refused:
        return Reply(200, {})  # kept in quarantine
    return Reply(400, {"errors": wrong}) if wrong else Reply(200, {})


def read_stored(inbound: Inbound) -> list[Record]:
    """One event, as the SDKs posted them before there were envelopes."""
    record = _event(inbound, {}, sentry_store.event_of(inbound))
    return [record] if record.text else []


def reply_stored(inbound: Inbound, saved: list[Saved]) -> Reply:
    event_id = sentry_store.event_id_of(inbound)
    return Reply(200, {"id": event_id} if event_id else {})


def refuse(problem: Problem) -> Reply:
    """Sentry says 403 to those it does not know; its SDKs stop by X-Sentry-Rate-Limits, in whole seconds."""
    message = re.sub(r"[^\x20-\x7e]+", " ", problem.message)
    headers = {**problem.headers, "X-Sentry-Error": one_line(message)}
    if problem.status == 401:
        headers.pop("WWW-Authenticate", None)
    if problem.status == 429:
        waits = [value for name, value in headers.items() if name.lower() == "retry-after"]
        seconds = int(waits[0]) if waits and re.fullmatch(r"\d{1,6}", waits[0], re.ASCII) else SILENCE
        headers["X-Sentry-Rate-Limits"] = f"{seconds}:{CATEGORIES}:key"
    return Reply(403 if problem.status == 401 else problem.status, {"detail": problem.message}, headers)


def key_in(inbound: Inbound) -> str | None:
    """The DSN's public key, which names the hook; None when there is none or two differ."""
    scheme, _, shown = inbound.headers.get("authorization", "").strip().partition(" ")
    scheme, shown = scheme.lower(), shown.strip()
    keys = set()
    for header in (inbound.headers.get("x-sentry-auth"), shown if scheme == "sentry" else None):
        if header is not None:
            found = re.search(r"\bsentry_key=([^,\s]*)", header)
            keys.add(found[1] if found else "")
    if "sentry_key" in inbound.query:
        keys.add(inbound.query["sentry_key"])
    if scheme == "dsn":
        keys.add(_key_of(shown))
    if "project_number" not in inbound.params:
        keys |= {shown} if scheme == "bearer" else set()
        if "dsn" in inbound.query:
            keys.add(_key_of(inbound.query["dsn"]))
    elif dsn := _dsn(inbound):
        keys.add(_key_of(dsn))
    return keys.pop() if len(keys) == 1 and re.fullmatch(r"\w{1,200}", min(keys), re.ASCII) else None


def verify(inbound: Inbound, hook: Hook) -> bool:
    """The key is public; it opens only its own project. The REST call names no number."""
    dsn = inbound.query.get("dsn")
    number = inbound.params.get("project_number", dsn and sentry_dialog.number_in(dsn))
    return number is None or signatures.same(number, str(hook.options["project_number"]))


def _read_item(inbound: Inbound, header: Json, item: Item) -> list[Record]:
    """What an item becomes: a record, nothing, or what says that it could not be read."""
    kind = first_text(item.header, "type")
    if kind not in READERS:
        return []
    try:
        if type(dropped := item.header.get("dropped")) is int:
            raise invalid(Fault(f"{kind} length", f"{dropped} bytes are more than are read of an item"))
        record = READERS[kind](inbound, header, object_in(inbound, item.payload, kind))
    except Refused as refused:
        return [_unreadable(refused)]
    return [record] if record.text else []  # a feedback without words is dropped, as at Sentry


def _user_report(inbound: Inbound, header: Json, sent: Json) -> Record:
    return _report(inbound, UserReport.check(sent))


def _event(inbound: Inbound, header: Json, sent: Json) -> Record:
    """An error or a message, or a feedback: Python has no other way to send one."""
    read_as = _feedback if object_of(object_of(sent, "contexts"), "feedback") else _alert
    return read_as(inbound, header, sent)


def _feedback(inbound: Inbound, header: Json, sent: Json) -> Record:
    feedback = object_of(object_of(sent, "contexts"), "feedback")
    if not isinstance(feedback.get("message"), str):
        raise invalid(Fault("contexts.feedback.message", "Expected string"))
    words, event_id = first_text(feedback, "message"), _event_id(header) or _event_id(sent)
    subject = {
        **_subject(sent, event_id),
        "url": first_url(feedback, "url") or first_url(object_of(sent, "request"), "url"),
        "associated_event_id": _event_id(feedback, "associated_event_id"),
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


def _report(inbound: Inbound, sent: Json) -> Record:
    words, event_id = sent["comments"].strip(), _event_id(sent)
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
    event_id, failures, message = _event_id(header) or _event_id(sent), failures_of(sent), message_of(sent)
    frame = frame_of(sent)
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
    "event": _event,
}


def _told_apart(inbound: Inbound, records: list[Record]) -> list[Record]:
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


def _unreadable(refused: Refused) -> Record:
    return Record(text="", unreadable=refused.problem.message)


def _attachment(item: Item) -> dict[str, Any]:
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


def _event_id(sent: Json, name: str = "event_id") -> str:
    """An event's id as Sentry writes it: without the dashes of a UUID, in lower case."""
    found = first_scalar(sent, name).replace("-", "").lower()
    return found if len(found) <= ID_LENGTH else ""


def _dsn(inbound: Inbound) -> str:
    """The DSN in the envelope's header, if it has one."""
    try:
        return first_text(header_of(inbound), "dsn")
    except Refused:
        return ""


def _key_of(dsn: str) -> str:
    """The user part of a DSN, http://KEY@host/42."""
    try:
        return urlsplit(dsn).username or ""
    except ValueError:
        return ""


def _digest(words: str) -> str:
    return sha256(words.encode("utf-8", "replace")).hexdigest()[:32]


ADVICE = """\
Give Sentry's SDK this DSN:
  {dsn}
Python: sentry_sdk.init(dsn="..."). JavaScript: Sentry.init({{dsn: "..."}}), then Sentry.captureFeedback(...).
The key in it is public, as every DSN's; limit it by rate, and end it with
`feedback-gateway hook delete {hook_id}`."""

ADAPTER = Adapter(
    name="sentry_envelope",
    title="Sentry SDKs",
    error=Error,
    source="sentry",
    doors=(
        Door(
            "/api/<project_number>/envelope",
            tolerant(read),
            reply,
            reduced=partial(reduced, read=READERS),
            shape=Shape(
                summary="Take an envelope of one of Sentry's SDKs.",
                answers={200: Stored},
                example='{}\n{"type": "feedback"}\n{"contexts": {"feedback": {"message": "It is slow"}}}\n',
                media="application/x-sentry-envelope",
            ),
        ),
        Door(
            "/api/<project_number>/store",
            tolerant(read_stored),
            reply_stored,
            shape=Shape(
                summary="Take an event of one of Sentry's SDKs from before envelopes.",
                answers={200: Stored},
                example={"event_id": "14bad9a2e3774046977a21440ddb39b2", "message": "It broke"},
            ),
        ),
        Door(
            sentry_dialog.PATH,
            lambda inbound: [],
            sentry_dialog.script,
            "GET",
            shape=Shape(
                summary="Show the form of showReportDialog.",
                query=DialogAsked,
                answers={200: None},
                shown_as=("text/javascript",),
            ),
        ),
        Door(
            sentry_dialog.PATH,
            tolerant(read_dialog),
            reply_dialog,
            shape=Shape(
                summary="Take what was written into the form of showReportDialog.",
                query=DialogAsked,
                answers={200: DialogTold, 400: DialogTold},
                example="name=Kim&email=kim%40example.org&comments=It+broke",
                media="application/x-www-form-urlencoded",
            ),
        ),
        Door(
            "/api/0/projects/<org>/<project>/user-feedback",
            tolerant(read_report),
            reply_report,
            shape=Shape(
                summary="Take a user's words on an error.",
                body=UserReport,
                answers={200: (ReportShown, Error)},
                example={"event_id": "14bad9a2e3774046977a21440ddb39b2", "comments": "It broke"},
            ),
        ),
    ),
    refuse=refuse,
    owns=("/api/0", "/api/embed"),
    # A DSN has no secret.
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        unproven="The key is not that of this project.",
        hook_id=key_in,
        new_secret=lambda: "",
        made_as="sentry-dsn",
        proofs=(Proof("header", "X-Sentry-Auth"), Proof("query", "sentry_key")),
    ),
)
