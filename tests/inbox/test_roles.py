"""Who may do what: every page and form of the inbox, for every role and for the other workspace."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

import adapters
from gateway.access import hooks, topics, users
from gateway.access.api_keys import create_key
from gateway.core.ids import now_ms
from gateway.runs import lifecycle, registry
from models import (
    AlertMute,
    ApiKey,
    Asset,
    Audit,
    Destination,
    Event,
    Feedback,
    HookRow,
    Invite,
    Outbox,
    Outgoing,
    Project,
    Quarantine,
    Reply,
    Run,
    SavedView,
    Topic,
    User,
)
from models.database.base import writing
from models.tables import outgoing
from models.tables.user import views_of
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader
from tests.replies.conftest import answered

Make = Callable[..., Reader]

# Every page, by the least role it is for; None is everybody.
PAGES: dict[str, str | None] = {
    "GET /": None,
    "GET /inbox/static/<name>": None,
    "GET /sign-in": None,
    "POST /sign-in": None,
    "GET /sign-in/forgotten": None,
    "POST /sign-in/forgotten": None,
    "GET /sign-in/elsewhere": None,
    "GET /sign-in/back": None,
    "POST /sign-out": None,
    "GET /welcome": None,
    "POST /welcome": None,
    "GET /account": "viewer",
    "POST /account": "viewer",
    "POST /account/password": "viewer",
    "GET /inbox": "viewer",
    "GET /inbox/fresh": "viewer",
    "GET /inbox/export": "viewer",
    "GET /themes": "viewer",
    "GET /themes/<theme_id>": "viewer",
    "GET /themes/<theme_id>/quotes.md": "viewer",
    "GET /inbox/counts": "viewer",
    "POST /inbox/views": "viewer",
    "POST /inbox/density": "viewer",
    "POST /inbox/bulk": "triager",
    "POST /inbox/assign": "triager",
    "POST /inbox/snooze": "triager",
    "POST /inbox/undo": "triager",
    "GET /inbox/matching": "triager",
    "GET /inbox/keys": "viewer",
    "POST /inbox/first-key": "admin",
    "GET /records/<feedback_id>": "viewer",
    "POST /records/<feedback_id>": "triager",
    "POST /inbox/merge": "triager",
    "GET /authors": "viewer",
    "POST /authors/export": "admin",
    "POST /authors/erase": "admin",
    "POST /records/<feedback_id>/delete": "admin",
    "POST /inbox/unmerge": "triager",
    "POST /records/<feedback_id>/merge": "triager",
    "POST /records/<feedback_id>/unmerge": "triager",
    "POST /records/<feedback_id>/assign": "triager",
    "POST /records/<feedback_id>/snooze": "triager",
    "POST /records/<feedback_id>/presence": "viewer",
    "POST /records/<feedback_id>/files": "triager",
    "POST /records/<feedback_id>/files/<asset_id>/delete": "triager",
    "POST /records/<feedback_id>/replies": "triager",
    "POST /records/<feedback_id>/replies/<reply_id>/delete": "triager",
    "GET /unsubscribe/destinations/<destination_id>/<signature>": None,
    "POST /unsubscribe/destinations/<destination_id>/<signature>": None,
    "GET /unsubscribe/<workspace_id>/<digest>/<signature>": None,
    "POST /unsubscribe/<workspace_id>/<digest>/<signature>": None,
    "GET /alerts": "viewer",
    "GET /alerts/fresh": "viewer",
    "POST /alerts/acknowledge": "triager",
    "POST /alerts/mute": "triager",
    "POST /alerts/unmute": "triager",
    "GET /overview": "viewer",
    "GET /digest": "viewer",
    "GET /overview/themes/<theme_id>": "triager",
    "POST /overview/themes/<theme_id>": "triager",
    "POST /overview/themes/<theme_id>/delete": "triager",
    "GET /settings": "viewer",
    "GET /settings/keys": "admin",
    "POST /settings/keys": "admin",
    "POST /settings/keys/<key_id>/rotate": "admin",
    "POST /settings/keys/<key_id>/revoke": "admin",
    "GET /settings/projects": "viewer",
    "POST /settings/projects": "admin",
    "GET /settings/projects/<project_id>": "viewer",
    "POST /settings/projects/<project_id>": "admin",
    "POST /settings/projects/<project_id>/areas": "admin",
    "GET /settings/projects/<project_id>/learning": "viewer",
    "GET /settings/projects/<project_id>/learning/state": "viewer",
    "POST /settings/projects/<project_id>/learning": "admin",
    "POST /settings/projects/<project_id>/lessons/<feedback_id>": "triager",
    "GET /settings/projects/<project_id>/topics": "viewer",
    "POST /settings/projects/<project_id>/topics": "admin",
    "POST /settings/projects/<project_id>/topics/<topic_id>": "admin",
    "GET /settings/quarantine": "viewer",
    "GET /settings/quarantine/<quarantine_id>": "viewer",
    "POST /settings/quarantine/<quarantine_id>/replay": "triager",
    "POST /settings/quarantine/replay": "triager",
    "POST /settings/quarantine/discard": "admin",
    "POST /settings/quarantine/<quarantine_id>/discard": "admin",
    "GET /settings/hooks": "admin",
    "GET /settings/hooks/new/<source>": "admin",
    "POST /settings/hooks/new/<source>": "admin",
    "GET /settings/hooks/<hook_id>": "admin",
    "GET /settings/hooks/<hook_id>/received": "admin",
    "POST /settings/hooks/<hook_id>/rotate": "admin",
    "POST /settings/hooks/<hook_id>/options": "admin",
    "POST /settings/hooks/<hook_id>/delete": "admin",
    "GET /settings/destinations": "admin",
    "GET /settings/destinations/new/<kind>": "admin",
    "POST /settings/destinations/new/<kind>": "admin",
    "GET /settings/destinations/<destination_id>": "admin",
    "GET /settings/destinations/<destination_id>/change": "admin",
    "POST /settings/destinations/<destination_id>/change": "admin",
    "POST /settings/destinations/<destination_id>/state": "admin",
    "POST /settings/destinations/<destination_id>/test": "admin",
    "GET /settings/destinations/<destination_id>/tested": "admin",
    "POST /settings/destinations/<destination_id>/rotate": "admin",
    "POST /settings/destinations/<destination_id>/delete": "admin",
    "POST /settings/destinations/<destination_id>/replay": "admin",
    "POST /settings/destinations/<destination_id>/forget": "admin",
    "GET /settings/destinations/<destination_id>/deliveries/<delivery_id>": "admin",
    "GET /settings/runs": "viewer",
    "POST /settings/runs/start/<slug>": "viewer",
    "POST /settings/runs/<run_id>/cancel": "admin",
    "POST /settings/runs/budget": "admin",
    "GET /settings/callbacks": "admin",
    "POST /settings/callbacks/rotate": "admin",
    "GET /settings/people": "admin",
    "POST /settings/people": "admin",
    "POST /settings/people/<user_id>": "admin",
    "GET /settings/model": "viewer",
    "GET /settings/model/training": "viewer",
    "POST /settings/model/train": "admin",
    "POST /settings/model/use": "admin",
    "GET /settings/audit": "admin",
}
DESTINATION = "/settings/destinations/<destination_id>"
ROLES = ("viewer", "triager", "admin")
# Forms that would do something, for whoever may send them.
FORMS: dict[str, dict[str, Any]] = {
    "POST /inbox/bulk": {"set": "status:resolved", "id": "{feedback_id}"},
    "POST /alerts/acknowledge": {"group": "native:Disk"},
    "POST /alerts/mute": {"group": "native:Disk", "for": "1h"},
    "POST /alerts/unmute": {"group": "native:Muted"},
    "POST /records/<feedback_id>": {"category": "praise"},
    "POST /records/<feedback_id>/merge": {"id": "{feedback_id}"},
    "POST /records/<feedback_id>/unmerge": {"id": "{feedback_id}"},
    "POST /inbox/assign": {"who": "me", "id": "{feedback_id}"},
    "POST /inbox/snooze": {"snooze": "1h", "id": "{feedback_id}"},
    "POST /records/<feedback_id>/assign": {"who": "me"},
    "POST /records/<feedback_id>/snooze": {"snooze": "1h"},
    "POST /records/<feedback_id>/replies": {"text": "x"},
    "POST /overview/themes/<theme_id>": {"text": "x"},
    "POST /settings/keys": {"name": "n", "scopes": "ingest"},
    "POST /settings/quarantine/replay": {"source": "generic", "reason": "r"},
    "POST /settings/quarantine/discard": {"source": "generic", "reason": "r"},
    "POST /settings/projects": {"name": "n"},
    "POST /settings/projects/<project_id>": {"name": "renamed"},
    "POST /settings/projects/<project_id>/areas": {"0-name": "n", "0-points": "3", "0-pages": "/x"},
    "POST /settings/projects/<project_id>/learning": {"act": "forget"},
    "POST /settings/projects/<project_id>/lessons/<feedback_id>": {"learnt": "0"},
    "POST /settings/projects/<project_id>/topics": {"name": "n"},
    "POST /settings/projects/<project_id>/topics/<topic_id>": {"act": "remove"},
    "POST /settings/hooks/new/<source>": {"name": "n"},
    "POST /settings/destinations/new/<kind>": {"url": "https://8.8.8.8/", "events": "feedback.created"},
    f"POST {DESTINATION}/change": {"name": "renamed", "url": "https://8.8.8.8/"},
    f"POST {DESTINATION}/state": {"state": "paused"},
    f"POST {DESTINATION}/replay": {"state": "sent"},
    f"POST {DESTINATION}/forget": {"state": "held"},
    "POST /settings/model/use": {"version": "shipped"},
    "POST /settings/runs/start/<slug>": {"filter": "q=x"},
    "POST /settings/runs/budget": {"runs": "5"},
    "POST /settings/people": {"email": "new@example.test", "role": "admin"},
    "POST /settings/people/<user_id>": {"act": "role", "role": "viewer"},
}


def routes_of(app: Flask) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("inbox.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_table_is_complete(app: Flask) -> None:
    """Every page of the inbox stands in the table above."""
    assert routes_of(app) == set(PAGES)


def filled(route: str, ids: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda match: ids.get(match[1], "1"), route.partition(" ")[2])


def send(who: Reader, route: str, ids: dict[str, str]) -> Any:
    path = filled(route, ids)
    if route.startswith("GET"):
        return who.get(path)
    form: dict[str, Any] = {name: value.format(**ids) for name, value in FORMS.get(route, {}).items()}
    if route.endswith("/files"):
        form["file"] = (io.BytesIO(b"words"), "words.txt")
    return who.post(path, form)


def snapshot() -> list[Any]:
    """Everything that a page could change, all workspaces."""
    records = (
        Feedback,
        Event,
        Topic,
        Quarantine,
        Asset,
        Run,
        Reply,
        Destination,
        Outbox,
        Outgoing,
        AlertMute,
    )
    tables = (*records, Project, HookRow, User, Invite, SavedView, Audit)
    found: list[Any] = [sorted(map(str, table.select().dicts())) for table in tables]
    return [*found, sorted(ApiKey.select(ApiKey.id, ApiKey.expires_at, ApiKey.revoked_at).tuples())]


@pytest.fixture(name="ids")
def _ids(call: Call, tenant: Tenant) -> dict[str, str]:
    """Ids of things in the tenant's workspace, with a word that must stay there."""
    record = call("POST", "/gateway/v1/feedback", json={"text": "topsecret words"}).json["id"]
    for title in ("Disk", "Muted"):
        call("POST", "/gateway/v1/feedback", json={"text": "topsecret", "title": title, "type": "alert"})
    call("POST", "/gateway/v1/alert-groups/mute", json={"group": "native:Muted", "more": 9})
    key_id, _ = create_key(tenant.workspace_id, name="topsecret")
    generic = adapters.load()["generic"]
    hook = hooks.create_hook(generic, tenant.workspace_id, None, public_url="http://x", name="topsecret")
    bearer = {"Authorization": f"Bearer {hook['secret']}"}
    call("POST", hook["path"], data=b"topsecret, no JSON", headers=bearer)
    user_id = users.create_user(tenant.workspace_id, "topsecret@example.test", "topsecret", "triager")
    topic = topics.create(tenant.workspace_id, tenant.project_id, "topsecret", "", now_ms())
    file = {"file": (io.BytesIO(b"topsecret"), "topsecret.txt")}
    call("POST", f"/gateway/v1/feedback/{record}/attachments", data=file)
    url = {"url": "https://8.8.8.8/topsecret", "name": "topsecret"}
    destination = call("POST", "/gateway/v1/destinations", json=url).json["id"]
    told = {
        "id": "msg_1",
        "workspace_id": tenant.workspace_id,
        "destination": destination,
        "body": "topsecret",
    }
    told |= {"type": "feedback.created", "state": "sent", "next_at": 0, "created_at": 0}
    with writing():
        outgoing.add_all([{**told, "feedback": None}])
    export = registry.load()["export-feedback"]
    with writing():
        run, _ = lifecycle.start(export, {"filter": "q=topsecret"}, tenant.workspace_id, "key")
    return {
        **answered(tenant, record),
        "run_id": run["id"],
        "destination_id": destination,
        "delivery_id": told["id"],
        "kind": "webhook",
        "slug": export.slug,
        "feedback_id": record,
        "key_id": key_id,
        "project_id": tenant.project_id,
        "hook_id": hook["hook_id"],
        "quarantine_id": Quarantine.get().id,
        "user_id": user_id,
        "topic_id": topic["id"],
        "source": "generic",
        "asset_id": Asset.get().id,
    }


