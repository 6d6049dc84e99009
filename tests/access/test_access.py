"""Who may use which route: every one in the url map, with every kind of key that must not open it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

import adapters
from gateway.access.api_keys import SCOPES, create_key
from gateway.core.ids import now_ms
from gateway.intake import auth
from models import ApiKey, Feedback
from models.tables.hook import HookRow
from tests.access.test_tenancy import OPEN, ROUTES, _theirs, filled, snapshot
from tests.conftest import Tenant

pytestmark = pytest.mark.both(long=True)

theirs = _theirs  # a record, a project and a hook of another workspace
SIGNED = {
    f"{door.method} {door.path}"
    for adapter in adapters.load().values()
    if adapter.signed
    for door in adapter.doors
}
# The scope that a key needs, where it is not ingest.
SCOPE = {
    "GET /api/v1/models": "read",
    "GET /api/v1/assets": "read",
    "GET /api/v1/assets/<asset_id>": "read",
    "POST /api/v1/assets": "ingest",
    "POST /api/v1/assets/<asset_id>/complete": "ingest",
    "POST /api/v1/assets/<asset_id>/retry": "ingest",
    "GET /gateway/v1/feedback": "read",
    "GET /gateway/v1/feedback/<feedback_id>": "read",
    "PATCH /gateway/v1/feedback/<feedback_id>": "triage",
    "DELETE /gateway/v1/feedback/<feedback_id>": "admin",
    "PATCH /gateway/v1/feedback": "triage",
    "DELETE /gateway/v1/feedback": "admin",
    "GET /gateway/v1/feedback/<feedback_id>/events": "read",
    "GET /gateway/v1/feedback/<feedback_id>/similar": "read",
    "GET /gateway/v1/feedback/<feedback_id>/attachments": "read",
    "POST /gateway/v1/feedback/<feedback_id>/attachments": "ingest",
    "DELETE /gateway/v1/feedback/<feedback_id>/attachments/<asset_id>": "triage",
    "GET /files/<asset_id>/<name>": "read",
    "GET /gateway/v1/export": "read",
    "GET /gateway/v1/themes": "read",
    "GET /gateway/v1/themes/<theme_id>": "read",
    "GET /gateway/v1/themes/<theme_id>/quotes": "read",
    "GET /gateway/v1/feedback/<feedback_id>/replies": "read",
    "POST /gateway/v1/feedback/<feedback_id>/replies": "triage",
    "DELETE /gateway/v1/feedback/<feedback_id>/replies/<reply_id>": "triage",
    "POST /gateway/v1/themes/<theme_id>/replies": "triage",
    "POST /gateway/v1/feedback/<feedback_id>/merge": "triage",
    "POST /gateway/v1/feedback/<feedback_id>/unmerge": "triage",
    "GET /gateway/v1/merge-suggestions": "read",
    "GET /gateway/v1/authors/summary": "read",
    "POST /gateway/v1/merge-suggestions/dismiss": "triage",
    "DELETE /gateway/v1/themes/<theme_id>/replies": "triage",
    "GET /gateway/v1/stats": "read",
    "GET /gateway/v1/outcomes": "read",
    "GET /gateway/v1/quarantine": "read",
    "GET /gateway/v1/quarantine/<quarantine_id>": "read",
    "POST /gateway/v1/quarantine/<quarantine_id>/replay": "triage",
    "DELETE /gateway/v1/quarantine/<quarantine_id>": "admin",
    "GET /gateway/v1/quarantine/groups": "read",
    "POST /gateway/v1/quarantine/replay": "triage",
    "POST /gateway/v1/quarantine/discard": "admin",
    "POST /gateway/v1/preview/<source>": "triage",
    "GET /gateway/v1/keys": "admin",
    "POST /gateway/v1/keys": "admin",
    "POST /gateway/v1/keys/<key_id>/revoke": "admin",
    "POST /gateway/v1/keys/<key_id>/rotate": "admin",
    "GET /gateway/v1/changes": "read",
    "GET /gateway/v1/destinations": "admin",
    "POST /gateway/v1/destinations": "admin",
    "GET /gateway/v1/destinations/<destination_id>": "admin",
    "PATCH /gateway/v1/destinations/<destination_id>": "admin",
    "DELETE /gateway/v1/destinations/<destination_id>": "admin",
    "POST /gateway/v1/destinations/<destination_id>/rotate": "admin",
    "POST /gateway/v1/destinations/<destination_id>/test": "admin",
    "POST /gateway/v1/destinations/<destination_id>/replay": "admin",
    "POST /gateway/v1/destinations/<destination_id>/forget": "admin",
    "GET /gateway/v1/destinations/<destination_id>/deliveries": "admin",
    "GET /gateway/v1/hooks": "admin",
    "POST /gateway/v1/hooks": "admin",
    "POST /gateway/v1/hooks/<hook_id>/rotate": "admin",
    "PATCH /gateway/v1/hooks/<hook_id>": "admin",
    "DELETE /gateway/v1/hooks/<hook_id>": "admin",
    "GET /gateway/v1/projects": "read",
    "POST /gateway/v1/projects": "admin",
    "GET /gateway/v1/projects/<project_id>": "read",
    "PATCH /gateway/v1/projects/<project_id>": "admin",
    "POST /gateway/v1/projects/<project_id>/retention/preview": "admin",
    "GET /gateway/v1/projects/<project_id>/learning": "read",
    "POST /gateway/v1/projects/<project_id>/learning": "admin",
    "DELETE /gateway/v1/projects/<project_id>/learning": "admin",
    "PATCH /gateway/v1/projects/<project_id>/lessons/<feedback_id>": "triage",
    "GET /gateway/v1/alert-groups": "read",
    "POST /gateway/v1/alert-groups/mute": "triage",
    "POST /gateway/v1/alert-groups/unmute": "triage",
    "POST /gateway/v1/alert-groups/acknowledge": "triage",
    "GET /gateway/v1/projects/<project_id>/topics": "read",
    "POST /gateway/v1/projects/<project_id>/topics": "admin",
    "PATCH /gateway/v1/projects/<project_id>/topics/<topic_id>": "admin",
    "DELETE /gateway/v1/projects/<project_id>/topics/<topic_id>": "admin",
    "POST /gateway/v1/projects/<project_id>/topics/<topic_id>/merge": "admin",
    "GET /gateway/v1/views": "read",
    "POST /gateway/v1/views": "read",
    "PATCH /gateway/v1/views/<view_id>": "read",
    "DELETE /gateway/v1/views/<view_id>": "read",
    "GET /gateway/v1/people": "triage",
    "GET /gateway/v1/model": "read",
    "POST /gateway/v1/model/train": "admin",
    "POST /gateway/v1/model/use": "admin",
    "POST /gateway/v1/authors/erase": "admin",
    "POST /gateway/v1/authors/export": "admin",
    "GET /gateway/v1/audit": "admin",
}
# What a key may do there depends on the technique (tests/api/flora/test_runs.py).
ANY = {
    "GET /api/v1/techniques",
    "GET /api/v1/techniques/<technique_id>",
    "POST /api/v1/techniques/<technique_id>/runs",
    "GET /api/v1/techniques/<technique_id>/runs/<run_id>",
    "GET /api/v1/technique-runs",
    "POST /api/v1/runs/technique",
    "GET /api/v1/runs/<run_id>",
}
# Whoever got its form may fill it in (tests/api/flora/test_assets.py).
FORMS = {"POST /api/v1/assets/<asset_id>/upload"}
DOORS = {
    f"{way.method} {way.path}"
    for adapter in adapters.load().values()
    if not adapter.signed
    for way in (*adapter.doors, *adapter.batches, *adapter.lookups)
}

Send = Callable[..., TestResponse]


def rules(app: Flask) -> dict[str, str]:
    """Every route with its path as it is mounted, by the route it is in the tables."""
    found = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("inbox."):  # people's pages: tests/inbox/test_roles.py
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            path = rule.rule
            for name in adapters.load():
                path = path[len(name) + 1 :] if path.startswith(f"/{name}/") else path
            found[f"{method} {rule.rule}"] = f"{method} {path}"
    return found


def test_every_route_is_of_a_known_kind(app: Flask) -> None:
    """A route needs a key with a scope named here, or is signed, or open. A new one must be put somewhere."""
    kinds = (OPEN, SIGNED, DOORS, ANY, FORMS, set(SCOPE))
    known = [route for kind in kinds for route in kind]

    assert sorted(set(rules(app).values())) == sorted(known)
    assert set(SCOPE.values()) <= set(SCOPES)


@pytest.fixture(name="send")
def _send(app: Flask, theirs: dict[str, str]) -> Send:
    """Sends a route's request, below a mount or not: send("POST /orq/v2/feedback", headers)."""
    client, known = app.test_client(), rules(app)

    def send(rule: str, headers: Mapping[str, str]) -> TestResponse:
        path, body, _ = ROUTES[known[rule]]
        method, _, mounted = rule.partition(" ")
        own = known[rule].partition(" ")[2]
        prefix = mounted.removesuffix(own)
        return client.open(
            filled(f"{prefix}{path}", theirs),
            method=method,
            json=filled(body, theirs) if body else None,
            headers=dict(headers),
        )

    return send


