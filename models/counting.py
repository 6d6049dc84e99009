"""Counts that every transaction of intake adds to, and never waits for.

On a server many transactions add to the same counts, and one that is never ended may hold their rows. So a
count is a sum of rows: a transaction adds to one that nobody holds, and begins another one when all are held.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

# minute, workspace_id, key_id, source, outcome, requests, records
OutcomeCounts = Sequence[tuple[Any, ...]]

_ALIKE = ("minute", "workspace_id", "key_id", "source", "outcome")
_NAMES = ", ".join(_ALIKE)
_ADD = (
    f"ON CONFLICT ({_NAMES}, slot) DO UPDATE SET requests = outcome.requests + excluded.requests, "
    "records = outcome.records + excluded.records"
)
_ADD_ALONE = f"INSERT INTO outcome ({_NAMES}, slot, requests, records) VALUES (?, ?, ?, ?, ?, 0, ?, ?) {_ADD}"


def _same(one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in _ALIKE)


_ADD_AMONG_OTHERS = f"""
WITH counted ({_NAMES}, requests, records) AS (
    SELECT * FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::integer[], ?::integer[])
), free AS (
    SELECT counted.*, slot FROM counted CROSS JOIN LATERAL (
        SELECT slot FROM outcome WHERE {_same("outcome", "counted")}
        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) AS row
), added AS (
    UPDATE outcome SET requests = outcome.requests + free.requests, records = outcome.records + free.records
    FROM free WHERE {_same("outcome", "free")} AND outcome.slot = free.slot
    RETURNING {", ".join(f"outcome.{name}" for name in _ALIKE)}
)
INSERT INTO outcome ({_NAMES}, slot, requests, records)
SELECT {_NAMES}, ?, requests, records FROM counted
WHERE NOT EXISTS (SELECT 1 FROM added WHERE {_same("added", "counted")}) {_ADD}
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
            self.execute_sql(_ADD_AMONG_OTHERS, [*columns, random.getrandbits(31)])

    def note_used(self: Any, keys: Mapping[str, int]) -> set[str]:
        """Writes when keys were used within the open transaction; those that could not be written now."""
        if not keys:
            return set()
        done = {name for (name,) in self.execute_sql(_USE, [list(keys), list(keys.values())]).fetchall()}
        if left := sorted(keys.keys() - done):
            there = self.execute_sql("SELECT id FROM api_key WHERE id = ANY(?)", (left,)).fetchall()
            return {name for (name,) in there}
        return set()
