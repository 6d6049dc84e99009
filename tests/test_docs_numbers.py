"""The numbers in the documents' sentences are those of the code; docs/security.md has a test of its own."""

from __future__ import annotations

import re

import pytest

from gateway.access import users
from gateway.api import feedback_bulk, feedback_detail, pagination
from gateway.api.admin import request_schemas
from gateway.app import BESIDES
from gateway.background import (
    clustering,
    encoding,
    keywords,
    meanings,
    minhash,
    related,
    scheduler,
    second_reading,
    themes,
)
from gateway.core import cooperative, pacing
from gateway.core.config import Config
from gateway.core.rate import RETRY_AFTER
from gateway.destinations import alarms, gathering, notifying, silences, spikes
from gateway.destinations.subscription import LONGEST_WINDOW, Subscription
from gateway.inbox import oidc, overview, sign_in
from gateway.intake import auth, batch
from gateway.rate_limits import redis_counter
from gateway.server import admission, companion, connection, gevent_worker, gunicorn_app, streamed_body
from gateway.triage import features, second_reader, tokenizer
from models.database import group_commit, postgres_connections
from models.intake import commit
from models.queries import bounded_pages
from models.tables import feed, impact_reasons, job, similarity, trained_model
from tests.conftest import LONG_SECONDS, ROOT, Server
from tests.server.test_serve import connection as opened
from tests.server.test_serve import response_of

WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 10: "ten"}
WORDS |= {12: "twelve", 19: "nineteen", 20: "twenty", 21: "twenty-one", 25: "twenty-five"}
WORDS |= {37: "thirty-seven"}
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def word(number: float) -> str:
    """A number as prose has it."""
    return WORDS[int(number)]


