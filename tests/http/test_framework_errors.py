"""Errors nobody wrote a view for leave in the dialect of their path, as JSON, with a request id."""

from __future__ import annotations

import gzip
import re
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from peewee import OperationalError
from werkzeug.test import TestResponse

from gateway.core.config import Config
from gateway.inbox.pages import START
from tests.conftest import Call, Tenant

PATHS = {
    "/api/v1/feedback": "flora",
    "/api/v1/projects/prj_1": "flora",
    "/flora/api/v1/feedback": "flora",
    "/v2/feedback": "orq",
    "/v2/feedback/evaluation/remove": "orq",
    "/v3/submit-feedback": "orq",
    "/orq/v2/feedback": "orq",
    "/v1/feedback": "fluister",
    "/api/feedback": "fluister",
    "/api/widget/config": "fluister",
    "/fluister/v1/feedback": "fluister",
    "/gateway/v1/feedback": "native",
    "/gateway/v1/feedback/fb_1/events": "native",
}
UNKNOWN = {
    "/api/v1/nothing": "flora",
    "/flora/nothing": "flora",
    "/v2/traces": "orq",
    "/v3": "orq",
    "/orq": "orq",
    "/v1/nothing": "fluister",
    "/api/feedback/more": "fluister",
    "/fluister/": "fluister",
    "/gateway/v2": "native",
    "/favicon.ico": "native",
    "/x//v2//feedback": "native",
    "/v20/feedback": "native",
    "/%00": "native",
    "/%ff%fe": "native",
    "/" + "a" * 5000: "native",
}


def test_numbered_paths(client: FlaskClient) -> None:
    """Sentry's envelopes come to a path with a number in it: its errors are told as Sentry tells them."""
    path = "/api/42/envelope/"
    stranger = client.post(path, data=b"x" * 1_100_000)
    too_large = client.post("/api/0/projects/o/p/user-feedback/", data=b"x" * 1_100_000)
    unknown = client.post(path, data=b"{}", headers={"Content-Encoding": "lzma"})
    for response, status in ((stranger, 403), (too_large, 413), (unknown, 415), (client.get(path), 405)):
        assert response.status_code == status
        assert response.headers["X-Sentry-Error"]
        assert set(response.json) == {"detail"}


