"""SQLite against PostgreSQL with one and two workers, in one run: throughput, latency, CPU of all processes.

    python -m benchmarks.databases [--requests N] [--rounds N] [--connections N]

All four gateways run side by side and are measured in turn, so that whatever else the machine does
hits each; figures are medians of the rounds. Both databases sync every commit. Client, gateways and
PostgreSQL share the cores.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from benchmarks.intake import Target, serving
from benchmarks.load import Run, cpu_seconds
from benchmarks.server import SECRET, Cluster, cluster

WARM = 300  # posts before anything is measured


@contextmanager
def gateway(kind: str, workers: int, server: Cluster) -> Iterator[Target]:
    """A gateway on a new database of a kind, migrated."""
    settings = {"GATEWAY_BACKGROUND": "off", "GATEWAY_SECRET_KEY": SECRET}
    with tempfile.TemporaryDirectory() as directory:
        if kind == "PostgreSQL":
            settings |= {"GATEWAY_DATABASE_URL": server.new(), "GATEWAY_DATA_DIR": directory}
        with serving(directory, workers, **settings) as target:
            yield target


def main() -> None:
    """Prints a line for each kind of database and number of workers, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    asked = parser.parse_args()
    places = [(workers, kind) for workers in (1, 2) for kind in ("SQLite", "PostgreSQL")]
    taken: dict[tuple[int, str], list[tuple[Run, float]]] = {place: [] for place in places}
    with cluster() as server, ExitStack() as stack:
        targets = {
            (workers, kind): stack.enter_context(gateway(kind, workers, server)) for workers, kind in places
        }
        for target in targets.values():
            target.load(WARM, 8, 10_000_000)
        for number in range(asked.rounds):
            for place, target in targets.items():
                before = cpu_seconds(server.pid)
                run = target.load(asked.requests, asked.connections, number * asked.requests)
                taken[place].append((run, (cpu_seconds(server.pid) - before) * 1000 / asked.requests))
    print(
        f"{asked.rounds} rounds of {asked.requests} posts of a 40-word text, "
        f"{asked.connections} connections, closed loop.\n"
    )
    print("workers database   | posts/s | CPU ms/post: gateway server  sum | p50 ms p99 ms | MB")
    for (workers, kind), runs in taken.items():
        ours, theirs = median(run.cpu_ms for run, _ in runs), median(cpu for _, cpu in runs)
        print(
            f"{workers:7} {kind:10} | {median(run.rate for run, _ in runs):7.0f} | "
            f"{ours:20.2f} {theirs:6.2f} {ours + theirs:4.2f} | "
            f"{median(run.percentile(50) for run, _ in runs):6.1f} "
            f"{median(run.percentile(99) for run, _ in runs):6.1f} | "
            f"{max(run.resident for run, _ in runs) / 1e6:.0f}"
        )
    print()
    for workers in (1, 2):
        both = zip(taken[workers, "PostgreSQL"], taken[workers, "SQLite"], strict=True)
        ratio = median(theirs.rate / ours.rate for (theirs, _), (ours, _) in both)
        print(f"PostgreSQL against SQLite, {workers} worker(s): {ratio:.2f} of the throughput")


if __name__ == "__main__":
    main()
