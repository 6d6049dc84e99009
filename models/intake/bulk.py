"""Many writes of one request: those that begin records of their own together, the others by the laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.database.base import insert_all, values
from models.intake.delivery_rules import reported, store
from models.intake.writes import Reach, Stored, Write
from models.tables import dedupe
from models.tables.dedupe import Key
from models.tables.event import Event
from models.tables.feedback import Feedback


def store_all(writes: Sequence[Write], reach: Reach, now: int) -> list[Stored]:
    """Applies writes within the open transaction, as if one after the other, and says what became of each.

    A write begins a record with the others when its words are new and its key is free; of several
    with the same words or key only the first one does, and the others find it stored.
    """
    known: set[Any] = set(reported((write for write in writes if write.begins), reach))
    chosen: dict[int, Key | None] = {}
    for number, write in enumerate(writes):
        marks: set[Any] = {write.words} if write.words else set()
        key = _key(write)
        if key is not None:
            marks.add(key.name)
        if write.begins and not marks & known:
            chosen[number] = key
        known |= marks
    keys = [key for key in chosen.values() if key is not None]
    free = dedupe.take_all(keys, now) if keys else set()
    chosen = {number: key for number, key in chosen.items() if key is None or key.name in free}
    insert_all(Feedback, [values(Feedback, writes[number].row) for number in chosen])
    insert_all(Event, [values(Event, _received(writes[number])) for number in chosen])
    return [
        Stored("created", write.row) if number in chosen else store(write, reach, now)
        for number, write in enumerate(writes)
    ]


def _key(write: Write) -> Key | None:
    if write.dedupe_key is None:
        return None
    return Key(write.row["workspace_id"], write.row["source"], write.dedupe_key, write.row["id"])


def _received(write: Write) -> dict[str, Any]:
    return {**write.event, "feedback": write.row["id"], "type": "received"}
