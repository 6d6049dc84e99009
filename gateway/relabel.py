"""People overrule: a label or a status set by hand, with what it replaced kept beside it."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from adapters.contract import CATEGORIES, SENTIMENTS, Fault, Inbound, Problem, Refused, Reply, invalid
from adapters.payload import Number, Strict, Text, one_of
from gateway.caller import Caller
from gateway.ids import new_id
from models import feedback
from models.base import writing
from models.event import Event
from models.feedback import STATUSES, Feedback

LABELS = ("category", "sentiment", "impact")
SCORES = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}  # a person does not say how much


def _impact(value: float) -> None:
    if value not in range(15):
        raise ValidationError("Number must be a whole one from 0 to 14")


class Change(Strict):
    category = Text(one_of(CATEGORIES))
    sentiment = Text(one_of(SENTIMENTS))
    impact = Number(_impact)
    status = Text(one_of(STATUSES))


def change_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """PATCH of one record: category, sentiment, impact, status. What does not change anything is no event.

    Raises Refused: 400 with every bad field, 404 for a record that is not the caller's.
    """
    sent = dict(Change.of(inbound))
    if not sent:
        raise invalid(Fault("body", f"Must have one of {', '.join(Change().fields)}"))
    if "impact" in sent:
        sent["impact"] = int(sent["impact"])
    with writing():
        wanted = inbound.params["feedback_id"]
        row = feedback.find(caller.workspace_id, caller.project_id, wanted, to_change=True)
        if row is None:
            raise Refused(Problem(404, "not_found", "No such feedback."))
        changed = {name: value for name, value in sent.items() if row[name] != value}
        if changed:
            row |= _apply(caller, inbound, row, changed)
    return Reply(200, feedback.document(row))


def _apply(caller: Caller, inbound: Inbound, row: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Writes the change and its events within the open transaction, and returns the new columns."""
    columns: dict[str, Any] = {**changed, "updated_at": inbound.received_at}
    labels = [name for name in LABELS if name in changed]
    if labels:
        # The model's own answer stays the first one, however often people change their minds.
        columns["overruled"] = {name: row[name] for name in labels} | (row["overruled"] or {})
        columns |= {f"{name}_origin": "corrected" for name in labels}
    if "category" in changed:
        columns["category_confidence"] = 1.0
    if "sentiment" in changed:
        columns["sentiment_score"] = SCORES[changed["sentiment"]]
    Feedback.update(columns).where(Feedback.id == row["id"]).execute()
    for kind, names in (("relabelled", labels), ("status", ["status"] if "status" in changed else [])):
        if names:
            changes = {name: {"from": row[name], "to": changed[name]} for name in names}
            Event.create(
                id=new_id("ev"),
                feedback=row["id"],
                type=kind,
                at=inbound.received_at,
                detail={"changes": changes, "key_id": caller.key_id, "request_id": inbound.request_id},
            )
    return columns
