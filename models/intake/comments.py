"""Comments that are deleted or hidden: what they said goes, or is marked, in whatever order it arrives.

Which events told a comment is kept beside the keys that are used: those of all its versions are found. A
comment that arrives after its end is not told, and one that arrives after it was hidden is told as such.
"""

from __future__ import annotations

import json
from typing import Any

from models.database.base import dumps, insert, rows, update
from models.intake import incident_merge
from models.intake.writes import Stored, Write, row_of
from models.tables import asset, dedupe, outbox
from models.tables.event import Event
from models.tables.feedback import Feedback

GONE = "gone"
KIND, HIDDEN = "comment deleted", "comment made private"  # what the history calls it
MARK = ""  # stands in place of an event, beside who alone may see the comment
MOST = 50  # versions of a comment that are remembered, the newest


def is_gone(write: Write) -> bool:
    """Whether the comment was deleted already."""
    return bool(_known(write)[1] == GONE)


def mark(write: Write) -> None:
    """Has a version of a comment that was hidden told as such."""
    for event, secrecy in _known(write)[1]:
        if event == MARK and write.telling is not None:
            write.telling.secrecy = write.event["detail"]["visibility"] = secrecy


def remember(write: Write, record: str, now: int) -> None:
    """Notes that an event of this record tells the comment."""
    name, known = _name(write), _known(write)[1]
    dedupe.take(*name, now=now)
    dedupe.point(*name, record)
    key = write.telling.key if write.telling else write.dedupe_key
    marks, told = _marks(known), [one for one in known if one[0] != MARK]
    dedupe.remember_answer(*name, dumps([*marks, *[*told, [write.event["id"], key]][-MOST:]]))


def hide(write: Write, secrecy: str, now: int) -> Stored:
    """Marks the words of a comment in its record and its history as those that some alone may see."""
    name, (used, known) = _name(write), _known(write)
    if known == GONE or _marks(known):
        return Stored("ignored", {})
    dedupe.take(*name, now=now)
    dedupe.remember_answer(*name, dumps([[MARK, secrecy], *known]))
    row = row_of(used)
    if row is None:
        return Stored("ignored", {})
    for event, _ in known:
        told = (Event.feedback == row["id"]) & (Event.id == event)
        for kept in rows(Event.select(Event.detail).where(told)):
            Event.update(detail={**kept["detail"], "visibility": secrecy}).where(told).execute()
    changed = incident_merge.hidden(row, {key for _, key in known}, secrecy) | {"updated_at": now}
    update(Feedback, row["id"], changed)
    insert(Event, {**write.event, "feedback": row["id"], "type": HIDDEN})
    outbox.note(outbox.UPDATED, row, now, write.event["id"])
    return Stored("updated", {**row, **changed})


def delete(write: Write, now: int) -> Stored:
    """Takes a comment's words and files from its record, its history and what is kept of its deliveries."""
    name, (used, known) = _name(write), _known(write)
    dedupe.take(*name, now=now)
    dedupe.remember_answer(*name, dumps(GONE))
    row = row_of(used)
    if row is None or known == GONE:
        return Stored("ignored", {})
    for event, _ in known:
        told = (Event.feedback == row["id"]) & (Event.id == event)
        for kept in rows(Event.select(Event.detail).where(told)):
            asset.delete(kept["detail"].get("files", ()))
            Event.update(payload=None, detail={**kept["detail"], "deleted": True}).where(told).execute()
    changed = incident_merge.without_words(row, {key for _, key in known}) | {"updated_at": now}
    update(Feedback, row["id"], changed)
    # What tells of the end repeats the words.
    insert(Event, {**write.event, "payload": None, "delivery_id": None, "feedback": row["id"], "type": KIND})
    outbox.note(outbox.UPDATED, row, now, write.event["id"])
    return Stored("updated", {**row, **changed})


def _marks(known: list[Any]) -> list[Any]:
    return [one for one in known if one[0] == MARK]


def _name(write: Write) -> tuple[str, str, str]:
    return write.row["workspace_id"], f"comment:{write.row['source']}", write.comment or ""


def _known(write: Write) -> tuple[dict[str, Any] | None, Any]:
    """The row of the comment's key, and its events, or that it is gone."""
    used = dedupe.taken(*_name(write))
    return used, json.loads((used and used["answer"]) or "[]")
