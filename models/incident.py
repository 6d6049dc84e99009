"""One story told by several deliveries: the same record whatever their order, and however often they come.

Every merge below is a minimum, a maximum or a sum over distinct deliveries, so the result does not
depend on the order in which they arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# At the same moment the later word in this list wins.
RANKS = {"note": 0, "triggered": 1, "acknowledged": 2, "suppressed": 3, "resolved": 4}
STATUS = {
    "note": "open",
    "triggered": "open",
    "acknowledged": "acknowledged",
    "suppressed": "ignored",
    "resolved": "resolved",
}
# The story is told in the words of its newest trigger, else of its newest other state, else of a note.
_TELLS = {"triggered": 2, "acknowledged": 1, "suppressed": 1, "resolved": 1, "note": 0}


def begun(row: Mapping[str, Any], state: str, key: str) -> dict[str, Any]:
    """The columns of a record that begins with this delivery."""
    at = _moment(row)
    stateful = state != "note"
    return {
        **row,
        "status": STATUS[state],
        "triggers": int(state == "triggered"),
        "occurrences": 1,
        "first_seen_at": at,
        "last_seen_at": at,
        "resolved_at": at if state == "resolved" else None,
        "state_key": _state_key(at, state, key) if stateful else None,
        "content_key": _content_key(at, state, key),
    }


def merged(
    known: Mapping[str, Any], row: Mapping[str, Any], state: str, key: str, content: tuple[str, ...]
) -> dict[str, Any]:
    """The columns that this delivery changes in a known record; `content` are those that tell the story."""
    at = _moment(row)
    changed: dict[str, Any] = {}
    if state != "note":
        seen = known["state_key"] is not None  # times of notes do not count once a state is known
        changed["first_seen_at"] = min(known["first_seen_at"], at) if seen else at
        changed["last_seen_at"] = max(known["last_seen_at"], at) if seen else at
        state_key = _state_key(at, state, key)
        if known["state_key"] is None or state_key > known["state_key"]:
            changed |= {
                "state_key": state_key,
                "status": STATUS[state],
                "resolved_at": at if state == "resolved" else None,
            }
    if state == "triggered":
        triggers = known["triggers"] + 1
        changed |= {"triggers": triggers, "occurrences": max(1, triggers)}
    content_key = _content_key(at, state, key)
    if known["content_key"] is None or content_key > known["content_key"]:
        changed |= {"content_key": content_key, **{name: row[name] for name in content}}
    return changed


def event_type(known: Mapping[str, Any], changed: Mapping[str, Any], state: str) -> str:
    """What the history calls this delivery."""
    if state != "triggered":
        return state
    if known["status"] == "resolved" and changed.get("status") == "open":
        return "reopened"
    return "repeated" if known["triggers"] else "received"


def _moment(row: Mapping[str, Any]) -> int:
    return int(row["occurred_at"] if row["occurred_at"] is not None else row["received_at"])


def _state_key(at: int, state: str, key: str) -> str:
    return f"{at:016d}:{RANKS[state]}:{key}"


def _content_key(at: int, state: str, key: str) -> str:
    return f"{_TELLS[state]}:{at:016d}:{RANKS[state]}:{key}"
