"""An id of another workspace is answered word for word as one that nobody has, wherever it stands."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from gateway.access import users
from gateway.access.api_keys import create_key
from gateway.api import pagination
from models.tables.user import SavedView, views_of
from tests.access.test_tenancy import ROUTES, _theirs, filled, snapshot  # noqa: F401  # a fixture
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

# Doors refuse an id that is known here and is another's, as the README of each dialect says; one that
# nobody knows is a reference of the sender's own, kept in the subject.
SAID = {route for route, (path, _, status) in ROUTES.items() if status == 403 and "/model" not in path}
SAID |= {"POST /gateway/v1/feedback/batch"}
# And a sender who signs wrongly is told so, which its hook's address alone, that nobody guesses, gives away.
SAID |= {route for route, (path, _, _) in ROUTES.items() if "{hook}" in path and "/gateway/v1/" not in path}
FB = "/gateway/v1/feedback"
# Ids in filters, cursors and bodies, besides those of the table of routes.
MORE: list[tuple[str, str, Any]] = [
    ("GET", f"{FB}?project={{prj}}", None),
    ("GET", f"{FB}?project={{prj}}&q=topsecret", None),
    ("GET", f"{FB}?ids={{fb}}", None),
    ("GET", f"{FB}?theme={{fb}}", None),
    ("GET", f"{FB}?topic={{top}}", None),
    ("GET", f"{FB}?cursor={{fb}}", None),
    ("GET", f"{FB}?cursor={{cursor}}", None),
    ("GET", f"{FB}?after={{fb}}", None),
    ("GET", f"{FB}?expand=similar&cursor={{cursor}}", None),
    ("GET", "/gateway/v1/export?cursor={fb}", None),
    ("GET", "/gateway/v1/export?project={prj}&format=csv", None),
    ("GET", "/gateway/v1/stats?by=day&project={prj}", None),
    ("GET", "/gateway/v1/themes?project={prj}", None),
    ("GET", "/gateway/v1/themes/{th}?quotes=20", None),
    ("GET", "/gateway/v1/export?theme={th}&format=md&sort=-impact", None),
    ("GET", "/gateway/v1/outcomes?by=key_id&key_id={key}", None),
    ("GET", "/gateway/v1/outcomes?by=key_id&key_id={hook}", None),
    ("GET", "/gateway/v1/quarantine?cursor={qr}", None),
    ("GET", "/gateway/v1/keys?cursor={key}", None),
    ("GET", "/gateway/v1/hooks?cursor={hook}", None),
    ("GET", "/gateway/v1/projects?cursor={prj}", None),
    ("GET", "/gateway/v1/destinations?cursor={dst}", None),
    ("GET", "/gateway/v1/changes?cursor={changes}", None),
    ("GET", f"{FB}/{{mine}}/events?cursor={{cursor}}", None),
    ("PATCH", FB, {"ids": ["{fb}"], "change": {"status": "resolved"}, "dry_run": True}),
    ("PATCH", FB, {"ids": ["{fb}", "{mine}"], "change": {"note": "x"}, "dry_run": True}),
    ("PATCH", FB, {"filter": "project={prj}", "change": {"status": "resolved"}}),
    ("PATCH", FB, {"filter": "", "cursor": "{cursor}", "change": {"status": "open"}, "dry_run": True}),
    ("DELETE", FB, {"ids": ["{fb}"]}),
    ("DELETE", FB, {"filter": "project={prj}"}),
    ("PATCH", f"{FB}/{{mine}}", {"project_id": "{prj}"}),
    ("PATCH", f"{FB}/{{mine}}", {"topic": "{top}"}),
    ("PATCH", FB, {"ids": ["{fb}", "{mine}"], "change": {"topic": "{top}"}}),
    ("POST", "/gateway/v1/keys", {"name": "n", "scopes": ["read"], "project_id": "{prj}"}),
    ("POST", "/gateway/v1/hooks", {"source": "generic", "project_id": "{prj}"}),
    ("POST", "/gateway/v1/preview/generic?hook={hook}", {"text": "x"}),
    ("POST", "/gateway/v1/authors/export", {"id": "{fb}"}),
    ("DELETE", f"{FB}/{{mine}}/attachments/{{asset}}", None),
    ("DELETE", f"{FB}/{{mine}}/replies/{{rpl}}", None),
    ("POST", f"{FB}/{{mine}}/merge", {"ids": ["{fb}"]}),
    ("POST", f"{FB}/{{mine}}/unmerge", {"ids": ["{fb}"]}),
    ("POST", "/gateway/v1/merge-suggestions/dismiss", {"ids": ["{fb}", "{mine}"]}),
    ("GET", "/gateway/v1/merge-suggestions?cursor={cursor}", None),
    ("GET", f"{FB}?merged_into={{fb}}", None),
    ("GET", "/files/{asset}/a.txt?size=thumbnail", None),
    ("GET", "/files/{asset}/a.txt?exp=9999999999&sig=0", None),
]
EVERY = [(route.partition(" ")[0], *ROUTES[route][:2]) for route in ROUTES if route not in SAID] + MORE
ID = re.compile(r"\{(ws|prj|fb|hook|key|qr|top|asset|dst|rpl|th|cursor|changes)\}")
CASES = [case for case in EVERY if ID.search(str(case))]


@pytest.fixture(name="ids")
def _ids(call: Call, theirs: dict[str, str], other: Tenant) -> dict[str, str]:
    """Ids of the other workspace, and one of one's own."""
    for text in ("more topsecret words", "even more topsecret words"):
        assert call("POST", FB, json={"text": text}, headers=other.headers).status_code == 201
    cursor = call("GET", f"{FB}?limit=1", headers=other.headers).json["next_cursor"]
    mine = call("POST", FB, json={"text": "plain words"}).json["id"]
    changes = call("GET", "/gateway/v1/changes", headers=other.headers).json["next_cursor"]
    return {**theirs, "{cursor}": cursor, "{changes}": changes, "{mine}": mine}


