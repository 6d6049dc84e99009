"""What became of each request at a door: counted once, by minute, key and source.

A request whose records are stored is counted in the transaction that stores them (models.intake.commit);
the others are counted when they are answered, and written within about a second.
"""

from __future__ import annotations

from adapters.contract import Adapter, Identity, Inbound, Problem
from gateway.core import metrics
from gateway.core.ids import now_ms
from models.intake import commit
from models.intake.commit import Entry

OUTCOMES = (
    "accepted",
    "duplicate",
    "ignored",
    "quarantined",
    "invalid",
    "unauthorized",
    "limited",
    "overloaded",
    "failed",
)
_BY_CODE = {"idempotency_duplicate": "duplicate", "idempotency_in_flight": "duplicate", "internal": "failed"}
_BY_STATUS = {401: "unauthorized", 403: "unauthorized", 429: "limited", 503: "overloaded"}


def entry(source: str, at: int, caller: Identity | None) -> Entry:
    """The line of the ledger that a request belongs to. `at` is milliseconds UTC."""
    if caller is None:
        return Entry(at, "", "", source)
    return Entry(at, caller.workspace_id, caller.key_id, source)


def count(adapter: Adapter, inbound: Inbound | None, problem: Problem | None, seconds: float) -> None:
    """Counts one answered request, in the ledger unless the transaction that stored it did."""
    source = adapter.source or adapter.name
    ended = None if inbound is None else inbound.outcome
    if ended is None:
        ended = "duplicate" if problem is None else of(problem)
        caller = None if inbound is None else inbound.caller
        at = now_ms() if inbound is None else inbound.received_at
        commit.note(entry(source, at, caller), ended)
    metrics.observe(source, ended, seconds)


def of(problem: Problem) -> str:
    """The outcome of a request that is refused."""
    known = _BY_CODE.get(problem.code) or _BY_STATUS.get(problem.status)
    return known or ("invalid" if problem.status < 500 else "failed")
