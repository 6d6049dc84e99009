"""The one write: records, their events with the raw payload, their keys and their count, in one transaction.

Requests of many threads share it (models.database.group_commit). Most begin records that have nothing to do
with any other, and are stored with a few statements for all of them; the rest go through the laws of
models.intake.delivery_rules one after the other.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from models.database.base import AT_ONCE, database, serialise
from models.database.group_commit import Busy, Writer
from models.intake.attached import attach
from models.intake.beginnings import begin, store_all
from models.intake.delivery_rules import CONTENT, store
from models.intake.telling import Telling
from models.intake.write_request import Claim, Gone, Held, Request, Taken
from models.intake.writes import Reach, Stored, Write
from models.tables import dedupe, delivery, outcome, quarantine
from models.tables.delivery import Parted
from models.tables.event import exists
from models.tables.outcome import Entry, ledger

_PROBE_EVERY = 1.0  # seconds
_SETTLED = 3.0  # seconds without a failure after which a probe is believed again
_PATIENCE = 5.0  # seconds a transaction is tried again for that a server could not take
LOCK_WAIT = 1.0  # seconds a statement waits for what somebody else keeps locked, while all others wait for it
LOCK_WAIT_ALONE = (
    0.02  # the same of a request that has waited so with others: many of them would take seconds
)
_PROBE = object()
_probed = -_PROBE_EVERY
_writer: Writer | None = None
_owner = 0
_lock = threading.Lock()
_used: dict[str, int] = {}  # keys and when they were used, which nobody has written yet

# The ledger's word for what became of a record. Of several, the first of these is the request's.
OUTCOMES = {
    "created": "accepted",
    "updated": "accepted",
    "retracted": "accepted",
    "quarantined": "quarantined",
    "unchanged": "duplicate",
    "ignored": "ignored",
    "invalid": "invalid",
}

__all__ = [
    "CONTENT",
    "Claim",
    "Entry",
    "Gone",
    "Held",
    "Parted",
    "Reach",
    "Request",
    "Stored",
    "Taken",
    "Telling",
    "Write",
    "flush",
    "save",
    "stop",
    "used",
]


def save(request: Request) -> list[Stored]:
    """Commits one request and says what became of its writes.

    Raises Taken when the claim was used before, Gone when what it is made of is, and peewee's
    OperationalError when the database cannot take it now.
    """
    request.prepare()
    stored: list[Stored] = _current().submit(request)
    return stored


def note(entry: Entry, ended: str) -> None:
    """Counts a request that stored nothing; written within about a second."""
    ledger.note(entry, ended)
    _current()


def used(key_id: str, at: int) -> None:
    """Notes that a key was used (milliseconds UTC); written with the next transaction, within a second."""
    _used[key_id] = at
    _current()


def flush() -> None:
    """Writes what this process has counted and noted and not written yet. Raises OperationalError."""
    _current().submit(None)


def probe() -> None:
    """Proves that a transaction can be committed, with a row that says when; at most once a second.

    That row may fit on a disk that has no room for records: who fails at those has to have stopped for a
    while, or to succeed. Raises OperationalError.
    """
    global _probed
    now = time.monotonic()
    if now - _current().failed_at < _SETTLED:
        raise Busy("records could not be stored a moment ago")
    if now - _probed >= _PROBE_EVERY or _current().down:
        _current().submit(_PROBE)
        _probed = now


def stop() -> None:
    """Ends this process's writer, after what waits is committed; another starts when it is needed."""
    global _writer
    with _lock:
        if _writer is not None and _owner == os.getpid():
            _writer.stop()
        _writer = None


def take_claim(claim: Claim, *, now: int) -> None:
    """Takes an Idempotency-Key within the open transaction. Raises Taken."""
    free = dedupe.take(
        claim.workspace_id, claim.scope, claim.key, now=now, digest=claim.digest, expires_at=claim.expires_at
    )
    if not free:
        used = dedupe.taken(claim.workspace_id, claim.scope, claim.key)
        assert used is not None, "a key that could not be taken has a row"
        raise Taken(used["digest"], used["answer"])


def _current() -> Writer:
    """This process's writer to the bound database. A fork has none, and a new database needs a new one."""
    global _writer, _owner
    writer = _writer
    if writer is not None and _owner == os.getpid() and writer.database is database.obj:
        return writer
    with _lock:
        if _writer is None or _owner != os.getpid() or _writer.database is not database.obj:
            if _writer is not None and _owner == os.getpid():
                _writer.stop()
            alone = partial(_commit, lock_wait=LOCK_WAIT_ALONE)
            handoff = database.obj.handoff
            _writer, _owner = Writer(database.obj, _commit, _PROBE, _rows, alone, handoff), os.getpid()
        return _writer