@pytest.fixture(name="keyed")
def _keyed(app: Flask) -> dict[str, str]:
    """Rules that a key opens, and the scope it needs."""
    return {
        rule: "" if route in ANY else SCOPE.get(route, "ingest")
        for rule, route in rules(app).items()
        if route not in OPEN | SIGNED | FORMS
    }


def shown(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def opened(send: Send, keyed: Mapping[str, str], headers: Mapping[str, str], status: int) -> dict[str, int]:
    """The rules that do not answer with this status, and what they answer."""
    before = [*Feedback.select().order_by(Feedback.id).dicts()]
    got = {rule: send(rule, headers) for rule in keyed}
    assert [*Feedback.select().order_by(Feedback.id).dicts()] == before
    assert [rule for rule, response in got.items() if "topsecret" in response.text] == []
    return {rule: response.status_code for rule, response in got.items() if response.status_code != status}


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer"}, shown("x"), shown("sk_live_" + "0" * 40)]
)
def test_no_key(send: Send, keyed: dict[str, str], headers: dict[str, str]) -> None:
    """Without a key, or with none of ours, every route is a 401."""
    assert opened(send, keyed, headers, 401) == {}


def test_expired_key(send: Send, keyed: dict[str, str], other: Tenant) -> None:
    """A key whose time is over opens nothing, not even for its own workspace."""
    _, key = create_key(other.workspace_id, scopes=SCOPES, expires_at=now_ms() - 1)

    assert opened(send, keyed, shown(key), 401) == {}


