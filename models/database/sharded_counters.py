"""Counts that every transaction of intake adds to, and never waits for.

On a server many transactions add to the same counts, and one that is never ended may hold their rows. So a
count is a sum of rows: a transaction adds to one that nobody holds, and begins another one when all are held.
The key of the ledger is that of earlier releases, which may still run beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# minute, workspace_id, key_id, source, outcome, requests, records
OutcomeCounts = Sequence[tuple[Any, ...]]

BESIDE = 64  # rows that a count of one minute may have: at the minute and some milliseconds later
_OTHERS = ("workspace_id", "key_id", "source", "outcome")
_NAMES = ", ".join(("minute", *_OTHERS))
_ADD = (
    f"ON CONFLICT ({_NAMES}) DO UPDATE SET requests = outcome.requests + excluded.requests, "
    "records = outcome.records + excluded.records"
)
_ADD_ALONE = f"INSERT INTO outcome ({_NAMES}, requests, records) VALUES (?, ?, ?, ?, ?, ?, ?) {_ADD}"


def _same(one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in _OTHERS)


_ADD_AMONG_OTHERS = f"""
WITH counted ({_NAMES}, requests, records) AS (
    SELECT * FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::integer[], ?::integer[])
), free AS (
    SELECT counted.*, place FROM counted CROSS JOIN LATERAL (
        SELECT minute AS place FROM outcome WHERE {_same("outcome", "counted")}
            AND minute = ANY(ARRAY(SELECT generate_series(counted.minute, counted.minute + {BESIDE - 1})))
        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) AS row
), added AS (
    UPDATE outcome SET requests = outcome.requests + free.requests, records = outcome.records + free.records
    FROM free WHERE {_same("outcome", "free")} AND outcome.minute = free.place
    RETURNING free.minute, {", ".join(f"outcome.{name}" for name in _OTHERS)}
)
INSERT INTO outcome ({_NAMES}, requests, records)
SELECT COALESCE((
    SELECT place FROM generate_series(minute, minute + {BESIDE - 1}) AS place WHERE NOT EXISTS (
        SELECT 1 FROM outcome WHERE {_same("outcome", "counted")} AND outcome.minute = place
    ) ORDER BY random() LIMIT 1
), minute), {", ".join(_OTHERS)}, requests, records FROM counted
WHERE NOT EXISTS (SELECT 1 FROM added WHERE {_same("added", "counted")} AND added.minute = counted.minute)
{_ADD}
"""
_USE = """
WITH used (id, at) AS (SELECT * FROM unnest(?::text[], ?::bigint[])), free AS (
    SELECT api_key.id, at FROM used JOIN api_key ON api_key.id = used.id
    FOR NO KEY UPDATE OF api_key SKIP LOCKED
)
UPDATE api_key SET last_used_at = free.at FROM free WHERE api_key.id = free.id RETURNING api_key.id
"""


class SqliteCounting:
    """On the embedded database who writes is alone: there is one row of each count."""

    def add_outcomes(self: Any, counts: OutcomeCounts) -> None:
        """Adds to the ledger within the open transaction."""
        for row in counts:
            self.execute_sql(_ADD_ALONE, row)

    def note_used(self: Any, keys: Mapping[str, int]) -> set[str]:
        """Writes when keys were used within the open transaction; those that could not be written now."""
        for key_id, at in keys.items():
            self.execute_sql("UPDATE api_key SET last_used_at = ? WHERE id = ?", (at, key_id))
        return set()


class PostgresCounting:
    """On a server."""

    def add_outcomes(self: Any, counts: OutcomeCounts) -> None:
        """Adds to the ledger within the open transaction."""
        if counts:
            columns = [list(column) for column in zip(*counts, strict=True)]
            self.execute_sql(_ADD_AMONG_OTHERS, columns)

    def note_used(self: Any, keys: Mapping[str, int]) -> set[str]:
        """Writes when keys were used within the open transaction; those that could not be written now."""
        if not keys:
            return set()
        done = {name for (name,) in self.execute_sql(_USE, [list(keys), list(keys.values())]).fetchall()}
        if left := sorted(keys.keys() - done):
            there = self.execute_sql("SELECT id FROM api_key WHERE id = ANY(?)", (left,)).fetchall()
            return {name for (name,) in there}
        return set()
