"""Words for how bad it is as 1..5, 5 worst; "none" and words that are not listed say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

USUAL = {
    **dict.fromkeys(("critical", "fatal", "p1"), 5),
    **dict.fromkeys(("high", "error", "p2"), 4),
    **dict.fromkeys(("medium", "warning", "p3"), 3),
    **dict.fromkeys(("low", "p4"), 2),
    **dict.fromkeys(("info", "p5"), 1),
}
OF_ALERTS = {
    **USUAL,
    **dict.fromkeys(("crit", "page", "emergency", "disaster", "sev1", "sev-1"), 5),
    **dict.fromkeys(("err", "major", "sev2", "sev-2"), 4),
    **dict.fromkeys(("warn", "minor", "sev3", "sev-3"), 3),
    **dict.fromkeys(("sev4", "sev-4"), 2),
    **dict.fromkeys(("information", "informational", "notice", "sev5", "sev-5"), 1),
}
# Labels speak of other things too (a web page, a minor release), so fewer words count in them.
OF_LABELS = {**USUAL, **dict.fromkeys(("blocker", "p0"), 5)}
# What labels such as "severity::2" or "priority: high" say before their word.
BEFORE = re.compile(r"^(?:severity|priority|sev|prio)[\s:/_-]*")


def severity_of(word: str) -> int | None:
    """A monitoring tool's word for how bad an alert is as 1..5; None when it says nothing."""
    return OF_ALERTS.get(word.strip().lower())


def severity_of_labels(labels: Iterable[str]) -> int | None:
    """The worst that any of an issue's labels says; None when they say nothing."""
    return max(map(_of_label, labels), default=0) or None


def _of_label(label: str) -> int:
    word, scoped = BEFORE.subn("", label.strip().lower())
    return OF_LABELS.get(f"p{word}" if scoped and word.isdigit() else word, 0)
