"""One durable POST of the gateway against a bare Flask view under the same gunicorn settings, in one run.

    python -m benchmarks.intake [--requests N] [--rounds N] [--rows N] [--quick] [--own] [--against DIR]
                                [--background-only] [--seconds N]

Both servers run side by side and are measured in turn, so that whatever else the machine does hits
both; figures are medians of the rounds. Client and servers share the cores: wrk drives the closed
loop where it is installed, as it leaves most of them to the servers, else (or with --own) a client in Python.
--against measures the gateway of another checkout, which has a .venv, instead of the bare view.

Most of it is measured without the background worker, as it is about what a post costs. One table is as users
have it: with the worker, for longer than a minute (it wakes once a minute), on texts that say different
things and on texts that nearly say the same, which are the most work to it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import wrk
from benchmarks.load import Run, drive, drive_openly, family, resident
from benchmarks.tables import fill
from gateway.triage.training.seeds import sentences

ROOT = Path(__file__).parent.parent
LENGTH = 40  # words of a text
SEEDS = [text for language, _, _, text in sentences(60) if language in ("en", "nl")]
CONNECTIONS = (1, 8, 32, 64)
BESIDE = 32  # connections beside the background worker
A_SECOND = 2500  # bodies at hand for each second of it, more than two cores take
# gunicorn's own thread worker with the gateway's numbers: what its worker does more is the gateway's cost.
FLOOR = """
from gateway.core.config import Config
from gateway.server.gunicorn_app import Server
from benchmarks.floor import app
class Floor(Server):
    def load_config(self):
        super().load_config()
        for name in ("worker_class", "pre_fork", "post_fork", "child_exit"):
            self.cfg.set(name, "gthread" if name == "worker_class" else self.cfg.settings[name].default)
    def load(self):
        return app
