"""What /gateway/v1/destinations takes and answers."""

from __future__ import annotations

from marshmallow import ValidationError, fields

from adapters.common.schemas import (
    Flag,
    Object,
    Strict,
    Text,
    TextList,
    length,
    means,
    one_of,
)
from adapters.contract.description import Shown, listed, text, time, whole
from adapters.native import iso_time
from gateway.api.schemas.parameters import PageQuery
from gateway.core.outbound_rules import LONGEST_URL
from gateway.destinations import found_kinds
from gateway.destinations.managing import CHANGEABLE, EVENTS, FORGETTABLE, REPLAYABLE
from models.tables.destination import STATES
from models.tables.outbox import TYPES
from models.tables.outgoing import STATES as DELIVERY_STATES

LONGEST_NAME, LONGEST_FILTER = 200, 4_000  # characters
KINDS = tuple(found_kinds.load())


@means(minItems=1)
def _some(value: list[str]) -> None:
    if not value:
        raise ValidationError("Array must contain at least 1 element(s)")


_url = length(most=LONGEST_URL)
_name = length(most=LONGEST_NAME)
_filter = length(most=LONGEST_FILTER)
_event = one_of(EVENTS)


class NewDestination(Strict):
    kind = Text(one_of(KINDS), load_default="webhook")
    url = Text(_url, required=True)
    name = Text(_name, load_default="")
    project_id = Text(allow_none=True)
    events = TextList(_event, validate=_some)
    filter = Text(_filter, load_default="")
    headers = Object(load_default=dict)
    thin = Flag(load_default=False)
    ordered = Flag(load_default=False)


class DestinationChange(Strict):
    means = {"minProperties": 1}

    url = Text(_url)
    name = Text(_name)
    events = TextList(_event, validate=_some)
    filter = Text(_filter)
    headers = Object()
    thin = Flag()
    ordered = Flag()
    state = Text(one_of(CHANGEABLE))


class Deliveries(Strict):
    """One delivery, or those of a state and a time."""

    delivery_id = Text()
    since = Text(iso_time)
    until = Text(iso_time)


class Replay(Deliveries):
    state = Text(one_of(REPLAYABLE))


class Forget(Deliveries):
    state = Text(one_of(FORGETTABLE))


class DeliveriesQuery(PageQuery):
    state = Text(one_of(DELIVERY_STATES))


class Destination(Shown):
    """`url` is null when it cannot be opened; of `headers` the names are shown."""

    id = text()
    kind = text(*KINDS)
    name = text()
    workspace_id = text()
    project_id = text(allow_none=True)
    url = text(allow_none=True)
    events = fields.List(fields.String(metadata={"enum": list(EVENTS)}))
    filter = text()
    headers = fields.List(fields.String())
    thin = fields.Boolean()
    ordered = fields.Boolean()
    state = text(*STATES)
    reason = text(allow_none=True)
    live_secrets = whole(minimum=0)
    waiting = whole(minimum=0)
    held = whole(minimum=0)
    dead = whole(minimum=0)
    resume_at = time(allow_none=True)
    succeeded_at = time(allow_none=True)
    failing_since = time(allow_none=True)
    created_at = time()


class DestinationMade(Destination):
    secret = text()


class AttemptShown(Shown):
    n = whole(minimum=1)
    at = time()
    ms = whole(minimum=0)
    status = fields.Integer(allow_none=True)
    why = text(allow_none=True)
    answer = text()


class DestinationDelivery(Shown):
    id = text()
    type = text(*TYPES)
    feedback_id = text(allow_none=True)
    state = text(*DELIVERY_STATES)
    replay = fields.Boolean()
    body = text()
    next_at = time(allow_none=True)
    created_at = time()
    attempts = listed(AttemptShown)


class Queued(Shown):
    queued = whole(minimum=0)


class Forgotten(Shown):
    forgotten = whole(minimum=0)
