"""One workspace never sees, names or changes what belongs to another: a table over every route."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

import adapters
from gateway.access import bootstrap, hooks, topics, users
from gateway.core.ids import now_ms
from gateway.destinations import managing
from gateway.runs import lifecycle, registry
from models import TABLES, ApiKey, Feedback, Outcome, Quarantine
from models.database.base import writing
from tests.conftest import Call, Tenant
from tests.replies.conftest import answered

pytestmark = pytest.mark.both(long=True)

# Every route, with a request for it. {ws}, {prj} and {fb} are ids of another workspace. The second
# entry is the status the caller must get; a 2xx is then searched for anything of the other's.
FLORA = {"kind": "bug", "summary": "Preview is black", "detail": "Since Monday."}
ALARM = {"group": "native:topsecret"}
ORQ = {"property": "rating", "value": ["good"], "trace_id": "t", "id": "shared-id"}
ROUTES: dict[str, tuple[str, Any, int | None]] = {
    "POST /api/v1/feedback": ("/api/v1/feedback", {**FLORA, "workspace_id": "{ws}"}, 403),
    "GET /api/v1/workspaces": ("/api/v1/workspaces", None, 200),
    "GET /api/v1/projects": ("/api/v1/projects?workspace_id={ws}", None, 403),
    "POST /api/v1/projects": ("/api/v1/projects", {"workspace_id": "{ws}", "name": "n"}, 403),
    "GET /api/v1/projects/<project_id>": ("/api/v1/projects/{prj}", None, 404),
    "POST /api/v1/workspaces/<workspace_id>/projects": (
        "/api/v1/workspaces/{ws}/projects",
        {"name": "n"},
        403,
    ),
    "POST /v2/feedback": ("/v2/feedback", ORQ, 200),
    "POST /v2/feedback/remove": (
        "/v2/feedback/remove",
        {"id": "shared-id", "trace_id": "t", "product": "agents"},
        200,
    ),
    "POST /v2/feedback/evaluation": (
        "/v2/feedback/evaluation",
        {"id": "shared-ev", "trace_id": "t", "evaluation_type": "e", "type": "number", "value": 1},
        200,
    ),
    "POST /v2/feedback/evaluation/remove": (
        "/v2/feedback/evaluation/remove",
        {"id": "shared-ev", "trace_id": "t"},
        200,
    ),
    "POST /v3/submit-feedback": ("/v3/submit-feedback", {"message": "m", "category": "bug"}, 200),
    "POST /v1/feedback": ("/v1/feedback", {"projectId": "{prj}", "text": "hallo"}, 403),
    "POST /api/feedback": ("/api/feedback", {"sentiment": "sad", "message": "m"}, 201),
    "GET /api/widget/config": ("/api/widget/config", None, 200),
    "POST /gateway/v1/feedback": ("/gateway/v1/feedback", {"text": "hallo", "project_id": "{prj}"}, 403),
    "POST /gateway/v1/feedback/batch": (
        "/gateway/v1/feedback/batch",
        [{"text": "hallo", "project_id": "{prj}"}],
        200,
    ),
    "GET /gateway/v1/feedback": ("/gateway/v1/feedback?project={prj}", None, 200),
    "GET /gateway/v1/feedback/<feedback_id>": ("/gateway/v1/feedback/{fb}", None, 404),
    "PATCH /gateway/v1/feedback/<feedback_id>": ("/gateway/v1/feedback/{fb}", {"status": "resolved"}, 404),
    "GET /gateway/v1/feedback/<feedback_id>/events": ("/gateway/v1/feedback/{fb}/events", None, 404),
}
ROUTES |= {
    "GET /gateway/v1/feedback/<feedback_id>/replies": ("/gateway/v1/feedback/{fb}/replies", None, 404),
    "POST /gateway/v1/feedback/<feedback_id>/replies": (
        "/gateway/v1/feedback/{fb}/replies",
        {"text": "x"},
        404,
    ),
    "DELETE /gateway/v1/feedback/<feedback_id>/replies/<reply_id>": (
        "/gateway/v1/feedback/{fb}/replies/{rpl}",
        None,
        404,
    ),
    "POST /gateway/v1/themes/<theme_id>/replies": (
        "/gateway/v1/themes/{th}/replies",
        {"text": "x", "dry_run": True},
        404,
    ),
    "DELETE /gateway/v1/themes/<theme_id>/replies": ("/gateway/v1/themes/{th}/replies", None, 404),
    "POST /gateway/v1/feedback/<feedback_id>/merge": (
        "/gateway/v1/feedback/{fb}/merge",
        {"ids": ["{fb}"]},
        404,
    ),
    "POST /gateway/v1/feedback/<feedback_id>/unmerge": (
        "/gateway/v1/feedback/{fb}/unmerge",
        {"ids": ["{fb}"]},
        404,
    ),
    "GET /gateway/v1/authors/summary": (
        "/gateway/v1/authors/summary?author=topsecret@example.test",
        None,
        404,
    ),
    "GET /gateway/v1/merge-suggestions": ("/gateway/v1/merge-suggestions?project={prj}", None, 200),
    "POST /gateway/v1/merge-suggestions/dismiss": (
        "/gateway/v1/merge-suggestions/dismiss",
        {"ids": ["{fb}", "{fb}x"]},
        404,
    ),
    "GET /gateway/v1/themes": ("/gateway/v1/themes?project={prj}", None, 200),
    "GET /gateway/v1/themes/<theme_id>": ("/gateway/v1/themes/{th}", None, 404),
    "GET /gateway/v1/themes/<theme_id>/quotes": ("/gateway/v1/themes/{th}/quotes", None, 404),
    "DELETE /gateway/v1/feedback/<feedback_id>": ("/gateway/v1/feedback/{fb}", None, 404),
    "PATCH /gateway/v1/feedback": (
        "/gateway/v1/feedback",
        {"ids": ["{fb}"], "change": {"status": "resolved"}},
        200,
    ),
    "DELETE /gateway/v1/feedback": ("/gateway/v1/feedback", {"filter": "project={prj}"}, 200),
    "GET /gateway/v1/feedback/<feedback_id>/similar": ("/gateway/v1/feedback/{fb}/similar", None, 404),
    "GET /gateway/v1/feedback/<feedback_id>/attachments": (
        "/gateway/v1/feedback/{fb}/attachments",
        None,
        404,
    ),
    "POST /gateway/v1/feedback/<feedback_id>/attachments": (
        "/gateway/v1/feedback/{fb}/attachments",
        {},
        404,
    ),
    "DELETE /gateway/v1/feedback/<feedback_id>/attachments/<asset_id>": (
        "/gateway/v1/feedback/{fb}/attachments/{asset}",
        None,
        404,
    ),
    "GET /files/<asset_id>/<name>": ("/files/{asset}/topsecret.txt", None, 404),
    "GET /gateway/v1/stats": ("/gateway/v1/stats?by=project,source", None, 200),
    "GET /gateway/v1/outcomes": ("/gateway/v1/outcomes?by=key_id,source,outcome", None, 200),
    "GET /gateway/v1/quarantine": ("/gateway/v1/quarantine", None, 200),
    "POST /gateway/v1/preview/<source>": ("/gateway/v1/preview/generic?hook={hook}", {"text": "x"}, 404),
    "GET /gateway/v1/quarantine/<quarantine_id>": ("/gateway/v1/quarantine/{qr}", None, 404),
    "POST /gateway/v1/quarantine/<quarantine_id>/replay": ("/gateway/v1/quarantine/{qr}/replay", {}, 404),
    "DELETE /gateway/v1/quarantine/<quarantine_id>": ("/gateway/v1/quarantine/{qr}", None, 404),
    "GET /gateway/v1/quarantine/groups": ("/gateway/v1/quarantine/groups", None, 200),
    "POST /gateway/v1/quarantine/replay": ("/gateway/v1/quarantine/replay", {"source": "generic"}, 200),
    "POST /gateway/v1/quarantine/discard": ("/gateway/v1/quarantine/discard", {"source": "generic"}, 200),
    "GET /gateway/v1/alert-groups": ("/gateway/v1/alert-groups", None, 200),
    "POST /gateway/v1/alert-groups/mute": ("/gateway/v1/alert-groups/mute", {**ALARM, "more": 1}, 404),
    "POST /gateway/v1/alert-groups/unmute": ("/gateway/v1/alert-groups/unmute", ALARM, 404),
    "POST /gateway/v1/alert-groups/acknowledge": ("/gateway/v1/alert-groups/acknowledge", ALARM, 404),
    "GET /gateway/v1/keys": ("/gateway/v1/keys", None, 200),
    "POST /gateway/v1/keys": ("/gateway/v1/keys", {"project_id": "{prj}"}, 400),
    "POST /gateway/v1/keys/<key_id>/revoke": ("/gateway/v1/keys/{key}/revoke", {}, 404),
    "POST /gateway/v1/keys/<key_id>/rotate": ("/gateway/v1/keys/{key}/rotate", {}, 404),
    "GET /gateway/v1/hooks": ("/gateway/v1/hooks", None, 200),
    "POST /gateway/v1/hooks": ("/gateway/v1/hooks", {"source": "generic", "project_id": "{prj}"}, 400),
    "POST /gateway/v1/hooks/<hook_id>/rotate": ("/gateway/v1/hooks/{hook}/rotate", {}, 404),
    "PATCH /gateway/v1/hooks/<hook_id>": ("/gateway/v1/hooks/{hook}", {"options": {"map": None}}, 404),
    "DELETE /gateway/v1/hooks/<hook_id>": ("/gateway/v1/hooks/{hook}", None, 404),
    "GET /gateway/v1/projects": ("/gateway/v1/projects", None, 200),
    "POST /gateway/v1/projects": ("/gateway/v1/projects", {"name": ""}, 400),
    "GET /gateway/v1/projects/<project_id>": ("/gateway/v1/projects/{prj}", None, 404),
    "PATCH /gateway/v1/projects/<project_id>": ("/gateway/v1/projects/{prj}", {"name": "mine"}, 404),
    "POST /gateway/v1/projects/<project_id>/retention/preview": (
        "/gateway/v1/projects/{prj}/retention/preview",
        {"retention_days": 1},
        404,
    ),
    "GET /gateway/v1/projects/<project_id>/learning": ("/gateway/v1/projects/{prj}/learning", None, 404),
    "POST /gateway/v1/projects/<project_id>/learning": ("/gateway/v1/projects/{prj}/learning", None, 404),
    "DELETE /gateway/v1/projects/<project_id>/learning": ("/gateway/v1/projects/{prj}/learning", None, 404),
    "PATCH /gateway/v1/projects/<project_id>/lessons/<feedback_id>": (
        "/gateway/v1/projects/{prj}/lessons/{fb}",
        {"learnt": False},
        404,
    ),
    "GET /gateway/v1/projects/<project_id>/topics": ("/gateway/v1/projects/{prj}/topics", None, 404),
    "POST /gateway/v1/projects/<project_id>/topics": (
        "/gateway/v1/projects/{prj}/topics",
        {"name": "mine"},
        404,
    ),
    "PATCH /gateway/v1/projects/<project_id>/topics/<topic_id>": (
        "/gateway/v1/projects/{prj}/topics/{top}",
        {"name": "mine"},
        404,
    ),
    "POST /gateway/v1/projects/<project_id>/topics/<topic_id>/merge": (
        "/gateway/v1/projects/{prj}/topics/{top}/merge",
        {"into": "{top}"},
        404,
    ),
    "DELETE /gateway/v1/projects/<project_id>/topics/<topic_id>": (
        "/gateway/v1/projects/{prj}/topics/{top}",
        None,
        404,
    ),
    "GET /gateway/v1/views": ("/gateway/v1/views", None, 200),
    "POST /gateway/v1/views": ("/gateway/v1/views", {"name": "", "query": "q=x"}, 400),
    "PATCH /gateway/v1/views/<view_id>": ("/gateway/v1/views/{view}", {"name": "mine"}, 404),
    "DELETE /gateway/v1/views/<view_id>": ("/gateway/v1/views/{view}", None, 404),
    "GET /gateway/v1/people": ("/gateway/v1/people", None, 200),
    "GET /gateway/v1/changes": ("/gateway/v1/changes", None, 200),
    "GET /gateway/v1/destinations": ("/gateway/v1/destinations", None, 200),
    "POST /gateway/v1/destinations": (
        "/gateway/v1/destinations",
        {"url": "https://example.test/", "project_id": "{prj}"},
        400,
    ),
    "GET /gateway/v1/destinations/<destination_id>": ("/gateway/v1/destinations/{dst}", None, 404),
    "PATCH /gateway/v1/destinations/<destination_id>": (
        "/gateway/v1/destinations/{dst}",
        {"name": "mine"},
        404,
    ),
    "DELETE /gateway/v1/destinations/<destination_id>": ("/gateway/v1/destinations/{dst}", None, 404),
    "POST /gateway/v1/destinations/<destination_id>/rotate": (
        "/gateway/v1/destinations/{dst}/rotate",
        None,
        404,
    ),
    "POST /gateway/v1/destinations/<destination_id>/test": ("/gateway/v1/destinations/{dst}/test", None, 404),
    "POST /gateway/v1/destinations/<destination_id>/replay": (
        "/gateway/v1/destinations/{dst}/replay",
        {"state": "dead"},
        404,
    ),
    "POST /gateway/v1/destinations/<destination_id>/forget": (
        "/gateway/v1/destinations/{dst}/forget",
        {"state": "held"},
        404,
    ),
    "GET /gateway/v1/destinations/<destination_id>/deliveries": (
        "/gateway/v1/destinations/{dst}/deliveries",
        None,
        404,
    ),
    "GET /gateway/v1/export": ("/gateway/v1/export?project={prj}", None, 200),
    "GET /gateway/v1/model": ("/gateway/v1/model", None, 200),
    "POST /gateway/v1/model/train": ("/gateway/v1/model/train", None, 403),
    "POST /gateway/v1/model/use": ("/gateway/v1/model/use", {"version": "shipped"}, 403),
    "POST /gateway/v1/authors/erase": (
        "/gateway/v1/authors/erase",
        {"email": "topsecret@example.test", "compact": False},
        200,
    ),
    "POST /gateway/v1/authors/export": (
        "/gateway/v1/authors/export",
        {"email": "topsecret@example.test"},
        200,
    ),
    "GET /gateway/v1/audit": ("/gateway/v1/audit", None, 200),
}
_ASSET = {"source": "https://example.org/a.png", "name": "a.png"}
_EXPORT = {"inputs": [{"id": "filter", "type": "text", "value": ""}], "mode": "async"}
_IMPORT = {"file": "https://example.org/a.csv", "project": "{prj}"}
_STARTED = {"technique_id": registry.load()["import-feedback"].id, "workspace_id": "{ws}", "inputs": _IMPORT}
ROUTES |= {
    "GET /api/v1/models": ("/api/v1/models", None, 200),
    "GET /api/v1/assets": ("/api/v1/assets?workspace_id={ws}", None, 403),
    "GET /api/v1/assets/<asset_id>": ("/api/v1/assets/{asset}", None, 404),
    "POST /api/v1/assets": ("/api/v1/assets", {**_ASSET, "workspace_id": "{ws}"}, 403),
    "POST /api/v1/assets/<asset_id>/complete": ("/api/v1/assets/{asset}/complete", {}, 404),
    "POST /api/v1/assets/<asset_id>/retry": ("/api/v1/assets/{asset}/retry", {}, 404),
    "POST /api/v1/assets/<asset_id>/upload": ("/api/v1/assets/{asset}/upload", {}, None),
    "GET /api/v1/techniques": ("/api/v1/techniques?workspace_id={ws}", None, 403),
    "GET /api/v1/techniques/<technique_id>": ("/api/v1/techniques/export-feedback", None, 200),
    "POST /api/v1/techniques/<technique_id>/runs": (
        "/api/v1/techniques/export-feedback/runs",
        _EXPORT,
        201,
    ),
    "GET /api/v1/techniques/<technique_id>/runs/<run_id>": (
        "/api/v1/techniques/export-feedback/runs/{run}",
        None,
        404,
    ),
    "GET /api/v1/technique-runs": ("/api/v1/technique-runs?project_id={prj}", None, 200),
    "POST /api/v1/runs/technique": ("/api/v1/runs/technique", _STARTED, 403),
    "GET /api/v1/runs/<run_id>": ("/api/v1/runs/{run}", None, 404),
}
# Doors of senders that sign: with another workspace's hook and no proof nothing gets in. Others that do
# not stand above are tried all the same, whatever status they answer.
for _adapter in adapters.load().values():
    for _door in (*_adapter.doors, *_adapter.batches):
        _path = re.sub(r"<\w+>", "1", _door.path.replace("<hook_id>", "{hook}"))
        _status = 401 if _adapter.signed else None
        ROUTES.setdefault(f"{_door.method} {_door.path}", (_path, {"text": "x"}, _status))
# Without a key, and without a word about any record.
OPEN = {"GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /docs", "GET /docs/<name>"}


def routes_of(app: Flask) -> set[str]:
    """Every route, those below a dialect's prefix counted as the one they mount."""
    routes = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("inbox."):  # people's pages: tests/inbox/test_roles.py
            continue
        path = rule.rule
        for name in adapters.load():
            path = path.removeprefix(f"/{name}/") if path.startswith(f"/{name}/") else path
        path = f"/{path.lstrip('/')}"
        routes |= {f"{method} {path}" for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    return routes


def test_table_is_complete(app: Flask) -> None:
    """Every route of the application stands in the table above; who may use it, in
    tests/access/test_access.py."""
    assert routes_of(app) == set(ROUTES) | OPEN


@pytest.fixture(name="theirs")
def _theirs(call: Call, other: Tenant) -> dict[str, str]:
    """Records of the other workspace, with words that must never leave it."""
    bodies = [
        ("/gateway/v1/feedback", {"text": "topsecret words", "author": {"email": "topsecret@example.test"}}),
        ("/v2/feedback", {**ORQ, "trace_id": "topsecret"}),
        ("/gateway/v1/feedback", {"text": "It burns", "title": "topsecret", "type": "alert"}),
        ("/gateway/v1/alert-groups/mute", {**ALARM, "more": 100}),
        ("/v2/feedback/evaluation", {**ROUTES["POST /v2/feedback/evaluation"][1], "trace_id": "topsecret"}),
    ]
    for path, body in bodies:
        assert call("POST", path, json=body, headers=other.headers).status_code < 300
    record = Feedback.get(Feedback.text == "topsecret words")
    generic = adapters.load()["generic"]
    hook = hooks.create_hook(generic, other.workspace_id, None, public_url="http://x", name="topsecret")
    assert call("POST", hook["path"], data=b"topsecret", headers=bearer(hook["secret"])).status_code == 200
    form = {"file": (BytesIO(b"topsecret"), "topsecret.txt")}
    sent = call("POST", f"/gateway/v1/feedback/{record.id}/attachments", data=form, headers=other.headers)
    topic = topics.create(other.workspace_id, other.project_id, "topsecret", "topsecret", now_ms())
    url, named = "https://topsecret.example.test/", {"name": "topsecret"}
    destination = managing.create(other.workspace_id, None, "webhook", url, named, by="key_test")
    with writing():
        export, of = registry.load()["export-feedback"], {"filter": "q=topsecret"}
        run, _ = lifecycle.start(export, of, other.workspace_id, "key", idempotency_key="topsecret")
    view = {"name": "topsecret", "query": "q=topsecret", "shared": True}
    shared = call("POST", "/gateway/v1/views", json=view, headers=other.headers).json
    users.create_user(other.workspace_id, "topsecret@example.test", "topsecret", "admin")
    answer = answered(other, record.id)
    return {
        "{rpl}": answer["reply_id"],
        "{th}": answer["theme_id"],
        "{ws}": other.workspace_id,
        "{prj}": other.project_id,
        "{fb}": record.id,
        "{hook}": hook["hook_id"],
        "{key}": ApiKey.get(ApiKey.workspace == other.workspace_id).id,
        "{qr}": Quarantine.get().id,
        "{top}": topic["id"],
        "{dst}": destination["id"],
        "{view}": shared["view_id"],
        "{run}": run["id"],
        "{asset}": sent.json["data"][0]["id"],
    }


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    if not isinstance(value, str):
        return value
    for mark, real in ids.items():
        value = value.replace(mark, real)
    return value


def test_no_route_of_the_table_shows_or_touches_anothers_record(call: Call, theirs: dict[str, str]) -> None:
    """With another workspace's ids a request is refused or answered without a trace of its data."""
    before = snapshot(theirs["{ws}"])
    for route, (path, body, status) in ROUTES.items():
        response = call(
            route.partition(" ")[0], filled(path, theirs), json=filled(body, theirs) if body else None
        )

        if status == 401:  # Sentry's own ingestion answers 403 for a missing key
            assert response.status_code in (401, 403), route
        else:
            assert response.status_code == status or (status is None and response.status_code < 500), route
        assert "topsecret" not in response.text, route
        if response.status_code >= 400:
            assert theirs["{fb}"] not in response.text.replace(filled(path, theirs), ""), route
        elif route == "GET /gateway/v1/export":
            assert theirs["{fb}"] not in response.text, route
        elif response.json.get("data") is not None:
            assert not any(item in response.text for item in theirs.values()), route
        assert snapshot(theirs["{ws}"]) == before, route


def snapshot(workspace_id: str) -> dict[str, list[Any]]:
    """Everything that belongs to a workspace, but for the counts of its requests and of its keys' use."""
    mine = {
        table: getattr(table, "workspace", None) or getattr(table, "workspace_id", None)
        for table in TABLES
        if table is not Outcome
    }
    found = {
        table.__name__: sorted(table.select().where(column == workspace_id).dicts(), key=repr)
        for table, column in mine.items()
        if column is not None
    }
    for row in found["ApiKey"]:
        row["last_used_at"] = None
    return found


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/api/v1/feedback",
            {**FLORA, "workspace_id": "ws_theirs", "project_id": "prj_theirs", "run_id": "run_9"},
        ),
        ("/v1/feedback", {"projectId": "proj_elsewhere", "text": "hallo"}),
        ("/gateway/v1/feedback", {"text": "hallo", "project_id": "prj_elsewhere"}),
        ("/v2/feedback", {**ORQ, "trace_id": "never-seen"}),
    ],
)
def test_unknown_foreign_ids_never_refuse(
    call: Call, tenant: Tenant, path: str, body: dict[str, Any]
) -> None:
    """Ids that are not known here are references: kept in the subject, landing in the default project."""
    assert call("POST", path, json=body).status_code < 300
    record = call("GET", "/gateway/v1/feedback").json["data"][0]

    assert record["project_id"] == tenant.project_id
    for name in ("workspace_id", "project_id", "run_id", "trace_id"):
        assert record["subject"].get(name) == body.get(
            name, body.get("projectId") if name == "project_id" else None
        )


