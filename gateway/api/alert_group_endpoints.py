"""The endpoints of the groups of alerts."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api import alert_groups
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.alert_groups import (
    Acknowledged,
    AlertGroups,
    AlertGroupsQuery,
    MuteShown,
    NewMute,
    OfGroup,
)

_ALL = "/gateway/v1/alert-groups"
_EXAMPLE = {"group": "native:Disk full"}

ALERT_GROUPS = (
    Endpoint(_ALL, alert_groups.list_groups, Shape(query=AlertGroupsQuery, answers={200: AlertGroups})),
    Endpoint(
        f"{_ALL}/mute",
        alert_groups.mute_group,
        Shape(body=NewMute, answers={200: MuteShown}, refusals=(404,), example={**_EXAMPLE, "more": 20}),
        "POST",
        "triage",
    ),
    Endpoint(
        f"{_ALL}/unmute",
        alert_groups.unmute_group,
        Shape(body=OfGroup, answers={200: MuteShown}, refusals=(404,), example=_EXAMPLE),
        "POST",
        "triage",
    ),
    Endpoint(
        f"{_ALL}/acknowledge",
        alert_groups.acknowledge_group,
        Shape(body=OfGroup, answers={200: Acknowledged}, refusals=(404,), example=_EXAMPLE),
        "POST",
        "triage",
    ),
)