def unknown(ids: dict[str, str]) -> dict[str, str]:
    """Ids of the same shape that nobody has. A cursor has none: it is a place in an order, or in a feed."""
    kept = ("{mine}", "{cursor}")
    nobodys = {mark: real if mark in kept else f"{real[:-6]}{'Z' * 6}" for mark, real in ids.items()}
    feed, *place = pagination.told(ids["{changes}"])
    return {**nobodys, "{changes}": pagination.opaque([f"{feed[:-6]}{'Z' * 6}", *place])}


def said(answer: Any, ids: dict[str, str]) -> tuple[int, str]:
    """An answer without what differs each time."""
    text = answer.text
    for mark, real in ids.items():
        text = text.replace(real, mark)
    text = re.sub(r"(req|fb|key|hk|prj)_[0-9A-Za-z]{20,}|sk_live_\w+|\d{4}-\d\d-\d\dT[\d:.]+Z", "…", text)
    return answer.status_code, re.sub(r'"(secret|prefix|url|dsn|path|advice)":"[^"]*"', "…", text)


@pytest.mark.long
@pytest.mark.both
def test_every_place_for_an_id(call: Call, ids: dict[str, str]) -> None:
    """Path, filter, cursor or body: what is another's is not there, and nothing of it is told or changed."""
    before = snapshot(ids["{ws}"])
    nobodys = unknown(ids)
    for method, path, body in CASES:
        sent = [
            call(method, filled(path, known), json=filled(body, known) if body is not None else None)
            for known in (ids, nobodys)
        ]
        assert said(sent[0], ids) == said(sent[1], nobodys), (method, path, body)
        assert "topsecret" not in sent[0].text, (method, path)
        assert sent[0].status_code < 500, (method, path)
    assert snapshot(ids["{ws}"]) == before


