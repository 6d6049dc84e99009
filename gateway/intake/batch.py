"""Many items in one request: each is taken or refused by itself, and they are stored in small transactions.

    POST a JSON array or NDJSON  ->  200 {"data": [{"index", "status", "id" or "error"}], "accepted": n, ...}

The items are read, labelled and stored in parts of PART, so that other requests wait for no longer
than one part takes to commit, and no more than a part is in memory beside the body. With an
Idempotency-Key each part claims the key for itself, in the transaction that stores it: whatever a
first attempt left undone, a repeat does, and nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from peewee import OperationalError

from adapters.contract import Adapter, Batch, Inbound, Problem, Refused, Reply
from adapters.contract.strict_json import InvalidJSON, parse
from gateway.core.rate import RETRY_AFTER
from gateway.intake import auth, idempotency, limits
from gateway.intake.batch_items import items_of
from gateway.intake.store_many import Done, Read, Sender, store_part
from models.database.base import dumps
from models.intake import commit
from models.tables import dedupe

PART = 50  # items stored in one transaction

# What became of an item, by the status it is answered with.
_WORDS = {201: "accepted", 200: "duplicate", 503: "failed"}

Result = dict[str, Any]


def take(adapter: Adapter, batch: Batch, longest: int, inbound: Inbound) -> Reply:
    """Takes a batch whose items have at most `longest` bytes each.

    A batch is one request to the rate limit and one to the ledger. Raises Refused when nothing of it
    was taken: 400 (no batch), 413 (too many items), 409 or 422 (the Idempotency-Key, see
    gateway.intake.idempotency); and peewee's OperationalError when the database cannot take the first part
    now. When it cannot take a later one, that one's items and those after it have the status 503.
    """
    caller = auth.identify(adapter, batch.scope, inbound)
    limits.spend(caller, inbound)
    inbound.body = inbound.text
    spans = items_of(inbound.body, inbound.headers.get("content-type", ""))
    claim = idempotency.claim_of(caller, adapter, inbound)
    taken = _Taken(Sender(caller, adapter, inbound), batch, longest, claim)
    with idempotency.in_flight(taken.claim, adapter.idempotency):
        while (start := len(taken.results)) < len(spans):
            taken.part(start, spans[start : start + PART], last=start + PART >= len(spans))
    return taken.reply()


@dataclass
class _Taken:
    """What has become of a batch so far."""

    sender: Sender
    batch: Batch
    longest: int
    claim: commit.Claim | None
    results: list[Result] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)
    stored: int = 0  # parts
    replayed: int = 0  # parts
    counted: bool = False
    failure: Problem | None = None

    def part(self, start: int, spans: Sequence[tuple[int, int]], *, last: bool) -> None:
        """Reads, labels and stores the items at these places of the body.

        A part that was stored before has as many items as it had then.
        """
        if self.failure is None:
            try:
                results = self._replayed(start) or self._stored(start, spans, last)
            except OperationalError:
                if not self.stored + self.replayed:
                    raise
                self.failure = Problem(503, "overloaded", "Storage is busy, try again.", headers=RETRY_AFTER)
        if self.failure is not None:
            results = [self._told(start + n, self.failure) for n in range(len(spans))]
        self.results += results

    def reply(self) -> Reply:
        """The answer to the whole, after the request is counted if no part of it did that."""
        counts = Counter(_WORDS.get(result["status"], "invalid") for result in self.results)
        if self.stored or not self.replayed:
            self.sender.inbound.answer_headers.pop("Idempotent-Replayed", None)
        ended = commit.ended(self.outcomes)
        if not self.counted:
            commit.note(self.sender.entry, ended)
        self.sender.inbound.outcome = ended
        words = ("accepted", "duplicate", "invalid", "failed")
        return Reply(200, {"data": self.results, **{word: counts[word] for word in words}})

    def _replayed(self, start: int) -> list[Result]:
        """What the items of a part were told when the key was first used; nothing when it is free.

        Only spares the work: which request is the first is decided when a part is stored.
        """
        claim = self._claim(start)
        used = claim and dedupe.taken(claim.workspace_id, claim.scope, claim.key)
        if not used or used["expires_at"] <= self.sender.inbound.received_at:
            return []
        return self._again(claim, commit.Taken(used["digest"], used["answer"]))

    def _again(self, claim: commit.Claim | None, taken: commit.Taken) -> list[Result]:
        answer = idempotency.repeated(taken, claim, self.sender.adapter.idempotency, self.sender.inbound)
        results: list[Result] = json.loads(answer)
        words = {_WORDS.get(result["status"], "invalid") for result in results}
        self.outcomes |= {"invalid" if word == "invalid" else "unchanged" for word in words}
        self.replayed += 1
        return results

    def _stored(self, start: int, spans: Sequence[tuple[int, int]], last: bool) -> list[Result]:
        body, claim = self.sender.inbound.body, self._claim(start)
        items = [self._read(body[begin:end]) for begin, end in spans]

        def told(done: Sequence[Done]) -> list[Result]:
            return [self._told(start + number, one) for number, one in enumerate(done)]

        try:
            done = store_part(
                self.sender,
                items,
                claim,
                lambda done: dumps(told(done)),
                counted=last,
                before=self.outcomes,
            )
        except commit.Taken as taken:
            return self._again(claim, taken)
        became = {"invalid" if isinstance(one, Problem) else one.outcome for one in done}
        self.outcomes |= became
        if claim or became - {"invalid"}:
            self.stored += 1
            self.counted = last
        return told(done)

    def _read(self, item: bytes) -> Read:
        if len(item) > self.longest:
            problem = Problem(413, "too_large", f"Item is larger than {self.longest} bytes.")
            return problem, item
        try:
            return self.batch.read(parse(item)), item
        except InvalidJSON as error:
            return Problem(400, "invalid_json", str(error).replace("body", "item")), item
        except Refused as refused:
            return refused.problem, item

    def _told(self, index: int, done: Done) -> Result:
        """The answer to one item."""
        if isinstance(done, Problem):
            problem = replace(done, request_id=self.sender.inbound.request_id)
            error = self.sender.adapter.refuse(problem).body
            return {"index": index, "status": done.status, "error": error}
        told = {"index": index, "status": 201 if done.outcome == "created" else 200}
        return {**told, "id": done.row["id"]} if done.row else told

    def _claim(self, start: int) -> commit.Claim | None:
        """The claim of the part that begins with this item."""
        claim = self.claim
        return claim and replace(claim, scope=f"{claim.scope} {start}")
