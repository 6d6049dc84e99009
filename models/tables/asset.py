"""Files of records and of workspaces. Their bytes are in gateway.files.store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from peewee import SQL, BigIntegerField, ForeignKeyField, IntegerField, TextField, fn

from models.database.base import Table, first, insert_all, locked, only, rows, values
from models.tables.feedback import Feedback, iso
from models.tables.unclaimed_file import UnclaimedFile

PENDING = "pending_upload"  # the status of one whose bytes are yet to come
UNKNOWN_TYPE = "application/octet-stream"  # until they are here, as nobody has looked at them
MISSING = "its bytes are missing"
EXPIRED = "nothing was uploaded in time"


class Asset(Table):
    """A file. Times are milliseconds UTC; `size` is bytes, `width` and `height` are pixels.

    `sha256` (hex) names the bytes in the store, `thumbnail` those of a small picture of it; several may name
    the same. `content_type` is by content, never as its sender said. `reason` says why one `failed`.
    `feedback_id` is the record that it belongs to and goes with; without one it is the workspace's.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField(null=True)
    feedback_id = ForeignKeyField(
        Feedback,
        null=True,
        index=False,
        on_delete="CASCADE",
        column_name="feedback_id",
        object_id_name="feedback_ref",
    )
    name = TextField()
    content_type = TextField()
    size = BigIntegerField()
    sha256 = TextField(null=True, index=True)
    width = IntegerField(null=True)
    height = IntegerField(null=True)
    status = TextField()
    reason = TextField(null=True)
    source_url = TextField(null=True)
    uploaded_via = TextField()
    thumbnail = TextField(null=True, index=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


def keep(made: Sequence[Mapping[str, Any]]) -> None:
    """Stores new rows that have every column, within the open transaction."""
    insert_all(Asset, [values(Asset, row) for row in made])


def find(
    workspace_id: str, project_id: str | None, asset_id: str, *, to_change: bool = False
) -> dict[str, Any] | None:
    """An asset of this workspace (and, when given, of this project), or None.

    With `to_change` nobody else changes it before the open transaction ends.
    """
    found = _mine(workspace_id, project_id).where(Asset.id == asset_id)
    return first(locked(found) if to_change else found)


def one(asset_id: str, *, to_change: bool = False) -> dict[str, Any] | None:
    """An asset of whatever workspace, for whoever has a signed address or may read the database; or None."""
    found = Asset.select().where(Asset.id == asset_id)
    return first(locked(found) if to_change else found)


def change(asset_id: str, now: int, **told: Any) -> None:
    """Sets columns of an asset, within the open transaction; nothing happens when it is gone."""
    Asset.update(**told, updated_at=now).where(Asset.id == asset_id).execute()


def expire_uploads(before: int, now: int, limit: int) -> int:
    """Fails, within the open transaction, some assets that were to be uploaded before a time; how many."""
    pending = (Asset.status == SQL("'pending_upload'")) & Asset.source_url.is_null()  # as the index says it
    reserved = pending & Asset.sha256.is_null() & (Asset.updated_at < before)
    ids = [row["id"] for row in rows(Asset.select(Asset.id).where(reserved).limit(limit))]
    failed = Asset.update(status="failed", reason=EXPIRED, updated_at=now)
    return int(failed.where(Asset.id.in_(ids) & reserved).execute()) if ids else 0


def of_feedback(feedback_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The assets of records, those of each one together, the oldest first."""
    wanted = list(feedback_ids)
    found = Asset.select().where(Asset.feedback_id.in_(wanted))
    return rows(found.order_by(Asset.feedback_id, Asset.id)) if wanted else []


def list_page(
    workspace_id: str, project_id: str | None, *, limit: int, before: str | None = None, name: str = ""
) -> list[dict[str, Any]]:
    """Assets of a workspace (and, when given, of a project), the newest first, older than the id `before`.

    `name` is what their names contain.
    """
    found = _mine(workspace_id, project_id)
    if name:
        found = found.where(Asset.name.contains(name))
    if before is not None:
        found = found.where(Asset.id < before)
    return rows(found.order_by(Asset.id.desc()).limit(limit))


def used_bytes(workspace_id: str) -> int:
    """What the files of a workspace take, those on their way too; what is there twice counts twice."""
    assets = Asset.select(fn.SUM(Asset.size)).where(Asset.workspace_id == workspace_id)
    coming = UnclaimedFile.select(fn.SUM(UnclaimedFile.size)).where(
        UnclaimedFile.workspace_id == workspace_id
    )
    return int(assets.scalar() or 0) + int(coming.scalar() or 0)


def delete(ids: Sequence[str]) -> int:
    """Deletes assets within the open transaction and says how many there were. Their bytes go afterwards."""
    return int(Asset.delete().where(Asset.id.in_(ids)).execute()) if ids else 0


def delete_of(feedback_id: str) -> int:
    """Deletes the assets of a record within the open transaction; how many there were."""
    return int(Asset.delete().where(Asset.feedback_id == feedback_id).execute())


def count(feedback_ids: Sequence[str]) -> int:
    """How many assets records have."""
    return int(Asset.select().where(Asset.feedback_id.in_(feedback_ids)).count()) if feedback_ids else 0


def named(digests: Sequence[str]) -> set[str]:
    """Which of these bytes any asset has."""
    found: set[str] = set()
    for column in (Asset.sha256, Asset.thumbnail):
        mine = rows(Asset.select(column.alias("digest")).where(column.in_(digests)))
        found.update(row["digest"] for row in mine)
    return found


def digests(column: Any, after: str, limit: int) -> list[str]:
    """The bytes that assets have in a column, `Asset.sha256` or `Asset.thumbnail`, in ascending order."""
    return _digests(Asset.select(column.alias("digest")), column, after, limit)


def lost_digests(after: str, limit: int) -> list[str]:
    """Those of assets that failed since their bytes were missing, in ascending order."""
    lost = Asset.select(Asset.sha256.alias("digest")).where(Asset.reason == MISSING)
    return _digests(lost, Asset.sha256, after, limit)


def mark_missing(sha256: str, missing: bool, now: int) -> int:
    """Says of the assets with these bytes, within the open transaction, whether those are missing."""
    was = Asset.status == "ready" if missing else Asset.reason == MISSING
    new = {"status": "failed", "reason": MISSING} if missing else {"status": "ready", "reason": None}
    if missing:  # or it is a small picture's: that can be made anew
        Asset.update(thumbnail=None).where(Asset.thumbnail == sha256).execute()
    changed = Asset.update({**new, "updated_at": now}).where((Asset.sha256 == sha256) & was)
    return int(changed.execute())


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the API shows it beside a record."""
    names = ("id", "feedback_id", "name", "content_type", "size", "sha256", "width", "height", "status")
    shown = {name: row[name] for name in (*names, "reason", "source_url", "uploaded_via")}
    path = path_of(row) if row["status"] == "ready" else None
    thumbnail = f"{path}?size=thumbnail" if path and row["thumbnail"] else None
    return {**shown, "created_at": iso(row["created_at"]), "path": path, "thumbnail_path": thumbnail}


def path_of(row: Mapping[str, Any]) -> str:
    """Where the gateway has the bytes of an asset."""
    return f"/files/{row['id']}/{quote(row['name'], safe='')}"


def _mine(workspace_id: str, project_id: str | None) -> Any:
    found = Asset.select().where(Asset.workspace_id == workspace_id)
    return only(found, {Asset.project_id: project_id})


def _digests(found: Any, column: Any, after: str, limit: int) -> list[str]:
    ordered = found.where(column > after).distinct().order_by(column).limit(limit)
    return [row["digest"] for row in rows(ordered)]
