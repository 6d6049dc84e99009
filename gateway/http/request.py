"""A request of the web server's as the adapters and steps see it: an Inbound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestTimeout
from werkzeug.wrappers import Request
from werkzeug.wsgi import get_content_length, get_input_stream

from adapters.contract import Adapter, Fault, Inbound, Problem, Refused, invalid
from gateway.core.client_address import Network, client_address
from gateway.core.cooperative import aside
from gateway.core.ids import new_id, now_ms
from gateway.http.body import Stream, read_body
from gateway.http.body_stream import pieces_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Large(NamedTuple):
    """How a route reads bodies that are larger than others': see adapters.contract.files.Streamed.

    `limit` is bytes before decompression, of which there may be twice as many after it.
    """

    expects: Callable[[Inbound], bool]
    limit: int


REQUEST_ID = "gateway.request_id"  # in the WSGI environment


def request_id(environ: WSGIEnvironment) -> str:
    """This request's id, made when it is first asked for."""
    made: str | None = environ.get(REQUEST_ID)
    if made is None:
        made = environ[REQUEST_ID] = new_id("req")
    return made


def path_of(environ: WSGIEnvironment) -> str:
    """The path that is asked for, as text."""
    path: str = environ["PATH_INFO"]
    if not path.isascii():
        path = path.encode("latin-1").decode("utf-8", "replace")
    return path if path[:1] == "/" and path[1:2] != "/" else "/" + path.lstrip("/")


def inbound_of(
    environ: WSGIEnvironment,
    adapter: Adapter,
    params: dict[str, str],
    limit: int,
    proxies: tuple[Network, ...] = (),
    admit: Callable[[Inbound], object] | None = None,
    large: Large | None = None,
) -> Inbound:
    """The request as the adapters and steps see it; `proxies` are believed about whom they heard from.

    `admit` looks at it before its body is read, and refuses what is not worth reading; `large` says which
    bodies may have more bytes than `limit`: of such a one only the beginning is read, and it has the `rest`.
    Raises Refused (400, 413, 415) and what reading the body raises.
    """
    headers, asked = headers_of(environ), environ.get("QUERY_STRING", "")
    query = _query(asked) if asked else {}
    inbound = Inbound(
        method=environ["REQUEST_METHOD"],
        path=unprefixed(path_of(environ), adapter.name),
        headers=headers,
        query=query,
        params=params,
        request_id=request_id(environ),
        received_at=now_ms(),
        client=client_address(environ.get("REMOTE_ADDR", ""), headers, proxies),
        query_string=asked.encode("latin-1").decode("utf-8", "replace"),
        aside=aside,
    )
    if admit is not None:
        admit(inbound)
    stream, length = get_input_stream(environ), get_content_length(environ)
    encoding = headers.get("content-encoding", "")
    try:
        known = length is not None and length <= limit and not encoding
        if large is None or known or not large.expects(inbound):
            body = read_body(stream, length, encoding, limit)
        else:
            pieces = pieces_of(_Stream(stream), encoding, large.limit, 2 * large.limit)
            body = _up_to(limit, pieces)
            if len(body) > limit:
                inbound.rest = chain([body], pieces)
    except ClientDisconnected:
        raise Refused(Problem(400, "invalid_json", "Body ended before its Content-Length.")) from None
    inbound.receive(body, now_ms())
    return inbound


class _Stream:
    """A stream whose errors are those of a file's."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """Raises TimeoutError and other OSErrors."""
        try:
            return self._stream.read(size)
        except RequestTimeout as error:
            raise TimeoutError(error.description) from error
        except BadRequest as error:  # it ended early, or is malformed
            raise OSError(error.description) from error


def _up_to(size: int, pieces: Iterator[bytes]) -> bytes:
    """The first pieces: all of them when they have no more bytes than `size`, else some more."""
    taken = bytearray()
    for piece in pieces:
        taken += piece
        if len(taken) > size:
            break
    return bytes(taken)


def headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers by their lower-case names, as PEP 3333 passes them on."""
    headers = {name: value for key, value in environ.items() if (name := _header(key))}
    for name in ("content-type", "content-length"):
        if not headers.get(name, "-"):  # some servers always have these
            del headers[name]
    return headers


@lru_cache(maxsize=1024)
def _header(key: str) -> str:
    """The lower-case name of the header that a key of the environment holds; empty when it holds none."""
    if key.startswith("HTTP_"):
        key = "" if key in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH") else key[5:]
    elif key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = ""
    return key.replace("_", "-").lower()


def unprefixed(path: str, name: str) -> str:
    """The path without the optional `/<dialect>` prefix and without trailing slashes."""
    prefix = f"/{name}/"
    return (path[len(prefix) - 1 :] if path.startswith(prefix) else path).rstrip("/") or "/"


def _query(asked: str) -> dict[str, str]:
    """The query, the last value of each name. Raises Refused (400) for NUL, which no column can hold."""
    query = dict(Request({"QUERY_STRING": asked}).args.items(multi=True))
    for name, value in query.items():
        if "\0" in name or "\0" in value:
            raise invalid(Fault(name.replace("\0", "\ufffd"), "must not contain NUL"))
    return query
