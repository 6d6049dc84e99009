"""A gateway that got all of its records through its doors, over ninety days that pass in minutes.

Records come in batches, one in fifty by itself from another sender, one in twenty thousand from a rare
one; people resolve a quarter of them. The clock of this process is moved meanwhile. What the background
worker does by itself is done afterwards, but for themes. Nothing is told to the database's planner
besides, so that it knows what it knows of a user's tables.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from flask.testing import FlaskClient

from adapters.contract.record import CATEGORIES, SENTIMENTS
from benchmarks.intake import SEEDS
from gateway.background import analyze, retention, similar
from gateway.background.lease import run_once
from models import Job

DAYS = 90
TOGETHER = 1_000  # records of a batch
LIST = "/gateway/v1/feedback"
# Words by how many records have one of them, beside those of the texts themselves.
RARE, SOME, MANY = "okapi", "walrus", "sparrow"
EVERY = {RARE: 50_000, SOME: 500, MANY: 4}
BUSY, PEOPLE = "busy", 5_000  # who writes every twentieth record, and how many write the others
OTHER, SELDOM = 50, 20_000  # one record in so many comes from another sender, and from a rare one
# At other times people begin to work on one in so many, and senders are alerts.
TAKEN, ALERTS = 20_000, 20_000
WORKS = (similar.KEEP_UP, retention.KEEP, analyze.KEEP)


@contextmanager
def moved() -> Iterator[Callable[[float], None]]:
    """A clock that is so many days behind; it never goes back, as ids do not."""
    real, behind = time.time_ns, [DAYS]

    def move(days: float) -> None:
        behind[0] = days

    with patch("time.time_ns", lambda: real() - int(behind[0] * 86_400e9)):
        yield move


def fill(client: FlaskClient, rows: int, move: Callable[[float], None]) -> list[str]:
    """Sends so many records, which `move` spreads over the days up to now; the ids of some.

    Nine in ten are mixtures of words that nobody else has, the others say what many say.
    """
    dice, ids = random.Random(7), list[str]()
    words = sorted({word for text in SEEDS for word in text.split()})
    for start in range(1, rows + 1, TOGETHER):
        move(DAYS * (1 - start / rows))
        numbers = range(start, min(start + TOGETHER, rows + 1))
        batch = [_record(number, words, dice) for number in numbers if number % OTHER]
        sent = _sent(client.post(f"{LIST}/batch", json=batch))
        made = [item["id"] for item in sent["data"]]
        ids += made[:: TOGETHER // 10]
        for number in numbers:
            if number % OTHER == 0:
                _other(client, number, words, dice)
        _change(client, made[::4], "resolved")
        if start % TAKEN < TOGETHER:
            _change(client, made[1:2], "acknowledged")
    move(0)
    return ids


def work() -> None:
    """Does what the background worker does by itself."""
    Job.update(due_at=0).execute()
    for one in WORKS:
        run_once(one)


def _record(number: int, words: list[str], dice: random.Random) -> Mapping[str, Any]:
    said = dice.choice(SEEDS) if dice.random() < 0.1 else " ".join(dice.sample(words, 12))
    marked = [word for word, every in EVERY.items() if number % every == 0]
    return {
        "text": " ".join([said, *marked]),
        "type": "alert" if number % ALERTS == 7 else "message",
        "category": CATEGORIES[number % len(CATEGORIES)] if number % 3 else None,
        "sentiment": SENTIMENTS[number % len(SENTIMENTS)] if number % 3 else None,
        "severity": number % 6,
        "author": {"id": BUSY if number % 20 == 3 else f"u{dice.randrange(PEOPLE)}"},
        "subject": {"page": f"/help/{number // 20}"} if number % 4 == 1 else {},
    }


def _other(client: FlaskClient, number: int, words: list[str], dice: random.Random) -> None:
    if number % SELDOM == 0:
        _sent(
            client.post(
                "/v2/feedback", json={"property": "rating", "value": ["bad"], "trace_id": f"t{number}"}
            )
        )
        return
    said = " ".join(dice.sample(words, 12))
    body = {"kind": "bug" if number % 3 else "feature_request", "summary": said[:60], "detail": said}
    _sent(client.post("/api/v1/feedback", json=body))


def _change(client: FlaskClient, ids: list[str], status: str) -> None:
    if ids:
        _sent(client.patch(LIST, json={"ids": ids, "change": {"status": status}}))


def _sent(answer: Any) -> Any:
    assert answer.status_code < 300, answer.text
    return answer.json
