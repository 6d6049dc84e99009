"""Many items in one request: each is taken or refused by itself, and they are stored in small transactions.

    POST a JSON array or NDJSON  ->  200 {"data": [{"index", "status", "id" or "error"}], "accepted": n, ...}

The items are read, labelled and stored in parts of PART, so that other requests wait for no longer
than one part takes to commit, and no more than a part is in memory beside the body. With an
Idempotency-Key each part claims the key for itself, in the transaction that stores it: whatever a
first attempt left undone, a repeat does, and nothing else.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from peewee import OperationalError

from adapters.contract import Adapter, Batch, Inbound, Labels, Problem, Record, Refused, Reply
from adapters.strict_json import InvalidJSON, parse
from gateway import auth, idempotency, limits, outcomes, store, triage
from gateway.caller import Caller
from gateway.ids import new_ulid
from gateway.items import items_of
from models import dedupe, intake
from models.base import dumps

PART = 200  # items stored in one transaction
RETRY_AFTER = "2"  # seconds, of items that the database could not take

# Parts that may wait for the writer at once: it commits what waits in one transaction, and that one
# stays short.
_turns = threading.BoundedSemaphore(2)

# What became of an item, by the status it is answered with.
_WORDS = {201: "accepted", 200: "duplicate", 503: "failed"}
_OUTCOMES = {"accepted": "created", "duplicate": "unchanged"}

Result = dict[str, Any]


def take(adapter: Adapter, batch: Batch, longest: int, inbound: Inbound) -> Reply:
    """Takes a batch whose items have at most `longest` bytes each.

    A batch is one request to the rate limit and one to the ledger. Raises Refused when nothing of it
    was taken: 400 (no batch), 413 (too many items), 409 or 422 (the Idempotency-Key, see
    gateway.idempotency); and peewee's OperationalError when the database cannot take the first part
    now. When it cannot take a later one, that one's items and those after it have the status 503.
    """
    caller = auth.identify(adapter, batch.scope, inbound)
    limits.spend(caller, inbound)
    spans = items_of(inbound.body, inbound.headers.get("content-type", ""))
    taken = _Taken(adapter, batch, inbound, caller, longest, idempotency.claim_of(caller, adapter, inbound))
    with idempotency.in_flight(taken.claim, adapter.idempotency):
        for start in range(0, len(spans), PART):
            taken.part(start, spans[start : start + PART], last=start + PART >= len(spans))
    return taken.reply()


@dataclass
class _Taken:
    """What has become of a batch so far."""

    adapter: Adapter
    batch: Batch
    inbound: Inbound
    caller: Caller
    longest: int
    claim: intake.Claim | None
    results: list[Result] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)
    stored: int = 0  # parts
    replayed: int = 0  # parts
    counted: bool = False
    failure: Problem | None = None

    def part(self, start: int, spans: Sequence[tuple[int, int]], *, last: bool) -> None:
        """Reads, labels and stores the items at these places of the body."""
        if self.failure is None:
            try:
                results = self._replayed(start) or self._stored(start, spans, last)
            except OperationalError:
                if not self.stored + self.replayed:
                    raise
                wait = {"Retry-After": RETRY_AFTER}
                self.failure = Problem(503, "overloaded", "Storage is busy, try again.", headers=wait)
        if self.failure is not None:
            results = [self._refused(start + n, self.failure) for n in range(len(spans))]
        self.results += results

    def reply(self) -> Reply:
        """The answer to the whole, after the request is counted if no part of it did that."""
        counts = Counter(_WORDS.get(result["status"], "invalid") for result in self.results)
        if self.stored or not self.replayed:
            self.inbound.answer_headers.pop("Idempotent-Replayed", None)
        ended = intake.ended(self.outcomes)
        if not self.counted:
            intake.note(self._entry(), ended)
        self.inbound.known["outcome"] = ended
        words = ("accepted", "duplicate", "invalid", "failed")
        return Reply(200, {"data": self.results, **{word: counts[word] for word in words}})

    def _replayed(self, start: int) -> list[Result]:
        """What the items of a part were told when the key was first used; nothing when it is free.

        Only spares the work: which request is the first is decided when a part is stored.
        """
        claim = self._claim(start)
        used = claim and dedupe.taken(claim.workspace_id, claim.scope, claim.key)
        if not used or used["expires_at"] <= self.inbound.received_at:
            return []
        return self._again(claim, intake.Taken(used["digest"], used["answer"]))

    def _again(self, claim: intake.Claim | None, taken: intake.Taken) -> list[Result]:
        answer = idempotency.repeated(taken, claim, self.adapter.idempotency, self.inbound)
        results: list[Result] = json.loads(answer)
        words = {_WORDS.get(result["status"], "invalid") for result in results}
        self.outcomes |= {"unchanged" if word in _OUTCOMES else word for word in words}
        self.replayed += 1
        return results

    def _stored(self, start: int, spans: Sequence[tuple[int, int]], last: bool) -> list[Result]:
        results: list[Result] = []
        kept: list[tuple[int, Record, bytes]] = []
        for number, (begin, end) in enumerate(spans):
            item = self.inbound.body[begin:end]
            try:
                kept.append((number, self._read(item), item))
                results.append({"index": start + number, "status": 201})
            except Refused as refused:
                results.append(self._refused(start + number, refused.problem))
        writes: list[intake.Write] = []
        places: list[int] = []
        for (number, record, item), label in zip(kept, label_all([kept[1] for kept in kept]), strict=True):
            try:
                write = store.write_of(
                    self.caller, self.adapter, self.inbound, record, label, new_ulid(), item
                )
            except Refused as refused:
                results[number] = self._refused(start + number, refused.problem)
            else:
                writes.append(write)
                places.append(number)
        claim = self._claim(start)
        if len(places) < len(spans):
            self.outcomes.add("invalid")

        def told(stored: Sequence[intake.Stored]) -> str:
            for number, one in zip(places, stored, strict=True):
                results[number] = _told(start + number, one)
            return dumps(results) if claim else ""

        if writes or claim:
            request = intake.Request(
                writes,
                claim,
                told,
                store.REACH,
                self._entry(),
                self.inbound.received_at,
                counted=last,
                before=frozenset(self.outcomes),
            )
            try:
                with _turns:
                    stored = intake.save(request)
            except intake.Taken as taken:
                return self._again(claim, taken)
            told(stored)
            self.outcomes |= {one.outcome for one in stored}
            self.counted = last
            self.stored += 1
        return results

    def _read(self, item: bytes) -> Record:
        """The record of one item. Raises Refused."""
        if len(item) > self.longest:
            raise Refused(Problem(413, "too_large", f"Item is larger than {self.longest} bytes."))
        try:
            value = parse(item)
        except InvalidJSON as error:
            raise Refused(Problem(400, "invalid_json", str(error).replace("body", "item"))) from None
        return self.batch.read(value)

    def _refused(self, index: int, problem: Problem) -> Result:
        told = self.adapter.refuse(replace(problem, request_id=self.inbound.request_id))
        return {"index": index, "status": problem.status, "error": told.body}

    def _claim(self, start: int) -> intake.Claim | None:
        """The claim of the part that begins with this item."""
        claim = self.claim
        return claim and replace(claim, scope=f"{claim.scope} {start}")

    def _entry(self) -> intake.Entry:
        name = self.adapter.source or self.adapter.name
        return outcomes.entry(name, self.inbound.received_at, self.caller)


def label_all(records: Sequence[Record]) -> list[Labels]:
    """The labels of many records."""
    return [triage.label(record) for record in records]


def _told(index: int, stored: intake.Stored) -> Result:
    """An item that was stored, or found stored."""
    told = {"index": index, "status": 201 if stored.outcome == "created" else 200}
    return {**told, "id": stored.row["id"]} if stored.row else told
