"""Raw connections of clients that send what they like, in pieces, and read while they send."""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.server.attack import Attack

PATIENCE = 10.0  # seconds until a connection is taken for hanging
PIECE = 16_384
_RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: on, 0 seconds


@dataclass
class Heard:
    """What a client heard, and how it ended: `eof`, `reset`, `enough`, `left` by itself, or
    `nothing` when time was over."""

    data: bytes
    end: str
    sent: int


def pieces(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Cuts bytes at random places, sometimes into very small pieces."""
    most = rng.choice((1, 3, 40, 700, PIECE, PIECE)) if len(data) < 4_000 else rng.choice((1_000, PIECE))
    at = 0
    while at < len(data):
        size = rng.randint(1, most)
        yield data[at : at + size]
        at += size


def converse(
    address: tuple[str, int],
    attack: Attack,
    rng: random.Random,
    *,
    patience: float = PATIENCE,
    enough: Callable[[bytes], bool] | None = None,
) -> Heard:
    """Sends an attack and returns what came until the other side ended, or there is `enough` of it."""
    heard = bytearray()
    parts = list(pieces(attack.data, rng))
    sent = 0
    end = time.monotonic() + patience
    with socket.create_connection(address, timeout=patience) as sock, selectors.DefaultSelector() as poller:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        poller.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while True:
            events = {event for _, event in poller.select(max(0.0, end - time.monotonic()))}
            if not events:
                return Heard(bytes(heard), "nothing", sent)
            (event,) = events
            try:
                if event & selectors.EVENT_READ:
                    data = sock.recv(65_536)
                    heard += data
                    if not data:
                        return Heard(bytes(heard), "eof", sent)
                    if enough is not None and enough(bytes(heard)):
                        return Heard(bytes(heard), "enough", sent)
                if event & selectors.EVENT_WRITE and parts:
                    done = sock.send(parts[0])
                    sent += done
                    parts[0] = parts[0][done:]
                    if not parts[0]:
                        parts.pop(0)
            except BlockingIOError:
                continue
            except OSError:  # reset, or sent to an end that does not listen any more
                return Heard(bytes(heard) + _left(sock), "reset", sent)
            if not parts and event & selectors.EVENT_WRITE:
                poller.modify(sock, selectors.EVENT_READ)
                if attack.end == "half":
                    with suppress(OSError):  # the other side has ended it already
                        sock.shutdown(socket.SHUT_WR)
                elif attack.end == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    return Heard(bytes(heard), "left", sent)
                elif attack.end == "close":
                    return Heard(bytes(heard), "left", sent)


def _left(sock: socket.socket) -> bytes:
    """What had come before a connection was reset."""
    data = b""
    with suppress(OSError):
        while more := sock.recv(65_536):
            data += more
    return data
