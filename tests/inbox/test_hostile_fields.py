"""Words that try to be more, at every place of every sender's payload: no page, answer or file breaks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from flask import Flask

from adapters.contract import Adapter, Inbound
from gateway.access import users
from gateway.access.caller import Caller
from gateway.core.ids import new_id, now_ms
from gateway.intake import auth
from models import Feedback, Quarantine
from models.tables.theme import Theme, ThemeMember, ThemeRun
from tests.adapters.test_adapters import CASES, door_of, inbound_of, name_of
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader, Site, Visit
from tests.inbox.hostile import AWKWARD, HOSTILE, UNHELD
from tests.inbox.payloads import FULLEST, Case, case_of, payload, read
from tests.inbox.tree import OPEN, Tree

EVERY = (*HOSTILE, *AWKWARD)


@pytest.fixture(name="deliver")
def _deliver(call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Callable[[Case, bytes], Any]:
    """Delivers a body through a fixture's door as if its sender had proven itself."""
    asked: list[Case] = []

    def identify(adapter: Adapter, scope: str, inbound: Inbound) -> Caller:
        inbound.options.update(asked[-1].request.get("options", {}))
        ids = (tenant.workspace_id, None, tenant.project_id)
        caller = Caller("key_1", *ids, frozenset({"ingest", "admin"}), "100000000/minute", None)
        inbound.caller = caller
        return caller

    def deliver(case: Case, body: bytes) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(auth, "identify", identify)
            asked.append(case)
            path = case.request["path"]
            for name, value in case.request.get("params", {}).items():
                path = path.replace(f"<{name}>", value)
            headers = {**case.request.get("headers", {})}
            headers.setdefault("content-type", "application/json")
            query = urlencode(case.request.get("query", {}))
            # Each is a delivery of its own, as far as the sender says so in its headers.
            for name in ("x-github-delivery", "idempotency-key", "x-webhook-id"):
                if name in headers:
                    headers[name] = f"{headers[name]}-{len(asked)}"
            return call(case.request.get("method", "POST"), f"{path}?{query}", data=body, headers=headers)

    return deliver


@pytest.fixture(name="admin")
def _admin(app: Flask, tenant: Tenant) -> Reader:
    user_id = users.create_user(tenant.workspace_id, "admin@a.test", "Admin", "admin")
    client = app.test_client()
    client.set_cookie("feedback-session", users.open_session(user_id), domain="localhost")
    return Reader(client, user_id)


LISTS = (
    "/inbox",
    "/overview",
    "/digest",
    "/settings/quarantine",
    "/settings/keys",
    "/settings/audit",
    "/settings/projects",
)
API = (
    "/gateway/v1/feedback?limit=200",
    "/gateway/v1/themes",
    "/gateway/v1/stats?by=source,category",
    "/gateway/v1/outcomes",
    "/gateway/v1/quarantine",
    "/gateway/v1/audit",
    "/gateway/v1/projects",
)