FORMS: list[tuple[str, dict[str, str]]] = [
    ("/inbox/bulk", {"set": "status:resolved", "id": "{fb}"}),
    ("/records/{fb}", {"category": "praise"}),
    ("/records/{fb}", {"note": "x"}),
    ("/records/{fb}/replies", {"text": "x"}),
    ("/records/{fb}/merge", {"id": "{fb}"}),
    ("/records/{fb}/unmerge", {"id": "{fb}"}),
    ("/records/{fb}/replies/{rpl}/delete", {}),
    ("/overview/themes/{th}", {"text": "x"}),
    ("/overview/themes/{th}/delete", {}),
    ("/settings/keys", {"name": "n", "scopes": "ingest", "project_id": "{prj}"}),
    ("/settings/hooks/new/generic", {"name": "n", "project_id": "{prj}"}),
    ("/settings/people/{usr}", {"act": "link"}),
    ("/settings/people/{usr}", {"act": "untie"}),
    ("/settings/people/{usr}", {"act": "role", "role": "admin"}),
    ("/settings/keys/{key}/revoke", {}),
    ("/settings/hooks/{hook}/rotate", {"secret": "a new secret"}),
    ("/settings/quarantine/{qr}/replay", {}),
    (
        "/settings/destinations/new/webhook",
        {"url": "https://8.8.8.8", "events": "feedback.created", "project_id": "{prj}"},
    ),
    ("/settings/destinations/{dst}/change", {"url": "https://8.8.8.8"}),
    ("/settings/destinations/{dst}/change", {"act": "preview"}),
    ("/settings/destinations/{dst}/state", {"state": "paused"}),
    *((f"/settings/destinations/{{dst}}/{act}", {"state": "held"}) for act in ("replay", "forget")),
    *((f"/settings/destinations/{{dst}}/{act}", {}) for act in ("test", "rotate", "delete")),
    ("/settings/projects/{prj}", {"name": "mine"}),
    ("/settings/projects/{prj}/topics", {"name": "mine"}),
    ("/settings/projects/{prj}/topics/{top}", {"name": "mine"}),
    ("/settings/projects/{prj}/topics/{top}", {"act": "remove"}),
    ("/settings/projects/{prj}/topics/{top}", {"act": "merge", "into": "{top}"}),
    ("/settings/projects/{prj}/areas", {"0-name": "n", "0-points": "3", "0-pages": "/x"}),
]


def test_every_form_for_an_id(
    app: Flask, call: Call, tenant: Tenant, other: Tenant, ids: dict[str, str]
) -> None:
    """A form that names another's id does what it does for one that nobody has; an admin's, too."""
    admin = users.create_user(tenant.workspace_id, "admin@a.test", "Admin", "admin")
    theirs = users.create_user(other.workspace_id, "usr@b.test", "topsecret", "viewer")
    SavedView.create(id="view_1", user=theirs, name="topsecret", query="q=x", created_at=1)
    create_key(other.workspace_id, name="topsecret")
    ids["{usr}"] = theirs
    client = app.test_client()
    client.set_cookie("feedback-session", users.open_session(admin), domain="localhost")
    who, nobodys = Reader(client, admin), unknown(ids)
    before = snapshot(other.workspace_id)
    for path, form in FORMS:
        sent = [who.client.post(filled(path, known), data=filled(form, known)) for known in (ids, nobodys)]
        assert sent[0].status_code == sent[1].status_code, path
        assert sent[0].status_code in (400, 404), (path, sent[0].status_code)
        assert "topsecret" not in sent[0].text
    who.client.post("/inbox/views", data={"forget": "view_1"})
    for path in (
        "/inbox?project={prj}",
        "/inbox?cursor={cursor}",
        "/overview?project={prj}",
        "/digest?project={prj}",
        "/settings/audit",
    ):
        assert "topsecret" not in who.get(filled(path, ids)).text, path
    assert len(views_of(theirs)) == 1
    assert snapshot(other.workspace_id) == before
