"""Gives records the topics of their project (models.tables.topic): new ones first, then those stored before.

What is known of a project's topics is worked out anew at each look (gateway.triage.topics): their names and
descriptions, and the records that people gave them. When that changes, the records that are stored are read
again, the newest first, for some seconds a minute; how far that has come is kept with the work, so it goes on
after a kill. Texts are read outside of transactions.
"""

from __future__ import annotations

import hashlib
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
from models.tables import job, topic

EVERY = 60_000  # milliseconds between two looks
SECONDS = 30.0  # of one look; then others get the thread
OVERLAP = 600_000  # milliseconds that are looked at again: what waited long is stored behind what came later
QUIET = 600_000  # milliseconds from the beginning of a round over what is stored to the next
ROUND = 86_400_000  # the same when nothing is known anew: texts that changed
SAME = 0.02  # of a confidence; less is no change

Row = dict[str, Any]


def give(lease: Lease, clock: Callable[[], float] = time.monotonic) -> int:
    """Looks at what there is to read in every project that has topics, until the time is over."""
    ending.settle(now_ms(), Pace(lease.transact))
    projects = topic.projects()
    state = job.state(lease.name) or {}
    if not projects and not state:
        return EVERY
    active_model.look()
    triage.load()
    search = _Search(
        lease, {project_id: state[project_id] for _, project_id in projects if project_id in state}
    )
    end = clock() + SECONDS
    for workspace_id, project_id in projects:
        search.read(workspace_id, project_id, lambda: clock() < end)
    search.remember()
    return EVERY


class _Search:
    """One look at all projects, from where the last one came to."""

    def __init__(self, lease: Lease, state: dict[str, Row]) -> None:
        self._pace, self._name, self._state = Pace(lease.transact), lease.name, state

    def remember(self) -> None:
        """Writes down how far it has come, where that is news."""
        if (job.state(self._name) or {}) != self._state:
            self._pace.write(partial(job.remember, self._name, self._state))

    def read(self, workspace_id: str, project_id: str, going_on: Callable[[], bool]) -> None:
        """Reads what is new in a project, and goes on with what is stored."""
        now, there = now_ms(), topic.used(project_id)
        basis = _basis(there, records.basis(workspace_id, project_id))
        state = self._state.setdefault(project_id, {"basis": "", "before": None, "begun": 0, "read": now})
        fresh = state["basis"] != basis and not 0 <= now - state["begun"] < QUIET
        if fresh or not state["basis"] or not 0 <= now - state["begun"] < ROUND:
            state |= {"basis": basis, "before": [now + 1, ""], "begun": now}
        sorter: Sorter | None = None

        def sort(rows: Sequence[Row]) -> bool:
            """Gives some records what they are about; whether the topics are still those that were learnt."""
            nonlocal sorter
            sorter = sorter or _learnt(workspace_id, project_id, there)
            return self._sort(project_id, basis, there, sorter, rows)

        since, after = min(state["read"], now) - OVERLAP, None
        while going_on() and (some := records.newer(workspace_id, project_id, since, after)):
            if not sort(some):
                return
            after = _place(some)
            state["read"] = max(state["read"], min(some[-1]["received_at"], now))
            self.remember()
        while going_on() and state["before"] is not None:
            some = records.older(workspace_id, project_id, state["before"])
            if some and not sort(some):
                return
            state["before"] = _place(some) if some else None
            self.remember()

    def _sort(
        self, project_id: str, basis: str, there: list[Row], sorter: Sorter, rows: Sequence[Row]
    ) -> bool:
        found: dict[tuple[str | None, float | None], list[str]] = {}
        for row in rows:
            topic_id, confidence = sorter.sort(f"{row['title']}\n{row['text']}")
            sure = row["topic_confidence"]
            near = confidence == sure or (confidence and sure and abs(confidence - sure) < SAME)
            if row["topic_origin"] is None or row["topic"] != topic_id or not near:
                found.setdefault((topic_id, confidence), []).append(row["id"])
        given = [(one, *what) for what, ids in found.items() for one in ids]

        def write(some: Sequence[tuple[str, str | None, float | None]]) -> bool:
            if [one["id"] for one in topic.used(project_id, to_keep=True)] != [one["id"] for one in there]:
                return False  # one of them ended meanwhile: its records are changed already
            for feedback_id, topic_id, confidence in some:
                records.give([feedback_id], topic_id, confidence)
            return True

        return all(self._pace.each(given, write))


def _learnt(workspace_id: str, project_id: str, there: list[Row]) -> Sorter:
    taught = records.taught(workspace_id, project_id)
    said = [Given(f"{row['title']}\n{row['text']}", row["topic"]) for row in taught]
    return Sorter.learnt(
        triage.in_use(), {one["id"]: (one["name"], one["description"]) for one in there}, said
    )


def _basis(there: list[Row], taught: str) -> str:
    """A short text for what is known of a project's topics."""
    known = [[one["id"], one["name"], one["description"]] for one in there]
    return hashlib.blake2b(dumps([known, taught, triage.version()]).encode(), digest_size=8).hexdigest()


def _place(rows: Sequence[Row]) -> list[Any]:
    return [rows[-1][name] for name in ("received_at", "id")]


GIVE = Work(topic.JOB, give)
