"""The outcome ledger: what became of every delivery, counted by minute, key and source."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, BigIntegerField, CompositeKey, IntegerField, TextField, fn

from models.database.base import Table, database, only, rows

MINUTE = 60_000  # milliseconds


class Outcome(Table):
    """So many requests of one key to one source ended so in one minute.

    `minute` is milliseconds UTC, a whole minute; on a server also some milliseconds more, for more rows that
    belong to its sum (models.database.sharded_counters). `workspace_id` and `key_id` are empty for those
    whose sender is not known; `records` is how many records the requests began.
    """

    minute = BigIntegerField()
    workspace_id = TextField()
    key_id = TextField()
    source = TextField()
    outcome = TextField()
    requests = IntegerField()
    records = IntegerField()

    class Meta:
        primary_key = CompositeKey("minute", "workspace_id", "key_id", "source", "outcome")
        without_rowid = True


@dataclass(slots=True)
class Entry:
    """Whose delivery it was: what is counted, all but its outcome. `at` is milliseconds UTC."""

    at: int
    workspace_id: str
    key_id: str
    source: str

    def ended(self, outcome: str) -> tuple[int, str, str, str, str]:
        """The ledger's row for this delivery."""
        return (self.at - self.at % MINUTE, self.workspace_id, self.key_id, self.source, outcome)


class Ledger:
    """Counts that wait to be written with the next transaction."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[Any, ...]] = Counter()

    def note(self, entry: Entry, outcome: str) -> None:
        """Counts one request that stored nothing."""
        with self._lock:
            self._counts[entry.ended(outcome)] += 1

    def take(self) -> Counter[tuple[Any, ...]]:
        """What waits; it waits no more."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def give_back(self, counts: Counter[tuple[Any, ...]]) -> None:
        """What was taken and could not be written waits again."""
        with self._lock:
            self._counts.update(counts)


ledger = Ledger()


def add(requests: Mapping[tuple[Any, ...], int], records: Mapping[tuple[Any, ...], int]) -> None:
    """Writes counts within the open transaction; either may lack rows of the other."""
    names = sorted({*requests, *records})
    database.obj.add_outcomes([(*name, requests.get(name, 0), records.get(name, 0)) for name in names])


def beat() -> None:
    """Writes that the database takes writes, within the open transaction: the row of minute zero."""
    database.obj.add_outcomes([(0, "", "", "gateway", "probe", 1, 0)])


_MINUTE = SQL(f"minute / {MINUTE} * {MINUTE}")


def _whole(at: int) -> int:
    """The first whole minute that is not before a time."""
    return -(-at // MINUTE) * MINUTE


def totals(
    workspace_id: str,
    by: tuple[str, ...],
    *,
    strangers: bool = False,
    since: int | None = None,
    until: int | None = None,
    key_id: str | None = None,
    source: str | None = None,
) -> list[dict[str, Any]]:
    """Sums of a workspace by some of the columns minute, key_id, source and outcome, in their order.

    With `strangers` also of senders that are not known.
    """
    if since is None:
        since = MINUTE  # not the row that probes write
    columns = [_MINUTE if name == "minute" else getattr(Outcome, name) for name in by]
    shown = [column.alias(name) for column, name in zip(columns, by, strict=True)]
    found = Outcome.select(
        *shown, fn.SUM(Outcome.requests).alias("requests"), fn.SUM(Outcome.records).alias("records")
    )
    found = found.where(Outcome.workspace_id.in_([workspace_id, ""] if strangers else [workspace_id]))
    found = found.where(Outcome.minute >= _whole(since))
    if until is not None:
        found = found.where(Outcome.minute < _whole(until))
    found = only(found, {Outcome.key_id: key_id, Outcome.source: source})
    return rows(found.group_by(*columns).order_by(*columns))


def minutes(workspace_id: str, keys: Sequence[str], since: int) -> dict[str, list[int]]:
    """The minutes from a time on in which there were requests of these keys, milliseconds UTC, ascending."""
    found: Any = Outcome.select(Outcome.key_id, _MINUTE.alias("at"))
    found = found.where((Outcome.workspace_id == workspace_id) & (Outcome.minute >= _whole(since)))
    found = found.where(Outcome.key_id.in_(list(keys))).distinct()
    known: dict[str, list[int]] = {}
    for key, at in found.order_by(Outcome.key_id, SQL("at")).tuples() if keys else ():
        known.setdefault(key, []).append(int(at))
    return known


def newest_minutes(key_id: str, most: int) -> list[int]:
    """The last minutes, `most` at most, in which there were requests of a key: ms UTC, ascending."""
    found: Any = Outcome.select(_MINUTE.alias("at")).where(Outcome.key_id == key_id)
    newest = found.order_by(Outcome.minute.desc()).limit(most).tuples()
    return sorted({int(at) for (at,) in newest})


def ends_of(key_id: str, since: int) -> dict[str, int]:
    """How many requests of a key ended as what since a time, milliseconds UTC."""
    mine = (Outcome.key_id == key_id) & (Outcome.minute >= _whole(since))
    found = Outcome.select(Outcome.outcome, fn.SUM(Outcome.requests).alias("requests")).where(mine)
    return {row["outcome"]: int(row["requests"]) for row in rows(found.group_by(Outcome.outcome))}


def last_minute(key_id: str, outcome: str) -> int | None:
    """The last minute in which a request of a key ended so, in milliseconds UTC; None when none did."""
    found = Outcome.select(fn.MAX(Outcome.minute)).where(
        (Outcome.key_id == key_id) & (Outcome.outcome == outcome)
    )
    return found.scalar()  # type: ignore[no-any-return]
