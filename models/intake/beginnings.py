"""Writes that only begin records: a few statements for all of them, whoever sent them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.database.base import insert_all
from models.intake.delivery_rules import reported, store
from models.intake.write_request import Request
from models.intake.writes import Stored
from models.tables import dedupe, outbox
from models.tables.event import Event
from models.tables.feedback import Feedback


def begin(requests: Sequence[Request]) -> set[int]:
    """Stores prepared requests that only begin records, within the open transaction; says which, by number.

    Only those with which nothing has to do that is stored or that another request before them says: their
    words are new and their keys are free. Of several with the same words or key it is the first one, and the
    others will find it stored.
    """
    candidates = [request for request in requests if request.created]
    if not candidates:
        return set()
    seen = set(reported((write for request in candidates for write in request.writes), candidates[0].reach))
    begun = set()
    for number, request in enumerate(requests):
        marks = set(request.marks)
        if request.created and len(marks) == len(request.marks) and seen.isdisjoint(marks):
            begun.add(number)
        seen |= marks
    keys = [key for number in begun for key in requests[number].keys]
    free = dedupe.take_all(keys, requests[0].now) if keys else set()
    if len(free) < len(keys):
        for number in [*begun]:
            mine = [key for key in requests[number].keys if key.name in free]
            if len(mine) < len(requests[number].keys):
                begun.remove(number)
                dedupe.give_back(mine)
    rows = [pair for number in sorted(begun) for pair in requests[number].rows]
    insert_all(Feedback, [row for row, _ in rows])
    insert_all(Event, [event for _, event in rows])
    written = ((write, requests[number].now) for number in sorted(begun) for write in requests[number].writes)
    outbox.note_all((outbox.CREATED, write.row, now, write.event["id"]) for write, now in written)
    return begun


def store_all(request: Request) -> list[Stored]:
    """Applies the many writes of one request as if one after the other, and says what became of each."""
    parts = [replace(request, writes=[write], claim=None, held=None) for write in request.writes]
    for part in parts:
        part.prepare()
    begun = begin(parts)
    return [
        part.created[0] if number in begun else store(part.writes[0], part.reach, part.now)
        for number, part in enumerate(parts)
    ]
