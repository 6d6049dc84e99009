"""A walk through everything that asks the database: every route, page, delivery and kind of background work."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient

import adapters
from gateway import background, clusters, filters, hooks, people, themes
from gateway.directory import create_project
from gateway.ids import now_ms
from gateway.keys import SCOPES, create_key
from gateway.lease import run_once
from models import Event, Feedback, Job, Project, Quarantine, database, incident, overruled
from models.base import writing
from models.order import SORTS
from models.theme import Theme
from tests.conftest import Tenant
from tests.inbox.test_roles import FORMS, PAGES
from tests.test_adapters import CASES, inbound_of
from tests.test_hooks import SIGNED, VENDORS, bearer
from tests.test_tenancy import ROUTES, filled

LIST = "/gateway/v1/feedback"
# A value for every field of a filter; {fb}, {theme} and {author} are those of a record.
VALUES = {
    "source": "native",
    "type": "alert",
    "category": "bug",
    "sentiment": "negative",
    "status": "open",
    "project": "{prj}",
    "language": "en",
    "min_impact": "6",
    "max_impact": "9",
    "confidence_below": "0.5",
    "tag": "a",
    "author": "ann",
    "page": "/checkout",
    "trace_id": "t",
    "incident_key": "i",
    "external_id": "e",
    "theme": "{theme}",
    "since": "7d",
    "until": "1h",
    "q": "invoice",
}
MORE = (
    "q=nosuchword",
    "q=-invoice",
    "q=invoice*&sort=-impact",
    "q=%22invoice+list%22&since=1d&until=1h",
    "author=ann,ben",
    "status=open,resolved&type=chat,alert",
    "tag=a&tag=b",
    "tag=a,b&sort=-impact",
)


class Ear:
    """Each statement that is sent to the bound database, with its values of the first time."""

    def __init__(self) -> None:
        self.heard: dict[str, Any] = {}
        self._deaf = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        real = database.obj.execute_sql

        def note(sql: str, params: Any = None, *more: Any) -> Any:
            if not self._deaf:
                self.heard.setdefault(sql, params)
            return real(sql, params, *more)

        database.obj.execute_sql = note
        try:
            yield
        finally:
            del database.obj.execute_sql

    @contextmanager
    def covered(self) -> Iterator[None]:
        """What the walk itself asks for is not noted."""
        self._deaf = True
        yield
        self._deaf = False


class Walk:
    """What is asked of a gateway, by senders, programs and people of one workspace."""

    def __init__(self, client: FlaskClient, reader: FlaskClient, tenant: Tenant, ear: Ear) -> None:
        """`reader` has no cookie yet."""
        self.client, self.reader, self.tenant, self.ear = client, reader, tenant, ear
        self.missed: list[str] = []
        self.user_id = people.create_user(
            tenant.workspace_id, "admin@walk.test", "Admin", "admin", "correct horse battery"
        )
        reader.set_cookie("feedback-session", people.open_session(self.user_id), domain="localhost")

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self.tenant.headers, **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)

    def deliveries(self) -> None:
        """Every fixture of every dialect, twice, and many at once."""
        for path in CASES:
            case, name = json.loads(path.read_text()), path.parent.name
            inbound = inbound_of(case["request"])
            headers, where = dict(inbound.headers), inbound.path
            if name in SIGNED:
                where, proof = self._hook(name, inbound.body, inbound.options)
                headers |= proof
            else:
                where = re.sub(r"<\w+>", lambda match: inbound.params.get(match[0][1:-1], "1"), where)
            for _ in range(2):
                self.call(inbound.method, where, data=inbound.body, headers=headers)
        body = {
            "text": "The invoice list stays empty",
            "author": {"id": "ann", "email": "ann@example.test"},
            "tags": ["a"],
        }
        many = [{**body, "author": {"id": f"u{number}"}} for number in range(40)]
        for headers in ({}, {"Idempotency-Key": "once"}, {"Idempotency-Key": "once"}):
            self.call("POST", LIST, json=body, headers=headers)
            assert self.call("POST", f"{LIST}/batch", json=many, headers=headers).status_code == 200

    def _hook(self, name: str, body: bytes, options: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        vendor = VENDORS.get(name)
        made = hooks.create_hook(
            SIGNED[name],
            self.tenant.workspace_id,
            None,
            public_url="https://gateway.test",
            secret=vendor.secret if vendor else None,
            options={**(vendor.options if vendor else {}), **options},
        )
        sign = vendor.sign if vendor else bearer
        proof = {"Authorization": "", **sign(made["secret"] or "", body, now_ms() // 1000)}
        return made["path"], proof

    def ids(self) -> dict[str, str]:
        """Ids of the workspace's own things, each made for this."""
        with self.ear.covered():
            return self._ids()

    def _ids(self) -> dict[str, str]:
        workspace_id = self.tenant.workspace_id
        record = self.call("POST", LIST, json={"text": "The invoice list stays empty"}).json["id"]
        hook = hooks.create_hook(SIGNED["generic"], workspace_id, None, public_url="http://x")
        self.client.post(hook["path"], data=b"no JSON", headers={"Authorization": f"Bearer {hook['secret']}"})
        held = Quarantine.select(Quarantine.id).where(Quarantine.hook_id == hook["hook_id"]).get().id
        theme = Theme.select(Theme.id).first()
        return {
            "ws": workspace_id,
            "prj": create_project(workspace_id, "Walked", now_ms()),
            "fb": record,
            "hook": hook["hook_id"],
            "key": create_key(workspace_id, scopes=list(SCOPES))[0],
            "qr": held,
            "theme": theme.id if theme else "none",
            "user": people.create_user(workspace_id, f"{record}@example.test", "Walked", "triager"),
        }

    def programs(self) -> None:
        """Every route with the workspace's own ids, and every filter in every order."""
        for route, (path, body, _) in ROUTES.items():
            ids = {f"{{{name}}}": value for name, value in self.ids().items()}
            answer = self.call(
                route.partition(" ")[0], filled(path, ids), json=filled(body, ids) if body else None
            )
            if answer.status_code >= 500:
                self.missed.append(f"{route} {answer.status_code}")
        ids = self.ids()
        for more in ("", "?explain=1&expand=events,raw,similar", "/events", "/events?limit=1", "/similar"):
            assert self.call("GET", f"{LIST}/{ids['fb']}{more}").status_code == 200
        self.call("PATCH", f"{LIST}/{ids['fb']}", json={"category": "praise", "note": "n", "impact": 3})
        for query in self.queries(ids):
            for sort in SORTS:
                self._pages(f"{LIST}?{query}{'' if 'sort=' in query else f'&sort={sort}'}&limit=1")
            for path in ("/gateway/v1/export", "/gateway/v1/stats"):
                self.call("GET", f"{path}?{query}&by=day,category" if "stats" in path else f"{path}?{query}")
            self.call("PATCH", LIST, json={"filter": query, "change": {"status": "resolved"}})
            self.call("DELETE", LIST, json={"filter": f"{query}&until=3650d", "dry_run": True})
        for by in ("day", "project,source", "category"):
            self.call("GET", f"/gateway/v1/stats?by={by}&since=90d")
            self.call("GET", f"/gateway/v1/outcomes?by={by.replace('category', 'outcome')}&since=90d")

    def _pages(self, path: str) -> None:
        """The first two pages of a list."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        if cursor := answer.json["next_cursor"]:
            assert self.call("GET", f"{path}&cursor={cursor}").status_code == 200

    def queries(self, ids: Mapping[str, str]) -> list[str]:
        """Every field of a filter alone and with each other one, and some queries of their own."""
        one = {name: f"{name}={VALUES[name].format(**ids)}" for name in filters.NAMES}
        pairs = [f"{a}&{b}" for a, b in itertools.combinations(one.values(), 2)]
        return ["", *one.values(), *pairs, *(query.format(**ids) for query in MORE)]

    def pages(self) -> None:
        """Every page and form of the inbox, and the list by every field of a filter."""
        token = re.search(r'name="token" value="([^"]+)"', self.reader.get("/account").text)
        assert token is not None
        for route, role in PAGES.items():
            if role is None:
                continue
            known = self.ids()
            ids = {
                f"{name}_id": known[short]
                for name, short in (
                    ("feedback", "fb"),
                    ("key", "key"),
                    ("project", "prj"),
                    ("hook", "hook"),
                    ("quarantine", "qr"),
                    ("user", "user"),
                )
            }
            ids["source"] = "generic"
            method, _, path = route.partition(" ")
            path = re.sub(r"<(\w+)>", lambda match: ids.get(match[1], "1"), path)
            form = {name: value.format(**ids) for name, value in FORMS.get(route, {}).items()}
            answer = self.reader.open(
                path, method=method, data={"token": token[1], **form} if method == "POST" else None
            )
            if answer.status_code >= 500:
                self.missed.append(f"{route} {answer.status_code}")
        for query in self.queries(self.ids()):
            if query.count("&") == 0:
                for path in ("/inbox", "/inbox/fresh", "/overview"):
                    self.reader.get(f"{path}?{query}&after=fb_0")

    def works(self) -> None:
        """Every kind of background work, with something to do for each; groups are found in this process."""
        with self.ear.covered(), writing():
            Project.update(retention_days=1, payload_retention_days=1).execute()
            self._age()
        for work in background.WORKS:
            assert run_once(work)
        for origin in ("corrected", "declared"):
            overruled.labelled(origin, self.tenant.workspace_id, 10)

    def _age(self) -> None:
        """Makes some records older than is kept, and all work due."""
        old = {"received_at": 1, "last_seen_at": 1, "occurred_at": 1, "updated_at": 1}
        gone = [row.id for row in Feedback.select(Feedback.id).limit(3)]
        Feedback.update(old).where(Feedback.id.in_(gone)).execute()
        Job.update(due_at=0).execute()


def groups_of(lease: Any, workspace_id: str, project_id: str | None, since: str) -> list[dict[str, Any]]:
    """As gateway.themes.groups_of, in this process; all that is read is one theme at least."""
    said = list(clusters.read(workspace_id, project_id, since))
    return [{"terms": ["invoice"], "members": [[one.id, 0.5] for one in said]}]
