"""Sentry's SDKs, speaking to this gateway by DSN. Wire format: docs/dialects/sentry_envelope.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from marshmallow import fields

from adapters.common import sentry_dialog, sentry_store, signatures
from adapters.common.envelopes import MOST_ITEMS, envelope_of, header_of, items_of
from adapters.common.large_envelopes import envelope_with_files
from adapters.common.plain_text import one_line
from adapters.common.sentry_records import (
    READERS,
    UserReport,
    attachment_of,
    event_id_of,
    event_of,
    read_item,
    report_of,
    told_apart,
    unreadable,
)
from adapters.common.untrusted_json import first_text
from adapters.contract import (
    Adapter,
    Door,
    Hook,
    Inbound,
    Problem,
    Refused,
    Reply,
    Signed,
    tolerant,
)
from adapters.contract.description import Proof, Shape, Shown, text, time
from adapters.contract.record import Record, Saved

# A feedback is `feedback` to the JavaScript SDKs and `default` to Python's, an event is `error` to both.
CATEGORIES = "feedback;default;error"
SILENCE = 60  # seconds that a client is told to be silent when nobody said for how long

Json = Mapping[str, Any]


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
        bad.append((unreadable(refused), slice(0)))
    try:
        for item in items_of(inbound, READERS):
            after = item.place.stop
            if item.header.get("type") == "attachment":
                attachments += [attachment_of(item)] if len(attachments) < MOST_ITEMS else []
            else:
                for record in read_item(inbound, header, item):
                    (bad if record.unreadable else made).append((record, item.place))
    except Refused as refused:
        bad.append((unreadable(refused), slice(after, None)))
    records = [record for record, _ in made]
    first = next((number for number, record in enumerate(records) if record.kind == "feedback"), None)
    if first is not None and attachments:  # with the first one only: what is kept grows with the envelope
        subject = {**records[first].subject, "attachments": attachments}
        records[first] = replace(records[first], subject=subject)
    if inbound.files and records:  # those of somebody's words, else of what a program sent
        records[_spoken(records) if first is None else first].files = tuple(inbound.files)
    kept = [record for record, _ in bad[:1]]
    if made and bad:
        kept = [replace(kept[0], held=envelope_of(inbound, (place for _, place in bad)))]
    inbound.parts = [*(place for _, place in made), *(None for _ in kept)]
    return [*told_apart(inbound, records), *kept]


def _spoken(records: list[Record]) -> int:
    """The number of the first record that somebody wrote, else of the first."""
    return next((number for number, record in enumerate(records) if record.kind == "user_report"), 0)


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """The envelope's id, which the SDKs do not read; nothing of ours may look like a limit."""
    try:
        event_id = event_id_of(header_of(inbound))
    except Refused:
        event_id = ""
    event_id = event_id or next((str(one.document.get("external_id") or "") for one in saved), "")
    return Reply(200, {"id": event_id} if event_id else {})


def read_report(inbound: Inbound) -> list[Record]:
    record = report_of(inbound, UserReport.of(inbound))
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


def read_stored(inbound: Inbound) -> list[Record]:
    """One event, as the SDKs posted them before there were envelopes."""
    record = event_of(inbound, {}, sentry_store.event_of(inbound))
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
            streamed=envelope_with_files(READERS),
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
                query=sentry_dialog.Asked,
                answers={200: None},
                shown_as=("text/javascript",),
            ),
        ),
        Door(
            sentry_dialog.PATH,
            tolerant(sentry_dialog.read),
            sentry_dialog.reply,
            shape=Shape(
                summary="Take what was written into the form of showReportDialog.",
                query=sentry_dialog.Asked,
                answers={200: sentry_dialog.Told, 400: sentry_dialog.Told},
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
