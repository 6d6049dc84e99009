"""Which way of finding near-duplicates finds the right ones, at what cost; and what it costs at size.

    python -m benchmarks.similar [--rows N] [--flood N]

Quality is measured on the labelled pairs of tests/alike; each way is shown at the threshold at which it does
best. Candidates are what an index would look at: recall is the share of near-duplicates among them, noise the
share of other texts. Times are CPU time of one thread.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask.testing import FlaskClient

from gateway.access import bootstrap
from gateway.app import create_app
from gateway.background import similar
from gateway.background.keywords import words
from gateway.background.lease import run_once
from gateway.background.minhash import keys, pieces, similarity
from gateway.core.config import Config
from models import Job, Signature, SignatureKey
from models.database.base import close, database
from models.database.write_lock import WriteLock
from models.intake import commit
from tests.alike import blocks

clock = time.thread_time
TEXTS = [(number, text) for number, block in enumerate(blocks()) for text in block]
PAIRS = list(itertools.combinations(range(len(TEXTS)), 2))
SAME = {(a, b) for a, b in PAIRS if TEXTS[a][0] == TEXTS[b][0]}

Score = Callable[[int, int], float]


@dataclass
class Way:
    """A way of comparing texts: each text's features, and a score of two of them."""

    name: str
    prepare: Callable[[list[str]], list[Any]]
    score: Callable[[Any, Any], float]


def jaccard(one: Any, other: Any) -> float:
    return len(one & other) / max(1, len(one | other))


def of_order(texts: list[str]) -> list[Any]:
    return [tuple(words(text)) for text in texts]


def of_words(texts: list[str]) -> list[Any]:
    return [frozenset(words(text)) for text in texts]


def of_pieces(texts: list[str]) -> list[Any]:
    return [pieces(words(text)) for text in texts]


def simhashes(texts: list[str]) -> list[Any]:

    import numpy as np

    made = []
    for text in texts:
        sums = np.zeros(64)
        for piece in pieces(words(text)):
            digest = blake2b(piece.encode(), digest_size=8).digest()
            sums += np.unpackbits(np.frombuffer(digest, np.uint8)) * 2.0 - 1
        made.append(sums > 0)
    return made


