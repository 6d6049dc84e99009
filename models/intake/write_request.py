"""One request to store: its records, and the Idempotency-Key that it claims."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from models.database.base import values
from models.intake.writes import Reach, Stored, Write
from models.tables.dedupe import Key
from models.tables.delivery import Parted
from models.tables.event import Event
from models.tables.feedback import Feedback
from models.tables.outcome import Entry

_FILES = attrgetter("files")


@dataclass(slots=True)
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


class Gone(Exception):
    """The delivery in quarantine that a request is made of is there no more."""


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery in quarantine that is sent through again; all of it is stored when it `is_whole`."""

    id: str
    is_whole: bool


@dataclass(slots=True)
class Request:
    """One request to store, all or nothing.

    `answer` makes what a repeat of the claim will be given; `entry` is its line in the ledger and
    `now` milliseconds UTC. `rows` is what it inserts if it begins new records only. One stored in
    parts is `counted` with its last part, whose `before` are the outcomes of all its items so far.
    `parted` is the delivery whose parts the writes' payloads are, when they are no more than that.
    With `has_files` some of its writes have them. One made of what is `held` in quarantine is stored only
    while that is still there.
    `marks` are the words and the names of keys by which requests have to do with each other.
    """

    writes: Sequence[Write]
    claim: Claim | None
    answer: Callable[[list[Stored]], str]
    reach: Reach
    entry: Entry
    now: int
    counted: bool = True
    before: Collection[str] = ()
    parted: Parted | None = None
    held: Held | None = None
    created: list[Stored] = field(default_factory=list, init=False)
    rows: list[tuple[Sequence[Any], Sequence[Any]]] = field(default_factory=list, init=False)
    keys: list[Key] = field(default_factory=list, init=False)
    marks: list[Any] = field(default_factory=list, init=False)
    has_files: bool = field(default=False, init=False)

    def prepare(self) -> None:
        """Does beforehand, in the request's own thread, what a request that only begins records needs."""
        self.has_files = any(map(_FILES, self.writes))
        self.marks = [mark for write in self.writes for mark in write.marks]
        if self.claim is not None:
            self.marks.append((self.claim.workspace_id, self.claim.scope, self.claim.key))
        if self.held is not None or not all(write.begins for write in self.writes):
            return
        self.created = [Stored("created", write.row) for write in self.writes]
        for write in self.writes:
            row = write.row
            event = {**write.event, "feedback": row["id"], "type": "received"}
            self.rows.append((values(Feedback, row), values(Event, event)))
            if write.dedupe_key is not None:
                self.keys.append(Key(row["workspace_id"], row["source"], write.dedupe_key, row["id"]))
        if (claim := self.claim) is not None:
            answer = self.answer(self.created)
            used = (claim.workspace_id, claim.scope, claim.key)
            self.keys.append(Key(*used, None, claim.digest, answer, claim.expires_at))
