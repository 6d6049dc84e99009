"""Load generators, closed loop and open, and the meters of a server's processes."""

from __future__ import annotations

import http.client
import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Run:
    """What one load gave: latencies in seconds, wall and server CPU time in seconds, bytes resident.

    `requests` is their number, when there are not as many latencies.
    """

    seconds: float
    cpu: float
    resident: int
    latencies: list[float] = field(repr=False)
    statuses: dict[int, int]
    requests: int = 0

    @property
    def rate(self) -> float:
        return (self.requests or len(self.latencies)) / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu * 1000 / (self.requests or len(self.latencies))

    def percentile(self, percent: int) -> float:
        """Milliseconds below which this share of the answers came."""
        return statistics.quantiles(self.latencies, n=100)[percent - 1] * 1000


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants."""
    total = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident(pid: int) -> int:
    """Bytes resident in the largest of the process's descendants."""
    return max(int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in family(pid)) * PAGE


def drive(
    pid: int,
    host: str,
    port: int,
    path: str,
    body_of: Callable[[int], bytes],
    headers: dict[str, str],
    *,
    connections: int,
    requests: int,
) -> Run:
    """Posts `requests` bodies over `connections` kept connections, each waiting for its answer."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    lock = threading.Lock()
    numbers = iter(range(requests))

    def work() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        mine: list[float] = []
        seen: dict[int, int] = {}
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            body = body_of(number)
            started = time.perf_counter()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            mine.append(time.perf_counter() - started)
            seen[answer.status] = seen.get(answer.status, 0) + 1
        connection.close()
        with lock:
            latencies.extend(mine)
            for status, count in seen.items():
                statuses[status] = statuses.get(status, 0) + count

    threads = [threading.Thread(target=work) for _ in range(connections)]
    cpu, started = cpu_seconds(pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    return Run(seconds, cpu_seconds(pid) - cpu, resident(pid), latencies, statuses)


def drive_openly(
    host: str,
    port: int,
    path: str,
    body_of: Callable[[int], bytes],
    headers: dict[str, str],
    *,
    rate: float,
    requests: int,
    method: str = "POST",
) -> Run:
    """Sends `requests` at `rate` a second, however slowly they are answered.

    A latency begins when its request was due, so that waiting for an earlier one counts.
    """
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    lock = threading.Lock()
    numbers = iter(range(requests))
    begun = time.perf_counter()

    def work() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            due = begun + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request(method, path, body_of(number), headers)
            answer = connection.getresponse()
            answer.read()
            with lock:
                latencies.append(time.perf_counter() - due)
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(min(requests, 128))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Run(time.perf_counter() - begun, 0.0, 0, latencies, statuses)
