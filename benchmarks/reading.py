"""Reading a large table: lists, searches, numbers and one record, on both kinds of database.

    python -m benchmarks.reading [--rows N] [--only sqlite|postgres] [--explain]

The records came through the gateway's own doors, and no planner was told more than the background worker
tells it (benchmarks.doors). Requests go through the application in this process, without a socket; each is
timed many times, with other values each time. `--explain` writes how each database finds the rows into
docs/query_plans.md.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from benchmarks.doors import BUSY, LIST, MANY, RARE, SOME, fill, moved, work
from gateway.access import bootstrap
from gateway.app import create_app
from gateway.core.config import Config
from models.database.base import close, database
from models.intake import commit
from tests import postgres

STATS = "/gateway/v1/stats"
WORDS = ("bug", "feature", "question", "praise", "other")
TIMES = 100  # requests of each kind
PAGE = Path(__file__).parent.parent / "docs" / "query_plans.md"
MADE = "Made by `python -m benchmarks.reading"

IDS: list[str] = []  # of some records

# What is asked, and for the n-th time how.
QUESTIONS: dict[str, Callable[[int], str]] = {
    "list, newest": lambda n: f"{LIST}?limit={50 + n % 3}",
    "list, two filters": lambda n: f"{LIST}?category={WORDS[n % 5]}&status=open",
    "list, three filters, one rare": lambda n: f"{LIST}?source=orq&status=open&category={WORDS[n % 5]}",
    "list by impact": lambda n: f"{LIST}?sort=-impact&limit={50 + n % 3}",
    "list by impact, two filters": lambda n: f"{LIST}?sort=-impact&category={WORDS[n % 5]}&status=open",
    "list of what is unsure, by doubt": lambda n: (
        f"{LIST}?any_confidence_below=0.6&status=open&sort=-doubt&limit={50 + n % 3}"
    ),
    "search, rare word (1 in 50,000)": lambda n: f"{LIST}?q={RARE}",
    "search, some (1 in 500)": lambda n: f"{LIST}?q={SOME}&limit={50 + n % 3}",
    "search, common word (a quarter)": lambda n: f"{LIST}?q={MANY}&limit={50 + n % 3}",
    "search, common and a filter": lambda n: f"{LIST}?q={MANY}&category={WORDS[n % 5]}",
    "search, no record": lambda n: f"{LIST}?q=nosuchword{n}",
    "stats by day, 90 days": lambda n: f"{STATS}?by=day&since=90d",
    "stats by day and category": lambda n: f"{STATS}?by=day,category&since=90d",
    "stats by day, two filters": lambda n: f"{STATS}?by=day&since=90d&category={WORDS[n % 5]}&status=open",
    "an author": lambda n: f"{LIST}?author=u{n}",
    "an author of one in twenty": lambda n: f"{LIST}?author={BUSY}&limit={50 + n % 3}",
    "one record": lambda n: f"{LIST}/{IDS[n % len(IDS)]}",
    "one record, and what is alike": lambda n: f"{LIST}/{IDS[n % len(IDS)]}?expand=similar",
}


@contextmanager
def databases(only: str | None) -> Iterator[dict[str, str]]:
    """The URLs of an empty database of each kind, until the block ends."""
    with tempfile.TemporaryDirectory() as directory:
        urls = {"sqlite": f"sqlite:///{directory}/gateway.db"}
        if only == "sqlite":
            yield urls
            return
        with postgres.running() as cluster, cluster.database() as url:
            yield {"postgres": url} if only == "postgres" else {**urls, "postgres": url}


@contextmanager
def filled(url: str, rows: int) -> Iterator[FlaskClient]:
    """A client of a gateway that holds so many records; it sends a key."""
    with tempfile.TemporaryDirectory() as directory:
        rate = "100000000/minute"
        config = Config(
            database_url=url, data_dir=directory, secret_key="k" * 40, rate_limit=rate, log_level="error"
        )
        with moved() as move:
            client = create_app(config).test_client()
            key = bootstrap.initialise(None, None)["key"]
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
            started = time.perf_counter()
            IDS[:] = fill(client, rows, move)
        work()
        print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
        yield client
        commit.stop()
        close()


def measure(client: FlaskClient, questions: Mapping[str, Callable[[int], str]]) -> None:
    """Prints a line for each question."""
    print(f"{'':34} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>8}")
    for name, path_of in questions.items():
        taken: list[float] = []
        cpu = 0.0
        for n in range(TIMES + 5):
            started, used = time.perf_counter(), time.process_time()
            answer = client.get(path_of(n))
            if n >= 5:  # the first ones warm up
                taken.append((time.perf_counter() - started) * 1000)
                cpu += time.process_time() - used
            assert answer.status_code == 200, answer.text
        p95 = statistics.quantiles(taken, n=20)[18]
        print(f"{name:34} {statistics.median(taken):8.1f} {p95:8.1f} {cpu / TIMES * 1000:8.1f}", flush=True)


def plans(client: FlaskClient) -> Iterator[str]:
    """How the bound database finds what each question asks for, in Markdown."""
    real = database.obj.execute_sql
    for name, path_of in QUESTIONS.items():
        asked: list[tuple[str, Any]] = []

        def note(sql: str, params: Any = None, asked: list[tuple[str, Any]] = asked) -> Any:
            asked.append((sql, params))
            return real(sql, params)

        database.obj.execute_sql = note
        try:
            client.get(path_of(0))
        finally:
            del database.obj.execute_sql
        told = [line for sql, params in asked if _reads(sql) for line in _plan(sql, params)]
        yield f"**{name}**\n\n```\n" + "\n".join(told) + "\n```\n"


def _reads(sql: str) -> bool:
    """Whether a statement looks for records."""
    return any(table in sql for table in ('"feedback"', "feedback AS", "rollup", "search"))


def _plan(sql: str, params: Any) -> list[str]:
    embedded = database.obj.EMBEDDED
    explain = "EXPLAIN QUERY PLAN " if embedded else "EXPLAIN (COSTS OFF) "
    lines = [str(row[3 if embedded else 0]) for row in database.execute_sql(explain + sql, params)]
    # Values are no part of a plan.
    return [re.sub(r"'[^']{25,}'", "'...'", line)[:160] for line in lines]


def options(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark over a large table asks for."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0] if description else None)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=["sqlite", "postgres"], default=None)
    return parser


def tables(asked: argparse.Namespace) -> Iterator[tuple[str, FlaskClient]]:
    """Each kind of database that is asked for, with a client of a gateway whose table is filled."""
    with databases(asked.only) as urls:
        for kind, url in urls.items():
            print(f"{kind}, {asked.rows:,} records:")
            with filled(url, asked.rows) as client:
                yield kind, client


def main() -> None:
    """Prints the figures of each database, or writes its plans."""
    parser = options(__doc__)
    parser.add_argument("--explain", action="store_true", help="also write docs/query_plans.md")
    asked = parser.parse_args()
    told = [f"{MADE} --rows {asked.rows} --explain`, at {asked.rows:,} records.\n"]
    for kind, client in tables(asked):
        measure(client, QUESTIONS)
        told += [f"## {'SQLite' if kind == 'sqlite' else 'PostgreSQL'}\n", *plans(client)]
    if asked.explain:
        PAGE.write_text(PAGE.read_text().partition(MADE)[0] + "\n".join(told))


if __name__ == "__main__":
    main()
