"""Tables of a stated size, made within the database: a million records in a few minutes.

For what is sent to a table that is large already; benchmarks.doors makes one that is read.
"""

from __future__ import annotations

from models.database.base import close, connect, database, is_embedded
from models.tables.feedback import Feedback
from models.tables.search_words import words_of

MONTHS = 90 * 86_400_000  # milliseconds over which the records are spread
PART = 50_000  # records in a transaction
# Words by how many records have one of them, beside those of the texts themselves.
RARE, SOME, MANY = "okapi", "walrus", "sparrow"
EVERY = {RARE: 50_000, SOME: 500, MANY: 4}

_ID = {True: "'fb_' || printf('%026d', n)", False: "'fb_' || lpad(n::text, 26, '0')"}
_RANDOM = {True: "lower(hex(randomblob(16)))", False: "md5(random()::text)"}
_OFF = {True: "PRAGMA synchronous = off", False: "SET synchronous_commit = off"}


def fill(url: str, rows: int, now: int, texts: list[str]) -> None:
    """Puts `rows` old records with their events into a database that holds at least one record.

    They are copies of that record, each with its own id, author, labels, source and time within the last
    ninety days before `now` (milliseconds UTC), and one of `texts` with some more words (EVERY).
    """
    connect(url)
    embedded = is_embedded(url)
    with database.obj.connection_context():
        database.execute_sql(_OFF[embedded])
        _pool(texts)
        for start in range(0, rows, PART):
            _part(embedded, start, min(PART, rows - start), rows, len(texts), now)
        database.execute_sql("DROP TABLE pool")
        if embedded:
            database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    close()


def _pool(texts: list[str]) -> None:
    database.execute_sql("CREATE TABLE pool (k INTEGER PRIMARY KEY, title TEXT, text TEXT, words TEXT)")
    for k, text in enumerate(texts):
        row = {"title": text[:60], "text": text, "language": "en"}
        database.execute_sql("INSERT INTO pool VALUES (?, ?, ?, ?)", (k, row["title"], text, words_of(row)))


def _part(embedded: bool, start: int, count: int, rows: int, pool: int, now: int) -> None:
    moment = f"{now - MONTHS} + n * {MONTHS} / {rows}"
    more = " || ".join(
        f"CASE WHEN n % {every} = 0 THEN '{word} ' ELSE '' END" for word, every in EVERY.items()
    )
    fresh = {
        "id": _ID[embedded],
        "title": "pool.title",
        "text": f"pool.text || ' ' || {more} || n",
        "words": f"pool.words || {more} || n || ' '",
        "language": "CASE n % 3 WHEN 0 THEN 'nl' ELSE 'en' END",
        "fingerprint": _RANDOM[embedded],
        "author_id": "'u' || (n % 5000)",
        "source": "CASE WHEN n % 20000 = 7 THEN 'pagerduty' WHEN n % 7 = 0 THEN 'slack' "
        "ELSE feedback.source END",
        # Alerts are rare, and so are records that the model was unsure of: what views look for.
        "type": "CASE WHEN n % 20000 = 7 THEN 'alert' ELSE feedback.type END",
        "category_confidence": "CASE WHEN n % 10000 = 5 THEN 0.4 ELSE 0.9 END",
        "sentiment_confidence": "CASE WHEN n % 5 < 2 THEN 0.3 + n % 100 * 0.003 ELSE 0.9 END",
        "category": "CASE n / 3 % 5 WHEN 0 THEN 'bug' WHEN 1 THEN 'feature' WHEN 2 THEN 'question' "
        "WHEN 3 THEN 'praise' ELSE 'other' END",
        "sentiment": "CASE n / 11 % 3 WHEN 0 THEN 'negative' WHEN 1 THEN 'neutral' ELSE 'positive' END",
        "impact": "n / 7 % 15",
        "status": "CASE WHEN n % 20000 = 9 THEN 'acknowledged' WHEN n % 4 = 0 THEN 'resolved' "
        "ELSE 'open' END",
        **dict.fromkeys(("first_seen_at", "last_seen_at", "received_at", "updated_at"), moment),
    }
    columns = [field.column_name for field in Feedback._meta.sorted_fields]
    picked = ", ".join(fresh.get(name, f"feedback.{name}") for name in columns)
    numbers = (
        f"WITH RECURSIVE numbers (n) AS (SELECT CAST({start + 1} AS BIGINT) "
        f"UNION ALL SELECT n + 1 FROM numbers WHERE n < {start + count})"
    )
    model = "SELECT id FROM feedback WHERE id > 'fb_01' ORDER BY id LIMIT 1"
    with database.obj.writing():
        _run(
            embedded,
            f"{numbers} INSERT INTO feedback ({', '.join(columns)}) SELECT {picked} FROM numbers "
            f"JOIN pool ON k = n % {pool} CROSS JOIN feedback WHERE feedback.id = ({model}) ORDER BY n",
        )
        event = _ID[embedded].replace("fb_", "ev_")
        _run(
            embedded,
            f"{numbers} INSERT INTO event (id, feedback_id, type, at, detail, payload) "
            f"SELECT {event}, {_ID[embedded]}, 'received', {moment}, "
            f"detail, payload FROM numbers CROSS JOIN event "
            f"WHERE feedback_id = ({model}) AND type = 'received'",
        )


def _run(embedded: bool, sql: str) -> None:
    """A statement without values; psycopg reads its percent signs as marks for them."""
    database.execute_sql(sql if embedded else sql.replace("%", "%%"))
