"""Requests to addresses that users gave: the one way in which the gateway sends or fetches anything there.

The host is resolved, each of its addresses is checked, and the connection goes to one of those that were
checked, so that a name which means something else a moment later changes nothing. Certificate, SNI and Host
are those of the name. Redirects are not followed; no proxy, cookie or credential of the environment is used:
a proxy would resolve the name itself, and what it then connects to nobody has checked.

Each call blocks its thread, in the background worker. In a server's shared thread only `check` is called,
which resolves aside (gateway.core.cooperative).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from urllib3.response import HTTPResponse

from gateway import __version__
from gateway.core.config import Config
from gateway.core.cooperative import aside
from gateway.core.outbound_connection import Deadline, Unreachable, addresses_of, connected, is_numeric
from gateway.core.outbound_rules import Forbidden, Rules

__all__ = [
    "Answer",
    "Forbidden",
    "Refused",
    "TooLarge",
    "Unreachable",
    "check",
    "check_unguarded",
    "connect",
    "fetch",
    "request",
]

CONNECT = 5.0  # seconds to resolve a name, and as many again to connect
TIMEOUT = 10.0  # seconds for a request, answer included
FETCH = 60.0  # seconds to fetch a file
ANSWER = 65_536  # bytes of an answer that are read
CHUNK = 65_536  # bytes

CHECKED = 2  # names of URLs that are only checked, at a time

_rules = Rules()
_unguarded = False
_checking = threading.BoundedSemaphore(CHECKED)


class TooLarge(Exception):
    """A file of more bytes than may be fetched."""


class Refused(Exception):
    """An answer that brings no file."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}" + (", and is not followed" if 300 <= status < 400 else ""))
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: names of headers in lower case, and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def connect(config: Config) -> None:
    """Sets what may be sent to: GATEWAY_OUTBOUND_ALLOW, _PRIVATE and _APPRISE."""
    global _rules, _unguarded
    _unguarded = config.outbound_apprise == "on"
    _rules = Rules.parse(config.outbound_allow, config.outbound_private == "on")


def check(url: str) -> None:
    """Raises Forbidden for a URL that nothing would be sent to now.

    A name that cannot be resolved now is not refused: that may pass, and whatever is sent is checked again.
    Nor is one for which nobody is free to ask: names whose servers do not answer hold up CHECKED requests of
    a process and no more.
    """
    target = _rules.read(url)
    if is_numeric(_rules, target) or not _checking.acquire(blocking=False):
        return
    try:
        with suppress(Unreachable):
            aside(addresses_of, _rules, target, CONNECT)
    finally:
        _checking.release()


def check_unguarded() -> None:
    """Raises Forbidden unless Apprise may connect by itself, past all that is checked here."""
    if not _unguarded:
        raise Forbidden("needs GATEWAY_OUTBOUND_APPRISE=on: Apprise connects to whatever an address names")


def request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    timeout: float = TIMEOUT,
    most: int = ANSWER,
    connect: float = CONNECT,
) -> Answer:
    """Sends a request and reads the first `most` bytes of the answer, within `timeout` seconds in all.

    What of the body has not come by then is left out: the status has been told.
    Raises Forbidden, Unreachable.
    """
    with _answered(method, url, headers, body, timeout, connect) as answer:
        read = bytearray()
        with suppress(Unreachable):
            for chunk in answer.chunks():
                read += chunk
                if len(read) >= most:
                    break
        return Answer(answer.response.status, answer.headers(), bytes(read[:most]))


@contextmanager
def fetch(
    url: str, most: int, headers: Mapping[str, str] | None = None, *, timeout: float = FETCH
) -> Iterator[Iterator[bytes]]:
    """The bytes of a file, in chunks, within `timeout` seconds in all.

    Raises Forbidden, Unreachable, Refused (any status but 200) and TooLarge (more than `most` bytes), the
    last as soon as it is known: at the beginning if the other side says so, else with the chunk that is too
    much. A file that breaks off is Unreachable.
    """
    with _answered("GET", url, headers or {}, None, timeout, CONNECT) as answer:
        if answer.response.status != 200:
            raise Refused(answer.response.status)
        length = answer.headers().get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise TooLarge(f"has {int(length)} bytes, of at most {most}")
        yield _at_most(answer.chunks(), most)


def _at_most(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    left = most
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise TooLarge(f"has more than {most} bytes")
        yield chunk


@dataclass(frozen=True, slots=True)
class _Answered:
    response: HTTPResponse
    deadline: Deadline

    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.response.headers.items()}

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes, as it was encoded: nothing grows here."""
        while True:
            with self.deadline.told():
                chunk = self.response.read1(CHUNK, decode_content=False)
            if not chunk:
                return
            yield chunk


@contextmanager
def _answered(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float, patience: float
) -> Iterator[_Answered]:
    end = time.monotonic() + timeout
    target = _rules.read(url)
    addresses = addresses_of(_rules, target, min(patience, timeout))
    connection = connected(target, addresses, min(patience, end - time.monotonic()))
    sent = {
        "Host": target.authority,
        "Accept-Encoding": "identity",
        "User-Agent": f"feedback-gateway/{__version__}",
    }
    with closing(connection), closing(Deadline(connection, end, timeout)) as deadline:
        with deadline.told():
            connection.request(
                method, target.path, body, {**sent, **headers}, preload_content=False, decode_content=False
            )
            response = connection.getresponse()
        with closing(response):
            yield _Answered(response, deadline)
