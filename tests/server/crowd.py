"""Many connections at once that never stop sending, and what that costs a worker."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import Server

PIECE = 4_096  # bytes that each sends before any sends more
PATIENCE = 25.0  # seconds until connections are taken for hanging


@dataclass
class Sender:
    """A client that sends a beginning, and then the same over and over, until it is answered.

    `repeated` may be empty: then it is an ordinary client. `end` is how the connection ended.
    """

    beginning: bytes
    repeated: bytes = b""
    most: int = 0  # bytes that it sends at the most
    sent: int = 0
    heard: bytearray = field(default_factory=bytearray)
    end: str = ""

    def piece(self) -> bytes:
        """What to send next; nothing when it has sent enough, or somebody answers."""
        if self.heard or self.end:
            return b""
        if self.sent < len(self.beginning):
            return self.beginning[self.sent : self.sent + PIECE]
        if self.sent >= self.most or not self.repeated:
            return b""
        at = (self.sent - len(self.beginning)) % len(self.repeated)
        times = PIECE // len(self.repeated) + 2
        return (self.repeated * times)[at : at + PIECE]


def crowd(address: tuple[str, int], senders: Sequence[Sender]) -> None:
    """Has all of them send at once, in turns, until every connection has ended."""
    end = time.monotonic() + PATIENCE
    with ExitStack() as stack:
        poller = stack.enter_context(selectors.DefaultSelector())
        waiting: dict[socket.socket, Sender] = {}
        for sender in senders:
            sock = stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
            sock.setblocking(False)
            poller.register(sock, selectors.EVENT_READ)
            waiting[sock] = sender
        while waiting and time.monotonic() < end:
            active = False
            for sock, sender in [*waiting.items()]:
                active |= _send(sock, sender)
            for key, _ in poller.select(0.0 if active else 1.0):
                sock = key.fileobj  # type: ignore[assignment]
                _receive(sock, waiting[sock])
            for sock, sender in [*waiting.items()]:
                if sender.end:
                    poller.unregister(sock)
                    sock.close()
                    del waiting[sock]
        for sender in waiting.values():
            sender.end = "nothing"


def _send(sock: socket.socket, sender: Sender) -> bool:
    """Sends a piece; whether there was one to send."""
    piece = sender.piece()
    if piece:
        try:
            sender.sent += sock.send(piece)
        except BlockingIOError:
            return False
        except OSError:
            _receive(sock, sender)
            sender.end = sender.end or "reset"
    return bool(piece)


def _receive(sock: socket.socket, sender: Sender) -> None:
    try:
        data = sock.recv(65_536)
    except BlockingIOError:
        return
    except OSError:
        sender.end = "reset"
        return
    sender.heard += data
    if not data:
        sender.end = "eof"


def workers(server: Server) -> list[int]:
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def forget_peak(pid: int) -> None:
    """Lets a process's peak begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """The most bytes of memory that a process had since its peak began."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
