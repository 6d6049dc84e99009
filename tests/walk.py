"""A walk through all that asks the database: every route, page, dialect and kind of background work."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from flask.testing import FlaskClient

from adapters.contract import Inbound
from gateway.access import hooks, topics, users
from gateway.access.api_keys import SCOPES, create_key
from gateway.access.projects import create_project
from gateway.api import filters
from gateway.api.digest.figures import figures
from gateway.api.digest.period import period_of, zone_of
from gateway.background import clustering, encoding, fetching, scheduler, second_reading
from gateway.background.lease import run_once
from gateway.background.retriage import retriage
from gateway.core import mail
from gateway.core.ids import now_ms
from gateway.destinations import sender
from gateway.replies import sending
from gateway.triage.second_reader import DIMENSIONS
from models import Feedback, FeedChange, Job, Project, Quarantine, Reply
from models.database.base import database, writing
from models.queries import corrections
from models.queries.ordering import RECEIVED, SORTS, time_of
from models.tables.theme import Theme
from tests.access.test_hooks import SIGNED, VENDORS, bearer
from tests.access.test_tenancy import ROUTES
from tests.access.test_tenancy import filled as filled_in
from tests.adapters.test_adapters import CASES, inbound_of
from tests.background.test_meaning import without_numbers
from tests.background.test_second_reading import Reader as Second
from tests.background.test_second_reading import reading
from tests.conftest import Tenant
from tests.inbox.test_roles import FORMS, PAGES
from tests.uploads import multipart, png

LIST, FEED = "/gateway/v1/feedback", "/gateway/v1/changes"
TEXT = "The invoice list stays empty"
# A value for every field of a filter.
VALUES = {
    "source": "native",
    "type": "alert",
    "category": "bug",
    "sentiment": "negative",
    "category_origin": "second_reader",
    "sentiment_origin": "corrected",
    "status": "open",
    "assignee": "{user}",
    "mentioned": "{user}",
    "snoozed": "only",
    "project": "{prj}",
    "language": "en",
    "priority": "high",
    "min_impact": "6",
    "max_impact": "9",
    "confidence_below": "0.5",
    "any_confidence_below": "0.6",
    "tag": "a",
    "tag!": "b",
    "author": "ann",
    "page": "/checkout",
    "trace_id": "t",
    "incident_key": "i",
    "alert_group": "g",
    "external_id": "e",
    "theme": "{theme}",
    "topic": "{top}",
    "replied": "no",
    "merged": "only",
    "merged_into": "{fb}",
    "since": "7d",
    "until": "1h",
    "time": "occurred",
    "q": "invoice",
}
MORE = (
    "q=nosuchword",
    "q=-invoice",
    "q=invoice*",
    "q=%22invoice+list%22&since=1d&until=1h",
    "author=ann,ben",
    "status=open,resolved&type=chat,alert",
    "category_origin=declared",
    "category_origin=declared,second_reader",
    "tag=a&tag=b",
    "tag=a,b",
    "time=occurred&since=7d&until=1h",
    "time=occurred&since=7d&until=1h&category=bug",
    "time=occurred&author=ann",
    "priority=high&status=open",
    "priority=normal",
    "assignee=none",
    "status=open&snoozed=without",
)
EACH = 3  # fixtures of a dialect that a short walk sends


class Ear:
    """Each statement that is sent to the bound database, with its values of the first time."""

    def __init__(self) -> None:
        self.heard: dict[str, Any] = {}
        self._deaf = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hears until the block ends."""
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
        """Hears nothing: what the walk itself asks for."""
        self._deaf = True
        yield
        self._deaf = False


