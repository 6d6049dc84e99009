"""What the alerts of a storm have in common: the rule, monitor or pipeline that they come of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TYPES = ("alert", "ci")  # of records that have a group
LONGEST = 160  # characters of a group's name
NUMBERED = "#"  # before a monitor that is known by its number alone
# Names in a subject, the first that is there counts. Grafana has names for rules that it could not evaluate.
_NAMED = ("rule", "alertname", "monitor")
_UNEVALUATED = ("DatasourceError", "DatasourceNoData")
_TAGGED = ("rulename:", "condition:")  # tags that name a rule where the subject has none
_PLACES, _PIPELINES = ("repository", "project"), ("workflow", "pipeline")


def group_of(row: Mapping[str, Any]) -> str | None:
    """The group of a record, by its source; None for what is no alert.

    It is a pure function of what the record says: a story that is told better later may change it. Where
    nothing names a rule, titles are alike that differ only in words with digits or addresses in them.
    """
    if row["type"] not in TYPES:
        return None
    subject, tags = row["subject"], row["tags"]
    name = _pipeline(subject) if row["type"] == "ci" else _rule(subject, tags)
    name = " ".join((name or pattern(row["title"])).split())[:LONGEST].strip()
    return f"{row['source']}:{name}" if name else None


def pattern(title: str) -> str:
    """A title without what tells one of its kind from another: words with digits or an @ become a star."""
    words: list[str] = []
    for word in title.split():
        common = "*" if "@" in word or any(mark.isdigit() for mark in word) else word
        if common != "*" or words[-1:] != ["*"]:
            words.append(common)
    return " ".join(words)


def _rule(subject: Mapping[str, Any], tags: Sequence[str]) -> str:
    for name in _NAMED:
        said = _text(subject, name)
        if said and said not in _UNEVALUATED:
            return said
    for before in _TAGGED:
        for tag in tags:
            if tag.startswith(before):
                return tag.removeprefix(before)
    number = _text(subject, "monitor_id")
    return f"{NUMBERED}{number}" if number else _text(subject, "alertname")


def _pipeline(subject: Mapping[str, Any]) -> str:
    place = next(filter(None, (_text(subject, name) for name in _PLACES)), "")
    pipeline = next(filter(None, (_text(subject, name) for name in _PIPELINES)), "")
    return f"{place} {pipeline}" if place else pipeline


def _text(subject: Mapping[str, Any], name: str) -> str:
    value = subject.get(name)
    return value.strip() if isinstance(value, str) else ""
