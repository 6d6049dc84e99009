"""Files of records: their rows, in the record's own transaction. Their bytes are in the store by then.

A file is kept once with its record, however often its delivery comes, also if somebody has deleted it since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from models.tables import asset, dedupe, job

if TYPE_CHECKING:
    from models.intake.writes import Stored, Write

FETCH = "fetch"  # the work that fetches what is only linked to (gateway.background.fetching)
MOST = 50  # files of a record: a story that goes on for years does not grow for ever
REMEMBERED = 90 * 86_400_000  # milliseconds


class Attached(NamedTuple):
    """A file of a write: what tells it from others of its record, and its row, which lacks the record."""

    key: str
    row: Mapping[str, Any]


def attach(writes: Sequence[Write], stored: Sequence[Stored], now: int) -> None:
    """Gives the records that were stored their files, within the open transaction."""
    for write, one in zip(writes, stored, strict=True):
        if write.files and one.row and not (write.retracts or write.votes_for):
            _attach(write.files, one, now)


def _attach(files: Sequence[Attached], stored: Stored, now: int) -> None:
    record = stored.row
    digests = [hashlib.sha256(file.key.encode("utf-8", "replace")).hexdigest() for file in files]
    names = [(record["workspace_id"], "file", f"{record['id']}:{digest[:32]}") for digest in digests]
    keys = {name: dedupe.Key(*name, record["id"], expires_at=now + REMEMBERED) for name in names}
    free = dedupe.take_all(list(keys.values()), now)
    new = {name: file.row for name, file in zip(names, files, strict=True) if name in free}
    room = MOST - (0 if stored.outcome == "created" else len(asset.of_feedback([record["id"]])))
    own = {"feedback_id": record["id"], "project_id": record["project_id"]}
    if rows := [{**row, **own} for row in new.values()][: max(0, room)]:
        asset.keep(rows)
        if any(row["source_url"] for row in rows):
            job.hurry(FETCH)