# By page, sentences with the code's numbers put in.
SENTENCES: dict[str, tuple[str, ...]] = {
    "CONTRIBUTING.md": (f"a long one, {'an hour' if LONG_SECONDS == 3_600 else LONG_SECONDS}",),
    "docs/acting.md": (
        f"at most {feedback_detail.RAW} and {bounded_pages.AT_HAND // 1_000_000} MB together",
        f"1 to {feedback_bulk.MOST:,}",
        f"looked at {feedback_bulk.TOGETHER} at a time",
        f"as some {pacing.HELD * 1000:.0f} ms allow",
        f"more than {feedback_bulk.FEW} ids",
    ),
    "docs/admin.md": (f"0 to {request_schemas.LONGEST_OVERLAP}) is how long",),
    "docs/architecture.md": (
        f"until they have {group_commit.AT_MOST} rows (`AT_MOST`",
        f"More than {group_commit.WAITING:,} do not wait",
        f"who has waited for {word(group_commit.PATIENCE)} seconds",
        f"nine tenths of the open connections or {cooperative.GATHERED} have gathered",
        f"nobody has come for {cooperative.GATHER * 1000:.0f} ms",
        f"A delivery of up to {streamed_body.MAX_AHEAD // 1024} kB",
        f"holds up intake for some {pacing.HELD * 1000:.0f} ms",
        f"keys and hooks with their project's rules, for {word(auth.REMEMBERED)} seconds",
        f"for each {batch.PART} items",
        f"from {', '.join(map(str, impact_reasons.STEPS[:2]))} and {impact_reasons.STEPS[2]} people",
    ),
    "docs/notifications.md": (
        f"minutes between two messages, {Subscription().window} by default, {LONGEST_WINDOW} at most",
        f"{Subscription().hour} and `{Subscription().zone}` by default",
        f"the {word(notifying.MOST_SHOWN)} of the highest impact",
        f"up to {word(notifying.MOST_APART)} that have a message of their own",
        f"is known for {gathering.REMEMBERED // DAY} days",
        f"hour of the {word(spikes.WEEKS)} weeks before",
        f"a spike is {word(spikes.FAR)} spreads above it",
        f"{spikes.NORMAL} times the median of their distances",
        f"and {spikes.LEAST} records at least",
        f"and {word(spikes.MOST_SHOWN)} records. Fewer than {word(spikes.LEAST_WEEKS)} weeks",
        f"told {word(spikes.COOLDOWN / HOUR)} hours later at the earliest",
        f"those of the last {silences.KNOWN // DAY} days",
        f"{word(silences.LEAST_MINUTES)} minutes or more that lie",
        f"lie {word(silences.LEAST_SPAN / DAY)} days apart",
        f"looked for every {word(alarms.EVERY / MINUTE)} minutes",
    ),
    "docs/changes.md": (
        f"`limit` is {pagination.PAGE}, {pagination.LONGEST_PAGE} at most",
        f"kept for {feed.KEPT // DAY} days",
    ),
    "docs/connections.md": (
        f"{gunicorn_app.CONNECTIONS:,} at most",
        f"{gunicorn_app.KEEPALIVE_SECONDS} s, or room is needed",
        f"within {connection.ARRIVE:g} s",
        f"lingering: {connection.LINGER:g} s",
        f"within {streamed_body.BODY_SECONDS:g} s; else 408",
        f"others wait up to {gevent_worker.STREAM_PATIENCE:g} s, then 503",
        f"longer than {'a second' if admission.CROWDED == 1 else admission.CROWDED}",
        f"waited {word(gevent_worker.PATIENCE)} seconds",
        f"nothing is read for {connection.STALLED:g} s",
        f"as far as {companion.DRAIN_SECONDS} s allow",
        f"`Retry-After: {RETRY_AFTER['Retry-After']}`",
    ),
    "docs/inbox.md": (
        f"ends after {users.SESSION_MS // DAY} days, after {users.IDLE_MS * 24 // DAY} hours without a page",
        f"{word(sign_in.TRIES.quota).capitalize()} wrong passwords",
        f"at least {users.SHORTEST_PASSWORD} characters",
        f"waits {word(oidc.TIMEOUT[1])} seconds for an answer",
        f"at most {word(oidc.AT_A_TIME)} people at once",
        f"of the newest {overview.NEWEST:,} records",
    ),
    "docs/limits.md": (
        f"the {auth.KNOWN:,} it met last of each",
        f"waits a {'quarter' if redis_counter.TIMEOUT == 0.25 else ''} of a second at most",
    ),
    "docs/scale.md": (
        f"tries every {'half second' if postgres_connections.AWAY_SECONDS == 0.5 else ''}",
        f"one of intake waits {commit.LOCK_WAIT:g} second",
    ),
    "docs/themes.md": (
        f"ends {word(job.LEASE / MINUTE)} minutes after",
        f"similarity of {minhash.ALIKE}",
        f"first {keywords.LONGEST:,} characters",
        f"they have {word(minhash.LEAST_WORDS)} telling words",
        f"{word(minhash.BANDS)} keys (MinHash bands)",
        f"the newest {similarity.PER_KEY} are looked at",
        f"{second_reader.DIMENSIONS} numbers of its encoder",
        f"among the newest {encoding.Limits(0).newest:,} records of the last {themes.SPAN // DAY} days",
        f"for {encoding.Limits(0).seconds:g} seconds a minute",
        f"the newest {clustering.MOST_MEANT:,} texts by their meaning ({1 - meanings.WORDS:.1f})",
        f"their words ({meanings.WORDS})",
        f"needs {meanings.OF_LANGUAGE} texts of a language and {meanings.LEAST} altogether",
        f"counts for {1 - meanings.WORDS:.1f} of the score",
        f"the {word(related.BY_MEANING)} nearest in meaning",
        f"up to {word(related.LIMIT)} others",
        f"(0.2 to 1) is the cosine of the beginnings ({word(keywords.STEM)} letters)",
        f"newest {related.NEWEST} records",
        f"the newest {related.PER_WORD} that the index of words names",
        f"each of the text's {word(related.LOOKED_UP)} rarest words",
        f"of the last {themes.SPAN // DAY} days, at most the newest {clustering.MOST:,}",
        f"{word(themes.SOONEST / MINUTE)} minutes after the last time",
        f"before {word(themes.REST)} times as long",
    ),
    "docs/triage.md": (
        f"head ({tokenizer.HEAD_CHARS:,} characters) and tail ({tokenizer.TAIL_CHARS})",
        f"{word(len(features.SIGNALS))} signals",
        f"{word(trained_model.KEPT).capitalize()} models are kept",
        f"the first {second_reader.MOST} characters",
        f"into {second_reader.DIMENSIONS} numbers",
        f"{second_reader.SHARES['category']} to {1 - second_reader.SHARES['category']:.1f} for the category",
        f"{second_reader.SHARES['sentiment']} each for the sentiment",
        f"`GATEWAY_SECOND_READER_BELOW` ({Config().second_reader_below})",
        f"for {second_reading.Limits(0.7).seconds:g} seconds a minute",
        f"the process {word(second_reading.TRIES)} times is left out",
    ),
}


