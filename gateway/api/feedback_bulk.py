"""Many records at once: changed or deleted by their ids or by a filter, after a look at what would be.

They are taken some at a time, in short transactions (gateway.core.pacing). Records that arrive meanwhile are
not meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from marshmallow import ValidationError

from adapters.common.schemas import Flag, Object, Strict, Text, TextList, means
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.api import feedback_change, filters
from gateway.api.feedback_list import cursor_of, position_of
from gateway.api.pagination import PAGE
from gateway.core import concurrency
from gateway.core.pacing import Pace, transact
from gateway.files import removal
from models.database.base import writing
from models.queries import feedback_query, selection
from models.queries.feedback_query import WITH, Filter
from models.queries.ordering import OLDEST_BY, Position
from models.tables import event, feedback

TOGETHER = 50  # records looked at together
MOST = 10_000  # records of one request
FEW = 200  # of them hold a thread for no long time
SAMPLE = 5  # records that a dry run shows
EVERY = Filter(merged=WITH)  # ids name also what is merged into others

Row = dict[str, Any]


@means(minItems=1, maxItems=MOST)
def _some(value: list[str]) -> None:
    if not 1 <= len(value) <= MOST:
        raise ValidationError(f"Array must contain 1 to {MOST} element(s)")


class Chosen(Strict):
    means = {"oneOf": [{"required": ["ids"]}, {"required": ["filter"]}]}

    ids = TextList(validate=_some)
    filter = Text()
    cursor = Text(allow_none=True)
    dry_run = Flag(load_default=False)


class ManyChanges(Chosen):
    change = Object(required=True)


@dataclass
class Meant:
    """Which records a request means: ids, or a filter and the position to go on after."""

    caller: Caller
    ids: list[str] | None = None
    chosen: Filter = EVERY
    after: Position | None = None
    next_cursor: str | None = None
    most: int | None = None
    begun: set[str] = field(default_factory=set)  # stay meant: a part of their history is gone

    def chunks(self) -> Iterator[list[str]]:
        """The ids, some at a time, `most` (else MOST) of them; where others begin is then `next_cursor`."""
        if self.ids is not None:
            for start in range(0, len(self.ids), TOGETHER):
                yield self.ids[start : start + TOGETHER]
            return
        after = self.after
        for _ in range((self.most or MOST) // TOGETHER):
            found, after = feedback_query.page(*self._where(), limit=TOGETHER, sort=self.sort, after=after)
            yield [row["id"] for row in found]
            if after is None:
                return
        assert after is not None, "there are more"
        self.next_cursor = cursor_of(after, self.sort)

    @property
    def sort(self) -> str:
        """The order in which they are taken: the oldest first."""
        return OLDEST_BY[self.chosen.time]

    def rows(self, ids: list[str]) -> list[Row]:
        """Those of the ids that are still meant, to be changed within the open transaction."""
        begun = self.begun.intersection(ids)
        others = [each for each in ids if each not in begun]
        where = self.caller.workspace_id, self.caller.project_id, EVERY
        return selection.rows_of(*self._where(), others) + selection.rows_of(*where, sorted(begun))

    def count(self) -> int:
        """How many records are meant."""
        if self.ids is not None:
            return sum(selection.count(*self._where(), ids) for ids in self.chunks())
        return selection.count(*self._where())

    def sample(self) -> list[Row]:
        """The newest of them."""
        return selection.newest(*self._where(), self.ids and self.ids[:PAGE], limit=SAMPLE)

    def _where(self) -> tuple[str, str | None, Filter]:
        return self.caller.workspace_id, self.caller.project_id, self.chosen


def change_many(caller: Caller, inbound: Inbound) -> Reply:
    """PATCH of many records with one change. Raises Refused (400) with every bad field."""
    sent = ManyChanges.of(inbound)
    faults: list[Fault] = []
    meant = _meant(caller, sent, faults, inbound.received_at)
    try:
        change = feedback_change.read_change(sent["change"])
        feedback_change.check_topic(caller, change)
        feedback_change.check_assignee(caller, change)
    except Refused as refused:
        faults += [Fault(_within(fault.field), fault.message) for fault in refused.problem.faults]
    if faults:
        raise invalid(*faults)

    def act(rows: list[Row]) -> int:
        at, request_id = inbound.received_at, inbound.request_id
        return sum(
            map(bool, feedback_change.apply(rows, change, caller=caller, at=at, request_id=request_id))
        )

    return _answered(meant, sent["dry_run"], act, "changed")


def delete_many(caller: Caller, inbound: Inbound) -> Reply:
    """DELETE of many records with their history. Raises Refused (400) with every bad field."""
    sent = Chosen.of(inbound)
    faults: list[Fault] = []
    meant = _meant(caller, sent, faults, inbound.received_at)
    if faults:
        raise invalid(*faults)

    def act(rows: list[Row]) -> int:
        selection.delete([row["id"] for row in rows])
        if rows:  # without the filter: it may be somebody's name
            detail = {"records": len(rows), "request_id": inbound.request_id}
            audit_log.note(caller.workspace_id, caller.key_id, "feedback.deleted", rows[0]["id"], **detail)
        return len(rows)

    reply = _answered(meant, sent["dry_run"], act, "deleted", first=_shorten)
    removal.release_now()
    return reply


def delete_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """DELETE of one record with its history; with If-Match as a change. Raises Refused (404, 412)."""
    wanted = inbound.params["feedback_id"]

    def found() -> Row:
        row = feedback.find(caller.workspace_id, caller.project_id, wanted, to_change=True)
        if row is None:
            raise Refused(Problem(404, "not_found", "No such feedback."))
        if not decided:
            feedback_change.check_match(inbound, row)
        return row

    def act() -> None:
        row = found()
        selection.delete([row["id"]])
        detail = {"records": 1, "request_id": inbound.request_id}
        audit_log.note(caller.workspace_id, caller.key_id, "feedback.deleted", row["id"], **detail)

    decided = False
    if event.crowded([wanted]):
        with writing():
            found()
        decided = True  # whatever becomes of it now: a record must not be left with half its history
        Pace().until_none(partial(event.delete_some, wanted, None))
    transact(act)  # again where it collides with a merge
    removal.release_now()
    return Reply(204)


def in_turns(
    meant: Meant, act: Callable[[list[Row]], int], first: Callable[[Meant, list[str]], None] | None = None
) -> tuple[int, int]:
    """Does something to all records that are meant; how many there were, and what `act` adds up to.

    `first` is done with ids of some of them before, outside of a transaction.
    """
    matched, done, pace = 0, 0, Pace()

    def some(ids: list[str]) -> tuple[int, int]:
        rows = meant.rows(ids)
        return len(rows), act(rows)

    for ids in meant.chunks():
        if first is not None:
            first(meant, ids)
        for there, acted in pace.each(ids, some):
            matched, done = matched + there, done + acted
    return matched, done


def _shorten(meant: Meant, ids: list[str]) -> None:
    """Deletes the long histories of those records that are meant now, which are going to be deleted."""
    for feedback_id in event.crowded(ids):
        with writing():
            meant.begun.update(row["id"] for row in meant.rows([feedback_id]))
        if feedback_id in meant.begun:
            Pace().until_none(partial(event.delete_some, feedback_id, None))


def _answered(
    meant: Meant,
    dry_run: bool,
    act: Callable[[list[Row]], int],
    word: str,
    first: Callable[[Meant, list[str]], None] | None = None,
) -> Reply:
    if dry_run:
        shown = [feedback.document(row) for row in meant.sample()]
        return Reply(200, {"matched": meant.count(), word: 0, "dry_run": True, "sample": shown})
    few = meant.ids is not None and len(meant.ids) <= FEW
    with nullcontext() if few else concurrency.long(meant.caller.workspace_id):
        matched, done = in_turns(meant, act, first)
    told = {"matched": matched, word: done, "dry_run": False}
    return Reply(200, told if meant.ids is not None else {**told, "next_cursor": meant.next_cursor})


def _meant(caller: Caller, sent: dict[str, Any], faults: list[Fault], now: int) -> Meant:
    """The records that a body names, as of `now` (ms UTC); what is wrong with it is added to `faults`."""
    ids, text, cursor = sent.get("ids"), sent.get("filter"), sent.get("cursor")
    meant = Meant(caller)
    if (ids is None) == (text is None):
        faults.append(Fault("body", "Must have either ids or filter"))
    elif text is None:
        meant.ids = list(dict.fromkeys(ids or ()))
    elif not text.strip("? "):
        faults.append(Fault("filter", "Must not be empty: it would mean everything"))
    else:
        try:
            chosen = filters.parse(text, me=caller.person)
            if chosen == Filter(time=chosen.time):
                faults.append(Fault("filter", "Must not mean everything"))
            meant.chosen = feedback_query.as_of(chosen, now + 1)
        except Refused as refused:
            faults += [Fault(f"filter.{fault.field}", fault.message) for fault in refused.problem.faults]
    if cursor is not None:
        meant.after = position_of(cursor, meant.sort, feedback_query.place_columns(meant.chosen, meant.sort))
        if ids is not None or meant.after is None:
            faults.append(Fault("cursor", "Invalid cursor"))
    return meant


def _within(name: str) -> str:
    return "change" if name == "body" else f"change.{name}"
