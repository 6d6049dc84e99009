"""The endpoints of destinations."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api.admin import destinations
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.answers import page_of
from gateway.api.schemas.destinations import (
    DeliveriesQuery,
    Destination,
    DestinationChange,
    DestinationDelivery,
    DestinationMade,
    Forget,
    Forgotten,
    NewDestination,
    Queued,
    Replay,
)
from gateway.api.schemas.parameters import IfMatch, PageQuery

ALL = "/gateway/v1/destinations"
ONE = f"{ALL}/<destination_id>"

DESTINATIONS = (
    Endpoint(
        ALL,
        destinations.list_destinations,
        Shape(query=PageQuery, answers={200: page_of(Destination)}),
        scope="admin",
    ),
    Endpoint(
        ALL,
        destinations.create_destination,
        Shape(
            body=NewDestination,
            answers={201: DestinationMade},
            example={
                "url": "https://hooks.example.com/feedback",
                "events": ["feedback.created", "feedback.status_changed"],
                "filter": "sentiment=negative&category=bug",
            },
        ),
        "POST",
        "admin",
    ),
    Endpoint(ONE, destinations.show_destination, Shape(answers={200: Destination}), scope="admin"),
    Endpoint(
        ONE,
        destinations.change_destination,
        Shape(
            body=DestinationChange,
            headers=IfMatch,
            answers={200: Destination},
            refusals=(412,),
            example={"state": "paused"},
        ),
        "PATCH",
        "admin",
    ),
    Endpoint(ONE, destinations.delete_destination, Shape(answers={204: None}), "DELETE", "admin"),
    Endpoint(
        f"{ONE}/rotate",
        destinations.rotate_destination,
        Shape(answers={200: DestinationMade}),
        "POST",
        "admin",
    ),
    Endpoint(f"{ONE}/test", destinations.test_destination, Shape(answers={202: Queued}), "POST", "admin"),
    Endpoint(
        f"{ONE}/deliveries",
        destinations.list_deliveries,
        Shape(query=DeliveriesQuery, answers={200: page_of(DestinationDelivery)}),
        scope="admin",
    ),
    Endpoint(
        f"{ONE}/replay",
        destinations.replay_deliveries,
        Shape(body=Replay, optional=True, answers={202: Queued}, example={"state": "dead"}),
        "POST",
        "admin",
    ),
    Endpoint(
        f"{ONE}/forget",
        destinations.forget_deliveries,
        Shape(body=Forget, optional=True, answers={200: Forgotten}, example={"state": "held"}),
        "POST",
        "admin",
    ),
)
