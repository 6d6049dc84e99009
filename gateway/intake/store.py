"""Keeps records for good: one transaction for records, events, raw payload and keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from adapters.contract import Adapter, Inbound, Problem, Refused
from adapters.contract.record import PART_HEADER, Labels, Record, Saved
from gateway.access.caller import Caller
from gateway.core.cooperative import aside
from gateway.core.ids import is_ours, new_id, new_ulid
from gateway.intake import idempotency, outcomes, repeat_reports
from gateway.intake.record_files import attached_of, shown
from gateway.intake.redaction import request_of
from models.database.base import dumps
from models.intake import commit
from models.tables import impact_reasons
from models.tables.alert_group import TYPES, group_of
from models.tables.feedback import document, iso
from models.tables.search_words import words_of
from models.tables.workspace import is_workspace, workspace_of

TITLE_LENGTH = 120  # characters of the text that make a title when the sender gave none
AHEAD = 300_000  # milliseconds that a sender's clock may be ahead of ours
FIRST = 31_536_000_000  # milliseconds, 1971-01-01: what is before is a clock that was never set
KEY_LENGTH = 300  # characters of a dedupe or incident key
REACH = commit.Reach(impact_reasons.STEPS, repeat_reports.WINDOW, impact_reasons.raised)


def save(
    caller: Caller, adapter: Adapter, inbound: Inbound, records: Sequence[Record], labels: Sequence[Labels]
) -> list[Saved]:
    """Commits one delivery and returns what is stored, or what the first delivery of its key was told.

    Raises Refused: 403 (a project or workspace of ours that the caller may not use), 409 or 422
    (the Idempotency-Key, see gateway.intake.idempotency). Raises peewee's OperationalError when the
    database cannot take it now.
    """
    ulids = chain((inbound.request_id.rpartition("_")[2],), iter(new_ulid, None))
    parted = parted_of(caller, inbound, records)
    writes = [
        write_of(caller, adapter, inbound, *known, *(parted.part(number) if parted else ()))
        for number, known in enumerate(zip(records, labels, ulids, strict=False))
    ]
    scores = [label.category_scores for label in labels]
    claim = idempotency.claim_of(caller, adapter, inbound)
    request = commit.Request(
        writes,
        claim,
        lambda stored: _snapshot(stored, scores, writes),
        REACH,
        outcomes.entry(adapter.source or adapter.name, inbound.received_at, caller),
        inbound.received_at,
        parted=parted,
    )
    try:
        with idempotency.in_flight(claim, adapter.idempotency):
            stored = commit.save(request)
    except commit.Taken as taken:
        return _replayed(idempotency.repeated(taken, claim, adapter.idempotency, inbound))
    inbound.outcome = commit.ended([item.outcome for item in stored])
    return [_saved(*item) for item in zip(stored, scores, writes, strict=True)]


def place(caller: Caller, record: Record) -> str:
    """The project a record lands in: the one it names if that is ours, else the key's, else the default.

    Raises Refused (403) when it names a workspace or project of ours that the caller may not use;
    ids that are not known here are the sender's own and refuse nothing.
    """
    named = record.workspace_ref
    if named and named != caller.workspace_id and is_ours("ws", named) and aside(is_workspace, named):
        raise Refused(Problem(403, "forbidden", "Forbidden."))
    project = record.project_ref
    if project is None or project == caller.project_id or not is_ours("prj", project):
        return caller.default_project_id
    owner = aside(workspace_of, project)
    if owner is None:
        return caller.default_project_id
    if owner != caller.workspace_id or caller.project_id is not None:
        raise Refused(Problem(403, "forbidden", "Forbidden."))
    return project


def parted_of(caller: Caller, inbound: Inbound, records: Sequence[Record]) -> commit.Parted | None:
    """The delivery that is kept in parts, as several records were made of it; None when there is one."""
    if len(records) < 2:
        return None
    known = inbound.parts if len(inbound.parts) == len(records) else [None] * len(records)
    return commit.Parted(new_id("dl"), caller.workspace_id, inbound.body, known)


def write_of(
    caller: Caller,
    adapter: Adapter,
    inbound: Inbound,
    record: Record,
    label: Labels,
    ulid: str,
    payload: bytes | None = None,
    part: slice | None = None,
    delivery_id: str | None = None,
) -> commit.Write:
    """One record to store, with its part of the body as `payload`, or all of it.

    `part` is where that stands in the delivery that is kept under an id.

    Raises Refused as `save` does. The first record of a request bears the request's own ULID, since
    making one is not free.
    """
    now = inbound.received_at
    if record.server is not None:
        record = record.of_its_server()
    occurred_at, subject = _bounded_time(record, now)
    row: dict[str, Any] = {
        "id": f"fb_{ulid}",
        "workspace_id": caller.workspace_id,
        "project_id": place(caller, record),
        "source": adapter.source or adapter.name,
        "type": record.type,
        "title": record.title or shorten(record.text),
        "text": record.text,
        "language": label.language,
        "kind": record.kind,
        "category": label.category,
        "category_origin": label.category_origin,
        "category_confidence": label.category_confidence,
        "sentiment": label.sentiment,
        "sentiment_origin": label.sentiment_origin,
        "sentiment_score": label.sentiment_score,
        "sentiment_confidence": label.sentiment_confidence,
        "topic": None,
        "topic_origin": None,
        "topic_confidence": None,
        "impact": label.impact,
        "impact_origin": "predicted",
        "overruled": None,
        "impact_reasons": [
            {"part": reason.part, "points": reason.points, "why": reason.why}
            for reason in label.impact_reasons
        ],
        "subject": subject,
        "author_id": record.author.id,
        "author_name": record.author.name,
        "author_email": record.author.email,
        "tags": list(record.tags),
        "status": "open",
        "assignee": None,
        "snoozed_until": None,
        "wakes_on_delivery": None,
        "incident_key": bounded(record.incident_key),
        "occurrences": 1,
        "votes": 0,
        "triggers": 0,
        "state_key": None,
        "content_key": None,
        "first_seen_at": occurred_at or now,
        "last_seen_at": occurred_at or now,
        "merged_into": None,
        "people": None,
        "resolved_at": None,
        "retracted_at": None,
        "external_id": record.external_id,
        "occurred_at": occurred_at,
        "received_at": now,
        "updated_at": now,
        "model_version": label.model_version,
        "fingerprint": repeat_reports.fingerprint(record),
    }
    row["words"] = words_of(row)
    row["alert_group"] = group_of(row) if row["type"] in TYPES else None
    files = attached_of(adapter, inbound, record, row) if record.files else ()
    event = {
        "id": f"ev_{ulid}",
        "at": now,
        "detail": {
            "door": f"{inbound.method} {inbound.path}",
            "key_id": caller.key_id,
            "request_id": inbound.request_id,
            "content_type": inbound.headers.get("content-type", ""),
            "user_agent": inbound.headers.get("user-agent", ""),
            **({"visibility": record.secrecy} if record.secrecy else {}),
            **({"files": [file.row["id"] for file in files]} if files else {}),
        },
        "payload": inbound.body if payload is None else payload,
        "delivery_id": delivery_id,
    }
    return commit.Write(
        row,
        event,
        bounded(record.dedupe_key),
        record.replaceable,
        record.retracts,
        bounded(record.votes_for),
        bounded(record.voter),
        _telling(record, row) if record.incident_key or record.votes_for else None,
        _held(caller, adapter, inbound, row, record) if record.unreadable else None,
        part,
        record.comment and bounded(record.comment),
        record.server,
        files,
    )


def _bounded_time(record: Record, now: int) -> tuple[int | None, dict[str, Any]]:
    """When it happened, not after it came and not in the first year of the epoch, and the subject.

    A clock that is ahead or unset is not believed; what it said stays in the subject.
    """
    sent = record.occurred_at
    if sent is None or FIRST <= sent <= now + AHEAD:
        return sent, dict(record.subject)
    subject = dict(record.subject)
    if sent > now:
        subject.setdefault("sent_occurred_at", iso(sent))
    return (now if sent > now else None), subject


def _telling(record: Record, row: Mapping[str, Any]) -> commit.Telling:
    """What a record is to its story, as the laws of models.intake.stories take it."""
    now = row["received_at"]
    times = (record.revised_at, record.occurred_at)
    said = next((now if at > now + AHEAD else at for at in times if at and at >= FIRST), now)
    restates = record.replaceable and not record.retracts
    key = bounded(record.dedupe_key) or row["id"]
    if restates:  # newer words come under the same key
        content = dumps([row[name] for name in commit.CONTENT]) + str(said)
        key = f"{key}#{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:16]}"
    return commit.Telling(
        state="retracted" if record.retracts else record.state or "note",
        at=said,
        key=key,
        stands=record.stands,
        whole=record.whole,
        counts=record.counts and not restates,
        restates=restates,
        quiet=record.quiet or record.retracts,
        occurrence=bounded(record.occurrence),
        family=bounded(record.family),
        joins=bounded(record.joins),
        severity=record.severity,
        secrecy=record.secrecy,
    )


def _held(
    caller: Caller, adapter: Adapter, inbound: Inbound, row: Mapping[str, Any], record: Record
) -> dict[str, Any]:
    """A delivery as quarantine keeps it: everything a replay needs, nothing that proves who sent it."""
    request, body = request_of(inbound), inbound.body
    if record.held is not None:
        part = record.held
        body = part if isinstance(part, bytes) else part.encode("utf-8", "replace")
        request["headers"][PART_HEADER] = "true"
    return {
        "id": new_id("qr"),
        "workspace_id": caller.workspace_id,
        "project_id": row["project_id"],
        "source": adapter.name,
        "hook_id": caller.key_id,
        "reason": record.unreadable,
        "request": request,
        "payload": body,
        "received_at": inbound.received_at,
        "replayed_at": None,
    }


def bounded(key: str | None) -> str | None:
    """A key as it is stored: a long one by its beginning and a digest, since indexes have limits."""
    if key is None or len(key) <= KEY_LENGTH:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    return f"{key[: KEY_LENGTH - 65]}#{digest}"


def shorten(text: str) -> str:
    """The first line of a text, cut at a word when it is long."""
    line = text.strip().partition("\n")[0].strip()
    if len(line) <= TITLE_LENGTH:
        return line
    head = line[: TITLE_LENGTH - 1]
    return (head.rpartition(" ")[0] or head).rstrip() + "…"


def _saved(stored: commit.Stored, scores: Mapping[str, float], write: commit.Write) -> Saved:
    made = document(stored.row) if stored.row else {}
    if write.files and made:
        made["attachments"] = shown(write.files, made["id"])
    return Saved(stored.outcome, made, scores)  # type: ignore[arg-type]  # intake speaks contract.Outcome


def _snapshot(
    stored: Sequence[commit.Stored], scores: Sequence[Mapping[str, float]], writes: Sequence[commit.Write]
) -> str:
    """What a repeat of this request will be answered from."""
    saved = [_saved(*item) for item in zip(stored, scores, writes, strict=True)]
    return dumps([[item.outcome, item.document, item.category_scores] for item in saved])


def _replayed(answer: str) -> list[Saved]:
    items: list[list[Any]] = json.loads(answer)
    return [Saved(*item) for item in items]