def _commit(works: list[Any], lock_wait: float | None = None) -> list[Any]:
    """Stores requests in one transaction; each result is a list of Stored, or the Taken to raise."""
    counted, keys = ledger.take(), _take_used()
    work = [request for request in works if isinstance(request, Request)]
    probing = _PROBE in works
    if not counted and not keys and not work and not probing:
        return [None] * len(works)

    held: set[str] = set()  # keys whose rows somebody else keeps

    def transaction() -> list[Any]:
        held.clear()
        results = _apply(work)
        outcome.add(*_counts(counted, work, results))
        held.update(database.obj.note_used(keys))
        if probing:
            outcome.beat()
        return results

    try:
        patience = 0 if probing else _PATIENCE
        wait = LOCK_WAIT if lock_wait is None else lock_wait
        results = database.obj.transact(transaction, partial(_stored, work), patience, wait)
    except BaseException:  # whatever it was, what was counted is not written yet
        ledger.give_back(counted)
        held.update(keys)
        raise
    finally:
        for key_id in held:
            _used.setdefault(key_id, keys[key_id])
    found = iter(results)
    return [next(found) if isinstance(request, Request) else None for request in works]


def _rows(work: Any) -> int:
    """How many rows a work of the writer's has, about."""
    return len(work.writes) if isinstance(work, Request) else 1


def _take_used() -> dict[str, int]:
    """Which keys were used and when; they wait no more."""
    taken: dict[str, int] = {}
    with suppress(KeyError):  # popping is atomic: what is noted meanwhile is taken now or the next time
        while True:
            key_id, at = _used.popitem()
            taken[key_id] = at
    return taken


def _stored(requests: list[Request], results: list[Any]) -> bool:
    """Whether a transaction that had these results was committed; False also when it stored no record."""
    for request, result in zip(requests, results, strict=True):
        if isinstance(result, Exception):
            continue
        for write, stored in zip(request.writes, result, strict=True):
            if stored.told:
                return exists(stored.row["id"], write.event["id"])
    return False


def _apply(requests: list[Request]) -> list[Any]:
    """The results of requests within the open transaction: the simple ones together, then the others."""
    serialise(name for request in requests for write in request.writes for name in write.shared)
    begun = begin(requests)
    results = [
        request.created if number in begun else _alone(request) for number, request in enumerate(requests)
    ]
    for request, result in zip(requests, results, strict=True):
        if isinstance(result, Exception):
            continue
        if request.parted is not None:
            told = zip(request.writes, result, strict=True)
            parts = [(write.part, write.event["id"] if stored.told else None) for write, stored in told]
            delivery.keep(request.parted, parts)
        if request.has_files:
            attach(request.writes, result, request.now)
    return results


def _alone(request: Request) -> list[Stored] | Taken | Gone:
    """One request through the laws."""
    claim = request.claim
    if request.held is not None and not quarantine.is_kept(request.held.id):
        return Gone(request.held.id)
    if claim is not None:
        try:
            take_claim(claim, now=request.now)
        except Taken as taken:
            return taken
    if len(request.writes) > AT_ONCE:
        stored = store_all(request)
    else:
        stored = [store(write, request.reach, request.now) for write in request.writes]
    if request.held is not None and request.held.is_whole:
        quarantine.note_replayed(request.held.id, request.now)
    if claim is not None:
        dedupe.remember_answer(claim.workspace_id, claim.scope, claim.key, request.answer(stored))
    return stored


def _counts(
    counted: Counter[Any], requests: Iterable[Request], results: Iterable[Any]
) -> tuple[Counter[Any], Counter[Any]]:
    """The ledger's requests and records: what was counted before, and these, but for those refused yet."""
    sums, records = Counter(counted), Counter[Any]()
    for request, result in zip(requests, results, strict=True):
        if isinstance(result, Exception):
            continue
        outcomes = [stored.outcome for stored in result]
        row = request.entry.ended(ended([*request.before, *outcomes]))
        if request.counted:
            sums[row] += 1
        if created := outcomes.count("created") + sum(stored.beside for stored in result):
            records[row] += created
    return sums, records


def ended(outcomes: Iterable[str]) -> str:
    """The one outcome of a request whose records had these."""
    words = set(map(OUTCOMES.__getitem__, outcomes))
    return next(filter(words.__contains__, OUTCOMES.values()), "ignored")


atexit.register(stop)
