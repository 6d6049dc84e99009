"""Batches against single posts over the same server in one run, and the import of a large file.

    python -m benchmarks.batch [--records N] [--size N] [--rounds N] [--rows N] [--quick]

Both kinds of request carry the same texts of forty words, no two the same; they are sent in turn, so
that whatever else the machine does hits both. Figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks.intake import ROOT, Target, body_of, environ_of, gateway
from benchmarks.load import Run, drive

SINGLE, BATCH = "/gateway/v1/feedback", "/gateway/v1/feedback/batch"
CONNECTIONS = (1, 8)


def item_of(number: int) -> bytes:
    """A native item that says something else than every other."""
    sent = json.loads(body_of(number))
    return json.dumps({"text": sent["text"], "subject": {"page": sent["page"]}}).encode()


def posted(target: Target, bodies: list[bytes], path: str, connections: int, packed: bool = False) -> Run:
    """All bodies posted in a closed loop; every answer must say that all was stored."""
    headers = {**target.headers, **({"Content-Encoding": "gzip"} if packed else {})}
    run = drive(
        target.pid,
        target.host,
        target.port,
        path,
        bodies.__getitem__,
        headers,
        connections=connections,
        requests=len(bodies),
    )
    assert set(run.statuses) <= {200, 201}, run.statuses
    return run


def batches(numbers: Iterator[int], records: int, size: int) -> list[bytes]:
    """NDJSON bodies of `size` items each."""
    return [b"\n".join(item_of(next(numbers)) for _ in range(size)) for _ in range(records // size)]


def against_singles(records: int, size: int, rounds: int) -> None:
    """Records a second of batches and of single posts, with one worker and with two."""
    numbers = count()
    print(f"{rounds} rounds of {records:,} records in batches of {size}.\n")
    print("workers conns | single/s batch/s ratio | CPU ms a record: single batch | a batch: p50 p99 ms")
    for workers in (1, 2):
        with gateway(workers) as target:
            posted(target, [item_of(next(numbers)) for _ in range(300)], SINGLE, 8)
            posted(target, batches(numbers, 5 * size, size), BATCH, 2)
            for connections in CONNECTIONS:
                taken: list[tuple[Run, Run]] = []
                for _ in range(rounds):
                    one = posted(
                        target, [item_of(next(numbers)) for _ in range(records // 5)], SINGLE, connections
                    )
                    many = posted(target, batches(numbers, records, size), BATCH, connections)
                    taken.append((one, many))
                ratio = median(many.rate * size / one.rate for one, many in taken)
                print(
                    f"{workers:7} {connections:5} | {median(one.rate for one, _ in taken):8.0f} "
                    f"{median(many.rate * size for _, many in taken):7.0f} {ratio:5.1f} | "
                    f"{median(one.cpu_ms for one, _ in taken):22.2f} "
                    f"{median(many.cpu_ms / size for _, many in taken):5.2f} | "
                    f"{median(many.percentile(50) for _, many in taken):16.0f} "
                    f"{median(many.percentile(99) for _, many in taken):4.0f}",
                    flush=True,
                )


def large() -> None:
    """One batch of 10,000 records, plain and packed."""
    numbers = count(50_000_000)
    with gateway(2) as target:
        posted(target, [item_of(next(numbers)) for _ in range(300)], SINGLE, 8)
        for name, pack in (("plain", bytes), ("gzip", gzip.compress)):
            (body,) = batches(numbers, 10_000, 10_000)
            sent = pack(body)
            run = posted(target, [sent], BATCH, 1, packed=name == "gzip")
            print(
                f"10,000 records at once, {name} ({len(sent) / 1e6:.1f} MB): {max(run.latencies):.1f} s, "
                f"largest worker {run.resident / 1e6:.0f} MB"
            )


def imported(rows: int) -> None:
    """A file through `feedback-gateway import`: time, memory and what is stored in the end."""
    with tempfile.TemporaryDirectory() as directory:
        environ, path = environ_of(directory, 1), Path(directory) / "feedback.ndjson"
        with path.open("wb") as file:
            for number in range(rows):
                file.write(item_of(100_000_000 + number) + b"\n")
        command = [sys.executable, "-m", "gateway.cli"]
        subprocess.run([*command, "init"], env=environ, cwd=ROOT, capture_output=True, check=True)
        begun = time.perf_counter()
        with subprocess.Popen(
            [*command, "import", str(path), "--json"], env=environ, cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        with sqlite3.connect(Path(directory) / "gateway.db") as database:
            (stored,) = database.execute("SELECT COUNT(*) FROM feedback").fetchone()
        megabytes = used.ru_maxrss * 1024 / 1e6
        print(
            f"import of {rows:,} rows: {stored:,} stored, exit code {process.returncode}, {seconds:.0f} s "
            f"({rows / seconds:,.0f} records/s), peak {megabytes:.0f} MB resident"
        )
        export(environ, rows, directory)


def export(environ: dict[str, str], rows: int, directory: str) -> None:
    """The same records written to a file."""
    command = [sys.executable, "-m", "gateway.cli", "export", "-o", f"{directory}/out.csv"]
    begun = time.perf_counter()
    with subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    megabytes = used.ru_maxrss * 1024 / 1e6
    print(f"export of {rows:,} records as CSV: {seconds:.0f} s, peak {megabytes:.0f} MB resident")


def main() -> None:
    """Prints what batches give over single posts, then large batches and the import."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=5000, help="in batches, each round")
    parser.add_argument("--size", type=int, default=100, help="records in a batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=100_000, help="of the imported file")
    parser.add_argument("--quick", action="store_true", help="no large batches, no import")
    asked = parser.parse_args()
    against_singles(asked.records, asked.size, asked.rounds)
    if not asked.quick:
        print()
        large()
        imported(asked.rows)


if __name__ == "__main__":
    main()
