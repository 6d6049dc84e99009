"""Views: a person's own, and those that a workspace shares; what follows one of them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.access.api_keys import create_key
from gateway.destinations import fan_out, shared_view
from models import Destination, Outgoing, SavedView
from models.database.base import writing
from models.tables.user import User
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both
PATH = "/gateway/v1/views"


def shared(call: Call, name: str = "Bugs", query: str = "category=bug", **more: Any) -> dict[str, Any]:
    answer = call("POST", PATH, json={"name": name, "query": query, "shared": True, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def test_their_order(call: Call) -> None:
    """New ones come last; a position moves one, and what is deleted is gone."""
    first, second = shared(call), shared(call, "Praise", "category=praise&sort=-impact")
    assert [view["name"] for view in call("GET", PATH).json["data"]] == ["Bugs", "Praise"]
    call("PATCH", f"{PATH}/{first['view_id']}", json={"position": 5, "name": "Faults"})
    assert [view["name"] for view in call("GET", PATH).json["data"]] == ["Praise", "Faults"]
    assert call("DELETE", f"{PATH}/{second['view_id']}").status_code == 204
    assert [view["name"] for view in call("GET", PATH).json["data"]] == ["Faults"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": "x", "query": "nosuch=1", "shared": True}, "query.nosuch"),
        ({"name": "x", "query": "status=odd", "shared": True}, "query.status"),
        ({"name": " ", "query": "q=x", "shared": True}, "name"),
        ({"name": "x" * 41, "query": "q=x", "shared": True}, "name"),
        ({"name": "x", "query": "", "shared": True}, "query"),
        ({"name": "x", "query": "q=x", "shared": True, "position": 1.5}, "position"),
        ({"name": "x", "query": "q=x", "shared": True, "position": -1}, "position"),
        ({"name": "x", "query": "q=x"}, "shared"),
    ],
)
def test_what_is_refused(call: Call, sent: Any, field: str) -> None:
    """By the field's name; of a query by that within it. A key has no view of its own."""
    answer = call("POST", PATH, json=sent)
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (400, [field])


def test_who_may_share(call: Call, tenant: Tenant, other: Tenant) -> None:
    """A key that only reads, and one of another workspace, changes nothing."""
    view = shared(call)
    _, key = create_key(tenant.workspace_id, scopes=["read"])
    reads = {"Authorization": f"Bearer {key}"}
    sent = {"name": "x", "query": "q=x", "shared": True}
    assert call("POST", PATH, json=sent, headers=reads).status_code == 403
    for headers, status in ((reads, 403), (other.headers, 404)):
        for method in ("PATCH", "DELETE"):
            answer = call(method, f"{PATH}/{view['view_id']}", json={"name": "y"}, headers=headers)
            assert answer.status_code == status
    assert call("GET", PATH, headers=other.headers).json["data"] == []
    assert SavedView.get().name == "Bugs"


def test_a_destination_follows_one(call: Call) -> None:
    """What it is told is what the view means then; without the view it is disabled, and says why."""
    view = shared(call, query="category=praise&sort=-impact")["view_id"]
    sent = {"url": "https://8.8.8.8/", "events": ["feedback.created"], "filter": f"view={view}"}
    assert call("POST", "/gateway/v1/destinations", json=sent).status_code == 201
    other = {**sent, "filter": "view=view_nothing"}
    assert call("POST", "/gateway/v1/destinations", json=other).json["errors"][0]["field"] == "filter.view"

    def told() -> int:
        with writing():
            fan_out.fan_out(100)
        return int(Outgoing.select().count())

    call("POST", "/gateway/v1/feedback", json={"text": "Broken", "category": "bug"})
    assert told() == 0
    call("PATCH", f"{PATH}/{view}", json={"query": "category=bug"})
    call("POST", "/gateway/v1/feedback", json={"text": "Broken again", "category": "bug"})
    assert told() == 1
    call("DELETE", f"{PATH}/{view}")
    call("POST", "/gateway/v1/feedback", json={"text": "Broken once more", "category": "bug"})
    told()
    assert Destination.get().state == "disabled" and "No such shared view" in Destination.get().reason


def test_a_filter_of_its_own_is_left_as_it_is(tenant: Tenant) -> None:
    """Only what names a view and nothing else is one."""
    for text in ("", "status=open", "q=view%3Dx", "view=x&status=open"):
        assert shared_view.filter_of(tenant.workspace_id, text) == text


def test_it_stays_without_its_owner(call: Call, tenant: Tenant) -> None:
    """A shared view is the workspace's: it is there when nobody made it, and no person is needed."""
    view = shared(call)
    assert view["owner"] is None and not User.select().count()
