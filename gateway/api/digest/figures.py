"""What a digest tells of, from the queries that lists, statistics and themes are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.api import themes
from gateway.api.digest.period import Period
from gateway.api.stats import stats
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.tables import quarantine, theme, topic
from models.tables.workspace import list_projects

OPEN = ("open", "acknowledged")
COUNTED = ("category", "sentiment", "source")
UNSURE_BELOW = 0.6  # as the inbox's own list of what is unsure
MOST_OPEN, MOST_UNSURE, MOST_GROWING = 10, 5, 5
CANDIDATES = 40  # themes that are compared with the period before
MOST_HELD = 1_000  # deliveries in quarantine that are counted

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """A period of a workspace or of one of its projects, whose name is `project` then.

    `counts` are rows of statistics (gateway.api.stats) by what they go by. `themes` and `topics` are those
    that grew: {name, count, previous}. `open` are the records of the highest impact, `unsure` those longest
    in doubt, both of any time before the end. `silent` are sources of the period before that nothing came
    from.
    """

    period: Period
    project: str | None
    total: Row
    counts: dict[str, list[Row]]
    themes: list[Row] = field(default_factory=list)
    topics: list[Row] = field(default_factory=list)
    open: list[Row] = field(default_factory=list)
    unsure: list[Row] = field(default_factory=list)
    held: int = 0
    silent: list[str] = field(default_factory=list)


def figures(workspace_id: str, project_id: str | None, period: Period) -> Figures:
    """The figures of a period. The names of authors are in none of them."""
    since, until = period.since, period.until
    chosen = Filter(since=since, until=until)
    told = {name: stats(workspace_id, project_id, chosen, [name], now=until) for name in COUNTED}
    counts = {name: sorted(found["data"], key=lambda row: -row["count"]) for name, found in told.items()}
    return Figures(
        period,
        _name(workspace_id, project_id),
        told["category"]["total"],
        counts,
        _growing(_themes(workspace_id, project_id, since, until)),
        _growing(_topics(workspace_id, project_id, chosen, until)),
        _records(workspace_id, project_id, Filter(status=OPEN, until=until), "-impact", MOST_OPEN),
        _records(
            workspace_id,
            project_id,
            Filter(status=OPEN, until=until, any_confidence_below=UNSURE_BELOW),
            "received_at",
            MOST_UNSURE,
        ),
        len(quarantine.sizes(workspace_id, project_id, source=None, before=None, limit=MOST_HELD)),
        sorted(row["source"] for row in counts["source"] if not row["count"]),
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
    """What people talked about; nothing where the period before was not looked at."""
    run = theme.newest_run(workspace_id, project_id)
    if run is None or run["since"] > 2 * since - until:
        return []
    found = themes.themes_of(run["id"], since, until, CANDIDATES)
    return [{"name": one["label"], "count": one["count"], "previous": one["previous"]} for one in found]


def _topics(workspace_id: str, project_id: str | None, chosen: Filter, until: int) -> list[Row]:
    found = [
        one for one in stats(workspace_id, project_id, chosen, ["topic"], now=until)["data"] if one["topic"]
    ]
    names = topic.names(workspace_id, (one["topic"] for one in found))
    return [
        {"name": names[one["topic"]], "count": one["count"], "previous": one["previous_count"]}
        for one in found
        if one["topic"] in names
    ]


def _growing(found: list[Row]) -> list[Row]:
    """Those that grew most."""
    grown = [one for one in found if one["count"] > one["previous"]]
    return sorted(grown, key=lambda one: (one["previous"] - one["count"], one["name"]))[:MOST_GROWING]
