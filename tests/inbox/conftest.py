"""People at the inbox: signed-in readers in this process, and a real browser before a real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from werkzeug.test import TestResponse

from gateway.access import users
from models.database.base import close, connect
from tests.conftest import Call, Server, Tenant, running

PASSWORD = "correct horse battery"
# What a browser says of a form that is not sent by a page of the gateway at http://localhost.
ELSEWHERE = [
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Origin": "http://localhost:1"},
    {"Origin": "http://localhost.evil.test"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": ""},
]


@dataclass
class Reader:
    """Somebody with a browser; `post` sends forms as the page they stand on would."""

    client: FlaskClient
    user_id: str = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        options.setdefault("headers", {"Sec-Fetch-Site": "same-origin"})
        return self.client.post(path, data=data, **options)


@pytest.fixture(name="reader")
def _reader(app: Flask, tenant: Tenant) -> Callable[..., Reader]:
    """Makes a user and signs in: reader("triager"), reader("admin", other)."""

    def make(role: str = "admin", of: Tenant = tenant, email: str = "") -> Reader:
        email = email or f"{role}@{of.workspace_id.lower()}.test"
        user_id = users.create_user(of.workspace_id, email, role.title(), role)
        client = app.test_client()
        client.set_cookie("feedback-session", users.open_session(user_id), domain="localhost")
        return Reader(client, user_id)

    return make


@pytest.fixture(name="stranger")
def _stranger(app: Flask) -> Reader:
    """Somebody who is not signed in."""
    return Reader(app.test_client())


def report(call: Call, text: str) -> str:
    """Somebody's feedback; its id."""
    made: str = call("POST", "/gateway/v1/feedback", json={"text": text}).json["id"]
    return made


CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(name="chromium", scope="session")
def _chromium() -> Iterator[Browser]:
    """A real browser, shared by the tests of this process."""
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI"):
            pytest.fail(f"no browser at {CHROMIUM}")
        pytest.skip("needs a browser: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running gateway with an admin, a triager and a viewer, all with the same password.

    It has a mail server, that nobody speaks to: there is no background worker.
    """
    mail = {"GATEWAY_SMTP_URL": "smtp://127.0.0.1:1", "GATEWAY_MAIL_FROM": "feedback@example.com"}
    with running(tmp_path_factory.mktemp("site"), **mail) as server:
        yield Site(server)


@dataclass
class Site:
    """A running gateway and the people who use it."""

    server: Server

    def __post_init__(self) -> None:
        """The tests' own process makes the people, in the server's database."""
        connect(self.server.environ["GATEWAY_DATABASE_URL"])
        for role in users.ROLES:
            users.create_user(
                self.server.tenant.workspace_id, f"{role}@example.test", role.title(), role, PASSWORD
            )
        close()

    @property
    def url(self) -> str:
        return self.server.url

    def send(self, path: str = "/gateway/v1/feedback", **body: Any) -> dict[str, Any]:
        answer = httpx.post(self.url + path, json=body, headers=self.server.headers)
        assert answer.status_code < 300, answer.text
        sent: dict[str, Any] = answer.json()
        return sent


@dataclass
class Visit:
    """One person's browser window, and everything it complained about or asked another host for."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.elsewhere.append(url)

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def sign_in(self, role: str) -> None:
        self.go("/sign-in")
        self.page.fill("[name=email]", f"{role}@example.test")
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_url("**/inbox*")


@pytest.fixture(name="visit")
def _visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """Opens a window, signed in: visit("admin"), visit("viewer", java_script_enabled=False), visit(None)."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def visit(role: str | None = "admin", **options: Any) -> Visit:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        made = Visit(context.new_page(), site.url)
        visits.append(made)
        if role is not None:
            made.sign_in(role)
        return made

    yield visit
    for context in contexts:
        context.close()
    assert [said for made in visits for said in made.complaints] == []
    assert [url for made in visits for url in made.elsewhere] == []
