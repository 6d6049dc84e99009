"""One durable POST of the gateway against a bare Flask view under the same gunicorn, in one run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import Run, drive

ROOT = Path(__file__).parent.parent
WORDS = (
    "When I open the invoices page on my phone the list stays empty after the last update, although the same "
    "account shows every invoice on my laptop, so I cannot send the reminders that are due today to customers"
)
CONNECTIONS = (1, 8, 32, 64)
REQUESTS = 3_000
FLOOR = """
from gateway.config import Config
from gateway.serve import Server
from benchmarks.floor import app
class Floor(Server):
    def load(self):
        return app
Floor(Config.from_env()).run()
"""


@contextmanager
def started(command: list[str], environ: dict[str, str]) -> Iterator[tuple[int, str, int]]:
    """A server's pid, host and port, until the block ends."""
    process = subprocess.Popen(command, env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr or ():
            if found := re.search(r"http://([\d.]+):(\d+)", line):
                yield process.pid, found[1], int(found[2])
                break
    finally:
        process.terminate()
        process.communicate(timeout=60)


def body_of(number: int) -> bytes:
    """A body of about forty words that differs from every other."""
    return json.dumps({"projectId": "bench", "text": f"{WORDS} ({number})", "page": "/invoices"}).encode()


def measure(workers: int) -> dict[str, dict[int, Run]]:
    """Both servers with this many workers, at every number of connections."""
    runs: dict[str, dict[int, Run]] = {}
    with tempfile.TemporaryDirectory() as directory:
        environ = {
            **os.environ,
            "GATEWAY_DATABASE_URL": f"sqlite:///{directory}/gateway.db",
            "GATEWAY_RATE_LIMIT": "100000000/minute",
            "GATEWAY_BIND": "127.0.0.1:0",
            "GATEWAY_WORKERS": str(workers),
            "GATEWAY_LOG_LEVEL": "warning",
        }
        gateway = [sys.executable, "-m", "gateway.cli"]
        made = subprocess.run(
            [*gateway, "init", "--json"], env=environ, cwd=ROOT, capture_output=True, check=True
        )
        key = json.loads(made.stdout)["key"]
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        commands = {"floor": [sys.executable, "-c", FLOOR], "gateway": [*gateway, "serve"]}
        for name, command in commands.items():
            with started(command, environ) as (pid, host, port):
                load: Callable[..., Run] = lambda n, c, at=(pid, host, port): drive(  # noqa: E731
                    *at, "/v1/feedback", body_of, headers, connections=c, requests=n
                )
                load(300, 8)
                runs[name] = {connections: load(REQUESTS, connections) for connections in CONNECTIONS}
    return runs


def main() -> None:
    """Prints a line for each number of workers and connections."""
    print(f"{REQUESTS} posts of a 40-word text each; closed loop, client and server on the same cores.\n")
    print("workers conns | floor/s gateway/s ratio | floor ms gateway ms ratio (CPU) | p50 ms p99 ms | MB")
    for workers in (1, 2):
        runs = measure(workers)
        for connections in CONNECTIONS:
            floor, gateway = runs["floor"][connections], runs["gateway"][connections]
            assert gateway.statuses == {201: REQUESTS}, gateway.statuses
            print(
                f"{workers:7} {connections:5} | {floor.rate:7.0f} {gateway.rate:9.0f} "
                f"{gateway.rate / floor.rate:5.2f} | {floor.cpu_ms:8.2f} {gateway.cpu_ms:10.2f} "
                f"{gateway.cpu_ms / floor.cpu_ms:5.2f}       | {gateway.percentile(50):6.1f} "
                f"{gateway.percentile(99):6.1f} | {gateway.resident / 1e6:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
