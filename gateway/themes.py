"""What people talk about: themes over a period, from what the background worker last computed.

Which records belong together is computed ahead (gateway.clusters, in a process of its own that ends with
it); how many there were in the period asked for, and what they say, is counted when it is asked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import orjson
from peewee import OperationalError

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway import log, parameters
from gateway.caller import Caller
from gateway.config import learning_off
from gateway.ids import id_at, new_id, now_ms
from gateway.lease import AWAY, Lease, Work
from gateway.pace import Pace
from models import theme
from models.access import Project, Workspace
from models.base import rows
from models.feedback import iso
from models.theme import ThemeRun

DAY = 86_400_000
PERIOD = 7 * DAY  # when nobody says since when
SPAN = 60 * DAY  # of records that are grouped: a month, and the one before to compare it with
LIMIT, MOST = 20, 100  # themes that are shown
EXAMPLES = 3
SOONEST = 10 * 60_000  # milliseconds between two computations of the same
REST = 20  # times as long as a computation took, the next one waits at least
AGAIN = 60_000
KEPT = 60_000  # how long replaced themes stay, for those who are reading them
PATIENCE = 900.0  # seconds a computation may take


def list_themes(caller: Caller, inbound: Inbound) -> Reply:
    """Themes of records received from `since` until `until` (the last week), those with most records first.

    Each is compared with the period of the same length before. Raises Refused (400).
    """
    faults = parameters.unknown(inbound, ("since", "until", "project", "limit"))
    limit = parameters.whole(inbound, "limit", 1, MOST, faults) or LIMIT
    since, until = parameters.moment(inbound, "since", faults), parameters.moment(inbound, "until", faults)
    until = inbound.received_at + 1 if until is None else until
    since = until - PERIOD if since is None else since
    if not faults and since >= until:
        faults.append(Fault("since", "Must be before until"))
    if faults:
        raise invalid(*faults)
    run = _run_for(caller, inbound.query.get("project"))
    found = _themes(run["id"], since, until, limit) if run else []
    covered = max(since, run["since"]) if run else None
    return Reply(
        200,
        {
            "data": found,
            "next_cursor": None,
            "since": iso(since),
            "until": iso(until),
            "covered_since": iso(covered),
            "computed_at": iso(run["computed_at"]) if run else None,
        },
    )


def _run_for(caller: Caller, project_id: str | None) -> dict[str, Any] | None:
    """What was computed for the project asked for, or for all that the caller may see."""
    if caller.project_id is not None:
        if project_id not in (None, caller.project_id):
            return None
        project_id = caller.project_id
    return theme.newest_run(caller.workspace_id, project_id)


def _themes(run_id: str, since: int, until: int, limit: int) -> list[dict[str, Any]]:
    counted = theme.counts(run_id, 2 * since - until, since, until)
    most = sorted((item for item in counted if item[1]), key=lambda item: (-item[1], item[0]))[:limit]
    ids = [theme_id for theme_id, _, _ in most]
    told = theme.told(ids, since, until)
    categories: dict[str, dict[str, int]] = {}
    for theme_id, category, number in theme.categories(ids, since, until):
        categories.setdefault(theme_id, {})[category] = number
    return [
        {
            "id": theme_id,
            "label": told[theme_id]["label"],
            "terms": told[theme_id]["terms"],
            "count": count,
            "previous": previous,
            "change": round((count - previous) / previous, 3) if previous else None,
            "sentiment": round(told[theme_id]["sentiment"], 3),
            "impact": told[theme_id]["impact"],
            "categories": categories[theme_id],
            "first_at": iso(told[theme_id]["first"]),
            "last_at": iso(told[theme_id]["last"]),
            "examples": theme.examples(theme_id, since, until, EXAMPLES),
        }
        for theme_id, count, previous in most
        if theme_id in told  # its last record may have been erased since
    ]


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
        themes = (_row(theme_id, run.id, one["terms"]) for theme_id, one in found)
        members = ((theme_id, *member) for theme_id, one in found for member in one["members"])
        pace.each(themes, partial(_kept, run, theme.begin))
        pace.each(members, partial(_kept, run, theme.join))
        took = round((time.monotonic() - started) * 1000)
        pace.write(partial(_kept, run, partial(theme.finish, run, now_ms()), took))


def _kept(run: ThemeRun, write: Callable[[Any], None], what: Any) -> None:
    """Writes a part of a run within the open transaction. Raises theme.Withdrawn."""
    theme.keep(run)
    write(what)


def _row(theme_id: str, run_id: str, terms: list[str]) -> dict[str, Any]:
    return {"id": theme_id, "run": run_id, "label": ", ".join(terms), "terms": terms}


def groups_of(
    lease: Lease, workspace_id: str, project_id: str | None, since: str
) -> Sequence[dict[str, Any]]:
    """What gateway.clusters finds, in a process of its own.

    Raises as Lease.run does, OperationalError when that process could not use the database, and RuntimeError.
    """
    command = [sys.executable, "-m", "gateway.clusters", workspace_id, project_id or "", since]
    done = lease.run(command, PATIENCE)
    if done.returncode == AWAY:
        raise OperationalError(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(f"gateway.clusters ended with {done.returncode}: {done.stderr[-2000:]}")
    found: list[dict[str, Any]] = orjson.loads(done.stdout)
    return found


KEEP_FRESH = Work("themes", keep_fresh)