def flat(name: str) -> str:
    return " ".join((ROOT / name).read_text().split())


@pytest.mark.parametrize(
    ("page", "sentence"), [(page, one) for page, all_ in SENTENCES.items() for one in all_]
)
def test_sentence(page: str, sentence: str) -> None:
    assert sentence in flat(page)


def test_time_limits_of_tests() -> None:
    """CONTRIBUTING.md and setup.cfg agree on when a test is taken for hanging."""
    limit = re.search(r"^timeout = (\d+)$", (ROOT / "setup.cfg").read_text(), re.M)
    assert limit and f"takes {limit[1]} seconds is taken for hanging" in flat("CONTRIBUTING.md")


def test_connections_to_a_server() -> None:
    """docs/scale.md counts as the code does, and what hosts may open as its own sentence says."""
    page, usual = flat("docs/scale.md"), Config()

    def of_hosts(threads: int) -> int:
        return 100 * (usual.workers * (threads + BESIDES) + scheduler.CONNECTIONS)

    assert (
        f"`GATEWAY_THREADS` and {word(BESIDES)}, the background worker {word(scheduler.CONNECTIONS)}" in page
    )
    assert f"workers x (threads + {BESIDES}) + {scheduler.CONNECTIONS} per host" in page
    each = f"{usual.workers} x {usual.threads + BESIDES} + {scheduler.CONNECTIONS}"
    assert f"{usual.workers} workers and {usual.threads} threads may open 100 x ({each})" in page
    assert f"= {of_hosts(usual.threads):,} connections" in page
    assert f"`GATEWAY_THREADS=8` ({of_hosts(8):,})" in page


def _line(size: int) -> bytes:
    """A request whose first line has so many bytes."""
    return b"GET /healthz?%s HTTP/1.1\r\nHost: g\r\n\r\n" % (b"a" * (size - 22))


def _header(size: int) -> bytes:
    return b"GET /healthz HTTP/1.1\r\nHost: g\r\nX: %s\r\n\r\n" % (b"a" * (size - 5))


def _headers(count: int) -> bytes:
    return b"GET /healthz HTTP/1.1\r\nHost: g\r\n%s\r\n" % (b"X: y\r\n" * (count - 1))


def _head(size: int) -> bytes:
    beginning = b"GET /healthz HTTP/1.1\r\nHost: g\r\n" + (b"X: %s\r\n" % (b"a" * 4_000)) * 3
    return b"%sX: %s\r\n\r\n" % (beginning, b"a" * (size - len(beginning) - 7))


def _trailers(size: int) -> bytes:
    beginning = b"POST /gateway/v1/feedback HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    return b"%s2\r\n{}\r\n0\r\nX: %s\r\n\r\n" % (beginning, b"a" * (size - 5))


BOUNDS = re.search(
    r"([\d,]+) bytes for the request line, ([\d,]+) for a header with its line end, ([\d,]+) headers, "
    r"([\d,]+) bytes for a head, ([\d,]+) for trailers",
    flat("docs/connections.md"),
)


@pytest.mark.parametrize(
    ("number", "made", "refused"),
    [(1, _line, 414), (2, _header, 431), (3, _headers, 431), (4, _head, 431), (5, _trailers, 431)],
)
def test_bounds_of_heads(server: Server, number: int, made: object, refused: int) -> None:
    """What is as large as docs/connections.md says is answered, and one more gets the status of its table."""
    assert BOUNDS is not None and callable(made)
    most = int(BOUNDS[number].replace(",", ""))
    statuses = []
    for size in (most, most + 1):
        with opened(server) as (sock, stream):
            sock.sendall(made(size))
            statuses.append(response_of(stream)[0])

    assert statuses == [401 if made is _trailers else 200, refused]