def look_at_all(admin: Reader, call: Call, allowed: set[Any]) -> None:
    """Every page, answer and file that shows what is stored, none of which has anything of its senders'."""
    for path in pages():
        answer = admin.get(path)
        assert answer.status_code == 200, path
        assert answer.content_type == "text/html; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        tree = Tree(answer.text)
        assert tree.faults == [], path
        assert tree.shape <= allowed | OPEN, (path, tree.shape - allowed - OPEN)
    events = [f"/gateway/v1/feedback/{row.id}/events" for row in Feedback.select()]
    held = [f"/gateway/v1/quarantine/{row.id}" for row in Quarantine.select()]
    for path in (*API, *events[:: 1 + len(events) // 20], *held):
        answer = call("GET", path)
        assert (answer.status_code, answer.content_type) == (200, "application/json"), path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        json.loads(answer.text)
    look_at_files(call)


def look_at_files(call: Call) -> None:
    """What is exported is one line for each record, and one row with all columns."""
    count = Feedback.select().count()
    lines = call("GET", "/gateway/v1/export").text.split("\n")
    assert len([json.loads(line) for line in lines[:-1]]) == count
    rows = list(csv.reader(io.StringIO(call("GET", "/gateway/v1/export?format=csv").text, newline="")))
    assert len(rows) == count + 1
    assert {len(row) for row in rows} == {len(rows[0])}


def shapes(deliver: Callable[[Case, bytes], Any], admin: Reader, cases: list[Case]) -> set[Any]:
    """The elements and attributes of all pages when senders write harmless words at the same places."""
    native = case_of(next(path for path in CASES if name_of(path) == "native/full"))
    for case in (native, *cases):
        assert case is not None
        assert deliver(case, case.body(lambda at: f"plain words {at}", case.free)).status_code < 300, (
            case.path
        )
    return set().union(*(Tree(admin.get(path).text).shape for path in pages()))


def pages() -> list[str]:
    """Every page that shows what is stored."""
    held = [f"/settings/quarantine/{row.id}" for row in Quarantine.select()]
    return [*LISTS, *(f"/records/{row.id}" for row in Feedback.select()), *held]


def attack(deliver: Callable[[Case, bytes], Any], case: Case, turn: int) -> None:
    """One delivery with other words at every free place, and one for each that does not fit."""
    inbound = inbound_of(case.request)
    door = door_of(case.adapter, inbound)
    good = read(door, inbound, payload(case.request, lambda at, text: text))

    def words(at: int) -> str:
        return f"{EVERY[(at * 7 + turn) % len(EVERY)]} {turn}"

    fit = frozenset(at for at in case.free if read(door, inbound, case.body(words, frozenset([at]))) == good)
    answer = deliver(case, case.body(words, fit))
    assert answer.status_code < 300, (case.path, answer.text)
    for at in case.free - fit:
        assert deliver(case, case.body(words, frozenset([at]))).status_code < 500, (case.path, words(at))


def test_the_judge_sees_what_is_not_escaped() -> None:
    """Most of these words would change a page that writes them as they are, in a text or in an attribute."""
    text, attribute = Tree("<p>words</p>").shape, Tree('<p title="words"></p>').shape
    seen = [
        words
        for words in EVERY
        if Tree(f"<p>{words}</p>").shape != text or Tree(f'<p title="{words}"></p>').shape != attribute
    ]

    assert len(seen) >= 55


def test_every_sender(call: Call, deliver: Callable[..., Any], admin: Reader) -> None:
    """Of each sender the fixture with the most texts, all of them hostile: everything still is as it is."""
    cases = []
    for paths in FULLEST.values():
        found = [case for path in paths if (case := case_of(path))]
        cases.append(max(found, key=lambda case: len(case.free)))
    allowed = shapes(deliver, admin, cases)
    for turn, case in enumerate(cases):
        attack(deliver, case, turn)
        place = max(case.free)
        assert deliver(case, case.body(lambda at: "words\ud800", frozenset([place]))).status_code < 500
    look_at_all(admin, call, allowed)


@pytest.mark.long
def test_themes(call: Call, tenant: Tenant, admin: Reader) -> None:
    """What themes are called, with the words of their records, is as harmless."""

    def themes(names: Sequence[str]) -> set[Any]:
        for name in names:
            assert (
                call("POST", "/gateway/v1/feedback", json={"text": name, "title": name[:200]}).status_code
                == 201
            )
        at = now_ms()
        run = {"workspace_id": tenant.workspace_id, "since": 0, "newest": "fb_", "took": 1, "computed_at": at}
        ThemeRun.create(id=new_id("run"), **run)
        made = ThemeRun.select().order_by(ThemeRun.id.desc()).get()
        for name, row in zip(names, Feedback.select().order_by(Feedback.id.desc()), strict=False):
            lasting = new_id("th")
            theme = Theme.create(id=lasting, lasting_id=lasting, run=made, label=name, terms=[name, name])
            ThemeMember.create(theme=theme, feedback=row.id, at=at, closeness=1.0)
        told = call("GET", "/gateway/v1/themes")
        assert len(told.json["data"]) == len(names)
        page = admin.get("/overview").text
        assert any(name in unescape(page) for name in names)
        one = told.json["data"][0]["id"]
        shown = {path: admin.get(path).text for path in ("/themes", f"/themes/{one}")} | {"/overview": page}
        assert all(Tree(text).faults == [] for text in shown.values())
        assert admin.get(f"/themes/{one}/quotes.md").content_type.startswith("text/markdown")
        return set().union(*(Tree(text).shape for text in shown.values()))

    allowed = themes([f"plain words {number}" for number in range(20)])
    for start in range(0, len(EVERY), 20):
        assert themes(EVERY[start : start + 20]) <= allowed | OPEN


@pytest.mark.long
@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_every_place_of_every_fixture(
    path: Path, call: Call, deliver: Callable[..., Any], admin: Reader
) -> None:
    """Each of these words has stood at each place of a sender's largest fixtures, and many at all others."""
    case = case_of(path)
    if case is None:
        pytest.skip("becomes no record")
    call("POST", "/gateway/v1/feedback", json={"text": "Of today"})  # else the overview may be empty
    allowed = shapes(deliver, admin, [case])
    every = 1 if path in FULLEST[path.parent.name] else 13
    for turn in range(0, len(EVERY), every):
        attack(deliver, case, turn)
    for at in case.places:
        for words in (*EVERY[at % 26 :: 26], UNHELD[at % len(UNHELD)]):
            answer = deliver(case, case.body(lambda at, words=words: words, frozenset([at])))  # type: ignore[misc]
            assert answer.status_code < 500, (path, at, words)
    look_at_all(admin, call, allowed)


@pytest.mark.long
def test_a_browser_runs_none(visit: Callable[..., Visit], site: Site) -> None:
    """Through every door that takes a key: in a real browser nothing runs, loads or breaks the pages' policy.

    A breach of the policy is an error in the console, and the window asks no other host: `visit` judges both.
    """
    cases = [case for path in CASES if (case := case_of(path)) and not case.adapter.signed and case.free]
    with httpx.Client(base_url=site.url, headers=site.server.headers) as client:
        for turn, case in enumerate(cases * 4):
            inbound = inbound_of(case.request)
            door = door_of(case.adapter, inbound)
            for at in sorted(case.free):
                words = EVERY[(turn * 11 + at) % len(EVERY)]
                body = case.body(lambda _, words=words: words, frozenset([at]))  # type: ignore[misc]
                if read(door, inbound, body) is not None:
                    sent = client.post(case.request["path"], content=body, params=case.request.get("query"))
                    assert sent.status_code < 500, (case.path, words)
        records = client.get("/gateway/v1/feedback?limit=200").json()["data"]
        assert len(records) > 50
    page = visit("admin").page
    for path in (*LISTS, *(f"/records/{row['id']}" for row in records)):
        page.goto(f"{site.url}{path}")
        assert page.evaluate("window.hacked") is None, path
