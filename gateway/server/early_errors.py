"""What is answered without the application, as bytes: to what is no HTTP, comes too slowly or is too much."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)

import adapters
from adapters.contract import Adapter, Batch, Code, Door, Problem
from gateway.core import log
from gateway.core.ids import new_id
from gateway.core.rate import RETRY_AFTER
from gateway.http.cors import cors_headers
from gateway.http.responses import GUARDED, adapter_for
from gateway.intake import outcomes
from models.database.base import dumps

_STATUSES = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_WORDS: dict[int, tuple[Code, str]] = {
    408: ("invalid_request", "The request came too slowly."),
    500: ("internal", "An unknown error occurred."),
    503: ("overloaded", "Too many requests at once, try again."),
}


class Asked(NamedTuple):
    """What the refusal of a request depends on."""

    method: str = ""
    path: str = "/"
    origin: str = ""


class Refusal(NamedTuple):
    """A whole answer that the application did not give."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    def last(self) -> bytes:
        """Its bytes, with which the connection ends."""
        lines = [f"{name}: {value}" for name, value in (*self.headers, ("Connection", "close"))]
        head = "\r\n".join([f"HTTP/1.1 {self.status}", *lines, "", ""])
        return head.encode("latin-1", "replace") + self.body


def status_of(error: BaseException) -> HTTPStatus:
    """The status that tells of an exception; those that are not the client's fault are a 500."""
    if isinstance(error, ParseException):
        return _STATUSES.get(type(error), HTTPStatus.BAD_REQUEST)
    return HTTPStatus.INTERNAL_SERVER_ERROR


def refusal(status: HTTPStatus, asked: Asked, origins: frozenset[str], seconds: float = 0.0) -> Refusal:
    """The answer in the dialect of a path to what never reaches the application.

    It is noted as any answer: in the log, and at a door in the ledger. `origins` may read it, and
    `seconds` is how long the request has waited.
    """
    method, path, origin = asked
    request_id = new_id("req")
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.failure("unexpected exception", request_id)
    code, message = _WORDS.get(status, ("invalid_request", status.phrase))
    wait = RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    problem = Problem(status, code, message, headers=wait, request_id=request_id)
    door = door_at(method, path)
    adapter = door[0] if door else adapter_for(path, _adapters())
    if door:
        outcomes.count(adapter, None, problem, seconds)
    log.request(method, path, status, time.perf_counter() - seconds, request_id)
    reply = adapter.refuse(problem)
    body = dumps(reply.body).encode()
    headers = {
        **GUARDED,
        "Content-Type": reply.content_type,
        "Content-Length": str(len(body)),
        "request-id": request_id,
        **cors_headers(origin, origins),
        **reply.headers,
    }
    line = f"{status.value} {status.phrase}"
    return Refusal(line, [*headers.items()], b"" if method == "HEAD" else body)


def door_at(method: str, path: str) -> tuple[Adapter, bool] | None:
    """Whose door a request knocks at, and whether one delivery comes in there, and not a batch of them."""
    found = _doors().fullmatch(f"{method} {path}")
    if found is None:
        return None
    name, _, batch = (found.lastgroup or "").partition("__")
    return _adapters()[name], not batch


@cache
def _adapters() -> dict[str, Adapter]:
    return adapters.load()


@cache
def _doors() -> re.Pattern[str]:
    """The method and path of every adapter's doors and batches, with and without its mount."""
    known = _adapters().items()
    doors = [f"(?P<{name}>{_pattern(name, one.doors)})" for name, one in known if one.doors]
    batches = [f"(?P<{name}__batch>{_pattern(name, one.batches)})" for name, one in known if one.batches]
    return re.compile("|".join([*doors, *batches]))


def _pattern(name: str, ways: Sequence[Door | Batch]) -> str:
    paths = [(way.method, re.sub(r"<[^<>]+>", "[^/]+", way.path)) for way in ways]
    return "|".join(f"{method} (?:/{name})?{path}/?" for method, path in paths)
