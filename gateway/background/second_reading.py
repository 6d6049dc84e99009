"""Asks a second reader (gateway.triage.second_reader) about records whose category triage is not sure of.

New records come first, then the backlog, the newest first, for some seconds a minute. Each record says itself
that it was read; how far the search has come is kept with the work (models.tables.job), so that a kill costs
the texts that were being read, which are read again. Texts are read outside of transactions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway import triage
from gateway.access.caller import rules_in
from gateway.background.lease import Lease, Work
from gateway.core import log
from gateway.core.ids import id_at, new_id, now_ms
from gateway.core.pacing import Pace
from gateway.triage import active_model
from gateway.triage.second_reader import Reading
from gateway.triage.stored import LABELS, record_of, relabelled
from models.queries import doubtful, relabelling
from models.tables import job, meaning

NAME = "second_reader"
EVENT = "second_reading"
EVERY = 60_000  # milliseconds between two looks
ROUND = 86_400_000  # milliseconds between two searches of everything, for words that changed
TRIES = 3  # times that one text may end the process before it is left out
MOST_LEFT_OUT = 1000

Row = Mapping[str, Any]
Read = Callable[[Sequence[str]], list[Reading]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read: records whose category is less sure than `below`, so many texts at a time.

    After so many `seconds` others get the thread. Ids sort by when a request came, so the last `overlap`
    milliseconds are looked at again.
    """

    below: float
    seconds: float = 30.0
    together: int = 8
    overlap: int = 600_000


def work(read: Read, limits: Limits, clock: Callable[[], float] = time.monotonic) -> Work:
    """The work of a reader, who is asked by `read`."""
    return Work(NAME, lambda lease: _Search(lease, read, limits, clock).go())


class _Search:
    """One look for records to read, from where the last one came to."""

    def __init__(self, lease: Lease, read: Read, limits: Limits, clock: Callable[[], float]) -> None:
        self._pace, self._name, self._read = Pace(lease.transact), lease.name, read
        self._limits, self._clock, self._end = limits, clock, clock() + limits.seconds
        self._rules: dict[str, dict[str, Any]] = {}
        self._state: dict[str, Any] = job.state(lease.name) or {}

    def go(self) -> int:
        """Reads what there is, until the time is over."""
        active_model.look()
        self._resume()
        now = now_ms()
        recent, newest = id_at("fb", now - self._limits.overlap), id_at("fb", now + 1)
        if self._state.get("below") != self._limits.below or self._state["again_at"] > now + ROUND:
            self._remember(after=recent, before=recent, again_at=now + ROUND)
            self._remember(below=self._limits.below, left_out=[])
        elif self._state["before"] is None and self._state["again_at"] <= now:
            self._remember(before=recent, again_at=now + ROUND)
        after = min(self._state["after"], recent)
        while ids := doubtful.ids_behind(after, newest):
            if not self._look(ids[0], ids[-1]):
                return EVERY
            after = ids[-1]
            self._remember(after=min(after, recent))
        while (before := self._state["before"]) is not None:
            ids = doubtful.ids_before(before)
            if ids and not self._look(ids[-1], ids[0]):
                return EVERY
            self._remember(before=ids[-1] if ids else None)
        return EVERY

    def _remember(self, **changed: Any) -> None:
        """Writes down how far it has come, where that is news."""
        if state := {name: value for name, value in changed.items() if self._state.get(name) != value}:
            self._state = {**self._state, **state}
            self._pace.write(partial(job.remember, self._name, self._state))

    def _look(self, first: str, last: str) -> bool:
        """Reads the records with these ids; whether all of them, before the time was over."""
        left_out = self._state["left_out"]
        ids = [one for one in doubtful.unsure(first, last, self._limits.below) if one not in left_out]
        for start in range(0, len(ids), self._limits.together):
            if self._clock() >= self._end:
                return False
            self._read_some(ids[start : start + self._limits.together])
        return self._clock() < self._end

    def _resume(self) -> None:
        """Reads one by one what was being read when it all ended: one of them may be why."""
        for one in self._state.get("begun", ()):
            self._read_some([one])

    def _read_some(self, ids: list[str]) -> None:
        """Reads records and tells what was said, unless they ended the process time and again."""
        tries = self._state["tries"] + 1 if ids == self._state.get("begun") else 1
        if tries > TRIES:
            log.logger.error("a second reader cannot read it", extra={"facts": {"ids": ids}})
            left_out = [*self._state["left_out"], *ids][-MOST_LEFT_OUT:]
            self._remember(left_out=left_out, begun=[], tries=0)
            return
        if not (found := doubtful.rows_of(ids, self._limits.below)):
            self._remember(begun=[], tries=0)
            return
        self._remember(begun=ids, tries=tries)
        self._rules.clear()  # a head may be forgotten at any time
        readings = self._read([triage.words_of(record_of(row)) for row in found])
        told = [
            (row, reading, relabelled(row, triage.label(record_of(row), self._rules_of(row), second=reading)))
            for row, reading in zip(found, readings, strict=True)
        ]
        self._pace.each(told, _apply)
        self._remember(begun=[], tries=0)

    def _rules_of(self, row: Row) -> Any:
        """The areas of a record's project."""
        workspace_id = row["workspace_id"]
        if workspace_id not in self._rules:
            self._rules[workspace_id] = rules_in(workspace_id)
        return self._rules[workspace_id].get(row["project_id"])


def _apply(told: Sequence[tuple[Row, Reading, dict[str, Any]]]) -> None:
    for row, reading, given in told:
        now = max(now_ms(), row["updated_at"] + 1)
        names = ("category", "sentiment", "impact")
        changes = {
            name: {"from": row[name], "to": given[name]}
            for name in names
            if name in given and row[name] != given[name]
        }
        said = {name: _likeliest(getattr(reading, name)) for name in LABELS}
        detail = {"said": said, "changes": changes}
        event = {"id": new_id("ev"), "type": EVENT, "at": now, "detail": detail}
        if relabelling.apply(row, {**given, "updated_at": now}, event) and reading.vector:
            meaning.put({row["id"]: reading.vector})


def _likeliest(chances: Mapping[str, float]) -> dict[str, Any]:
    label = max(chances, key=chances.__getitem__)
    return {"label": label, "confidence": round(chances[label], 4)}
