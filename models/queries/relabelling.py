"""New labels for a record that was read before, unless somebody changed it meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.database.base import insert, to_change, update
from models.tables import outbox
from models.tables.event import Event
from models.tables.feedback import Feedback, version


def apply(known: Mapping[str, Any], changed: Mapping[str, Any], event: Mapping[str, Any] | None) -> bool:
    """Changes a record and tells its history, within the open transaction; without an event it tells nothing.

    Nothing happens, and False is returned, when it is not as it was when it was read.
    """
    now = to_change(Feedback, known["id"])
    if now is None or version(now) != version(known):
        return False
    update(Feedback, known["id"], changed)
    if event is not None:
        insert(Event, {**event, "feedback": known["id"], "payload": None, "delivery_id": None})
        outbox.note(outbox.RELABELLED, known, event["at"], event["id"])
    return True
