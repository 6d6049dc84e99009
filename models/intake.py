"""The one write: records, their events with the raw payload, and their keys, in one transaction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models import dedupe
from models.base import writing
from models.laws import Reach, Stored, Write, store

_FORGET_EVERY = 500  # writes between two sweeps of expired keys
_writes = itertools.count(1)

__all__ = ["Claim", "Reach", "Stored", "Taken", "Write", "save", "take_claim"]


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key to take for one request. `expires_at` is milliseconds UTC."""

    workspace_id: str
    scope: str
    key: str
    digest: str
    expires_at: int


class Taken(Exception):
    """The request's Idempotency-Key was used before: its body digest and the first answer."""

    def __init__(self, digest: str, answer: str | None) -> None:
        super().__init__("idempotency key already used")
        self.digest = digest
        self.answer = answer


def save(
    writes: Sequence[Write],
    claim: Claim | None,
    answer: Callable[[list[Stored]], str],
    reach: Reach,
    *,
    now: int,
) -> list[Stored]:
    """Commits one request, all or nothing. `answer` makes what a repeat of the claim will be given.

    Raises Taken when the claim was used before, and peewee's OperationalError when the database
    cannot take it now.
    """
    with writing():
        if claim is not None:
            take_claim(claim, now=now)
        stored = [store(write, reach, now) for write in writes]
        if claim is not None:
            dedupe.remember_answer(claim.workspace_id, claim.scope, claim.key, answer(stored))
        if next(_writes) % _FORGET_EVERY == 0:
            dedupe.forget_expired(now)
    return stored


def take_claim(claim: Claim, *, now: int) -> None:
    """Takes an Idempotency-Key within the open transaction. Raises Taken."""
    free = dedupe.take(
        claim.workspace_id, claim.scope, claim.key, now=now, digest=claim.digest, expires_at=claim.expires_at
    )
    if not free:
        used = dedupe.taken(claim.workspace_id, claim.scope, claim.key)
        assert used is not None, "a key that could not be taken has a row"
        raise Taken(used["digest"], used["answer"])
