"""What /gateway/v1/model answers."""

from __future__ import annotations

from marshmallow import fields

from adapters.contract.description import Shown, listed, text, time, whole
from gateway.background.retraining import STATES


class Learnt(Shown):
    """How many corrections a model answers as people said, and the one before it."""

    task = text("category", "sentiment")
    corrections = text("learnt", "held out")
    count = whole(minimum=0)
    old = whole(minimum=0)
    new = whole(minimum=0)


class HeldOutScore(Shown):
    """Macro-F1 on texts that neither model has learnt."""

    name = text()
    rows = fields.Integer(allow_none=True, metadata={"minimum": 0})
    old = fields.Float()
    new = fields.Float()
    difference = fields.Float()
    too_much = fields.Boolean()


class Training(Shown):
    state = text(*STATES)
    asked_by = text()
    asked_at = time()
    started_at = time(allow_none=True)
    finished_at = time(allow_none=True)
    reason = text()
    version = text(allow_none=True)
    old_version = text(allow_none=True)
    corrections = listed(Learnt)
    held_out = listed(HeldOutScore)


class KeptModel(Shown):
    version = text()
    made_at = time()
    corrections = whole(minimum=0)
    chosen = fields.Boolean()


class TriageModel(Shown):
    """`version` labels in the process that answers, which follows a choice within seconds."""

    version = text()
    pinned = fields.Boolean()
    shipped = fields.Boolean()
    corrections = whole(minimum=0)
    training = fields.Nested(Training, allow_none=True)
    kept = listed(KeptModel)
