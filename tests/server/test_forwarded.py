"""What proxies and servers tell an application about a request is not believed when a client says it."""

from __future__ import annotations

import http.client
import re
from typing import Any

import pytest

from tests.conftest import Server
from tests.server.heads import FORWARDED
from tests.server.test_framing import address_of

# Method, path, whether with a key, and a body.
REQUESTS = (
    ("GET", "/healthz", False, None),
    ("GET", "/x/healthz", False, None),
    ("GET", "/x/metrics", False, None),
    ("GET", "/unknown", False, None),
    ("POST", "/gateway/v1/feedback", True, b"{}"),
    ("POST", "/gateway/v1/feedback", False, b'{"text": "without a key"}'),
    ("POST", "/x/v1/feedback", True, b"{}"),
    ("POST", "/v2/feedback", True, b"{"),
    ("GET", "/inbox", False, None),
    ("GET", "/", False, None),
)
_EACH_TIME = re.compile(r"req_[0-9A-Z]{26}")  # another one in each answer


def answer_to(
    server: Server, request: tuple[str, str, bool, bytes | None], line: str = ""
) -> tuple[int, Any, str]:
    """The status of an answer, where it leads and what it says."""
    method, path, known, body = request
    connection = http.client.HTTPConnection(*address_of(server.url), timeout=30)
    try:
        connection.putrequest(method, path)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        if known:
            connection.putheader("Authorization", f"Bearer {server.tenant.key}")
        if line:
            name, _, value = line.partition(": ")
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        said = answer.read().decode()
    finally:
        connection.close()
    return answer.status, answer.headers.get("Location"), _EACH_TIME.sub("", said)


@pytest.mark.parametrize("line", FORWARDED)
def test_a_client_is_no_proxy(server: Server, line: str) -> None:
    """Each request is answered as without such a header, or refused as malformed."""
    for request in REQUESTS:
        usual, told = answer_to(server, request), answer_to(server, request, line)

        assert told == usual or told[0] == 400, request
