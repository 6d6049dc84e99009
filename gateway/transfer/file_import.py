"""Files of feedback into the database, of any size, with little in memory.

An import stores its rows in parts; each part claims its place in the file in the transaction that
stores it. Whoever imports the same file again continues where the last one was stopped, however it
was, and stores nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BufferedReader
from itertools import chain, islice
from pathlib import Path
from typing import Any

from adapters import native
from adapters.contract import Inbound, Problem, Refused
from gateway.access.caller import Caller
from gateway.core.ids import new_id, now_ms
from gateway.intake.store_many import Done, Read, Sender, store_part
from gateway.transfer.import_rows import Mapped, Row
from models.database.base import dumps
from models.intake import commit
from models.tables import dedupe
from models.tables.workspace import list_projects

PART = 50  # rows stored in one transaction
PART_BYTES = 262_144  # of rows; a part ends with the row that exceeds it
NEVER = 253_402_300_799_000  # milliseconds, the last second of the year 9999


@dataclass(frozen=True, slots=True)
class Goal:
    """Where imported rows land, as what: `source` is what their records are filed under.

    Those that name another project of ours land there, or are refused when it is to be this one `only`.
    """

    workspace_id: str
    project_id: str
    source: str
    only: bool = False


@dataclass
class Tally:
    """How many rows an import has stored, found stored before, and refused; `earlier` by earlier runs."""

    stored: int = 0
    earlier: int = 0
    known: int = 0
    rejected: int = 0


@dataclass
class Import:
    """One run over a file. `name` says which import this is; runs with the same name continue each other."""

    goal: Goal
    mapped: Mapped
    name: str
    path: str
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        goal = self.goal
        own = goal.project_id if goal.only else None
        caller = Caller.inside("", goal.workspace_id, own, goal.project_id)
        inbound = Inbound("IMPORT", self.path, {}, request_id=new_id("req"))
        self._sender = Sender(caller, replace(native.ADAPTER, source=goal.source), inbound)
        self._projects = {str(row["id"]) for row in list_projects(goal.workspace_id)[0]}

    def run(self, rows: Iterator[Row], reject: Callable[[Row, str], None]) -> Iterator[Tally]:
        """Stores the rows, telling of each that is refused, and says how far it is after every part.

        Raises peewee's OperationalError when the database cannot take a part.
        """
        ahead: deque[Row] = deque()
        while part := _part(chain(_popped(ahead), rows)):
            refused, count = self._part(part)
            part += islice(rows, max(0, count - len(part)))
            ahead.extendleft(reversed(part[count:]))
            for row in part[:count]:
                if row.line in refused:
                    reject(row, refused[row.line])
            yield self.tally

    def _part(self, rows: Sequence[Row]) -> tuple[dict[int, str], int]:
        """Stores some rows: why those that are refused are, by their line, and how many rows it was.

        What an earlier run has stored from here on may be more of them, or fewer.
        """
        claim = commit.Claim(self.goal.workspace_id, f"import:{self.name}", str(rows[0].line), "", NEVER)
        used = dedupe.taken(claim.workspace_id, claim.scope, claim.key)
        if used is not None:
            return self._earlier(used["answer"])
        lines = [row.line for row in rows]

        def summary(done: Sequence[Done]) -> dict[str, Any]:
            refused = [
                [line, one.message] for line, one in zip(lines, done, strict=True) if isinstance(one, Problem)
            ]
            stored = sum(isinstance(one, commit.Stored) and one.outcome == "created" for one in done)
            return {"stored": stored, "known": len(done) - stored - len(refused), "rejected": refused}

        sender = replace(self._sender, inbound=replace(self._sender.inbound, received_at=now_ms()))
        items = [self._read(row) for row in rows]
        try:
            done = store_part(
                sender, items, claim, lambda done: dumps(summary(done)), counted=False, before=()
            )
        except commit.Taken as taken:  # somebody else imports the same file
            return self._earlier(taken.answer)
        told = summary(done)
        self.tally.stored += told["stored"]
        return self._tallied(told), len(rows)

    def _read(self, row: Row) -> Read:
        try:
            record = self.mapped.read(row)
        except Refused as refused:
            return refused.problem, row.raw
        if record.project_ref not in self._projects:  # another gateway's
            record = replace(record, project_ref=None)
        return record, row.raw

    def _earlier(self, answer: str | None) -> tuple[dict[int, str], int]:
        assert answer is not None, "a part is claimed in the transaction that stores it"
        told = json.loads(answer)
        self.tally.earlier += told["stored"]
        return self._tallied(told), told["stored"] + told["known"] + len(told["rejected"])

    def _tallied(self, told: dict[str, Any]) -> dict[int, str]:
        refused = {int(line): str(reason) for line, reason in told["rejected"]}
        self.tally.known += told["known"]
        self.tally.rejected += len(refused)
        return refused


def digest_of(file: BufferedReader) -> str:
    """A file's content in a few characters; the file is at its beginning again."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def name_of(digest: str, goal: Goal, mapped: Mapped, again: str = "") -> str:
    """What an import is known by: the file's content, where it goes and how it is read."""
    how = [digest, *(goal.workspace_id, goal.project_id, goal.source), dict(mapped.fields), mapped.key, again]
    if goal.only:  # other rows are refused
        how.append("only")
    return hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()


def _part(rows: Iterator[Row]) -> list[Row]:
    """The next rows to be stored together."""
    part: list[Row] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row.raw)
        if len(part) == PART or size > PART_BYTES:
            break
    return part


def _popped(rows: deque[Row]) -> Iterator[Row]:
    while rows:
        yield rows.popleft()


def rejected_path(path: Path) -> Path:
    """Where the rows go that an import of this file refused."""
    return path.with_name(path.name + ".rejected.ndjson")
