"""Addresses that pages show and hand on are ours, whatever a request calls us, and what to set."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import adapters
from gateway.access import hooks, users
from gateway.app import create_app
from gateway.core.config import Config
from tests.conftest import Call, Tenant

EVIL = "evil.example:8000"
OURS = "http://127.0.0.1:8000"
PUBLIC = "https://feedback.example.test"
SETTING = "GATEWAY_PUBLIC_URL"


@pytest.fixture(name="ask")
def _ask(config: Config, tenant: Tenant) -> Callable[..., TestResponse]:
    """A request of an admin by a host's name: ask("GET", path, host, public_url=...)."""
    user = users.create_user(tenant.workspace_id, "ann@a.test", "Ann", "admin")
    token = users.open_session(user)
    clients: dict[str, FlaskClient] = {}

    def ask(
        method: str, path: str, host: str, *, data: Any = None, origin: str = "", **settings: Any
    ) -> TestResponse:
        if str(settings) not in clients:
            app = create_app(replace(config, **settings))
            clients[str(settings)] = app.test_client(use_cookies=False)
        client = clients[str(settings)]
        cookies = "; ".join(f"{prefix}feedback-session={token}" for prefix in ("", "__Host-"))
        headers = {"Host": host, "Cookie": cookies}
        if origin:
            headers["Origin"] = origin
        answer = client.open(path, method=method, headers=headers, data=data)
        if method == "POST" and answer.location and not origin:  # to the page that shows what was made
            return client.get(answer.location, headers=headers)
        return answer

    return ask


def page_after(ask: Callable[..., TestResponse], *words: str, data: Any, **settings: Any) -> str:
    """The page that an answer is, or leads on to."""
    answer = ask(*words, data=data, **settings)
    if answer.status_code == 303:
        answer = ask("GET", answer.location, words[-1], **settings)
    assert answer.status_code == 200
    return answer.text


@pytest.fixture(name="places")
def _places(call: Call, tenant: Tenant) -> list[tuple[str, str, dict[str, str]]]:
    """Every page that shows an address or hands one on."""
    hook = hooks.create_hook(adapters.load()["generic"], tenant.workspace_id, None)["hook_id"]
    dsn = hooks.create_hook(adapters.load()["sentry_envelope"], tenant.workspace_id, None)["hook_id"]
    call("PATCH", f"/gateway/v1/projects/{tenant.project_id}", json={"repository": "me/mine"})
    record = call("POST", "/gateway/v1/feedback", json={"text": "One report of mine"}).json["id"]
    user = users.create_user(tenant.workspace_id, "ben@a.test", "Ben", "viewer")
    return [
        ("POST", "/settings/people", {"email": "new@a.test", "role": "viewer"}),
        ("POST", f"/settings/people/{user}", {"act": "link"}),
        ("POST", "/settings/keys", {"name": "k", "scopes": "ingest"}),
        ("GET", f"/settings/hooks/{hook}", {}),
        ("GET", f"/settings/hooks/{dsn}", {}),
        ("POST", f"/settings/hooks/{hook}/rotate", {}),
        ("GET", f"/records/{record}", {}),
    ]


def test_no_address_is_the_requests(
    ask: Callable[..., TestResponse], places: list[tuple[str, str, dict[str, str]]]
) -> None:
    """Links and commands name the public address, else that of GATEWAY_BIND, and never a request's Host."""
    for method, path, data in places:
        for settings, ours in (({"public_url": PUBLIC}, PUBLIC), ({}, OURS)):
            page = page_after(ask, method, path, EVIL, data=data, **settings)
            shown = page.replace("%3A", ":").replace("%2F", "/")
            told = re.sub(r'<p class="fault" role="alert">.*?</p>', "", shown)
            assert "evil.example" not in told, path
            assert ours.partition("//")[2] in shown, path  # a DSN has a key before it
            warned = path.startswith("/settings") and not settings
            assert (SETTING in shown and EVIL in shown) == warned, path


@pytest.mark.parametrize(
    ("host", "bind", "shown"),
    [
        ("localhost:4242", "127.0.0.1:0", "http://localhost:4242"),
        ("[::1]:4242", "[::1]:0", "http://[::1]:4242"),
        ("gateway.internal:8000", "gateway.internal:8000", "http://gateway.internal:8000"),
        ("evil.example", "0.0.0.0:8000", "http://localhost:8000"),
        ("localhost.evil.example", "127.0.0.1:8000", OURS),
        ("127.0.0.1.evil.example:8000", "127.0.0.1:8000", OURS),
        ("", "127.0.0.1:8000", OURS),
    ],
)
def test_hosts_that_are_ours(ask: Callable[..., TestResponse], host: str, bind: str, shown: str) -> None:
    """This very computer and the host of GATEWAY_BIND are believed, as their port may be any."""
    form = {"email": "n@a.test", "role": "viewer"}
    page = page_after(ask, "POST", "/settings/people", host, data=form, bind=bind)

    assert re.search(r"<pre[^>]*>(.*?)/welcome", page)[1] == shown  # type: ignore[index]


@pytest.mark.parametrize(
    ("host", "origin", "public", "said"),
    [
        ("127.0.0.1:8000", PUBLIC, "", ("is not set", PUBLIC, "127.0.0.1:8000")),
        ("127.0.0.1:8000", PUBLIC, "https://old.example.test", ("https://old.example.test", PUBLIC)),
        ("feedback.example.test", PUBLIC, "", None),  # a proxy that passes Host on
        ("127.0.0.1:8000", PUBLIC, PUBLIC, None),  # one that does not, and is set up
        ("127.0.0.1:8000", "http://127.0.0.1:8000", "", None),
        ("127.0.0.1:8000", "<script>", "", ("is not set", "&lt;script&gt;")),
    ],
)
def test_forms_through_a_proxy(
    ask: Callable[..., TestResponse], host: str, origin: str, public: str, said: tuple[str, ...] | None
) -> None:
    """A form that came as from elsewhere is refused with what was seen and which setting tells them apart."""
    answer = ask("POST", "/sign-out", host, origin=origin, public_url=public)

    assert answer.status_code == (303 if said is None else 400)
    for words in (SETTING, *said) if said else ():
        assert words in answer.text
    assert "<script>" not in answer.text.replace("<script src", "")


def test_cookies_that_no_browser_keeps(config: Config, tenant: Tenant) -> None:
    """Over plain HTTP from elsewhere browsers drop the cookie; signing in says so, and what to do."""
    client = create_app(config).test_client(use_cookies=False)
    headers = {"Host": "192.0.2.7:8000", "Origin": "http://192.0.2.7:8000"}
    for path in ("/sign-in", "/welcome"):
        answer = client.post(path, data={"email": "a@b.test", "password": "x"}, headers=headers)

        assert answer.status_code == 400
        for words in ("without TLS", "192.0.2.7:8000", SETTING, "https"):
            assert words in answer.text


def test_a_link_that_has_ended(config: Config, tenant: Tenant) -> None:
    """Its page says how to get another one, by the command."""
    old = users.first_link(tenant.workspace_id)
    new = users.first_link(tenant.workspace_id)
    client = create_app(config).test_client()

    assert client.get(f"/welcome?link={new}").status_code == 200
    ended = client.get(f"/welcome?link={old}")
    assert ended.status_code == 410
    assert "feedback-gateway init" in ended.text
    assert "feedback-gateway user reset-link" in ended.text
