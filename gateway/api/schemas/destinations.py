"""What /gateway/v1/destinations takes and answers."""

from __future__ import annotations

from collections.abc import Callable

from marshmallow import ValidationError, fields

from adapters.common.schemas import (
    Flag,
    Number,
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
from gateway.destinations import found_kinds, subscription
from gateway.destinations.managing import CHANGEABLE, EVENTS, FORGETTABLE, REPLAYABLE
from models.tables.destination import STATES
from models.tables.outbox import TYPES
from models.tables.outgoing import STATES as DELIVERY_STATES
from models.tables.outgoing import TOGETHER

LONGEST_NAME, LONGEST_FILTER = 200, 4_000  # characters
KINDS = tuple(found_kinds.load())


@means(minItems=1)
def _some(value: list[str]) -> None:
    if not value:
        raise ValidationError("Array must contain at least 1 element(s)")


def _whole(least: int, most: int) -> Callable[[float], None]:
    @means(minimum=least, maximum=most, multipleOf=1)
    def check(value: float) -> None:
        if not least <= value <= most or value != int(value):
            raise ValidationError(f"Number must be a whole one from {least} to {most}")

    return check


@means(maxLength=60)
def _zone(value: str) -> None:
    if len(value) > 60 or not subscription.is_zone(value):
        raise ValidationError("Must be a zone such as Europe/Amsterdam")


_url = length(most=LONGEST_URL)
_name = length(most=LONGEST_NAME)
_filter = length(most=LONGEST_FILTER)
_event = one_of(EVENTS)


class SubscriptionChange(Strict):
    """When people are told; what is left out is as it was, or as usual."""

    when = Text(one_of(subscription.WHENS))
    window = Number(_whole(1, subscription.LONGEST_WINDOW))
    hour = Number(_whole(0, 23))
    weekday = Number(_whole(0, 6))
    zone = Text(_zone)
    include_author = Flag()
    content = Text(one_of(subscription.CONTENTS))


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
    subscription = fields.Nested(SubscriptionChange)


class DestinationChange(Strict):
    means = {"minProperties": 1}

    url = Text(_url)
    name = Text(_name)
    events = TextList(_event, validate=_some)
    filter = Text(_filter)
    headers = Object()
    thin = Flag()
    ordered = Flag()
    subscription = fields.Nested(SubscriptionChange)
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


class Subscription(Shown):
    when = text(*subscription.WHENS)
    window = whole(minimum=1, maximum=subscription.LONGEST_WINDOW)
    hour = whole(minimum=0, maximum=23)
    weekday = whole(minimum=0, maximum=6)
    zone = text()
    include_author = fields.Boolean()
    content = text(*subscription.CONTENTS)


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
    subscription = fields.Nested(Subscription, allow_none=True)
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
    """`secret` is null for a kind that signs nothing."""

    secret = text(allow_none=True)


class AttemptShown(Shown):
    n = whole(minimum=1)
    at = time()
    ms = whole(minimum=0)
    status = fields.Integer(allow_none=True)
    why = text(allow_none=True)
    answer = text()


class DestinationDelivery(Shown):
    id = text()
    type = text(*TYPES, *TOGETHER)
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