def tfidf(texts: list[str]) -> list[Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    matrix = TfidfVectorizer(sublinear_tf=True).fit_transform([" ".join(words(text)) for text in texts])
    return [row.toarray()[0] for row in matrix]


WAYS = (
    Way(
        "exact fingerprint of words",
        lambda texts: [tuple(words(text)) for text in texts],
        lambda a, b: a == b,
    ),
    Way("Jaccard of words", of_words, jaccard),
    Way("Jaccard of 4-letter pieces (ours)", of_pieces, similarity),
    Way("SimHash of pieces, 64 bits", simhashes, lambda a, b: float((a == b).mean())),
    Way("TF-IDF cosine of words", tfidf, lambda a, b: float(a @ b)),
)


def quality(way: Way) -> None:
    texts = [text for _, text in TEXTS]
    started = clock()
    made = way.prepare(texts)
    each = (clock() - started) / len(texts) * 1e6
    scores = {pair: way.score(made[pair[0]], made[pair[1]]) for pair in PAIRS}
    best = max(
        (measures({pair for pair, score in scores.items() if score >= at / 50}), at / 50)
        for at in range(5, 51)
    )
    (f1, precision, recall), at = best
    print(
        f"{way.name:36} precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}  at {at:.2f}"
        f"   {each:6.0f} µs a text"
    )


def measures(found: set[tuple[int, int]]) -> tuple[float, float, float]:
    right = len(found & SAME)
    precision, recall = right / max(1, len(found)), right / len(SAME)
    return 2 * precision * recall / max(1e-9, precision + recall), precision, recall


def lsh(name: str, sharing: Callable[[], Iterable[tuple[int, int]]], bands: int) -> None:
    started = clock()
    found = {(a, b) for a, b in sharing() if a < b}
    each = (clock() - started) / len(TEXTS) * 1e6
    recall = len(found & SAME) / len(SAME)
    noise = len(found - SAME) / (len(PAIRS) - len(SAME))
    print(
        f"{name:36} recall {recall:.3f}  noise {noise:.4f}  {bands:3} rows a record   {each:6.0f} µs a text"
    )


def ours() -> Iterable[tuple[int, int]]:
    return _sharing([keys("ws", words(text)) for _, text in TEXTS])


def simhash_bands() -> Iterable[tuple[int, int]]:
    rows = simhashes([text for _, text in TEXTS])
    return _sharing([[(at, row[at : at + 8].tobytes()) for at in range(0, 64, 8)] for row in rows])


def datasketch(threshold: float, permutations: int) -> Callable[[], Iterable[tuple[int, int]]]:
    from datasketch import MinHash, MinHashLSH

    def sharing() -> Iterable[tuple[int, int]]:
        index = MinHashLSH(threshold=threshold, num_perm=permutations)
        made = []
        for number, (_, text) in enumerate(TEXTS):
            signature = MinHash(num_perm=permutations)
            signature.update_batch([piece.encode() for piece in pieces(words(text))])
            index.insert(number, signature)
            made.append(signature)
        return [(a, b) for a, signature in enumerate(made) for b in index.query(signature)]

    return sharing


def _sharing(signed: list[list[Any]]) -> Iterable[tuple[int, int]]:
    holders: dict[Any, list[int]] = {}
    for number, marks in enumerate(signed):
        for mark in marks:
            holders.setdefault(mark, []).append(number)
    return {pair for some in holders.values() for pair in itertools.combinations(some, 2)}


@contextmanager
def serving() -> Iterator[tuple[Callable[[list[Any]], None], FlaskClient, Path]]:
    """A gateway on a new embedded database: what sends it a batch, a client with a key, and the file."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            database_url=f"sqlite:///{folder}/gateway.db",
            data_dir=folder,
            rate_limit="1000000/minute",
            log_level="error",
        )
        client = create_app(config).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {bootstrap.initialise(None, None)['key']}"

        def send(batch: list[Any]) -> None:
            assert client.post("/gateway/v1/feedback/batch", json=batch).status_code == 200

        yield send, client, Path(folder, "gateway.db")
        commit.stop()
        close()


def size(rows: int) -> None:
    """Signs `rows` records in a database, and looks up the like of some."""
    with serving() as (send, client, file):
        dice = random.Random(7)
        known = [word for _, text in TEXTS for word in words(text)]
        for start in range(0, rows, 5000):
            batch = []
            for _ in range(min(5000, rows - start)):
                text = dice.choice(TEXTS)[1]  # one in ten is nearly as it stands; the others are new mixtures
                if dice.random() > 0.1:
                    text = " ".join(dice.sample(known, 12)) + f" {uuid.UUID(int=dice.getrandbits(128)).hex}"
                batch.append({"text": text, "author": {"id": f"u{dice.randrange(5000)}"}})
            send(batch)
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        before = file.stat().st_size
        print(f"{rows:,} records signed and counted: ", end="")
        keep_up()
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        print(f"  {(file.stat().st_size - before) / rows:.0f} bytes each")
        ids = [row[0] for row in database.execute_sql("SELECT id FROM feedback ORDER BY random() LIMIT 300")]
        taken = []
        for feedback_id in ids:
            started = time.perf_counter()
            assert client.get(f"/gateway/v1/feedback/{feedback_id}/similar").status_code == 200
            taken.append((time.perf_counter() - started) * 1000)
        taken.sort()
        print(f"GET .../similar: median {taken[150]:.2f} ms, p95 {taken[284]:.2f} ms")
        assert Signature.select().count() == rows and SignatureKey.select().count()


def flood(rows: int) -> None:
    """Signs `rows` records of as many people who say nearly the same, each with a word of its own."""
    with serving() as (send, _, _file):
        dice = random.Random(7)
        for start in range(0, rows, 5000):
            said = ("".join(dice.choices("abcdefghijklmnop", k=7)) for _ in range(min(5000, rows - start)))
            send(
                [
                    {"text": f"The invoice list stays empty since the update {word}", "author": {"id": word}}
                    for word in said
                ]
            )
        print(f"{rows:,} alike ones of as many people: ", end="")
        keep_up()
        raised = database.execute_sql("SELECT COUNT(*) FROM feedback WHERE impact_reasons LIKE '%20 people%'")
        assert raised.fetchone()[0] > 0.99 * rows


def keep_up() -> None:
    """Does the work until there is no more to do, and prints what that took."""
    statements, held = [0], list[float]()
    execute, enter, leave = database.obj.execute_sql, WriteLock.__enter__, WriteLock.__exit__
    since = [0.0]

    def counted(*asked: Any) -> Any:
        statements[0] += 1
        return execute(*asked)

    def entered(lock: WriteLock) -> None:
        enter(lock)
        since[0] = time.perf_counter()

    def left(lock: WriteLock, *error: Any) -> None:
        held.append(time.perf_counter() - since[0])
        leave(lock, *error)

    with patch.object(WriteLock, "__enter__", entered), patch.object(WriteLock, "__exit__", left):
        database.obj.execute_sql = counted
        started, used = time.perf_counter(), clock()
        for _ in range(3):  # what the first time changed must not be looked at again
            Job.update(due_at=0).execute()
            run_once(similar.KEEP_UP)
        took, cpu = time.perf_counter() - started, clock() - used
        del database.obj.execute_sql
    held.sort()
    half, most, longest = (1000 * held[at] for at in (len(held) // 2, len(held) * 99 // 100, -1))
    print(
        f"{cpu:.1f} s of CPU in {took:.1f} s, {statements[0]:,} statements, {len(held):,} transactions that "
        f"held the lock for {half:.1f} ms, p99 {most:.1f}, longest {longest:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--flood", type=int, default=10_000)
    asked = parser.parse_args()
    print(f"{len(TEXTS)} texts, {len(SAME)} pairs that say the same, {len(PAIRS) - len(SAME):,} that do not")
    for way in WAYS:
        quality(way)
    lsh("MinHash, 12 bands of 3 (ours)", ours, 12)
    lsh("SimHash, 8 bands of 8 bits", simhash_bands, 8)
    try:
        lsh("datasketch MinHashLSH 0.5, 128", datasketch(0.5, 128), 25)
        lsh("datasketch MinHashLSH 0.4, 64", datasketch(0.4, 64), 16)
    except ImportError:
        print("(datasketch is not installed)")
    size(asked.rows)
    flood(asked.flood)


if __name__ == "__main__":
    main()