def test_numbered_paths_when_something_breaks(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure or a busy database behind such a path is told as Sentry tells it, too."""
    for error, status in ((RuntimeError("secret"), 500), (OperationalError("locked"), 503)):

        def explode(*args: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("gateway.intake.auth.identify", explode)
        response = client.post("/api/42/envelope/", data=b"{}")

        assert response.status_code == status
        assert response.headers["X-Sentry-Error"]
        assert set(response.json) == {"detail"}


def check_dialect(dialect: str, body: Any, status: int) -> None:
    """The body has the dialect's error shape and says something."""
    match dialect:
        case "flora":
            assert set(body) == {"error"}
            assert set(body["error"]) <= {"code", "message", "fields"}
            said = body["error"]["message"]
        case "orq":
            assert set(body) == {"message"}
            said = body["message"]
        case "fluister":
            assert set(body) == {"error", "requestId"}
            assert body["error"]["status"] == status
            said = body["error"]["message"]
        case _:
            assert set(body) <= {"type", "title", "status", "detail", "instance", "errors"}
            assert body["status"] == status
            said = body["detail"]
    assert isinstance(said, str)
    assert said


def check(response: Any, dialect: str, status: int) -> None:
    assert response.status_code == status
    kind = "application/problem+json" if dialect == "native" else "application/json"
    assert response.headers["Content-Type"] == kind
    assert re.fullmatch(r"req_[0-9A-Z]{26}", response.headers["request-id"])
    check_dialect(dialect, response.json, status)


@pytest.mark.parametrize(("path", "dialect"), UNKNOWN.items())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_path(client: FlaskClient, method: str, path: str, dialect: str) -> None:
    """A path nobody serves is a 404 in the dialect it looks like, never HTML and never a redirect."""
    check(client.open(path, method=method), dialect, 404)


def test_the_root_is_a_persons(client: FlaskClient) -> None:
    """`/` leads a browser to the inbox, and tells a sender that posts there so in JSON."""
    assert client.get("/").location == START
    check(client.post("/", json={"text": "lost"}), "native", 405)


@pytest.mark.parametrize(
    "path", ["/inbox/nothing", "/records", "/settings/nothing", "/sign-in/nothing", "/overview/x"]
)
def test_people_are_told_in_pages(client: FlaskClient, path: str) -> None:
    """Below the inbox's own paths, and only there, an error is a page."""
    response = client.put(path)

    assert response.status_code in (404, 405)
    assert response.headers["Content-Type"].startswith("text/html")
    assert re.fullmatch(r"req_[0-9A-Z]{26}", response.headers["request-id"])


@pytest.mark.parametrize(("path", "dialect"), PATHS.items())
def test_wrong_method(client: FlaskClient, path: str, dialect: str) -> None:
    """A method a path does not know is a 405 in its dialect that lists those it knows."""
    response = client.open(path, method="PROPFIND")

    check(response, dialect, 405)
    assert "OPTIONS" in response.headers["Allow"]


POSTS = {path: dialect for path, dialect in PATHS.items() if path.endswith(("feedback", "remove"))}


@pytest.mark.parametrize(("path", "dialect"), POSTS.items())
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * 1_100_000, {}, 413),
        (gzip.compress(b"x" * 5_000_000), {"Content-Encoding": "gzip"}, 413),
        (b"{}", {"Content-Encoding": "compress"}, 415),
        (b"{}", {"Content-Encoding": "gzip"}, 400),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"", {}, 400),
        (b"{}", {"Authorization": ""}, 401),
        (b"{}", {"Authorization": "Bearer sk_live_nope"}, 401),
    ],
)
def test_refusals(
    call: Call, path: str, dialect: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    """413, 415, 400 and 401 at every door are in its dialect."""
    response = call("POST", path, data=body, headers=headers)

    check(response, dialect, status)
    assert (response.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)


@pytest.mark.parametrize(("path", "dialect"), POSTS.items())
def test_unexpected_exception(
    app: Flask, call: Call, monkeypatch: pytest.MonkeyPatch, path: str, dialect: str
) -> None:
    """An exception nobody foresaw is a 500 in the dialect, without a word of what happened inside."""

    def explode(*args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("gateway.intake.limits.spend", explode)
    response = call("POST", path, json={"a": 1})

    check(response, dialect, 500)
    assert "secret" not in response.text


@pytest.mark.parametrize("path", [*POSTS, "/gateway/v1/feedback", "/api/v1/workspaces", "/openapi.json"])
def test_no_trailing_slash_redirect(client: FlaskClient, path: str) -> None:
    """A path with a trailing slash is answered as the one without; redirects turn POSTs into GETs."""
    for method in ("GET", "POST", "OPTIONS"):
        plain, slashed = client.open(path, method=method), client.open(path + "/", method=method)

        assert plain.status_code == slashed.status_code
        assert not 300 <= plain.status_code < 400


@pytest.mark.parametrize("path", POSTS)
def test_preflight_needs_no_key(client: FlaskClient, path: str) -> None:
    """OPTIONS answers 204 without a key and allows by name what the browser asks for."""
    asked = "authorization, content-type, idempotency-key, x-stainless-retry-count, bad{name"
    headers = {
        "Origin": "https://shop.example.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
    }
    response = client.options(path, headers=headers)
    allowed = response.headers["Access-Control-Allow-Headers"].lower()

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert all(name in allowed for name in asked.split(", ")[:4])
    assert "bad{name" not in allowed


def test_errors_are_readable_across_origins(client: FlaskClient) -> None:
    """A page may read a 401 and the headers that explain it."""
    response = client.post("/v1/feedback", headers={"Origin": "https://shop.example.test"})

    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]


def test_allowed_origins_can_be_listed(config: Config) -> None:
    """With origins listed, only those may read, and caches are told that it depends."""
    from dataclasses import replace

    from gateway.app import create_app

    client = create_app(replace(config, cors_origins="https://a.test, https://b.test")).test_client()
    allowed = client.options("/v1/feedback", headers={"Origin": "https://b.test"})
    refused = client.options("/v1/feedback", headers={"Origin": "https://c.test"})

    assert allowed.headers["Access-Control-Allow-Origin"] == "https://b.test"
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert allowed.headers["Vary"] == refused.headers["Vary"] == "Origin"


def test_request_ids_differ(client: FlaskClient, tenant: Tenant) -> None:
    """Every response has a request id of its own, success or not."""
    ids = {client.get(path).headers["request-id"] for path in ("/healthz", "/healthz", "/nothing")}

    assert len(ids) == 3


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize(
    "way", ["{}/", "/{}", "{}//", "//{}", "/.{}", "{}/.", "{}%2f", "{}%20", "{}%00", "/native{}"]
)
def test_operations_have_one_path(client: FlaskClient, path: str, way: str) -> None:
    """No other way to write it leads there: a proxy's rule for the path holds."""
    assert asked(client, path).status_code in (200, 503)
    answer = asked(client, way.format(path))
    assert answer.status_code == 404
    check_dialect("native", answer.json, 404)


def asked(client: FlaskClient, target: str) -> TestResponse:
    """The answer to a request-target as it is: the test client's own parsing takes //a for a host."""
    path = unquote(target.partition("?")[0], "latin-1")
    return client.get("/", environ_overrides={"PATH_INFO": path, "RAW_URI": target})


def test_operations_are_not_reached_by_encoded_letters(client: FlaskClient) -> None:
    """/%6detrics names the same path, but not every proxy that hides /metrics knows that."""
    for path in ("/%6detrics", "/metric%73", "/%72eadyz", "/health%7A"):
        assert asked(client, path).status_code == 404
    assert asked(client, "/metrics?name=gateway").status_code == 200
