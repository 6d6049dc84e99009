"""Connections to the checked addresses of a host, and the time at which they end."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache
from http.client import HTTPException

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from gateway.core.outbound_rules import Rules, Target

TRIED = 4  # addresses of a host
LEAST = 0.001  # seconds for one of them: a socket takes none for not waiting at all
RESOLVING = 16  # names at a time: the system's resolver cannot be interrupted

_resolving = threading.BoundedSemaphore(RESOLVING)


class Unreachable(Exception):
    """No answer; the message says why. To try again later may help."""


class Deadline:
    """Ends a connection after so many seconds, whatever the other side sends in the meantime.

    A socket's own timeout begins anew with each byte.
    """

    def __init__(self, connection: HTTPConnection, end: float, seconds: float) -> None:
        """Ends it at `end`, on the monotonic clock; that is so many seconds after the request began."""
        # The socket itself: a connection forgets it with the head of an answer that ends with it.
        self._sock, self._seconds, self._over = connection.sock, seconds, False
        self._timer = threading.Timer(max(0.0, end - time.monotonic()), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        self._over = True
        with suppress(OSError):  # it is closed
            # Not TLS's own way, which would wait for the other side.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        self._timer.cancel()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Has whatever fails in the block be Unreachable, in words."""
        try:
            yield
        except (HTTPError, HTTPException, OSError) as error:
            raise Unreachable(self._late() if self._over else _reason(error)) from None
        if self._over:  # a connection that was cut looks like the end of an answer
            raise Unreachable(self._late())

    def _late(self) -> str:
        return f"did not answer in {self._seconds:g} seconds"


def connected(target: Target, addresses: list[str], patience: float) -> HTTPConnection:
    """A connection to the first of the checked addresses that takes one, in so many seconds in all."""
    end = time.monotonic() + patience
    why = "did not answer in time"
    for address in addresses[:TRIED]:
        try:
            sock = _opened(target, address, end)
        except OSError as error:
            why = _reason(error)
            continue
        connection = HTTPConnection(target.host, target.port, timeout=None)
        # It opens none itself, neither now nor later: that would resolve the name anew.
        connection.sock, connection.auto_open = sock, 0
        return connection
    raise Unreachable(why)


def _opened(target: Target, address: str, end: float) -> socket.socket:
    sock = socket.create_connection((address, target.port), max(end - time.monotonic(), LEAST))
    if target.scheme == "https":
        sock.settimeout(max(end - time.monotonic(), LEAST))
        sock = tls().wrap_socket(sock, server_hostname=target.host)
    sock.settimeout(None)  # from here on a Deadline ends it
    return sock


def is_numeric(rules: Rules, target: Target) -> bool:
    """Whether a host is an address in any spelling, which is checked without a look-up. Raises Forbidden."""
    try:
        found = _look_up(target, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    for address in found:
        rules.check(target, address)
    return True


def addresses_of(rules: Rules, target: Target, patience: float) -> list[str]:
    """The addresses that a host leads to, all of them checked. Raises Forbidden and Unreachable."""
    end = time.monotonic() + patience
    if not _resolving.acquire(timeout=patience):
        raise Unreachable("its name could not be resolved in time")
    found: Future[list[str]] = Future()
    threading.Thread(target=_resolve, args=(target, found), daemon=True).start()
    try:
        addresses = found.result(max(0.0, end - time.monotonic()))
    except TimeoutError:
        raise Unreachable("its name could not be resolved in time") from None
    except (OSError, UnicodeError):
        raise Unreachable("its name cannot be resolved") from None
    for address in addresses:
        rules.check(target, address)
    return addresses


def _look_up(target: Target, flags: int = 0) -> list[str]:
    entries = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _resolve(target: Target, found: Future[list[str]]) -> None:
    try:
        found.set_result(_look_up(target))
    except (OSError, UnicodeError) as error:  # raised where the result is waited for
        found.set_exception(error)
    finally:
        _resolving.release()


@cache
def tls() -> ssl.SSLContext:
    """The system's certificate authorities; SSL_CERT_FILE names others, as everywhere."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: Exception) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None and isinstance(cause, HTTPError):
        cause = cause.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"has no valid certificate: {cause.verify_message.rstrip('.')}"
    if isinstance(cause, ssl.SSLError):
        return f"does not speak TLS: {cause.reason or 'it ended the handshake'}"
    if isinstance(cause, TimeoutError):
        return "did not answer in time"
    if isinstance(cause, ConnectionRefusedError):
        return "takes no connections"
    if isinstance(cause, OSError):
        return "broke off the connection"
    return "did not answer in HTTP"
