"""What is answered without the application, as bytes: to what is no HTTP, comes too slowly or is too much."""

from __future__ import annotations

from http import HTTPStatus

from gunicorn.http.errors import ExpectationFailed, LimitRequestHeaders, LimitRequestLine, ParseException

import adapters
from adapters.contract import Code, Problem
from gateway import log
from gateway.http import adapter_for
from gateway.ids import new_id
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


def refusal(status: HTTPStatus, path: str, *, lasting: bool = False, bodyless: bool = False) -> bytes:
    """A whole response in the dialect of a path. The connection ends with it unless it is `lasting`."""
    request_id = new_id("req")
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.failure("unexpected exception", request_id)
    code, message = _WORDS.get(status, ("invalid_request", status.phrase))
    wait = {"Retry-After": RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    problem = Problem(status, code, message, headers=wait, request_id=request_id)
    reply = adapter_for(path, adapters.load()).refuse(problem)
    body = dumps(reply.body).encode()
    headers = {
        "Connection": "keep-alive" if lasting else "close",
        "Content-Type": reply.content_type,
        "Content-Length": str(len(body)),
        "request-id": request_id,
        **reply.headers,
    }
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + (b"" if bodyless else body)
