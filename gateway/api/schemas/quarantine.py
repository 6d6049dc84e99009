"""What is held in quarantine as groups: by source and reason, replayed or discarded together."""

from __future__ import annotations

from marshmallow import fields

from adapters.common.schemas import Flag, Strict, Text, length
from adapters.contract.description import Shown, text, time, whole

LONGEST_REASON = 2_000  # characters


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