def test_a_record_lands_where_it_may(call: Call, tenant: Tenant, new_key: Callable[..., str]) -> None:
    """The named project, else the key's, else the default; a key of one project may not name another."""
    second = bootstrap.create_project(tenant.workspace_id, "Second", now_ms())
    bound = {"Authorization": f"Bearer {new_key(second)}"}
    path, body = "/gateway/v1/feedback", {"text": "hallo"}

    def landed(headers: dict[str, str], **more: str) -> tuple[int, str | None]:
        response = call("POST", path, json={**body, **more}, headers=headers)
        return response.status_code, response.json.get("project_id")

    assert landed({}) == (201, tenant.project_id)
    assert landed({}, project_id=second) == (201, second)
    assert landed(bound) == (201, second)
    assert landed(bound, project_id=second) == (201, second)
    assert landed(bound, project_id=tenant.project_id) == (403, None)


def test_a_key_of_one_project_reads_only_that(
    call: Call, tenant: Tenant, new_key: Callable[..., str]
) -> None:
    """A project's key lists, shows and names that project only."""
    second = bootstrap.create_project(tenant.workspace_id, "Second", now_ms())
    bound = {"Authorization": f"Bearer {new_key(second)}"}
    elsewhere = call("POST", "/gateway/v1/feedback", json={"text": "hallo"}).json["id"]
    here = call("POST", "/gateway/v1/feedback", json={"text": "hallo"}, headers=bound).json["id"]

    def status(path: str) -> int:
        return call("GET", path, headers=bound).status_code

    listed = call("GET", "/gateway/v1/feedback", headers=bound).json["data"]
    projects = call("GET", f"/api/v1/projects?workspace_id={tenant.workspace_id}", headers=bound).json
    assert [record["id"] for record in listed] == [here]
    assert status(f"/gateway/v1/feedback/{elsewhere}") == 404
    assert status(f"/gateway/v1/feedback/{here}") == 200
    assert [project["project_id"] for project in projects["projects"]] == [second]
    assert status(f"/api/v1/projects/{tenant.project_id}") == 404
    assert (
        call(
            "POST", "/api/v1/projects", json={"workspace_id": tenant.workspace_id, "name": "n"}, headers=bound
        ).status_code
        == 403
    )
