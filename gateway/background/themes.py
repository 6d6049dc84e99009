"""What people talk about: themes over a period, from what the background worker last computed.

Which records belong together is computed ahead (gateway.background.clustering, in a process of its own that
ends with it); how many there were in the period asked for, and what they say, is counted when it is asked.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import orjson
from peewee import OperationalError

from gateway.background.ended_themes import Before, ended_since
from gateway.background.lease import AWAY, Lease, Work
from gateway.core import log
from gateway.core.config import learning_off
from gateway.core.ids import id_at, new_id, now_ms
from gateway.core.pacing import Pace
from models.database.base import rows
from models.tables import theme
from models.tables.theme import ThemeRun
from models.tables.workspace import Project, Workspace

DAY = 86_400_000
SPAN = 60 * DAY  # of records that are grouped: a month, and the one before to compare it with
SOONEST = 10 * 60_000  # milliseconds between two computations of the same
REST = 20  # times as long as a computation took, the next one waits at least
AGAIN = 60_000
KEPT = 60_000  # how long replaced themes stay, for those who are reading them
PATIENCE = 900.0  # seconds a computation may take


def keep_fresh(lease: Lease) -> int:
    """Computes the themes of every workspace and project that has new records since the last time."""
    if why := learning_off():
        _tell_off(why)
        return AGAIN
    for run_id in theme.outdated(now_ms(), KEPT):
        Pace(lease.transact).until_none(partial(theme.delete_some, run_id))
    for workspace_id, scopes, newest in _scopes():
        run = theme.newest_run(workspace_id, scopes[0])
        if run is None or (run["newest"] != newest and _rested(run)):
            try:
                _compute(lease, workspace_id, scopes, newest)
            except theme.Withdrawn:
                log.logger.info("themes withdrawn", extra={"facts": {"reason": "words were erased"}})
    return AGAIN


@lru_cache(maxsize=1)
def _tell_off(why: str) -> None:
    """Says, once, that there are no themes here."""
    log.logger.warning("themes are off", extra={"facts": {"reason": why}})


def _rested(run: dict[str, Any]) -> bool:
    return bool(now_ms() - run["computed_at"] >= max(SOONEST, REST * run["took"]))


def _scopes() -> Iterator[tuple[str, list[str | None], str]]:
    """What to compute: each workspace as a whole (None) and its projects, those of the same records together.

    With the id of their newest record.
    """
    since = id_at("fb", now_ms() - SPAN)
    for workspace in rows(Workspace.select(Workspace.id)):
        projects = rows(Project.select(Project.id).where(Project.workspace == workspace["id"]))
        known = {row["id"]: theme.newest_record(workspace["id"], row["id"]) for row in projects}
        some = {project_id: newest for project_id, newest in known.items() if newest and newest >= since}
        if len(some) == 1:
            ((project_id, newest),) = some.items()
            yield workspace["id"], [None, project_id], newest
        elif some:
            yield workspace["id"], [None], max(some.values())
            for project_id, newest in some.items():
                yield workspace["id"], [project_id], newest


def _compute(lease: Lease, workspace_id: str, scopes: Sequence[str | None], newest: str) -> None:
    """Computes the themes of scopes with the same records; they are shown when all of them are stored.

    Raises theme.Withdrawn when words were erased since it began to read: they may be among its terms.
    """
    started, since = time.monotonic(), now_ms() - SPAN
    of = {"workspace_id": workspace_id, "since": since, "newest": newest, "took": 0}
    runs = [ThemeRun(id=new_id("tr"), project_id=project_id, **of) for project_id in scopes]
    pace = Pace(lease.transact)
    pace.write(partial(theme.start, runs))
    groups = groups_of(lease, workspace_id, scopes[-1], id_at("fb", since))
    for run in runs:
        found = [(new_id("th"), one) for one in groups]
        last = theme.newest_run(workspace_id, run.project_id)
        before = _before(last)
        lasting = lasting_ids(before.members, last["newest"] if last else "", groups)
        names = [lasting.get(at, theme_id) for at, (theme_id, _) in enumerate(found)]
        themes = [
            _row(theme_id, name, run.id, one["terms"])
            for name, (theme_id, one) in zip(names, found, strict=True)
        ]
        now = {
            name: [member[0] for member in one["members"]] for name, one in zip(names, groups, strict=True)
        }
        ended = [
            {"id": new_id(theme.ENDED), "run": run.id, **one}
            for one in ended_since(before, now, now_ms(), SPAN)
        ]
        members = ((theme_id, *member) for theme_id, one in found for member in one["members"])
        pace.each([*themes, *ended], partial(_kept, run, theme.begin))
        pace.each(members, partial(_kept, run, theme.join))
        took = round((time.monotonic() - started) * 1000)
        pace.write(partial(_kept, run, partial(theme.finish, run, now_ms()), took))


def _before(last: Mapping[str, Any] | None) -> Before:
    """What the computation before found."""
    if last is None:
        return Before({}, {})
    known = theme.of_run(last["id"])
    labels = {row["lasting_id"]: row["label"] for row in known if not theme.is_ended(row)}
    ended = [
        {name: row[name] for name in ("lasting_id", "label", "terms")} for row in known if theme.is_ended(row)
    ]
    return Before(labels, dict(theme.memberships(last["id"])), ended)


def _kept(run: ThemeRun, write: Callable[[Any], None], what: Any) -> None:
    """Writes a part of a run within the open transaction. Raises theme.Withdrawn."""
    theme.keep(run)
    write(what)


def _row(theme_id: str, lasting_id: str, run_id: str, terms: list[str]) -> dict[str, Any]:
    return {
        "id": theme_id,
        "lasting_id": lasting_id,
        "run": run_id,
        "label": ", ".join(terms),
        "terms": terms,
    }


def lasting_ids(was: Mapping[str, str], newest: str, groups: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The ids of those groups, by number, that go on from a theme of the computation before.

    `was` tells the theme that records were in then, of records up to the id `newest`. Those go on that share
    most records, and half of those of the smaller one at least; of a group only records that were known
    then count. Each theme goes on in one group.
    """
    sizes = Counter(was.values())
    shared: Counter[tuple[int, str]] = Counter()
    known: Counter[int] = Counter()
    for number, one in enumerate(groups):
        for feedback_id, _ in one["members"]:
            known[number] += feedback_id <= newest
            if feedback_id in was:
                shared[number, was[feedback_id]] += 1
    found: dict[int, str] = {}
    for (number, lasting_id), both in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        free = number not in found and lasting_id not in found.values()
        if free and 2 * both >= min(sizes[lasting_id], known[number]):
            found[number] = lasting_id
    return found


def groups_of(
    lease: Lease, workspace_id: str, project_id: str | None, since: str
) -> Sequence[dict[str, Any]]:
    """What gateway.background.clustering finds, in a process of its own.

    Raises as Lease.run does, OperationalError when that process could not use the database, and RuntimeError.
    """
    command = [sys.executable, "-m", "gateway.background.clustering", workspace_id, project_id or "", since]
    done = lease.run(command, PATIENCE)
    if done.returncode == AWAY:
        raise OperationalError(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(
            f"gateway.background.clustering ended with {done.returncode}: {done.stderr[-2000:]}"
        )
    found: list[dict[str, Any]] = orjson.loads(done.stdout)
    return found


KEEP_FRESH = Work("themes", keep_fresh)
