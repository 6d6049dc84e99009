"""API keys: how they look, how they are made, and how they are kept (never as text)."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from typing import Any

from gateway.access import audit_log
from gateway.core.ids import new_id, now_ms
from models.database.base import first, locked, only, rows
from models.tables.workspace import ApiKey

SCOPES = ("ingest", "read", "triage", "admin")
ANY = "any"  # of a route that takes every key, and decides itself what that may
PREFIX = "sk_live_"
OVERLAP = 24 * 3600 * 1000  # milliseconds an old key still works after a rotation
SHOWN = (
    "prefix",
    "name",
    "scopes",
    "rate_limit",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
)

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM = 34  # base62 characters, over 200 bits
_CHECK = 6  # base62 characters hold a CRC-32
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")


def make_key() -> str:
    """A fresh key: `sk_live_`, 34 random characters, and 6 that are a checksum of the rest."""
    text = PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM))
    return text + _checksum(text)


def is_well_formed(key: str) -> bool:
    """Whether a key could be one of ours: a typo or a foreign key is told without asking the database."""
    return _SHAPE.fullmatch(key) is not None and _checksum(key[:-_CHECK]) == key[-_CHECK:]


def digest(key: str) -> str:
    """How a key is stored: SHA-256 in hex. A fast hash suffices, since a key has 200 random bits."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def create_key(
    workspace_id: str,
    project_id: str | None = None,
    *,
    name: str = "",
    scopes: Sequence[str] = ("ingest", "read"),
    rate_limit: str | None = None,
    expires_at: int | None = None,
    by: str = audit_log.COMMAND_LINE,
) -> tuple[str, str]:
    """Stores a new key and returns its id and its text, which exists nowhere else from then on.

    `by` is the id of the key that asks for it.
    """
    key, key_id = make_key(), new_id("key")
    ApiKey.create(
        id=key_id,
        workspace=workspace_id,
        project=project_id,
        digest=digest(key),
        prefix=key[: len(PREFIX) + 4],
        name=name,
        scopes=list(scopes),
        rate_limit=rate_limit,
        created_at=now_ms(),
        expires_at=expires_at,
    )
    audit_log.note(workspace_id, by, "key.created", key_id, scopes=list(scopes), project_id=project_id)
    return key_id, key


def list_keys(
    workspace_id: str | None = None,
    project_id: str | None = None,
    *,
    after: str = "",
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Keys without their text, oldest first, starting after the id `after`; None means all of them."""
    found = ApiKey.select().where(ApiKey.id > after)
    found = only(found, {ApiKey.workspace: workspace_id, ApiKey.project: project_id})
    return [shown(row) for row in rows(found.order_by(ApiKey.id).limit(limit))]


def find(
    key_id: str, workspace_id: str | None = None, project_id: str | None = None
) -> dict[str, Any] | None:
    """A key of this workspace (and, when given, of this project), to be changed; None when there is none."""
    found = ApiKey.select().where(ApiKey.id == key_id)
    found = only(found, {ApiKey.workspace: workspace_id, ApiKey.project: project_id})
    return first(locked(found))


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A key without its text and digest; times are milliseconds UTC."""
    kept = {name: row[name] for name in SHOWN}
    return {"key_id": row["id"], "workspace_id": row["workspace"], "project_id": row["project"], **kept}


def revoke(row: dict[str, Any], *, by: str = audit_log.COMMAND_LINE) -> dict[str, Any]:
    """Ends a found key and returns it as it now is; one that is ended stays as it was."""
    if row["revoked_at"] is not None:
        return row
    changed = {"revoked_at": now_ms()}
    ApiKey.update(changed).where(ApiKey.id == row["id"]).execute()
    audit_log.note(row["workspace"], by, "key.revoked", row["id"])
    return row | changed


def rotate(
    row: dict[str, Any], *, overlap: int = OVERLAP, by: str = audit_log.COMMAND_LINE
) -> tuple[str, str, int]:
    """Replaces a found key by a new one that may do the same.

    Returns the new key's id and text, and when the old one ends: in `overlap` milliseconds, unless it
    ends sooner anyway.
    """
    key_id, key = create_key(
        row["workspace"],
        row["project"],
        name=row["name"],
        scopes=row["scopes"],
        rate_limit=row["rate_limit"],
        expires_at=row["expires_at"],
        by=by,
    )
    ends = min(now_ms() + overlap, row["expires_at"] or now_ms() + overlap)
    ApiKey.update(expires_at=ends).where(ApiKey.id == row["id"]).execute()
    audit_log.note(row["workspace"], by, "key.rotated", row["id"], replaced_by=key_id)
    return key_id, key, ends


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
