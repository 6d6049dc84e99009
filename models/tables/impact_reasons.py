"""The reasons whose points add up to an impact, and what the number of people adds to them.

A record that others are merged into has one reason more: what its people add to the reach that it has alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

STEPS = (2, 5, 20)  # distinct reporters that make one, two and three points
MERGED = "merged"

Reasons = list[dict[str, Any]]


def points(reports: int) -> int:
    """0..3 points of reach for so many reports."""
    return sum(reports >= step for step in STEPS)


def reach_of(reasons: Iterable[Mapping[str, Any]]) -> int:
    """The points of reach among impact reasons; as many as there can be when they have no such part."""
    return next((int(reason["points"]) for reason in reasons if reason["part"] == "reach"), len(STEPS))


def raised(
    reasons: Sequence[Mapping[str, Any]], reports: int, why: str = "reported at least {} times"
) -> Reasons:
    """Impact reasons with at least the points that so many reports give reach; never fewer than before.

    `why` is told where it rises, with the step that was met.
    """
    least = points(reports)
    met = max((step for step in STEPS if reports >= step), default=1)
    return [
        {**reason, "points": least, "why": why.format(met)}
        if reason["part"] == "reach" and reason["points"] < least
        else dict(reason)
        for reason in reasons
    ]


def impact_of(row: Mapping[str, Any], reasons: Reasons) -> dict[str, Any]:
    """The columns of a row that gets other reasons: these with its people, and their sum.

    `people` of the row says how many, null when no other record is merged into it. An impact that a person
    set stays.
    """
    reasons = with_people(reasons, row["people"])
    if row["impact_origin"] == "corrected":
        return {"impact_reasons": reasons}
    return {"impact_reasons": reasons, "impact": sum(reason["points"] for reason in reasons)}


def with_people(reasons: Reasons, people: int | None) -> Reasons:
    """Impact reasons of a record that was said by so many; None: no other one is merged into it."""
    own = [reason for reason in reasons if reason["part"] != MERGED]
    if people is None:
        return own
    more = max(0, points(people) - reach_of(own))
    return [*own, {"part": MERGED, "points": more, "why": f"{people} people"}]
