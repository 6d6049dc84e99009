"""The Idempotency-Key header: one request, however often it is sent.

Follows draft-ietf-httpapi-idempotency-key-header-07 (400 for a bad key, 409 while the first is
still in flight, 422 for another body), except in dialects that publish something else.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from adapters.contract import Adapter, Fault, Idempotency, Inbound, Problem, Refused, invalid
from adapters.contract.files import CUT
from gateway.access.caller import Caller
from models.database.base import writing
from models.intake import commit
from models.intake.commit import Claim, Taken

HEADER = "idempotency-key"
LONGEST = 255  # characters

_flying: set[tuple[str, ...]] = set()
_ALONE = nullcontext()
_lock = threading.Lock()


def claim_of(caller: Caller, adapter: Adapter, inbound: Inbound) -> Claim | None:
    """What the request claims by its Idempotency-Key header; None without one.

    Bare and quoted keys are the same. Keys are the caller's own, per route. Raises Refused (400)
    for an empty or overlong key, and for a file that was cut: whoever has a key sends all of it again.
    """
    sent = inbound.headers.get(HEADER)
    if sent is None or adapter.signed is not None:  # relays have natural keys, and a 4xx ends some hooks
        return None
    key = sent.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= LONGEST:
        raise invalid(Fault("Idempotency-Key", f"must have 1 to {LONGEST} characters"))
    scope = f"header:{caller.key_id}:{inbound.method} {inbound.path}"
    body = hashlib.sha256(inbound.body)
    for file in inbound.files:
        if file.refused == CUT:
            raise Refused(Problem(400, "invalid_request", f"Body ended within the file {file.name}."))
        body.update(f"\n{file.digest}".encode())
    expires_at = inbound.received_at + adapter.idempotency.seconds * 1000
    return Claim(caller.workspace_id, scope, key, body.hexdigest(), expires_at)


def in_flight(claim: Claim | None, law: Idempotency) -> AbstractContextManager[None]:
    """Refuses (409) a second request with a key whose first is being stored by this process right now.

    Only a courtesy, told early: which request is the first is decided by the unique key in the
    database. Dialects that refuse every repeat wait for that, since the first may yet fail.
    """
    return _ALONE if claim is None or law.repeat == "refuse" else _flight(claim.scope, claim.key)


@contextmanager
def _flight(*flight: str) -> Iterator[None]:
    with _lock:
        if flight in _flying:
            raise Refused(
                Problem(
                    409,
                    "idempotency_in_flight",
                    "A request with this Idempotency-Key is still being handled.",
                    headers={"Retry-After": "1"},
                )
            )
        _flying.add(flight)
    try:
        yield
    finally:
        with _lock:
            _flying.discard(flight)


@contextmanager
def claimed(caller: Caller, adapter: Adapter, inbound: Inbound) -> Iterator[None]:
    """A transaction that takes what the request claims, in a dialect that refuses every repeat.

    Raises Refused: 400 for a bad key, 409 for one that was used before.
    """
    claim = claim_of(caller, adapter, inbound)
    try:
        with writing():
            if claim is not None:
                commit.take_claim(claim, now=inbound.received_at)
            yield
    except Taken as taken:
        repeated(taken, claim, adapter.idempotency, inbound)
        raise AssertionError("such routes exist only in dialects that refuse repeats") from taken


def repeated(taken: Taken, claim: Claim | None, law: Idempotency, inbound: Inbound) -> str:
    """The first answer, for a request whose key was used before.

    Raises Refused: 409 where the dialect refuses every repeat, 422 when the body is another one.
    """
    if law.repeat == "refuse":
        raise Refused(Problem(409, "idempotency_duplicate", "Duplicate idempotency key."))
    assert claim is not None, "only a claim can be taken"
    if taken.digest != claim.digest or taken.answer is None:
        raise Refused(
            Problem(422, "idempotency_conflict", "This Idempotency-Key was used with another request body.")
        )
    inbound.answer_headers["Idempotent-Replayed"] = "true"
    return taken.answer
