"""Keys that have been used: what makes a second delivery of the same thing change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from peewee import BigIntegerField, CompositeKey, TextField

from models.database.base import AT_ONCE, Table, database


class Dedupe(Table):
    """One used key. `scope` says whose: a source's natural keys, or the Idempotency-Keys of an API key.

    Or of no workspace: a sign-in that led to somebody.

    `digest` is of the body the key first came with, `answer` the first answer (JSON text), both for
    Idempotency-Keys only. `expires_at` is milliseconds UTC; None means never.
    """

    workspace_id = TextField()
    scope = TextField()
    key = TextField()
    feedback_id = TextField(null=True)
    digest = TextField(null=True)
    answer = TextField(null=True)
    expires_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("workspace_id", "scope", "key")
        without_rowid = True


class Key(NamedTuple):
    """A key to take, with all that its row holds."""

    workspace_id: str
    scope: str
    key: str
    feedback_id: str | None = None
    digest: str | None = None
    answer: str | None = None
    expires_at: int | None = None

    @property
    def name(self) -> tuple[str, str, str]:
        """What is unique about it."""
        return self[:3]


# One statement, so that no reader can come between looking and taking. An expired key is free again.
_TAKE = (
    "INSERT INTO dedupe (workspace_id, scope, key, feedback_id, digest, answer, expires_at) VALUES {} "
    "ON CONFLICT (workspace_id, scope, key) DO UPDATE SET feedback_id = excluded.feedback_id, "
    "digest = excluded.digest, answer = excluded.answer, expires_at = excluded.expires_at "
    "WHERE dedupe.expires_at <= ? RETURNING workspace_id, scope, key"
)
# Written out: a story asks for several keys, and to build this takes peewee ten times as long as to run it.
_COLUMNS = tuple(Key.__annotations__)
_TAKEN = f"SELECT {', '.join(_COLUMNS)} FROM dedupe WHERE workspace_id = ? AND scope = ? AND key = ?"
# Asked twice: another host may have taken a key anew since it was found.
_FORGET = (
    "DELETE FROM dedupe WHERE (workspace_id, scope, key) IN (SELECT workspace_id, scope, key FROM dedupe "
    "WHERE expires_at <= ? LIMIT ?) AND expires_at <= ?"
)
_ROW = "(?, ?, ?, ?, ?, ?, ?)"
_name = itemgetter(0, 1, 2)


def take(
    workspace_id: str,
    scope: str,
    key: str,
    *,
    now: int,
    feedback_id: str | None = None,
    digest: str | None = None,
    expires_at: int | None = None,
) -> bool:
    """Takes a key within the open transaction; False when it is taken already."""
    return bool(take_all([Key(workspace_id, scope, key, feedback_id, digest, None, expires_at)], now))


def take_all(keys: Sequence[Key], now: int) -> set[tuple[str, str, str]]:
    """Takes keys, no two the same, within the open transaction; returns the names of the free ones.

    A key that another transaction has just taken is waited for; all take theirs in the same order,
    so that no two wait for each other.
    """
    free: set[tuple[str, str, str]] = set()
    keys = sorted(keys, key=_name)
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        sql = _TAKE.format(", ".join([_ROW] * len(some)))
        free.update(database.execute_sql(sql, [*chain.from_iterable(some), now]).fetchall())
    return free


def give_back(keys: Iterable[Key]) -> None:
    """Frees keys that were just taken within the open transaction."""
    for key in keys:
        database.execute_sql("DELETE FROM dedupe WHERE workspace_id = ? AND scope = ? AND key = ?", key.name)


def taken(workspace_id: str, scope: str, key: str) -> dict[str, Any] | None:
    """The row of a key, or None when it is free."""
    row = database.execute_sql(_TAKEN, (workspace_id, scope, key)).fetchone()
    return None if row is None else dict(zip(_COLUMNS, row, strict=True))


def point(workspace_id: str, scope: str, key: str, feedback_id: str | None) -> None:
    """Says which record a key stands for after all (None: no one), within the transaction that took it."""
    database.execute_sql(
        "UPDATE dedupe SET feedback_id = ? WHERE workspace_id = ? AND scope = ? AND key = ?",
        (feedback_id, workspace_id, scope, key),
    )


def remember_answer(workspace_id: str, scope: str, key: str, answer: str) -> None:
    """Keeps the first answer beside its key, within the transaction that took it."""
    database.execute_sql(
        "UPDATE dedupe SET answer = ? WHERE workspace_id = ? AND scope = ? AND key = ?",
        (answer, workspace_id, scope, key),
    )


def forget_expired(now: int, at_most: int) -> int:
    """Deletes some expired keys within the open transaction and says how many."""
    done: int = database.execute_sql(_FORGET, (now, at_most, now)).rowcount
    return done
