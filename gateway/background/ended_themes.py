"""Themes that ended: what became of each, for who follows an address of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_HEIRS = 3  # themes that one is said to have become
LEAST_SHARE = 0.1  # of its records that each of them has
MOST = 500  # that are told of, the last ones

Told = dict[str, Any]  # {lasting_id, label, terms: {ended_at, became}} as models.tables.theme.Theme has it


@dataclass(frozen=True, slots=True)
class Before:
    """A computation: the labels of its themes by lasting id, the theme of each record, and what had ended."""

    labels: Mapping[str, str]
    members: Mapping[str, str]
    ended: Sequence[Told] = ()


def ended_since(before: Before, now: Mapping[str, Sequence[str]], at: int, kept: int) -> list[Told]:
    """What a new computation tells of the themes that ended before it, the last ones first.

    `now` has the records of each of its themes by lasting id; `at` is when it was made, and what ended
    `kept` milliseconds earlier is told no longer. A theme became those that most of its records are in. Where
    one of these ended, too, its own heirs stand in its place.
    """
    place = {record: lasting_id for lasting_id, records in now.items() for record in records}
    went: dict[str, Counter[str]] = {name: Counter() for name in before.labels}
    for record, name in before.members.items():
        if record in place:
            went[name][place[record]] += 1
    sizes = Counter(before.members.values())
    heirs = {
        name: [
            heir for heir, shared in went[name].most_common(MOST_HEIRS) if shared >= LEAST_SHARE * sizes[name]
        ]
        for name in before.labels
        if name not in now
    }
    new = [
        {"lasting_id": name, "label": before.labels[name], "terms": {"ended_at": at, "became": became}}
        for name, became in heirs.items()
    ]
    old = [
        {**one, "terms": {**one["terms"], "became": _followed(one["terms"]["became"], heirs)}}
        for one in before.ended
        if one["terms"]["ended_at"] > at - kept
    ]
    return [*new, *sorted(old, key=lambda one: -one["terms"]["ended_at"])][:MOST]


def _followed(became: Sequence[str], heirs: Mapping[str, Sequence[str]]) -> list[str]:
    """These themes, with the heirs of those that ended in their place."""
    found = (heir for name in became for heir in heirs.get(name, [name]))
    return list(dict.fromkeys(found))[:MOST_HEIRS]
