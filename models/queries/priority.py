"""What is of high priority: a rule over what triage says now, so that it holds whatever triage learns.

Impact has points for tone, and what a machine says has none of those: the worst alert there is, on a page
that matters little, comes to five. So what its sender calls critical is of high priority by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import fn

from models.database.base import database
from models.tables.feedback import Feedback

HIGH, NORMAL = "high", "normal"
PRIORITIES = (HIGH, NORMAL)
LEAST = 9  # impact, of 14
MACHINES = ("alert", "ci")  # types of records that no person words
# How a record's reasons say so, in whichever order; within a text of theirs the quotes are escaped.
_MOST_SEVERE = '"part":"severity","points":5'


def condition(priority: str) -> Any:
    """Whether a row is of this priority, for the WHERE of any query of `feedback`."""
    severe = getattr(fn, database.obj.FIND)(Feedback.impact_reasons, _MOST_SEVERE) > 0
    # An impact that a person set stands for itself.
    critical = Feedback.type.in_(MACHINES) & (Feedback.impact_origin != "corrected") & severe
    high = (Feedback.impact >= LEAST) | critical
    return high if priority == HIGH else ~high


def few(workspace_id: str, statuses: Sequence[str]) -> tuple[str, list[Any]] | None:
    """SQL and its values for: a row may be of high priority; None when so many may be that none is far.

    Only on the embedded database, whose planner does not know.
    """
    if not database.obj.EMBEDDED:
        return None
    status = f" AND status IN ({', '.join('?' * len(statuses))})" if statuses else ""
    kinds = "', '".join(MACHINES)
    parts = {
        "feedback_impact": f"impact >= {LEAST}{status}",
        "feedback_type": f"type IN ('{kinds}') AND type <> 'message'{status}",
    }
    if not all(database.obj.few(workspace_id, test, statuses, index) for index, test in parts.items()):
        return None
    asked = (
        f"SELECT id FROM feedback INDEXED BY {index} WHERE workspace_id = ? AND {test}"
        for index, test in parts.items()
    )
    return f"id IN ({' UNION ALL '.join(asked)})", [workspace_id, *statuses] * len(parts)