def test_revoked_key(send: Send, keyed: dict[str, str], other: Tenant) -> None:
    """A key that was revoked opens nothing, once it is forgotten."""
    key_id, key = create_key(other.workspace_id, scopes=SCOPES)
    send("GET /gateway/v1/feedback", shown(key))
    ApiKey.update(revoked_at=now_ms()).where(ApiKey.id == key_id).execute()
    auth.forget()

    assert opened(send, keyed, shown(key), 401) == {}


@pytest.mark.parametrize("scope", SCOPES)
def test_key_without_the_scope(send: Send, keyed: dict[str, str], other: Tenant, scope: str) -> None:
    """A key with every scope but the one a route needs is a 403 there."""
    _, key = create_key(other.workspace_id, scopes=[word for word in SCOPES if word not in (scope, "admin")])
    closed = {rule: needed for rule, needed in keyed.items() if needed == scope}

    assert opened(send, closed, shown(key), 403) == {}


def test_admin_may_do_everything(send: Send, keyed: dict[str, str], tenant: Tenant) -> None:
    """A key with the scope admin needs no other."""
    _, key = create_key(tenant.workspace_id, scopes=["admin"])
    got = {rule: send(rule, shown(key)) for rule in keyed}

    assert [rule for rule, response in got.items() if response.status_code == 401] == []
    assert [rule for rule, response in got.items() if "lacks the scope" in response.text] == []


def test_anothers_key(app: Flask, send: Send, keyed: dict[str, str], tenant: Tenant, other: Tenant) -> None:
    """A key of another workspace sees and changes nothing here: ids of this one are unknown or refused."""
    before, routes = snapshot(other.workspace_id), rules(app)
    wrong: dict[str, Any] = {}
    for rule in keyed:
        response = send(rule, tenant.headers)
        status = ROUTES[routes[rule]][2]
        if status not in (None, response.status_code) or "topsecret" in response.text:
            wrong[rule] = response.status_code

    assert wrong == {}
    assert snapshot(other.workspace_id) == before


def test_signed_routes_take_no_key(app: Flask, send: Send, other: Tenant) -> None:
    """Where senders sign, a key proves nothing, and neither does a hook that was deleted."""
    signed = {rule: "" for rule, route in rules(app).items() if route in SIGNED}
    for headers in ({}, other.headers):
        assert set(opened(send, signed, headers, 401).values()) <= {403}
    HookRow.update(deleted_at=now_ms()).execute()
    auth.forget()
    assert set(opened(send, signed, other.headers, 401).values()) <= {403}
