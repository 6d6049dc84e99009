"""Bytes in the store of files that may belong to no asset: on their way to one, or left by one that is gone.

A line is written before the bytes are, and goes in the transaction that stores their asset (triggers of
0027). So bytes that no asset names have a line from their first moment on, and who deletes bytes knows of
those that are about to be named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import BigIntegerField, CompositeKey, TextField

from models.database.base import Table, insert, rows, serialise


class UnclaimedFile(Table):
    """Bytes by their SHA-256 (hex), and the asset they are meant for or were of.

    `at` is when they were put (milliseconds UTC) and 0 once their asset is gone; `size` counts towards the
    workspace's quota until then.
    """

    sha256 = TextField()
    id = TextField()
    workspace_id = TextField(index=True)
    size = BigIntegerField()
    at = BigIntegerField(index=True)

    class Meta:
        primary_key = CompositeKey("sha256", "id")
        without_rowid = True


def note(sha256: str, asset_id: str, workspace_id: str, size: int, now: int) -> None:
    """Says, within the open transaction, that bytes are about to be put for an asset."""
    serialise([("file", sha256)])
    UnclaimedFile.delete().where((UnclaimedFile.sha256 == sha256) & (UnclaimedFile.id == asset_id)).execute()
    insert(
        UnclaimedFile,
        {"sha256": sha256, "id": asset_id, "workspace_id": workspace_id, "size": size, "at": now},
    )


def due(before: int, limit: int) -> list[str]:
    """Bytes whose asset is gone, or was to come before a time (milliseconds UTC) and did not."""
    found = UnclaimedFile.select(UnclaimedFile.sha256).where(UnclaimedFile.at < before)
    return list(dict.fromkeys(row["sha256"] for row in rows(found.order_by(UnclaimedFile.at).limit(limit))))


def forget(digests: Sequence[str], before: int) -> list[str]:
    """Takes away, within the open transaction, the lines of bytes from before a time; which have none left.

    Until the transaction ends nobody puts the same bytes.
    """
    serialise([("file", sha256) for sha256 in digests])
    mine: Any = UnclaimedFile.sha256.in_(digests)
    UnclaimedFile.delete().where(mine & (UnclaimedFile.at < before)).execute()
    kept = {row["sha256"] for row in rows(UnclaimedFile.select(UnclaimedFile.sha256).where(mine))}
    return [sha256 for sha256 in digests if sha256 not in kept]


def digests(after: str, limit: int) -> list[str]:
    """The bytes that have lines, in ascending order, after some."""
    found = UnclaimedFile.select(UnclaimedFile.sha256).where(UnclaimedFile.sha256 > after).distinct()
    return [row["sha256"] for row in rows(found.order_by(UnclaimedFile.sha256).limit(limit))]