Floor(Config.from_env()).run()
"""


@dataclass
class Target:
    """A running server and what its posts must carry."""

    pid: int
    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/v1/feedback"

    def load(
        self,
        requests: int,
        connections: int,
        start: int,
        *,
        with_wrk: bool = False,
        body: Callable[[int], bytes] | None = None,
        seconds: int = wrk.SECONDS,
    ) -> Run:
        """A closed loop of bodies no other load has sent; every answer must be a 201.

        wrk goes on for so many seconds, and sends one body of its BODIES, or of `requests` when they are
        more, after the other.
        """
        at = (self.pid, self.host, self.port, self.path)
        made = body or body_of
        if with_wrk:
            bodies = [made(start + number) for number in range(max(wrk.BODIES, requests))]
            return wrk.drive(*at, bodies, self.headers, connections=connections, seconds=seconds)
        run = drive(
            *at,
            lambda n: made(start + n),
            self.headers,
            connections=connections,
            requests=requests,
        )
        assert set(run.statuses) == {201}, run.statuses
        return run


@contextmanager
def started(command: list[str], environ: dict[str, str], root: Path = ROOT) -> Iterator[tuple[int, str, int]]:
    """A server's pid, host and port, until the block ends."""
    process = subprocess.Popen(command, env=environ, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr or ():
            if found := re.search(r"http://([\d.]+):(\d+)", line):
                yield process.pid, found[1], int(found[2])
                break
    finally:
        process.terminate()
        process.communicate(timeout=60)


def body_of(number: int) -> bytes:
    """A body of forty words that says something else than every other: sentences of the project's own."""
    dice = random.Random(number)
    words: list[str] = []
    while len(words) < LENGTH:
        words += dice.choice(SEEDS).split()
    return json.dumps({"projectId": "bench", "text": " ".join(words[:LENGTH]), "page": "/invoices"}).encode()


def alike_body_of(number: int) -> bytes:
    """A body that says nearly the same as every other: of its forty words three are its own."""
    dice = random.Random(number)
    words = " ".join(SEEDS).split()[:LENGTH]
    for place in (8, 16, 24):
        words[place] = f"{dice.choice(SEEDS).split()[0]}{chr(97 + dice.randrange(26))}"
    return json.dumps({"projectId": "bench", "text": " ".join(words), "page": "/invoices"}).encode()


def environ_of(directory: str, workers: int) -> dict[str, str]:
    """The settings of both servers."""
    return {
        **os.environ,
        "GATEWAY_DATABASE_URL": f"sqlite:///{directory}/gateway.db",
        "GATEWAY_RATE_LIMIT": "100000000/minute",
        "GATEWAY_BACKGROUND": "off",  # but for the table that is about it
        "GATEWAY_BIND": "127.0.0.1:0",
        "GATEWAY_WORKERS": str(workers),
        "GATEWAY_LOG_LEVEL": "warning",
    }


@contextmanager
def gateway(workers: int, rows: int = 0, root: Path = ROOT) -> Iterator[Target]:
    """A gateway, maybe another checkout's, on a new database that holds so many records already."""
    with tempfile.TemporaryDirectory() as directory, serving(directory, workers, rows, root) as target:
        yield target


@contextmanager
def serving(
    directory: str, workers: int, rows: int = 0, root: Path = ROOT, **settings: str
) -> Iterator[Target]:
    """A gateway whose files are in a directory; `settings` are environment variables."""
    environ = {**environ_of(directory, workers), **settings}
    command = [sys.executable if root == ROOT else f"{root}/.venv/bin/python", "-m", "gateway.cli"]
    made = subprocess.run(
        [*command, "init", "--json"], env=environ, cwd=root, capture_output=True, check=True
    )
    headers = {
        "Authorization": f"Bearer {json.loads(made.stdout)['key']}",
        "Content-Type": "application/json",
    }
    if rows:
        with started([*command, "serve"], environ, root) as at:
            Target(*at, headers).load(1, 1, -1)
        fill(environ["GATEWAY_DATABASE_URL"], rows, time.time_ns() // 1_000_000, SEEDS)
    with started([*command, "serve"], environ, root) as at:
        yield Target(*at, headers)


@contextmanager
def floor(workers: int) -> Iterator[Target]:
    """The bare Flask view."""
    with (
        tempfile.TemporaryDirectory() as directory,
        started([sys.executable, "-c", FLOOR], environ_of(directory, workers)) as at,
    ):
        yield Target(*at, {"Content-Type": "application/json"})


def side_by_side(workers: int, requests: int, rounds: int, *, with_wrk: bool) -> None:
    """Throughput, CPU and latency of both servers at every number of connections."""
    with ExitStack() as stack:
        targets = [stack.enter_context(floor(workers)), stack.enter_context(gateway(workers))]
        for target in targets:
            target.load(500, 8, 10_000_000)
        start = 0
        for connections in CONNECTIONS:
            taken: list[tuple[Run, Run]] = []
            for _ in range(rounds):
                bare, ours = (
                    target.load(requests, connections, start, with_wrk=with_wrk) for target in targets
                )
                taken.append((bare, ours))
                start += wrk.BODIES if with_wrk else requests
            rate = median(ours.rate / bare.rate for bare, ours in taken)
            cost = median(ours.cpu_ms / bare.cpu_ms for bare, ours in taken)
            tail = median(ours.percentile(99) / ours.percentile(50) for _, ours in taken)
            ours_p50, ours_p99 = (median(o.percentile(p) for _, o in taken) for p in (50, 99))
            print(
                f"{workers:7} {connections:5} | {median(b.rate for b, _ in taken):7.0f} "
                f"{median(o.rate for _, o in taken):9.0f} {rate:5.2f} | "
                f"{median(b.cpu_ms for b, _ in taken):8.2f} {median(o.cpu_ms for _, o in taken):10.2f} "
                f"{cost:5.2f}       | {ours_p50:6.1f} {ours_p99:6.1f} {tail:7.1f} | "
                f"{max(o.resident for _, o in taken) / 1e6:.0f}",
                flush=True,
            )


def against(root: Path, requests: int, rounds: int, *, with_wrk: bool) -> None:
    """Throughput and latency beside those of another checkout, as shares of its own."""
    print("conns | other/s here/s ratio | CPU ms other here ratio | p99 ms other here ratio")
    with gateway(2, root=root) as other, gateway(2) as here:
        for target in (other, here):
            target.load(500, 8, 10_000_000)
        start = 0
        for connections in (8, 32, 64):
            taken: list[tuple[Run, ...]] = []
            for number in range(rounds):
                turn = (other, here) if number % 2 else (here, other)  # neither is always the first
                runs = [target.load(requests, connections, start, with_wrk=with_wrk) for target in turn]
                taken.append(tuple(runs if number % 2 else runs[::-1]))
                start += wrk.BODIES if with_wrk else requests
            columns: list[Callable[[Run], float]] = [
                lambda run: run.rate,
                lambda run: run.cpu_ms,
                lambda run: run.percentile(99),
            ]
            shown = [
                f"{median(of(a) for a, _ in taken):8.2f} {median(of(b) for _, b in taken):8.2f} "
                f"{median(of(b) / of(a) for a, b in taken):5.2f}"
                for of in columns
            ]
            print(f"{connections:5} | {' | '.join(shown)}", flush=True)


def beside_background(seconds: int, *, with_wrk: bool) -> None:
    """Latency while the background worker signs, compares and groups what comes, and how far that comes."""
    print(
        f"with the background worker, 2 workers, {BESIDE} connections, {seconds} s each:\n"
        "texts  | posts/s | p50 ms p99 ms p99/p50 | stored, of them signed meanwhile"
    )
    for kind, body in (("varied", body_of), ("alike", alike_body_of)):
        with (
            tempfile.TemporaryDirectory() as directory,
            serving(directory, 2, GATEWAY_BACKGROUND="on") as target,
        ):
            target.load(500, 8, 10_000_000, body=body)
            requests = seconds * (A_SECOND if with_wrk else A_SECOND // 4)
            run = target.load(requests, BESIDE, 0, with_wrk=with_wrk, body=body, seconds=seconds)
            with closing(sqlite3.connect(f"{directory}/gateway.db")) as database:
                counts = [
                    database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
                    for table in ("feedback", "signature")
                ]
        p50, p99 = run.percentile(50), run.percentile(99)
        print(
            f"{kind:6} | {run.rate:7.0f} | {p50:6.1f} {p99:6.1f} {p99 / p50:7.1f} | "
            f"{counts[0]:,}, {counts[1]:,}",
            flush=True,
        )


def open_loop(requests: int) -> None:
    """Latency from the moment a request was due, at half of what the gateway can do."""
    with gateway(2) as target:
        target.load(500, 8, 10_000_000)
        most = target.load(requests, 32, 0).rate
        run = drive_openly(
            target.host,
            target.port,
            target.path,
            lambda n: body_of(requests + n),
            target.headers,
            rate=most / 2,
            requests=requests,
        )
    print(
        f"open loop, 2 workers, {most / 2:.0f} posts/s (half of {most:.0f}): "
        f"p50 {run.percentile(50):.1f} ms, p99 {run.percentile(99):.1f} ms, statuses {run.statuses}"
    )


def full_table(requests: int, rounds: int, rows: int) -> None:
    """The same post on an empty table and on a full one."""
    with gateway(1) as empty, gateway(1, rows) as full:
        for target in (empty, full):
            target.load(500, 8, 10_000_000)
        taken = []
        for number in range(rounds):
            taken.append([t.load(requests, 32, number * requests) for t in (empty, full)])
        print(
            f"{rows:,} records stored against none: CPU {median(b.cpu_ms / a.cpu_ms for a, b in taken):.2f}, "
            f"throughput {median(b.rate / a.rate for a, b in taken):.2f}, "
            f"p99 {median(b.percentile(99) / a.percentile(99) for a, b in taken):.2f} times"
        )


def cold_start() -> None:
    """From the command to the first answer, and what a worker holds then."""
    with tempfile.TemporaryDirectory() as directory:
        environ = environ_of(directory, 2)
        begun = time.perf_counter()
        with started([sys.executable, "-m", "gateway.cli", "serve"], environ) as (pid, host, port):
            at = (host, port, "/readyz")
            while not drive_openly(*at, lambda n: b"", {}, rate=1e3, requests=1, method="GET").statuses.get(
                200
            ):
                pass
            seconds = time.perf_counter() - begun
            print(
                f"cold start: {seconds:.1f} s to the first answer, on a new database; "
                f"{len(family(pid)) - 1} workers of {resident(pid) / 1e6:.0f} MB"
            )


def main() -> None:
    """Prints a line for each number of workers and connections, then the other measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="the table only, with one worker")
    parser.add_argument("--own", action="store_true", help="the project's own client also where wrk is")
    parser.add_argument("--background-only", action="store_true", help="the background worker's table only")
    parser.add_argument("--seconds", type=int, default=130, help="of each row of that table")
    parser.add_argument("--against", type=Path, help="another checkout: the table only, two workers")
    asked = parser.parse_args()
    with_wrk = wrk.installed() and not asked.own
    client = "wrk" if with_wrk else "the project's own client"
    much = f"{wrk.SECONDS} seconds" if with_wrk else f"{asked.requests} posts"
    print(f"{asked.rounds} rounds of {much} of a 40-word text by {client}, closed loop, empty tables.\n")
    if asked.against:
        against(asked.against.resolve(), asked.requests, asked.rounds, with_wrk=with_wrk)
        return
    if asked.background_only:
        beside_background(asked.seconds, with_wrk=with_wrk)
        return
    print(
        "workers conns | floor/s gateway/s ratio | floor ms gateway ms ratio (CPU) | "
        "p50 ms p99 ms p99/p50 | MB"
    )
    for workers in (1,) if asked.quick else (1, 2):
        side_by_side(workers, asked.requests, asked.rounds, with_wrk=with_wrk)
    if not asked.quick:
        print()
        beside_background(asked.seconds, with_wrk=with_wrk)
        print()
        open_loop(asked.requests)
        full_table(asked.requests, asked.rounds, asked.rows)
        cold_start()


if __name__ == "__main__":
    main()
