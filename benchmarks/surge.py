"""An open-loop load from one thread: requests leave when they are due, however slowly they are answered."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Surge:
    """What became of a load: by status when each was due and how long it took, and ids by number."""

    seconds: float = 0.0
    answers: dict[int, list[tuple[float, float]]] = field(default_factory=dict)  # status -> (due, latency)
    ids: dict[int, str] = field(default_factory=dict)
    broken: int = 0
    most_open: int = 0

    def count(self, status: int) -> int:
        return len(self.answers.get(status, []))

    def percentile(self, status: int, percent: float, part: slice = slice(None)) -> float:
        """Milliseconds below which this share of the answers came, of a part of them in time's order."""
        taken = sorted(latency for _, latency in sorted(self.answers.get(status, []))[part])
        return taken[min(len(taken) - 1, int(len(taken) * percent / 100))] * 1000 if taken else 0.0


class _Line:
    """One connection: the number and time of the request it waits for, and what has come of the answer."""

    __slots__ = ("due", "number", "received", "sock")

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address, timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.received = b""
        self.number = 0
        self.due = 0.0


def surge(
    address: tuple[str, int],
    request_of: Callable[[int], bytes],
    *,
    rate: float,
    seconds: float,
    first: int = 0,
) -> Surge:
    """Sends `rate` requests a second for so long, over as many connections as are waiting at once.

    Requests are numbered from `first`. A latency begins when its request was due.
    """
    done = Surge()
    poll = select.epoll()
    lines: dict[int, _Line] = {}
    idle: list[_Line] = []
    total = int(rate * seconds)
    sent = 0
    begun = time.perf_counter()
    last = begun + seconds + 30

    def drop(line: _Line) -> None:
        lines.pop(line.sock.fileno(), None)
        line.sock.close()

    while (sent < total or len(lines) > len(idle)) and time.perf_counter() < last:
        now = time.perf_counter()
        while sent < total and begun + sent / rate <= now:
            line = idle.pop() if idle else None
            try:
                if line is None:
                    line = _Line(address)
                    lines[line.sock.fileno()] = line
                    poll.register(line.sock, select.EPOLLIN)
                line.number, line.due, line.received = first + sent, begun + sent / rate, b""
                line.sock.send(request_of(line.number))
            except OSError:
                done.broken += 1
                if line is not None:
                    drop(line)
            sent += 1
        done.most_open = max(done.most_open, len(lines))
        wait = max(0.0, begun + sent / rate - time.perf_counter()) if sent < total else 0.2
        for number, _ in poll.poll(min(wait, 0.2)):
            line = lines[number]
            try:
                data = line.sock.recv(65_536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                if line in idle:
                    idle.remove(line)
                else:
                    done.broken += 1
                drop(line)
                continue
            line.received += data
            head, _, body = line.received.partition(b"\r\n\r\n")
            lower = head.lower()
            at = lower.find(b"content-length:")
            if at < 0 or len(body) < int(lower[at + 15 :].split(b"\r", 1)[0]):
                continue
            status = int(head[9:12])
            done.answers.setdefault(status, []).append((line.due, time.perf_counter() - line.due))
            if status == 201:
                told = json.loads(body)
                done.ids[line.number] = told.get("id") or told.get("feedback_id")
            if b"connection: close" in lower:
                drop(line)
            else:
                idle.append(line)
    done.seconds = time.perf_counter() - begun
    done.broken += len(lines) - len(idle)
    for line in list(lines.values()):
        drop(line)
    poll.close()
    return done
