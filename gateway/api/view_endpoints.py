"""The endpoints of views, and of people who may be assigned."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api import views
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.answers import page_of
from gateway.api.schemas.views import NewView, Person, View, ViewChange

_ALL = "/gateway/v1/views"
_ONE = f"{_ALL}/<view_id>"

VIEWS = (
    Endpoint(_ALL, views.list_views, Shape(answers={200: page_of(View)})),
    Endpoint(
        _ALL,
        views.create_view,
        Shape(
            body=NewView,
            answers={201: View},
            example={"name": "Invoices", "query": "q=invoice&status=open", "shared": True},
        ),
        "POST",
    ),
    Endpoint(
        _ONE, views.change_view, Shape(body=ViewChange, answers={200: View}, example={"position": 0}), "PATCH"
    ),
    Endpoint(_ONE, views.delete_view, Shape(answers={204: None}), "DELETE"),
    Endpoint("/gateway/v1/people", views.list_people, Shape(answers={200: page_of(Person)}), scope="triage"),
)
