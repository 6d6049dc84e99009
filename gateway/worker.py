"""gunicorn's thread worker, refusing what is no HTTP in the gateway's own words instead of HTML."""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http.errors import ExpectationFailed, LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

import adapters
from adapters.contract import Problem
from gateway import log
from gateway.http import adapter_for
from gateway.ids import new_id
from models.base import dumps

STATUSES = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """The worker class of `feedback-gateway serve`."""

    def load_wsgi(self) -> None:
        """Loads the application so that its `Connection: close` is heard: gunicorn drops that header.

        Without it a client would send its next request on a connection that is about to end,
        because the rest of a body too large was not read.
        """
        super().load_wsgi()
        app: Any = self.wsgi  # type: ignore[has-type]

        def closing(environ: dict[str, Any], start_response: Any) -> Any:
            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                if ("Connection", "close") in headers:
                    start_response.__self__.force_close()
                return start_response(status, headers, exc_info)

            return app(environ, start)

        self.wsgi = closing

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answers a request that never reached the application, in the dialect of its path when known."""
        request_id = new_id("req")
        if isinstance(exc, ParseException):
            status = STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
            problem = Problem(status, "invalid_request", status.phrase, request_id=request_id)
        else:
            log.failure("unexpected exception", request_id)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            problem = Problem(status, "internal", "An unknown error occurred.", request_id=request_id)
        path = getattr(req or getattr(exc, "req", None), "path", None) or "/"
        reply = adapter_for(path, adapters.load()).refuse(problem)
        body = dumps(reply.body).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"Connection: close\r\nContent-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(body)}\r\nrequest-id: {request_id}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            log.failure("the refusal could not be sent", request_id)
