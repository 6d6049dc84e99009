"""What a digest tells of, from the queries that lists, statistics and themes are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adapters.contract import called_shortly
from gateway.api.digest.period import Period
from gateway.api.stats import stats
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.queries.resolved import resolved
from models.tables import destination, hook, outcome, quarantine, theme, topic
from models.tables.workspace import list_projects

OPEN = ("open", "acknowledged")
COUNTED = ("category", "sentiment", "source")
UNSURE_BELOW = 0.6  # as the inbox's own list of what is unsure
MOST_OPEN, MOST_RESOLVED, MOST_UNSURE, MOST_GROWING = 10, 3, 5, 5
MOST_QUOTES = 2  # of a theme
LEAST_USED = 3  # requests of a hook in the period before, for it to be missed
MOST_HELD = 1_000  # deliveries in quarantine that are counted

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """A period of a workspace or of one of its projects, whose name is `project` then.

    `counts` are rows of statistics (gateway.api.stats) by what they go by. `themes` and `topics` are those
    that grew: {id, name, count, previous}, themes also with people and quotes. `open` are the records of the
    highest impact, `unsure` those longest in doubt, both of any time before the end; of `resolved` ones in
    the period those of the highest impact are listed. `failing` are destinations that take nothing: {id,
    name, reason, since}. `quiet` are the names of hooks that were used in the period before and not in this
    one, `silent` other sources that nothing came from.
    """

    period: Period
    project: str | None
    total: Row
    counts: dict[str, list[Row]]
    themes: list[Row] = field(default_factory=list)
    topics: list[Row] = field(default_factory=list)
    open: list[Row] = field(default_factory=list)
    resolved: list[Row] = field(default_factory=list)
    resolved_count: int = 0
    unsure: list[Row] = field(default_factory=list)
    held: int = 0
    failing: list[Row] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @property
    def has_news(self) -> bool:
        """Whether anything happened: without that nobody need be told."""
        happened = (
            self.total["count"],
            self.resolved_count,
            self.held,
            self.failing,
            self.quiet,
            self.silent,
        )
        return any(happened)


def figures(workspace_id: str, project_id: str | None, period: Period) -> Figures:
    """The figures of a period. The names of authors are in none of them."""
    since, until = period.since, period.until
    chosen = Filter(since=since, until=until)
    told = {name: stats(workspace_id, project_id, chosen, [name], now=until) for name in COUNTED}
    counts = {name: sorted(found["data"], key=lambda row: -row["count"]) for name, found in told.items()}
    done, done_count = resolved(workspace_id, project_id, since, until, limit=MOST_RESOLVED)
    quiet = _quiet(workspace_id, project_id, since, until)
    known = {hook["source"] for hook in quiet}
    return Figures(
        period,
        _name(workspace_id, project_id),
        told["category"]["total"],
        counts,
        _themes(workspace_id, project_id, since, until),
        _growing(_topics(workspace_id, project_id, chosen, until)),
        _records(workspace_id, project_id, Filter(status=OPEN, until=until), "-impact", MOST_OPEN),
        done,
        done_count,
        _records(
            workspace_id,
            project_id,
            Filter(status=OPEN, until=until, any_confidence_below=UNSURE_BELOW),
            "received_at",
            MOST_UNSURE,
        ),
        len(quarantine.sizes(workspace_id, project_id, source=None, before=None, limit=MOST_HELD)),
        _failing(workspace_id, project_id),
        sorted(hook["name"] or called_shortly(hook["id"]) for hook in quiet),
        sorted(row["source"] for row in counts["source"] if not row["count"] and row["source"] not in known),
    )


def _name(workspace_id: str, project_id: str | None) -> str | None:
    if project_id is None:
        return None
    found, _ = list_projects(workspace_id, only=project_id, limit=1)
    return str(found[0]["name"]) if found else None


def _records(workspace_id: str, project_id: str | None, chosen: Filter, sort: str, limit: int) -> list[Row]:
    found, _ = feedback_query.page(workspace_id, project_id, chosen, sort=sort, limit=limit)
    return found


def _themes(workspace_id: str, project_id: str | None, since: int, until: int) -> list[Row]:
    """The themes that grew most, with people and words; nothing where the period before was not looked at."""
    run = theme.newest_run(workspace_id, project_id)
    if run is None or run["since"] > 2 * since - until:
        return []
    counted = [
        {"id": one, "count": count, "previous": previous}
        for one, count, previous in theme.counts(run["id"], 2 * since - until, since, until)
    ]
    grown = _growing(counted)
    ids = [one["id"] for one in grown]
    told, people = theme.told(ids, since, until), theme.voices(ids, since, until)
    return [
        {
            **one,
            "id": told[one["id"]]["lasting_id"],
            "name": told[one["id"]]["label"],
            "people": people.get(one["id"], 0),
            "quotes": theme.quotes(one["id"], since, until, MOST_QUOTES),
        }
        for one in grown
        if one["id"] in told  # its last record may have been erased since
    ]


def _failing(workspace_id: str, project_id: str | None) -> list[Row]:
    """Destinations that are given up, and those whose last delivery was not taken."""
    return [
        {
            "id": one["id"],
            "name": one["name"] or one["kind"],
            "reason": one["reason"] or "",
            "since": one["failing_since"],
        }
        for one in destination.list_page(workspace_id, project_id)
        if one["state"] == destination.DISABLED
        or (one["state"] == destination.ENABLED and one["failing_since"] is not None)
    ]


def _quiet(workspace_id: str, project_id: str | None, since: int, until: int) -> list[Row]:
    """Hooks that were used in the period before and not in this one."""
    before, now = (
        {
            row["key_id"]: row["requests"]
            for row in outcome.totals(workspace_id, ("key_id",), since=a, until=b)
        }
        for a, b in ((max(2 * since - until, 0), since), (since, until))
    )
    return [
        one
        for one in hook.of_workspace(workspace_id)
        if before.get(one["id"], 0) >= LEAST_USED
        and one["id"] not in now
        and project_id in (None, one["project"])
    ]


def _topics(workspace_id: str, project_id: str | None, chosen: Filter, until: int) -> list[Row]:
    found = [
        one for one in stats(workspace_id, project_id, chosen, ["topic"], now=until)["data"] if one["topic"]
    ]
    names = topic.names(workspace_id, (one["topic"] for one in found))
    return [
        {
            "id": one["topic"],
            "name": names[one["topic"]],
            "count": one["count"],
            "previous": one["previous_count"],
        }
        for one in found
        if one["topic"] in names
    ]


def _growing(found: list[Row]) -> list[Row]:
    """Those that grew most."""
    grown = [one for one in found if one["count"] > one["previous"]]
    return sorted(grown, key=lambda one: (one["previous"] - one["count"], one["id"]))[:MOST_GROWING]
