"""Words for how bad it is as 1..5, 5 worst: one table for every adapter.

The words are those of the vendors' published scales (tests/adapters/test_severities.py lists them with
their pages): syslog, PagerDuty, Opsgenie, Datadog, GitLab, GitHub, Jira, Linear, Bugzilla, Zabbix, Nagios,
Sentry, Statuspage, Google Cloud, Azure Monitor, Zendesk, ServiceNow, OpenTelemetry and Python's logging.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

SCALE = {
    5: "critical crit fatal blocker highest disaster urgent immediate page panic emergency emerg alert "
    "catastrophic extreme outage showstopper very-high critical-urgent",
    4: "high error err major severe serious important important-soon",
    3: "medium moderate average normal warning warn minor ticket important-longterm",
    2: "low backlog",
    1: "lowest trivial negligible notice info information informational log debug verbose trace planning "
    "fine finer finest cosmetic very-low",
}
WORDS = {word.replace("very-", "very "): points for points, words in SCALE.items() for word in words.split()}
# P0 and P1, SEV0 and SEV-1 are both the worst: scales begin at either.
NUMBERS = {"0": 5, "1": 5, "2": 4, "3": 3, "4": 2, "5": 1}
# What scales call it when nobody has said how bad it is, or that nothing is.
SILENT = frozenset(
    (
        *("", "none", "unknown", "undefined", "unset", "notset", "null", "default", "indeterminate", "n/a"),
        *("not classified", "no priority", "not set", "unspecified", "severity_unspecified", "unclassified"),
        *("ok", "success", "resolved", "cleared", "clear", "recovery", "recovered", "acknowledgement", "-"),
        *("operational", "maintenance", "gameday", "sample"),
    )
)
# Labels speak of other things too (a web page, a minor release), so fewer words count in them.
IN_LABELS = frozenset(
    (
        *("critical", "fatal", "high", "error", "medium", "warning", "low", "info", "blocker", "urgent"),
        *("emergency", "showstopper", "disaster", "highest", "lowest"),
    )
)
# What labels such as "severity::2" or "priority: high" say before their word.
BEFORE = re.compile(r"^(?:severity|priority|urgency|sev|prio)[\s:/_-]*")
CODE = re.compile(r"(?:priority|prio|p|severity|sev|s)[\s:#_-]*([0-5])", re.ASCII)
# Between a code and what it means, as in "P1 - Critical", "1: high" or "critical (SEV-1)".
APART = re.compile(r"\s[-–—]\s|[:|/(),\[\]]")
LONGEST = 100  # characters of a word that are read


def severity_of(word: str) -> int | None:
    """A sender's word for how bad it is as 1..5; None when it says nothing or is not known."""
    whole = word[:LONGEST].strip().lower()
    if (severity := _one(whole)) is not None:
        return severity
    parts = (_one(part.strip()) for part in APART.split(whole))
    return next((severity for severity in parts if severity is not None), None)


def unknown_word(word: str) -> str | None:
    """The word if it is on no scale that is known, as it was sent; None for one that says "no severity"."""
    said = word[:LONGEST].strip()
    return said if said.lower() not in SILENT and severity_of(said) is None else None


def stated(word: str) -> dict[str, Any]:
    """A record's fields `severity` and `severity_word` by a sender's word."""
    return {"severity": severity_of(word), "severity_word": unknown_word(word)}


def severity_of_labels(labels: Iterable[str]) -> int | None:
    """The worst that any of an issue's labels says; None when they say nothing."""
    return max(map(_of_label, labels), default=0) or None


def _one(word: str) -> int | None:
    """What one word says, or one code such as P0 or SEV-1."""
    if (severity := WORDS.get(word)) is not None:
        return severity
    code = CODE.fullmatch(word)
    return NUMBERS[code[1]] if code else None


def _of_label(label: str) -> int:
    whole = label[:LONGEST].strip().lower()
    word, scoped = BEFORE.subn("", whole)
    if scoped:
        return NUMBERS.get(word) or severity_of(word) or 0
    code = re.match(r"(?:p|sev)[\s_-]?([0-5])(?![\w.])", whole, re.ASCII)
    return NUMBERS[code[1]] if code else WORDS[whole] if whole in IN_LABELS else 0
