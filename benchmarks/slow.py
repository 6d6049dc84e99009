"""Clients that send a byte now and then: heads, small bodies and large ones that never end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Dripping:
    """How many connections such clients opened; those that the server ends are opened anew."""

    opened: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def dripping(address: tuple[str, int], key: str, clients: int) -> Iterator[Dripping]:
    """Keeps so many slow clients at it until the block ends; each sends four bytes a second."""
    post = f"POST /gateway/v1/feedback HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {key}\r\n"
    beginnings = (
        "POST /v2/feedback HTTP/1.1\r\nX: ",
        f'{post}Content-Length: 9000\r\n\r\n{{"text":"',
        f'{post}Content-Length: 900000\r\n\r\n{{"text":"',
        f'{post}Transfer-Encoding: chunked\r\n\r\nfffff\r\n{{"text":"',
    )
    state = Dripping()

    def drip() -> None:
        socks: list[socket.socket | None] = [None] * clients
        while not state.ended.wait(0.25):
            for number, sock in enumerate(socks):
                try:
                    if sock is None:
                        socks[number] = sock = socket.create_connection(address, timeout=5)
                        sock.send(beginnings[number % len(beginnings)].encode())
                        sock.setblocking(False)
                        state.opened += 1
                    else:
                        sock.send(b"a")
                        with suppress(BlockingIOError):
                            if sock.recv(4096):  # a 408: it starts again
                                raise ConnectionResetError
                except OSError:
                    if sock is not None:
                        sock.close()
                    socks[number] = None
        for sock in socks:
            if sock is not None:
                sock.close()

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield state
    finally:
        state.ended.set()
        thread.join()
