"""Retention in a large table: how fast old records and raw payloads go, and how long anybody waits for it.

    python -m benchmarks.retention [--rows N] [--only sqlite|postgres]

An eighth of the records is removed and the payloads of half of the others, and then there is nothing left
to do, while somebody posts all the time from the same process.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from benchmarks.reading import LIST, options, tables
from gateway.background import retention
from gateway.core import pacing
from models import Project
from models.database.base import writing
from models.queries.retention import projects

RECORDS, PAYLOADS = 79, 39  # days, of ninety


def posts(client: FlaskClient, stop: threading.Event, took: list[float]) -> None:
    """Posts one record after the other until `stop` is set, and notes the seconds of each."""
    while not stop.is_set():
        started = time.perf_counter()
        assert client.post(LIST, json={"text": f"Something {started}"}).status_code == 201
        took.append(time.perf_counter() - started)
        stop.wait(0.005)


def remove(client: FlaskClient) -> None:
    """Removes what is due and prints how that went."""
    transactions: list[float] = []
    waits: list[float] = []

    def transact(work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        done = pacing.transact(work)
        transactions.append(time.perf_counter() - started)
        return done

    stop = threading.Event()
    thread = threading.Thread(target=posts, args=(client, stop, waits))
    thread.start()
    started = time.perf_counter()
    counts = retention.remove(projects()[0], transact)
    seconds = time.perf_counter() - started
    stop.set()
    thread.join()
    told = ", ".join(f"{name} {number:,}" for name, number in counts.items() if number) or "nothing"
    print(f"  {told}: {seconds:.1f} s")
    for name, some in (("transactions", transactions), ("posts meanwhile", waits)):
        if len(some) > 1:
            p50, p99 = (1000 * statistics.quantiles(some, n=100)[n] for n in (49, 98))
            longest = 1000 * max(some)
            print(f"    {len(some):,} {name}: p50 {p50:.1f}, p99 {p99:.1f}, longest {longest:.1f} ms")


def main() -> None:
    """Prints the figures of each database."""
    for _, client in tables(options(__doc__).parse_args()):
        with writing():
            Project.update(retention_days=RECORDS, payload_retention_days=PAYLOADS).execute()
        for _ in range(2):
            remove(client)


if __name__ == "__main__":
    main()
