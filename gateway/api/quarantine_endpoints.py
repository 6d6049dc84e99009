"""The endpoints of what is held in quarantine."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api.admin import quarantine, quarantine_groups
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.answers import page_of
from gateway.api.schemas.parameters import HeldQuery, PageQuery, ReplayQuery
from gateway.api.schemas.quarantine import (
    Discard,
    Discarded,
    HeldDelivery,
    HeldGroup,
    HeldShown,
    Replayed,
    ReplayedGroup,
    ReplayGroup,
)

QUARANTINE = (
    Endpoint(
        "/gateway/v1/quarantine",
        quarantine.list_quarantine,
        Shape(query=HeldQuery, answers={200: page_of(HeldDelivery)}),
    ),
    Endpoint("/gateway/v1/quarantine/<quarantine_id>", quarantine.show_held, Shape(answers={200: HeldShown})),
    Endpoint(
        "/gateway/v1/quarantine/<quarantine_id>/replay",
        quarantine.replay_held,
        Shape(query=ReplayQuery, answers={200: Replayed}),
        "POST",
        "triage",
    ),
    Endpoint(
        "/gateway/v1/quarantine/<quarantine_id>",
        quarantine.discard_held,
        Shape(answers={204: None}),
        "DELETE",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/quarantine/groups",
        quarantine_groups.list_groups,
        Shape(query=PageQuery, answers={200: page_of(HeldGroup)}),
    ),
    Endpoint(
        "/gateway/v1/quarantine/replay",
        quarantine_groups.replay_group,
        Shape(body=ReplayGroup, answers={200: ReplayedGroup}, example={"source": "grafana"}),
        "POST",
        "triage",
    ),
    Endpoint(
        "/gateway/v1/quarantine/discard",
        quarantine_groups.discard_group,
        Shape(body=Discard, answers={200: Discarded}, example={"source": "grafana", "reason": "no alerts"}),
        "POST",
        "admin",
    ),
)
