"""Gives records the topics of their project (models.tables.topic): new ones first, then those stored before.

What is known of a project's topics is worked out anew at each look (gateway.triage.topics): their names and
descriptions, and the records that people gave them. When that changes, the records that are stored are read
again, the newest first, for some seconds a minute; how far that has come is kept with the work, so it goes on
after a kill. Texts are read outside of transactions.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gateway import triage
from gateway.access import topics as ending
from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from gateway.triage import active_model
from gateway.triage.topics import Given, Sorter
from models.database.base import dumps
from models.queries import topics as records
from models.queries.ordering import NEWEST, Position
from models.tables import job, outbox, topic

EVERY = 60_000  # milliseconds between two looks
SECONDS = 30.0  # of one look; then others get the thread
OVERLAP = 120_000  # milliseconds that are looked at again: a large batch is stored behind what came later
QUIET = 600_000  # milliseconds from the beginning of a round over what is stored to the next
ROUND = 86_400_000  # the same when nothing is known anew: texts that changed
SAME = 0.02  # of a confidence; less is no change

Row = dict[str, Any]


def give(lease: Lease, clock: Callable[[], float] = time.monotonic) -> int:
    """Looks at what there is to read in every project that has topics, until the time is over."""
    ending.settle(now_ms(), Pace(lease.transact))
    projects, before = topic.projects(), job.state(lease.name) or {}
    if not projects and not before:
        return EVERY
    active_model.look()
    triage.load()  # any model will do: it is asked how rare words are
    search = _Search(lease, {one: before[one] for _, one in projects if one in before}, clock)
    end = clock() + SECONDS
    random.shuffle(projects)  # the last ones may get no time: not always the same
    for number, (workspace_id, project_id) in enumerate(projects):
        until = clock() + (end - clock()) / (len(projects) - number)  # nobody waits for a large project
        search.read(workspace_id, project_id, until)
    search.remember()
    return EVERY


class _Search:
    """One look at all projects, from where the last one came to."""

    def __init__(self, lease: Lease, known: dict[str, Row], clock: Callable[[], float]) -> None:
        self._pace, self._name, self._known, self._clock = Pace(lease.transact), lease.name, known, clock

    def remember(self) -> None:
        """Writes down how far it has come, where that is news."""
        before = job.state(self._name) or {}
        if before != self._known:
            self._pace.write(partial(job.remember, self._name, self._known))

    def read(self, workspace_id: str, project_id: str, until: float) -> None:
        """Reads what is new in a project, and goes on with what is stored, until the clock says that."""
        now, there = now_ms(), topic.used(project_id)
        basis, taught = _basis(there), records.basis(workspace_id, project_id)
        nothing = {"basis": "", "taught": "", "before": None, "begun": 0, "read": now}
        known = self._known.setdefault(project_id, nothing)
        passed = now - known["begun"]
        quiet = 0 <= passed < (ROUND if known["taught"] == taught else QUIET)
        if known["basis"] != basis or not quiet:
            known |= {"basis": basis, "taught": taught, "before": [now + 1, ""], "begun": now}
        sorter: Sorter | None = None

        def sort(some: Sequence[Position], fresh: bool) -> bool:
            nonlocal sorter
            rows = records.to_read([str(one) for _, one in some], fresh=fresh)
            if not rows:
                return True
            sorter = sorter or _learnt(workspace_id, project_id, there)
            return self._sort(project_id, there, sorter, rows)

        here: Position = [min(known["read"], now) - OVERLAP, ""]
        while self._clock() < until and (
            some := records.places(workspace_id, project_id, "received_at", here)
        ):
            if not sort(some, True):
                return
            here = some[-1]
            known["read"] = max(known["read"], min(here[0], now))
            self.remember()
        while self._clock() < until and known["before"] is not None:
            some = records.places(workspace_id, project_id, NEWEST, known["before"])
            if not sort(some, False):
                return
            known["before"] = some[-1] if some else None
            self.remember()

    def _sort(self, project_id: str, there: list[Row], sorter: Sorter, rows: Sequence[Row]) -> bool:
        """Gives some records what they are about; whether the topics are still those that were learnt."""
        told = [(row, *sorter.sort(_words(row))) for row in rows]
        given = [(row["id"], one, sure) for row, one, sure in told if not _has(row, one, sure)]
        other = {row["id"] for row, one, _ in told if row["topic"] != one}

        def write(some: Sequence[tuple[str, str | None, float | None]]) -> bool:
            records.hold([feedback_id for feedback_id, _, _ in some])
            if [one["id"] for one in topic.used(project_id, to_keep=True)] != [one["id"] for one in there]:
                return False  # one of them ended meanwhile, and its records are changed already
            alike: dict[tuple[str | None, float | None], list[str]] = {}
            for feedback_id, topic_id, sure in some:
                alike.setdefault((topic_id, sure), []).append(feedback_id)
            for (topic_id, sure), ids in alike.items():
                records.give(ids, topic_id, sure)
            outbox.note_ids(outbox.RELABELLED, [one for one, _, _ in some if one in other])
            return True

        return all(self._pace.each(given, write))


def _learnt(workspace_id: str, project_id: str, there: list[Row]) -> Sorter:
    said = [Given(_words(row), row["topic"]) for row in records.taught(workspace_id, project_id)]
    topics = {one["id"]: (one["name"], one["description"]) for one in there}
    return Sorter.learnt(triage.in_use(), topics, said)


def _words(row: Row) -> str:
    return f"{row['title']}\n{row['text']}"


def _has(row: Row, topic_id: str | None, confidence: float | None) -> bool:
    """Whether a record has this topic already, about as surely."""
    near = abs((confidence or 0) - (row["topic_confidence"] or 0)) < SAME
    return row["topic_origin"] is not None and row["topic"] == topic_id and near


def _basis(there: list[Row]) -> str:
    """A short text for the topics of a project and the model in use."""
    known = [[one["id"], one["name"], one["description"]] for one in there]
    return hashlib.blake2b(dumps([known, triage.version()]).encode(), digest_size=8).hexdigest()


GIVE = Work(topic.JOB, give)
