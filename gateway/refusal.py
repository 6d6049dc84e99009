"""What is answered without the application, as bytes: to what is no HTTP, comes too slowly or is too much."""

from __future__ import annotations

import re
import time
from functools import cache
from http import HTTPStatus

from gunicorn.http.errors import ExpectationFailed, LimitRequestHeaders, LimitRequestLine, ParseException

import adapters
from adapters.contract import Adapter, Batch, Code, Door, Problem
from gateway import log, outcomes
from gateway.http import adapter_for, cors_headers
from gateway.ids import new_id
from gateway.wire import Asked
from models.base import dumps

RETRY_AFTER = "2"  # seconds, told with 503

_STATUSES = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
_WORDS: dict[int, tuple[Code, str]] = {
    408: ("invalid_request", "The request came too slowly."),
    500: ("internal", "An unknown error occurred."),
    503: ("overloaded", "Too many requests at once, try again."),
}


def status_of(error: BaseException) -> HTTPStatus:
    """The status that tells of an exception; those that are not the client's fault are a 500."""
    if isinstance(error, ParseException):
        return _STATUSES.get(type(error), HTTPStatus.BAD_REQUEST)
    return HTTPStatus.INTERNAL_SERVER_ERROR


def refusal(
    status: HTTPStatus, asked: Asked, origins: frozenset[str], *, lasting: bool = False, seconds: float = 0.0
) -> bytes:
    """A whole response in the dialect of a path. The connection ends with it unless it is `lasting`.

    It is noted as any answer: in the log, and at a door in the ledger. `origins` may read it, and
    `seconds` is how long the request has waited.
    """
    method, path = asked.method, asked.path
    request_id = new_id("req")
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.failure("unexpected exception", request_id)
    code, message = _WORDS.get(status, ("invalid_request", status.phrase))
    wait = {"Retry-After": RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    problem = Problem(status, code, message, headers=wait, request_id=request_id)
    door = next((name for name, pattern in _doors().items() if pattern.fullmatch(f"{method} {path}")), None)
    adapter = _adapters()[door] if door else adapter_for(path, _adapters())
    if door:
        outcomes.count(adapter, None, problem, seconds)
    log.request(method, path, status, time.perf_counter() - seconds, request_id)
    reply = adapter.refuse(problem)
    body = dumps(reply.body).encode()
    headers = {
        "Connection": "keep-alive" if lasting else "close",
        "Content-Type": reply.content_type,
        "Content-Length": str(len(body)),
        "request-id": request_id,
        **cors_headers(asked.origin, origins),
        **reply.headers,
    }
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    return head if method == "HEAD" else head + body


@cache
def _adapters() -> dict[str, Adapter]:
    return adapters.load()


@cache
def _doors() -> dict[str, re.Pattern[str]]:
    """The method and path of every adapter's doors and batches, with and without its mount."""
    ways: dict[str, tuple[Door | Batch, ...]]
    ways = {name: (*adapter.doors, *adapter.batches) for name, adapter in _adapters().items()}
    return {
        name: re.compile("|".join(f"{way.method} (?:/{name})?{_path(way)}/?" for way in ways[name]))
        for name, adapter in _adapters().items()
        if adapter.doors
    }


def _path(door: Door | Batch) -> str:
    return re.sub(r"<[^>]+>", "[^/]+", door.path)
