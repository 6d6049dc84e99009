"""What answers are made of: a Reply becomes a response, an exception a Problem in somebody's dialect."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus

from peewee import OperationalError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from adapters.contract import Adapter, Code, Problem, Refused, Reply
from gateway.core import log
from gateway.core.rate import RETRY_AFTER, Unavailable
from gateway.http.flask_app import Answer
from models.database.base import dumps

# Errors the framework raises, in our words; any other 4xx is a bad request.
CODES: dict[int, Code] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_encoding",
}
# No browser guesses what an answer is, and nobody keeps one on the way, unless it says so itself.
GUARDED = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def adapter_for(path: str, adapters: dict[str, Adapter]) -> Adapter:
    """Whose dialect an error at this path is told in: the mount's, else the longest owned prefix's."""
    first = path.lstrip("/").partition("/")[0]
    if first in adapters:
        return adapters[first]
    owners = [
        (len(prefix), adapter)
        for adapter in adapters.values()
        for prefix in adapter.owns
        if prefix == "/" or path == prefix or path.startswith(prefix + "/")
    ]
    return max(owners, key=lambda owner: owner[0])[1]


def respond(reply: Reply, *headers: Mapping[str, str]) -> Answer:
    """A reply as a response, with these headers too; the reply's own win."""
    merged = dict(GUARDED) if reply.body is None else {**GUARDED, "Content-Type": reply.content_type}
    parts: Iterable[bytes]
    if isinstance(reply.body, Iterator):
        parts = reply.body  # as long as it takes: the server sends it in chunks
    else:
        body = reply.body
        if not isinstance(body, bytes):
            body = b"" if body is None else dumps(body).encode()
        parts = [body]
        if reply.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            merged["Content-Length"] = str(len(body))
    for more in (*headers, reply.headers):
        merged.update(more)
    fields = Headers()
    fields._list += merged.items()  # to add them is 33 calls; gunicorn checks each
    answer = Answer(parts, reply.status, fields)
    if "Content-Type" not in merged:
        del answer.headers["Content-Type"]  # werkzeug's own
    return answer


def problem_of(error: Exception, request_id: str) -> Problem:
    """Any exception as a problem: expected ones as they say, others logged and told without a detail."""
    if isinstance(error, Refused):
        return replace(error.problem, request_id=request_id)
    if isinstance(error, HTTPException):
        return replace(_framework(error), request_id=request_id)
    if isinstance(error, Unavailable):  # said in the log once, by whoever counts
        message = "Requests cannot be counted now."
        return Problem(503, "overloaded", message, headers=RETRY_AFTER, request_id=request_id)
    if isinstance(error, OperationalError | sqlite3.OperationalError) or _short(error):
        log.unavailable(error, request_id)
        message = "Storage is busy, try again."
        return Problem(503, "overloaded", message, headers=RETRY_AFTER, request_id=request_id)
    log.failure("unexpected exception", request_id)
    return Problem(500, "internal", "An unknown error occurred.", request_id=request_id)


def _short(error: Exception) -> bool:
    """Whether the machine has no files, memory or disk left to give, for now."""
    return isinstance(error, OSError) and error.errno in SHORT


def _framework(error: HTTPException) -> Problem:
    """A framework error as a problem; the method list of a 405 is kept."""
    status = error.code or 500
    if status >= 500:
        return Problem(status, "internal", "An unknown error occurred.")
    code = CODES.get(status, "invalid_request")
    headers = {}
    if valid := getattr(error, "valid_methods", None):
        headers["Allow"] = ", ".join(sorted(valid))
    message = {404: "Not found.", 405: "Method not allowed."}.get(status, error.description or error.name)
    return Problem(status, code, message, headers=headers)
