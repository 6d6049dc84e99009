"""What a destination costs a POST, and how long a record takes to be told.

    python -m benchmarks.destinations [--requests N] [--rounds N] [--own]

Two gateways without the background worker run side by side, one of them with a destination for every record,
and are measured in turn: what is compared is a POST with its note against one without. Then one gateway
with the worker is sent half of what it can do; one record in MARKED is for a destination that takes it at
once, and the time is told from when its POST was sent until it has arrived.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median, quantiles

from benchmarks import wrk
from benchmarks.intake import Target, body_of, serving
from benchmarks.load import Run, drive_openly

CONNECTIONS = (8, 32, 64)
MARKED = 50
MARK = "/told"  # the page of those
PATIENCE = 60.0  # seconds that what is told may take
ALLOWED = {"GATEWAY_OUTBOUND_ALLOW": "localhost"}


class Arrivals:
    """When each record's delivery has come, by the number that its text begins with."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    @contextmanager
    def listening(self) -> Iterator[int]:
        """The port of a server that takes every delivery, until the block ends."""
        arrived = self.at

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                arrived.setdefault(int(body["data"]["text"].split()[0]), time.perf_counter())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.server_port
            server.shutdown()


def add(target: Target, port: int, chosen: str = "") -> None:
    """Makes a destination of a gateway's."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=60)
    sent = json.dumps({"url": f"http://localhost:{port}/", "filter": chosen})
    connection.request("POST", "/gateway/v1/destinations", sent, target.headers)
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    connection.close()


def cost(requests: int, rounds: int, *, with_wrk: bool) -> None:
    """Throughput, CPU time and latency with a destination, as shares of those without any."""
    print("a destination for every record against none, 2 workers, no background worker:")
    print("conns | posts/s without with ratio | CPU ms without with ratio | p99 ms without with ratio")
    with (
        tempfile.TemporaryDirectory() as first,
        tempfile.TemporaryDirectory() as second,
        serving(first, 2, **ALLOWED) as without,
        serving(second, 2, **ALLOWED) as having,
    ):
        add(having, 9)
        for target in (without, having):
            target.load(500, 8, 10_000_000)
        start = 0
        for connections in CONNECTIONS:
            taken: list[tuple[Run, Run]] = []
            for number in range(rounds):
                turn = (having, without) if number % 2 else (without, having)  # neither is always the first
                runs = [target.load(requests, connections, start, with_wrk=with_wrk) for target in turn]
                taken.append((runs[1], runs[0]) if number % 2 else (runs[0], runs[1]))
                start += wrk.BODIES if with_wrk else requests
            shown = []
            for of in (lambda run: run.rate, lambda run: run.cpu_ms, lambda run: run.percentile(99)):
                before, after = (median(of(runs[place]) for runs in taken) for place in (0, 1))
                ratio = median(of(b) / of(a) for a, b in taken)
                shown.append(f"{before:8.2f} {after:8.2f} {ratio:5.2f}")
            print(f"{connections:5} | {' | '.join(shown)}", flush=True)


def delivery(requests: int) -> None:
    """How long it takes until a record is told, at half load."""
    arrivals, sent_at = Arrivals(), dict[int, float]()

    def numbered(number: int) -> bytes:
        sent = json.loads(body_of(number))
        sent["text"] = f"{number} {sent['text']}"
        if number % MARKED == 0:
            sent["page"] = MARK
            sent_at[number] = time.perf_counter()
        return json.dumps(sent).encode()

    with (
        arrivals.listening() as port,
        tempfile.TemporaryDirectory() as directory,
        serving(directory, 2, GATEWAY_BACKGROUND="on", **ALLOWED) as target,
    ):
        target.load(500, 8, 10_000_000)
        most = target.load(requests, 32, 20_000_000).rate
        add(target, port, f"page={MARK}")
        drive_openly(  # each process comes to know of it
            target.host, target.port, target.path, body_of, target.headers, rate=50, requests=200
        )
        at = (target.host, target.port, target.path, numbered, target.headers)
        drive_openly(*at, rate=most / 2, requests=requests)
        end = time.monotonic() + PATIENCE
        while len(arrivals.at) < len(sent_at) and time.monotonic() < end:
            time.sleep(0.1)
    took = [arrivals.at[number] - sent_at[number] for number in sent_at if number in arrivals.at]
    spread = quantiles(took, n=100)
    print(
        f"half load, {most / 2:.0f} posts/s (half of {most:.0f}), one in {MARKED} told: "
        f"{len(took)} of {len(sent_at)} arrived, p50 {spread[49]:.2f} s, p99 {spread[98]:.2f} s, "
        f"longest {max(took):.2f} s"
    )


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--own", action="store_true", help="the project's own client also where wrk is")
    asked = parser.parse_args()
    cost(asked.requests, asked.rounds, with_wrk=wrk.installed() and not asked.own)
    print()
    delivery(asked.requests)


if __name__ == "__main__":
    main()
