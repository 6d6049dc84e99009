"""What senders write is text on every page: no tag, no attribute, no address of their making."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from flask import Flask
from markupsafe import escape

import adapters
from gateway.access import hooks, users
from gateway.access.topics import LONGEST_DESCRIPTION, LONGEST_NAME
from gateway.core.ids import new_id
from models import Destination, Feedback, HookRow, Outgoing, Project, Quarantine, SavedView
from models.tables import outgoing
from models.tables.topic import MOST
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader, Site, Visit
from tests.inbox.hostile import HOSTILE
from tests.signing import VENDORS

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"


def record(words: str) -> dict[str, Any]:
    """A record with these words wherever a sender may put some."""
    return {
        "title": words,
        "text": f"Report\n{words}",
        "kind": words,
        "tags": [words[:200]],
        "author": {"id": words, "name": words, "email": words},
        "subject": {"page": words, "url": words, "trace_id": words, "repository": words, "value": words},
        "external_id": words,
    }


# What depends on the labels, how many weights there are and of which class, and a link to a further page.
MORE = {("li", ("class", "title")), ("li", ("title",)), ("a", ("href", "rel")), ("mark", ("title",))}
MORE |= {("p", ("class", "data-chosen", "data-matching"))}  # of lists that have more than a page


class Shape(HTMLParser):
    """The elements and attributes of a page, without its words; the addresses of its links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag, tuple(sorted(name for name, _ in attrs))] += 1
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def test_sixty() -> None:
    """The table has as many as it says, all different."""
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("path", ["/inbox", "/records/{id}"])
def test_pages_have_the_same_shape_whatever_the_words(
    reader: Make, call: Call, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A page with hostile words has the elements and attributes of one with plain words, and no more."""
    ann = reader("admin")

    def shape(words: str) -> Shape:
        answer = call("POST", PATH, json=record(words))
        assert answer.status_code == 201, answer.text
        made = answer.json["id"]
        call("PATCH", f"{PATH}/{made}", json={"note": words[:900], "tags": [words[:200]]})
        Feedback.update(language="en").where(Feedback.id == made).execute()
        page = ann.get(path.format(id=made)).text
        Feedback.delete().where(Feedback.id == made).execute()
        return Shape(page)

    plain = {tuple(key) for key in shape("plain words").found}
    for words in HOSTILE:
        hostile = shape(words)
        assert {tuple(key) for key in hostile.found} <= plain | MORE, words
        for link in hostile.links:
            assert link.startswith("/") or link == "#main", words
            assert not link.startswith("//"), words


def world(app: Flask, call: Call, tenant: Tenant, words: list[str]) -> Reader:
    """A workspace where everything that has a name or words of somebody's has one of these, and its admin."""
    admin = users.create_user(tenant.workspace_id, f"a@{tenant.workspace_id.lower()}.test", "Admin", "admin")
    made = hooks.create_hook(adapters.load()["generic"], tenant.workspace_id, None, public_url="http://x")
    slack = hooks.create_hook(
        adapters.load()["slack"], tenant.workspace_id, None, secret=VENDORS["slack"].secret
    )
    for n, word in enumerate(words):
        for method, path, body in (
            ("POST", PATH, record(word)),
            ("POST", "/gateway/v1/keys", {"name": word, "scopes": ["read"]}),
            ("POST", "/gateway/v1/projects", {"name": word}),
        ):
            answer = call(method, path, json=body, headers=tenant.headers)
            assert answer.status_code == 201, (answer.text, word)
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        for body in (json.dumps({"words": word}), word):  # neither can be understood
            call("POST", made["path"], data=body.encode(), headers=bearer)
        named = users.create_user(
            tenant.workspace_id, f"u{n}@{tenant.workspace_id.lower()}.test", word, "viewer"
        )
        SavedView.create(id=new_id("view"), user=admin, name=word, query="category=bug", created_at=n)
        hooks.create_hook(
            adapters.load()["generic"], tenant.workspace_id, None, public_url="http://x", name=word, by=named
        )
        event = {
            "type": "message",
            "channel": "C1",
            "user": "U1",
            "text": "See this",
            "ts": f"{1_790_000_000 + n}.0001",
            "files": [{"id": f"F{n}", "name": word}],
        }
        now = int(time.time())
        body = {
            "type": "event_callback",
            "team_id": "T1",
            "event_id": f"Ev{n}",
            "event_time": now,
            "event": event,
        }
        sent = json.dumps(body).encode()
        signed = VENDORS["slack"].sign(VENDORS["slack"].secret, sent, now)
        json_type = {"Content-Type": "application/json"}
        assert call("POST", slack["path"], data=sent, headers={**json_type, **signed}).status_code == 200
    told = {"url": "https://8.8.8.8/", "name": ""}
    made = call("POST", "/gateway/v1/destinations", json=told, headers=tenant.headers).json["id"]
    for n, word in enumerate(words):
        Destination.update(name=word, reason=word, filter=word, state="disabled").where(
            Destination.id == made
        ).execute()
        sent = {"id": f"msg_{n:026}", "workspace_id": tenant.workspace_id, "destination": made, "body": word}
        sent |= {"type": "feedback.created", "state": "dead", "next_at": 0, "created_at": n, "feedback": None}
        outgoing.add_all([{**sent, "id": f"{sent['id']}{tenant.workspace_id}"}])
        row = outgoing.list_page(made, limit=1)[0]
        outgoing.tried(row, {"state": "dead"}, {"at": n, "ms": 1, "status": 500, "why": word, "answer": word})
    for n, word in enumerate(words[:MOST]):
        topic = {"name": f"{n} {word}"[:LONGEST_NAME], "description": word[:LONGEST_DESCRIPTION]}
        path = f"/gateway/v1/projects/{tenant.project_id}/topics"
        assert call("POST", path, json=topic, headers=tenant.headers).status_code == 201, word
    client = app.test_client()
    client.set_cookie("feedback-session", users.open_session(admin), domain="localhost")
    return Reader(client, admin)


PLACES = (
    "/inbox",
    "/inbox?source=slack",
    "/overview",
    "/themes",
    "/digest?period=month",
    "/settings/keys",
    "/settings/hooks",
    "/settings/destinations",
    "/settings/projects",
    "/settings/people",
    "/settings/runs",
    "/settings/quarantine",
    "/settings/audit",
    "/account",
)


def pages(reader: Reader, of: Tenant) -> Iterator[tuple[str, str]]:
    """Every page of a world and its kind: the lists, and each held delivery, hook, project and file."""
    files = Feedback.select().where(Feedback.source == "slack")
    kinds = {"settings/quarantine": Quarantine.select(), "settings/hooks": HookRow.select()}
    kinds |= {"settings/projects": Project.select(), "records": files}
    kinds |= {"settings/destinations": Destination.select()}
    paths = [(path, path) for path in PLACES]
    paths += [
        ("delivery", f"/settings/destinations/{row.destination_id}/deliveries/{row.id}")
        for row in Outgoing.select()
        if row.workspace_id == of.workspace_id
    ]
    paths.append(("topics", f"/settings/projects/{of.project_id}/topics"))
    paths += [
        (kind, f"/{kind}/{row.id}")
        for kind, rows in kinds.items()
        for row in rows
        if row.workspace_id == of.workspace_id
    ]
    for kind, path in paths:
        answer = reader.get(path)
        assert answer.status_code == 200, path
        yield kind, answer.text


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_every_place_has_the_same_shape(
    app: Flask, call: Call, tenant: Tenant, other: Tenant, every: int
) -> None:
    """Names of keys, hooks, projects, topics, people, views, files and pages, and what is held, are words."""
    tried = HOSTILE[:-1:every]
    plain = world(app, call, tenant, ["plain words", "more words", "other words"])
    hostile = world(app, call, other, [*tried, HOSTILE[-1]])
    allowed: dict[str, set[Any]] = {}
    for kind, page in pages(plain, tenant):
        allowed.setdefault(kind, set(MORE)).update(Shape(page).found)
    shown: dict[str, str] = {}
    for kind, page in pages(hostile, other):
        shape = Shape(page)
        assert set(shape.found) <= allowed[kind], kind
        assert all(link.startswith("/") or link == "#main" for link in shape.links), shape.links
        assert not [link for link in shape.links if link.startswith("//")], kind
        shown[kind] = shown.get(kind, "") + page
    for words in filter(str.isprintable, tried):  # the last of all is too long for a person's name
        for kind in ("/settings/keys", "/settings/projects", "/settings/people", "records", "delivery"):
            assert str(escape(words)) in shown[kind], (kind, words)
        described = " ".join(words.split())[:LONGEST_DESCRIPTION]
        assert words not in tried[:MOST] or str(escape(described)) in shown["topics"], words


@pytest.mark.long
def test_a_browser_sees_words(visit: Callable[..., Visit], site: Site) -> None:
    """In a real browser none of them runs, loads, or is complained about, and all can be read."""
    with httpx.Client(base_url=site.url, headers=site.server.headers) as client:
        sent = client.post(f"{PATH}/batch", json=[record(words) for words in HOSTILE]).json()["data"]
        assert {item["status"] for item in sent} <= {201, 200}
        joined = "\n".join(HOSTILE)
        tags = [words[:200] for words in HOSTILE]
        body = {"title": "All", "text": joined, "tags": tags, "subject": {"value": joined}}
        made = client.post(PATH, json=body).json()["id"]
        assert client.patch(f"{PATH}/{made}", json={"note": joined[:9000]}).status_code == 200
        for words in HOSTILE:
            for path in ("/gateway/v1/keys", "/gateway/v1/projects"):
                named = {"name": words, **({"scopes": ["read"]} if path.endswith("keys") else {})}
                assert client.post(path, json=named).status_code == 201
        hook = site.server.run("hook", "create", "generic")
        for words in HOSTILE[::6]:
            client.post(hook["path"], content=words, headers={"Authorization": f"Bearer {hook['secret']}"})
        others = [row["id"] for row in client.get(f"{PATH}?limit=200").json()["data"]][1:40:8]
    for scripts in (True, False):
        page = visit("admin", java_script_enabled=scripts).page
        page.goto(f"{site.url}/inbox?source=native")
        assert page.locator(".row").count() == 50
        page.goto(f"{site.url}/records/{made}")
        page.locator("article details summary").click()
        shown = page.locator("article .words").first.inner_text()
        for words in HOSTILE:
            assert words.split("\n")[0].strip().split("\t")[0][:40] in shown
        assert page.locator("article :is(img, script, iframe, object, embed, video, base, link)").count() == 0
        page.goto(f"{site.url}/settings/quarantine")
        held = [link.get_attribute("href") for link in page.locator("tbody a").all()][:3]
        settings = [f"/settings/{name}" for name in ("keys", "projects", "hooks", "audit", "people")]
        for path in (*(f"/records/{name}" for name in others), "/overview?period=24h", *settings, *held):
            page.goto(f"{site.url}{path}")
            assert not scripts or page.evaluate("window.hacked") is None
