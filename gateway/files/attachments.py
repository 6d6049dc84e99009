"""Files as they come: each is looked at, counted and put into the store, or refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from gateway.core.ids import new_id, now_ms
from gateway.core.pacing import transact
from gateway.files import kinds
from gateway.files.store import Stored, TooLarge, quota, store
from models.database.base import serialise
from models.tables import asset, unclaimed_file


@dataclass(frozen=True)
class File:
    """A file that comes: its bytes in pieces, its name and content type as the sender says them."""

    name: str
    chunks: Iterable[bytes]
    declared: str = ""  # never believed


@dataclass(frozen=True)
class Kept:
    """What became of a file: where its bytes are, or why it is `refused`."""

    name: str
    size: int = 0
    digest: str = ""
    content_type: str = ""
    refused: str = ""
    id: str = ""  # of the asset that its row will be


class OverQuota(Exception):
    """The workspace has no room for a file; the message says so."""


def keep(workspace_id: str, file: File, *, most: int, asset_id: str = "") -> Kept:
    """Puts a file of at most so many bytes into the store; there is no row of it yet.

    Its bytes stay for an hour without one. With `asset_id` they are that asset's, whose row is there.
    Raises what `file.chunks` raise, and OSError when the store has no room.
    """
    chunks = iter(file.chunks)
    head = _beginning(chunks)
    kind = kinds.kind_of(head[: kinds.HEAD], file.name)
    name = kinds.safe_name(file.name, kind) if kind else file.name
    if not head:
        return Kept(name, refused="is empty")
    if kind is None:
        return Kept(name, refused=f"is none of these: {kinds.ALLOWED}")
    made = asset_id or new_id("asset")
    try:
        stored = store().put(chain([head], chunks), most, partial(admit, workspace_id, made))
    except TooLarge:
        return Kept(name, refused=larger_than(most))
    except OverQuota as error:
        return Kept(name, refused=str(error))
    return Kept(name, stored.size, stored.digest, kind.content_type, id=made)


def admit(workspace_id: str, asset_id: str, stored: Stored) -> None:
    """Counts bytes that are about to be put for an asset. Raises OverQuota."""
    limit = quota()

    def note() -> None:
        serialise([("files", workspace_id)] if limit else [])
        if limit and asset.used_bytes(workspace_id) + stored.size > limit:
            raise OverQuota(f"has no room: the files of this workspace may take {limit:,} bytes")
        unclaimed_file.note(stored.digest, asset_id, workspace_id, stored.size, now_ms())

    transact(note)


def larger_than(most: int) -> str:
    """Why a file of more bytes than this is refused."""
    return f"is larger than {most:,} bytes"


def rows_of(
    kept: Sequence[Kept],
    workspace_id: str,
    project_id: str | None,
    feedback_id: str | None,
    via: str,
    now: int,
) -> list[dict[str, Any]]:
    """Rows of those files that were not refused, for models.tables.asset.keep in the record's transaction.

    `via` is the door, `now` milliseconds UTC.
    """
    same: dict[str, Any] = {
        "workspace_id": workspace_id,
        "project_id": project_id,
        "feedback_id": feedback_id,
    }
    same |= {"uploaded_via": via, "created_at": now, "updated_at": now, "status": "ready"}
    nothing = dict.fromkeys(("width", "height", "reason", "source_url", "thumbnail"))
    return [
        {
            **same,
            **nothing,
            "id": one.id,
            "name": one.name,
            "content_type": one.content_type,
            "size": one.size,
            "sha256": one.digest,
        }
        for one in kept
        if not one.refused
    ]


def _beginning(chunks: Iterator[bytes]) -> bytes:
    """The first pieces, until there are enough bytes to tell the kind, or no more."""
    head = bytearray()
    for chunk in chunks:
        head += chunk
        if len(head) >= kinds.HEAD:
            break
    return bytes(head)
