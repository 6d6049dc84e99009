"""Tables of a stated size, made within the database: a million records in about a minute."""

from __future__ import annotations

import sqlite3
from pathlib import Path

MONTHS = 90 * 86_400_000  # milliseconds over which the records are spread


def fill(path: Path, rows: int, now: int) -> None:
    """Puts `rows` old records with their events into a database that holds at least one record.

    They are copies of that record, each with its own id, words, author, labels and time within the
    last ninety days before `now` (milliseconds UTC).
    """
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = off")
        database.execute("PRAGMA cache_size = -400000")
        columns = [row[1] for row in database.execute("PRAGMA table_info(feedback)")]
        moment = f"{now - MONTHS} + n * {MONTHS} / {rows}"
        fresh = {
            "id": "'fb_' || printf('%026d', n)",
            "title": "'Report ' || n || ' about ' || substr('invoices login export search', n % 20, 8)",
            "text": "'Report ' || n || ': ' || text",
            "fingerprint": "lower(hex(randomblob(16)))",
            "author_id": "'u' || (n % 5000)",
            "category": "CASE n % 5 WHEN 0 THEN 'bug' WHEN 1 THEN 'feature' WHEN 2 THEN 'question' "
            "WHEN 3 THEN 'praise' ELSE 'other' END",
            "sentiment": "CASE n % 3 WHEN 0 THEN 'negative' WHEN 1 THEN 'neutral' ELSE 'positive' END",
            "impact": "n % 15",
            "status": "CASE WHEN n % 4 THEN 'open' ELSE 'resolved' END",
            **dict.fromkeys(("first_seen_at", "last_seen_at", "received_at", "updated_at"), moment),
        }
        picked = ", ".join(fresh.get(name, name) for name in columns)
        numbers = (
            f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})"
        )
        model = "(SELECT * FROM feedback ORDER BY id DESC LIMIT 1)"
        database.execute(f"INSERT INTO feedback {numbers} SELECT {picked} FROM numbers, {model}")
        database.execute(
            f"INSERT INTO event (id, feedback_id, type, at, detail, payload) {numbers} "
            f"SELECT 'ev_' || printf('%026d', n), 'fb_' || printf('%026d', n), 'received', {moment}, "
            "detail, payload FROM numbers, "
            "(SELECT detail, payload FROM event ORDER BY feedback_id DESC LIMIT 1)"
        )
        database.execute("ANALYZE")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
