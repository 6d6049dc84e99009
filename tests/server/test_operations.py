"""Paths for who runs the gateway are spelled in one way, so that a proxy's rule for them holds."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Server
from tests.http.test_framework_errors import check_dialect
from tests.server.proxies import free_port, serving
from tests.server.test_framing import address_of

# With the path itself for @. None of them is that path (RFC 3986 6.2).
OTHERWISE = (
    *("@/", "/@", "@//", "//@", "///@/", "/.@", "/x/..@", "@/.", "@/..@", "@;", "@;x=y", "@.", "@%2f"),
    *("/%2e@", "/%2f@", "@%3f", "@%23", "@%00", "@%20", "@%0a", "@/%2e%2e@", "/..@", "@\\"),
)
PATHS = ("/healthz", "/readyz", "/metrics")
INNER = ("/readyz", "/metrics")  # not for the world: deploy/Caddyfile
VARIANTS = [form.replace("@", path) for path in PATHS for form in OTHERWISE]
CAPITALS = [path.upper() for path in PATHS] + [path.title() for path in PATHS]


def ask(address: tuple[str, int], path: str, method: str = "GET") -> tuple[int, str, bytes]:
    """The status, media type and body of an answer; the path is sent as it is written."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", VARIANTS + CAPITALS)
def test_only_the_path_itself(server: Server, path: str) -> None:
    """The gateway knows no other spelling."""
    status, kind, body = ask(address_of(server.url), path)

    assert (status, kind) == (404, "application/problem+json")
    check_dialect("native", json.loads(body), 404)
    assert ask(address_of(server.url), path, "HEAD")[0] == 404


@pytest.fixture(name="shipped", scope="module")
def _shipped(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address of a Caddy with deploy/Caddyfile, in which nothing but addresses is changed."""
    text, port = (ROOT / "deploy/Caddyfile").read_text(), free_port()
    text, sites = re.subn(r"(?m)^:8080 \{$", f":{port} {{\n\tbind 127.0.0.1", text)
    text, upstreams = re.subn(r"gateway-[12]:8000", server.url.removeprefix("http://"), text)
    assert (sites, upstreams) == (1, 2)
    directory: Path = tmp_path_factory.mktemp("caddy")
    with serving("caddy", "{\n\tadmin off\n\tauto_https off\n}\n" + text, port, directory):
        yield "127.0.0.1", port


def is_inner(body: bytes) -> bool:
    """Whether these are numbers of the gateway, or what it says of its readiness."""
    return b"# HELP" in body or b'"checks"' in body


def test_what_is_inner_is_told_within(server: Server, shipped: tuple[str, int]) -> None:
    """The rule is about something: without Caddy these paths are there."""
    for path in INNER:
        status, _, body = ask(address_of(server.url), path)
        assert (status, is_inner(body)) == (200, True)
    assert ask(shipped, "/healthz")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        *INNER,
        *(path for path in VARIANTS + CAPITALS if "healthz" not in path.lower()),
        # The same path, written otherwise.
        *("/%6detrics", "/%6Detrics", "/metric%73", "/%6d%65%74%72%69%63%73", "/%72eadyz", "/ready%7a"),
        *("/metrics?", "/metrics?x=y", "/metrics#x", "/readyz?x=/healthz", "/%6detrics?x"),
        *("http://g/metrics", "http://g//metrics", "http://g/metrics/", "http://g:80/%6detrics"),
        *(
            "/healthz/../metrics",
            "/healthz/%2e%2e/metrics",
            "/gateway/../readyz",
            "//g/metrics",
            "\\/metrics",
        ),
    ],
)
def test_no_way_round_the_rule(shipped: tuple[str, int], path: str) -> None:
    """Whatever is sent to the shipped Caddy, numbers and readiness stay within."""
    for method in ("GET", "POST", "OPTIONS"):
        status, _, body = ask(shipped, path, method)
        assert not is_inner(body)
        assert status in (400, 404) or method != "GET"
    assert ask(shipped, path, "HEAD")[0] in (400, 404)