class Walk:
    """What is asked of a gateway, by senders, programs and people of one workspace.

    A thorough walk sends every fixture, and asks for every two fields of a filter together.
    """

    def __init__(
        self, client: FlaskClient, reader: FlaskClient, tenant: Tenant, ear: Ear, thorough: bool
    ) -> None:
        """`reader` has no cookie yet."""
        self.client, self.reader, self.tenant = client, reader, tenant
        self._ear, self._thorough = ear, thorough
        user_id = users.create_user(tenant.workspace_id, "admin@walk.test", "Admin", "admin")
        reader.set_cookie("feedback-session", users.open_session(user_id), domain="localhost")

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> Any:
        """One request with the tenant's key, which must not fail."""
        known = {**self.tenant.headers, **(headers or {})}
        answer = self.client.open(path, method=method, headers=known, **options)
        assert answer.status_code < 500, (method, path, answer.text)
        return answer

    def deliveries(self) -> None:
        """Fixtures of every dialect, twice each, and many records at once."""
        for _, paths in itertools.groupby(CASES, lambda path: path.parent.name):
            for path in list(paths)[: None if self._thorough else EACH]:
                self._deliver(path.parent.name, inbound_of(json.loads(path.read_text())["request"]))
        author = {"id": "ann", "email": "ann@example.test"}
        body = {"text": TEXT, "author": author, "tags": ["a"], "subject": {"page": "/checkout"}}
        many = [{**body, "text": f"{TEXT} {'x' * n}", "author": {"id": f"u{n}"}} for n in range(40)]
        for headers in ({}, {"Idempotency-Key": "once"}, {"Idempotency-Key": "once"}):
            assert self.call("POST", LIST, headers, json=body).status_code < 400
            assert self.call("POST", f"{LIST}/batch", headers, json=many).status_code == 200
        self._files(body)

    def _files(self, body: Mapping[str, Any]) -> None:
        """Files that come with a record, and again with one that has some."""
        form, media = multipart({"feedback": json.dumps(body)}, [("file", "shot.png", png())])
        assert self.call("POST", LIST, {"Content-Type": media}, data=form).status_code == 201
        (path,) = [path for path in CASES if path.stem == "feedback_with_attachments"]
        self._deliver(path.parent.name, inbound_of(json.loads(path.read_text())["request"]))

    def _deliver(self, name: str, inbound: Inbound) -> None:
        headers, where = dict(inbound.headers), filled(inbound.path, inbound.params)
        if name in SIGNED:
            with self._ear.covered():
                where, proof = self._hook(name, inbound)
            headers |= proof
        for _ in range(2):
            self.call(inbound.method, where, headers, data=inbound.body)

    def _hook(self, name: str, inbound: Inbound) -> tuple[str, dict[str, str]]:
        """The address of a new hook, and what proves a delivery to it."""
        vendor = VENDORS.get(name)
        options = {**(vendor.options if vendor else {}), **inbound.options}
        made = hooks.create_hook(
            SIGNED[name],
            self.tenant.workspace_id,
            None,
            public_url="https://gateway.test",
            secret=vendor.secret if vendor else None,
            options=options,
        )
        sign = vendor.sign if vendor else bearer
        return made["path"], {"Authorization": "", **sign(made["secret"], inbound.body, now_ms() // 1000)}

    def ids(self) -> dict[str, str]:
        """Ids of things of the workspace, each made for this."""
        workspace_id = self.tenant.workspace_id
        with self._ear.covered():
            record = self.call("POST", LIST, json={"text": TEXT}).json["id"]
            hook = hooks.create_hook(SIGNED["generic"], workspace_id, None, public_url="http://x")
            self.call("POST", hook["path"], {"Authorization": f"Bearer {hook['secret']}"}, data=b"no JSON")
            theme = Theme.select(Theme.id, Theme.lasting_id).first()
            project_id = create_project(workspace_id, "Walked", now_ms())
            topic = topics.create(workspace_id, project_id, "Walked", "", now_ms())
            return {
                "ws": workspace_id,
                "prj": project_id,
                "top": topic["id"],
                "fb": record,
                "hook": hook["hook_id"],
                "key": create_key(workspace_id, scopes=list(SCOPES))[0],
                "qr": Quarantine.select(Quarantine.id).order_by(Quarantine.id.desc()).get().id,
                "theme": theme.id if theme else "none",
                "th": theme.lasting_id if theme else "none",
                "rpl": "rpl_1",
                "user": users.create_user(workspace_id, f"{record}@walk.test", "Walked", "triager"),
            }

    def programs(self) -> None:
        """Every route, with ids of the workspace."""
        known: dict[str, str] = {}
        for route, (path, body, _) in ROUTES.items():
            known = known if known and route.startswith("GET") else self.ids()
            ids = {f"{{{name}}}": value for name, value in known.items()}
            sent = filled_in(body, ids) if body else None
            self.call(route.partition(" ")[0], filled_in(path, ids), json=sent)
        ids = self.ids()
        for more in (
            "",
            "?explain=1&expand=events,raw,similar,related,merged",
            "/events",
            "/events?limit=1",
            "/similar",
        ):
            assert self.call("GET", f"{LIST}/{ids['fb']}{more}").status_code == 200
        change = {"category": "praise", "note": "n", "impact": 3}
        assert self.call("PATCH", f"{LIST}/{ids['fb']}", json=change).status_code == 200
        self._topics(ids["fb"], ids["theme"])
        self._alerts()
        self._changes(ids["fb"])
        self._answers(ids["th"])
        self._merges()
        for by in ("day", "project,source", "category"):
            self.call("GET", f"/gateway/v1/stats?by={by}&since=90d")
            self.call("GET", f"/gateway/v1/outcomes?by={by.replace('category', 'outcome')}&since=90d")

    def _alerts(self) -> None:
        """Alerts by their groups, one of which is muted until one more has come, here and in a project."""
        path, group = "/gateway/v1/alert-groups", {"group": "native:Disk"}
        _, key = create_key(self.tenant.workspace_id, self.tenant.project_id, scopes=["read", "triage"])
        for headers in (self.tenant.headers, {"Authorization": f"Bearer {key}"}):
            for number in range(3):
                alert = {"text": f"Full {number}", "title": "Disk", "type": "alert"}
                assert self.call("POST", LIST, json=alert).status_code == 201
                if not number:
                    self.call("POST", f"{path}/mute", headers, json={**group, "more": 1})
                self.call("GET", f"{path}?limit=1", headers)
            self.call("POST", f"{path}/mute", headers, json={**group, "until": "2099-01-01T00:00:00Z"})
            self.call("POST", f"{path}/mute", headers, json={**group, "more": 100})
            assert self.call("POST", f"{path}/unmute", headers, json=group).status_code == 200
            assert self.call("POST", f"{path}/acknowledge", headers, json=group).status_code == 200
            self.call("GET", "/gateway/v1/hooks?limit=1")
        # Gone again, so that what follows has as many to do as without them.
        self.call("DELETE", LIST, json={"filter": "alert_group=native:Disk"})

    def _changes(self, feedback_id: str) -> None:
        """The feed of changes from its beginning on, of the workspace and of a project."""
        _, key = create_key(self.tenant.workspace_id, self.tenant.project_id)
        for headers in (self.tenant.headers, {"Authorization": f"Bearer {key}"}):
            told = self.call("GET", f"{FEED}?existing=0", headers).json
            self.call("PATCH", f"{LIST}/{feedback_id}", json={"note": "again"})
            self.call("GET", f"{FEED}?cursor={told['next_cursor']}", headers)

    def _answers(self, theme_id: str) -> None:
        """An author is answered, and all who asked about a theme; some are taken back, the others sent."""
        with self._ear.covered(), writing():
            wanted = Feedback.author_email.is_null(False)
            Feedback.update(subject={"email_followup_opted_in": True}).where(wanted).execute()
            record = Feedback.select(Feedback.id).where(wanted).first().id
        path, sent = f"{LIST}/{record}/replies", {"text": "Mended"}
        of_theme = f"/gateway/v1/themes/{theme_id}/replies"
        with patch.object(mail, "is_configured", lambda: True):
            first, _ = (self.call("POST", path, json=sent).json["id"] for _ in range(2))
            assert self.call("DELETE", f"{path}/{first}").status_code == 204
            for cancelled in (True, False):
                self.call("POST", of_theme, json=sent)
                if cancelled:
                    self.call("DELETE", of_theme)
        with self._ear.covered(), writing():
            Reply.update(next_at=0).execute()
        with patch.object(mail, "send"):
            assert run_once(sending.SEND)
        self.call("GET", f"{path}?limit=1")

    def _merges(self) -> None:
        """Five records are one, one is taken out, one deleted, and some are told apart; three stay merged."""
        first, second, third, *more = (
            self.call("POST", LIST, json={"text": f"Merged {n}", "author": {"id": f"m{n}"}}).json["id"]
            for n in range(5)
        )
        path = f"{LIST}/{first}"
        assert self.call("POST", f"{path}/merge", json={"ids": [second, third, *more]}).status_code == 200
        assert self.call("POST", f"{path}/unmerge", json={"ids": [third]}).status_code == 200
        assert self.call("POST", f"{LIST}/{third}/merge", json={"ids": [first]}).status_code == 200
        self.call("GET", f"{LIST}/{third}?expand=merged")
        assert self.call("DELETE", f"{LIST}/{third}").status_code == 204
        for other in (second, *more):
            sent = {"ids": [first, other]}
            assert self.call("POST", "/gateway/v1/merge-suggestions/dismiss", json=sent).status_code == 204
        self.call("GET", "/gateway/v1/merge-suggestions")
        self.call("GET", "/gateway/v1/authors/summary?author=m1")

    def _topics(self, feedback_id: str, theme_id: str) -> None:
        """A record's topic, given, counted, merged and made of a theme; one stays for the background work."""
        path = f"/gateway/v1/projects/{self.tenant.project_id}/topics"
        first, second, third = (
            self.call("POST", path, json={"name": name}).json["topic_id"]
            for name in ("Invoices", "Bills", "Dues")
        )
        self.call("POST", path, json={"name": "Themed", "theme": theme_id})
        for topic_id in (second, None, second):
            assert self.call("PATCH", f"{LIST}/{feedback_id}", json={"topic": topic_id}).status_code == 200
        self.call("GET", f"{LIST}?topic={first},{second}")
        self.call("GET", f"{LIST}?topic=none,{second}")
        self.call("GET", "/gateway/v1/stats?by=topic&topic=none")
        assert self.call("POST", f"{path}/{second}/merge", json={"into": first}).status_code == 200
        assert self.call("DELETE", f"{path}/{third}").status_code == 204

    def filters(self, ear: Ear | None = None) -> None:
        """Lists, numbers, exports and bulk changes by every field of a filter, in every order.

        With an ear of its own, which hears it then.
        """
        self._ear = ear or self._ear
        ids = self.ids()
        one = [f"{name}={VALUES[name].format(**ids)}" for name in filters.NAMES]
        pairs = [f"{a}&{b}" for a, b in itertools.combinations(one, 2) if self._thorough or "status" in a]
        alone = ["", *one, *MORE]
        for query in (*alone, *pairs):
            for sort in SORTS:
                if "time=occurred" in query and time_of(sort) == RECEIVED:
                    continue  # which is refused
                self._pages(f"{LIST}?{query}&sort={sort}&limit=1", both=query in alone or self._thorough)
            self.call("GET", f"/gateway/v1/stats?{query}&by=day,category")
            if self._thorough or (query in alone and ear is None):
                for more in ("", "&sort=-received_at&format=md", "&sort=-impact", "&sort=-doubt"):
                    self.call("GET", f"/gateway/v1/export?{query}{more}")
                change = {"filter": query, "change": {"status": "resolved"}}
                self.call("PATCH", LIST, json={**change, "dry_run": True})
                self.call("PATCH", LIST, json=change)

    def _pages(self, path: str, both: bool) -> None:
        """The first page of a list, and the second one."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        if both and (cursor := answer.json["next_cursor"]):
            assert self.call("GET", f"{path}&cursor={cursor}").status_code == 200

    def pages(self) -> None:
        """Every page and form of the inbox, and the list by some fields of a filter."""
        names = {"feedback_id": "fb", "key_id": "key", "project_id": "prj", "hook_id": "hook"}
        names |= {"quarantine_id": "qr", "user_id": "user", "topic_id": "top", "theme_id": "th"}
        known: dict[str, str] = {}
        for route in (route for route, role in PAGES.items() if role):
            known = known if known and route.startswith("GET") else self.ids()
            ids = {name: known[short] for name, short in names.items()} | {"source": "generic"}
            method, _, path = route.partition(" ")
            form = {name: value.format(**ids) for name, value in FORMS.get(route, {}).items()}
            sent = form if method == "POST" else None
            answer = self.reader.open(filled(path, ids), method=method, data=sent)
            assert answer.status_code < 500, route
        for query in ("", "category=bug", "type=alert&status=open", "q=invoice"):
            for path in ("/inbox", "/inbox/fresh", "/overview"):
                more = f"&after={known['fb']}" if path == "/inbox/fresh" else ""
                assert self.reader.get(f"{path}?{query}{more}").status_code < 400, (path, query)
            for more in (f"?{query}&open={known['fb']}", f"/matching?{query}", f"?{query}&all=1"):
                assert self.reader.get(f"/inbox{more}").status_code < 400, (more, query)
            form = {"set": "status:resolved", "filter": query}
            assert self.reader.post("/inbox/bulk", data=form).status_code < 400, query

    def works(self) -> None:
        """Every kind of background work, with something to do for it."""
        with self._ear.covered(), writing():
            Project.update(retention_days=1, payload_retention_days=1).execute()
            old = dict.fromkeys(("received_at", "last_seen_at", "occurred_at", "updated_at"), 1)
            some = [row.id for row in Feedback.select(Feedback.id).order_by(Feedback.id).limit(3)]
            Feedback.update(old).where(Feedback.id.in_(some)).execute()
            Feedback.update(text="Something else").where(Feedback.id.in_(some[:1])).execute()
            FeedChange.update(at=1).execute()
            Job.update(due_at=0).execute()
        read = replace(reading(), vector=bytes(DIMENSIONS))
        second = second_reading.work(Second(read), second_reading.Limits(1.0))
        encode = encoding.work(without_numbers, encoding.Limits(0.0))
        with patch.object(sender, "LINGER", 0.0):
            for work in (*scheduler.WORKS, second, encode, fetching.work(1)):
                assert run_once(work)
        workspace_id, project_id = self.tenant.workspace_id, self.tenant.project_id
        with self._ear.covered(), writing():
            Feedback.update(impact=14, impact_origin="predicted").execute()
        for query in ("", "status=open", "q=invoice", "author=ann"):
            for _ in retriage(filters.parse(query), workspace_id):
                pass
        for place in (None, project_id):
            figures(workspace_id, place, period_of("week", zone_of("UTC"), now_ms() + 86_400_000))
        for origin in ("corrected", "declared"):
            corrections.labelled(origin, self.tenant.workspace_id, 10)


def filled(path: str, values: Mapping[str, str]) -> str:
    """A route's path with these values."""
    return re.sub(r"<(\w+)>", lambda match: values.get(match[1], "1"), path)


def groups_of(lease: Any, workspace_id: str, project_id: str | None, since: str) -> list[dict[str, Any]]:
    """For gateway.background.themes.groups_of: reads what that reads, in this process, and makes it one
    theme."""
    said = list(clustering.read(workspace_id, project_id, since))
    return [{"terms": ["invoice"], "members": [[one.id, 0.5] for one in said]}]
