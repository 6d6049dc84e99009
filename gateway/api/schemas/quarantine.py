"""What /gateway/v1/quarantine takes and answers: one held delivery, or those of a source and a reason."""

from __future__ import annotations

from marshmallow import fields

from adapters.common.schemas import Flag, Strict, Text, length
from adapters.contract.description import Shown, text, time, whole

LONGEST_REASON = 2_000  # characters


class HeldDelivery(Shown):
    id = text()
    workspace_id = text()
    project_id = text()
    source = text()
    hook_id = text()
    reason = text()
    received_at = time()
    replayed_at = time(allow_none=True)
    request = fields.Dict()
    payload = text()


class Preview(Shown):
    unreadable = text(allow_none=True)
    records = fields.List(fields.Dict())


class HeldShown(HeldDelivery):
    preview = fields.Nested(Preview)
    lenient = fields.Nested(Preview, allow_none=True)


class Replayed(Shown):
    id = text()
    replayed = fields.Boolean()
    reason = text(allow_none=True)
    feedback_ids = fields.List(fields.String())


class Discard(Strict):
    source = Text(length(least=1, most=100), required=True)
    reason = Text(length(most=LONGEST_REASON))


class ReplayGroup(Discard):
    lenient = Flag(load_default=False)
    cursor = Text(allow_none=True)


class HeldGroup(Shown):
    source = text()
    reason = text()
    count = whole()
    last_received_at = time()


class ReplayedGroup(Shown):
    replayed = whole()
    held = whole()
    feedback_ids = fields.List(text())
    next_cursor = text(allow_none=True)


class Discarded(Shown):
    discarded = whole()