GUARDED = {route: least for route, least in PAGES.items() if least}


def test_nobody_gets_in_unseen(stranger: Reader, ids: dict[str, str]) -> None:
    """Who is not signed in is led to sign in, with the form if there is one, and changes nothing."""
    before = snapshot()
    for route in GUARDED:
        answer = send(stranger, route, ids)

        if answer.status_code == 401:
            assert 'name="held"' in answer.text and 'action="/sign-in"' in answer.text, route
            assert "topsecret" not in answer.text, route
        else:
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/sign-in"), route
        assert snapshot() == before, route


def test_roles_end_where_they_end(reader: Make, ids: dict[str, str]) -> None:
    """A page above somebody's role is a 403, whatever the form says, and changes nothing."""
    readers = {role: reader(role) for role in ROLES}
    before = snapshot()
    for route, least in GUARDED.items():
        for role in ROLES[: ROLES.index(least)]:
            answer = send(readers[role], route, ids)

            assert answer.status_code == 403, (route, role)
            assert "topsecret" not in answer.text, (route, role)
            assert snapshot() == before, (route, role)


def test_workspaces_end_where_they_end(reader: Make, other: Tenant, ids: dict[str, str]) -> None:
    """Another workspace's admin sees nothing of this one and changes nothing in it."""
    for number, route in enumerate(route for route in GUARDED if route != "POST /account"):
        who = reader("admin", other, f"admin{number}@example.test")
        answer = send(who, route, ids)

        assert "topsecret" not in answer.text, route
        assert answer.status_code == (404 if "_id>" in route else answer.status_code) < 500, route
        assert Feedback.get_by_id(ids["feedback_id"]).status == "open", route
        assert Feedback.get_by_id(ids["feedback_id"]).category_origin == "predicted", route
        assert ApiKey.get_by_id(ids["key_id"]).revoked_at is None, route
        assert HookRow.get_by_id(ids["hook_id"]).deleted_at is None, route
        assert Quarantine.get_by_id(ids["quarantine_id"]).replayed_at is None, route
        assert User.get_by_id(ids["user_id"]).role == "triager", route
        assert Project.get_by_id(ids["project_id"]).name == "Default", route


def test_views_are_ones_own(reader: Make, tenant: Tenant) -> None:
    """A saved view is kept for who saved it, and nobody else forgets it."""
    ann, ben = reader("viewer"), reader("triager")
    ann.post("/inbox/views", {"name": "Ours <b>", "query": "category=bug&status=open"})
    (view,) = views_of(ann.user_id)
    ben.post("/inbox/views", {"forget": view["id"]})

    assert "Ours &lt;b&gt;" in ann.get("/inbox").text
    assert "Ours" not in ben.get("/inbox").text
    ann.post("/inbox/views", {"forget": view["id"]})
    assert views_of(ann.user_id) == []
