"""One delivery that is here and its answer, in fewer steps than gunicorn takes for all there can be.

What is answered by turns (gateway.lane) has a small body that has arrived, and an answer that goes out
in one piece: no files, no streams, no early hints, no hooks. gunicorn's parser has judged the request;
what it checks of an answer's headers is checked here as well.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from gunicorn import SERVER
from gunicorn.http.errors import InvalidHeader
from gunicorn.http.wsgi import base_environ
from gunicorn.util import unquote_to_wsgi_str

from gateway.http import Whole
from gateway.ids import new_id
from gateway.received import Received, without_empty

# Names are tokens, and values have no control characters (RFC 9110 5.1 and 5.5).
_FIELDS = re.compile(r"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*")
_CLOSE = ("Connection", "close")
_LENGTH = re.compile(r"^content-length: ", re.I | re.M)
_BODILESS = ("1", "204", "304")


class Settings:
    """gunicorn's settings as plain attributes: for a request it looks twenty up, each through two calls."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg
        self.__dict__.update({name: getattr(cfg, name) for name in cfg.settings})
        self.is_ssl = cfg.is_ssl

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfg, name)


class Exchange:
    """Hands a worker's requests to their routes, or to the application, and writes the answers as bytes."""

    def __init__(self, app: Any, cfg: Any) -> None:
        self._app = app
        self._straight: dict[str, Callable[[Received], Whole]] = app.straight
        self._mounted = bool(os.environ.get("SCRIPT_NAME"))
        self._base = {**base_environ(cfg), "wsgi.multithread": True, "SCRIPT_NAME": ""}

    def takes(self, request: Any, conn: Any) -> bool:
        """Whether nothing of a request needs gunicorn's own way.

        Unix sockets have no addresses, and a name with an underscore comes from a proxy that may say
        where the application is mounted.
        """
        return (
            not self._mounted
            and type(conn.server) is tuple
            and type(conn.client) is tuple
            and not request._expected_100_continue
            and request.proxy_protocol_info is None
            and not [name for name, _ in request.headers if "_" in name]
        )

    def answer(self, request: Any, conn: Any, lasting: bool) -> tuple[bytes, bool]:
        """The application's answer, and whether the connection may take another request.

        It may when it is `lasting` and the application does not end it.

        Raises gunicorn's InvalidHeader for an answer that would split into two, and what the
        application raises.
        """
        straight = self._straight.get(f"{request.method} {request.path}")
        status, headers, parts = (
            straight(_received(request, conn)) if straight else self._through(request, conn)
        )
        body = b"".join(parts)
        if (close := getattr(parts, "close", None)) is not None:
            close()
        if _CLOSE in headers:
            lasting = False
            headers = [field for field in headers if field != _CLOSE]
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if fields.count("\n") != len(headers) or not (_is_plain(fields) or _FIELDS.fullmatch(fields)):
            raise InvalidHeader("of the answer")
        if not status.startswith(_BODILESS) and not _LENGTH.search(fields):
            fields += f"Content-Length: {len(body)}\r\n"
        head = (
            f"{_protocol(request)} {status}\r\nServer: {SERVER}\r\nDate: {_date(int(time.time()))}\r\n"
            f"Connection: {'keep-alive' if lasting else 'close'}\r\n{fields}\r\n"
        )
        return head.encode("latin-1") + body, lasting

    def _through(self, request: Any, conn: Any) -> Whole:
        """What the application says to a request's environment."""
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            told[:] = (status, headers)

        parts: Iterable[bytes] = self._app(self._environ(request, conn), start)
        status, headers = told
        return Whole(status, headers, parts)

    def _environ(self, request: Any, conn: Any) -> dict[str, Any]:
        """A request as the environment of PEP 3333, with the keys that gunicorn gives it."""
        environ = self._base.copy()
        environ["wsgi.input"] = request.body
        environ["wsgi.url_scheme"] = request.scheme
        environ["REQUEST_METHOD"] = request.method
        environ["RAW_URI"] = request.uri
        environ["PATH_INFO"] = _unquoted(request.path)
        environ["QUERY_STRING"] = request.query
        environ["SERVER_PROTOCOL"] = _protocol(request)
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = conn.client[0], str(conn.client[1])
        environ["SERVER_NAME"], environ["SERVER_PORT"] = conn.server[0], str(conn.server[1])
        for name, value in request.headers:
            key = _key(name)
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ


def _received(request: Any, conn: Any) -> Received:
    """A request as the routes without Flask take it, the same as by way of an environment."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        name = name.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Received(
        method=request.method,
        path=request.path,
        headers=without_empty(headers),
        query_string=request.query,
        remote=conn.client[0],
        stream=request.body,
        length=None,  # it is here
        id=new_id("req"),
    )


def _is_plain(fields: str) -> bool:
    """Whether these are lines of plain text: seen faster than all that is allowed."""
    return fields.isascii() and fields.replace("\r\n", "").isprintable()


def _protocol(request: Any) -> str:
    major, minor = request.version
    return f"HTTP/{major}.{minor}"


@lru_cache(maxsize=1024)
def _key(name: str) -> str:
    """The key of a header in the environment (PEP 3333)."""
    key = name.replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


@lru_cache(maxsize=1024)
def _unquoted(path: str) -> str:
    text: str = unquote_to_wsgi_str(path)
    return text


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
