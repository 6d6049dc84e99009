"""What a workspace signs its callbacks with: a secret of ours, shown once, and the one before for a day."""

from __future__ import annotations

import secrets
from typing import Any

from gateway.access import audit_log, signing_secrets
from gateway.core import encryption
from gateway.core.ids import now_ms
from models.database.base import serialise
from models.tables import callback

PREFIX = "whsec_"


def live(workspace_id: str) -> list[str]:
    """The secrets to sign with now, the newest first; one is made where there is none.

    Within the open transaction. Raises encryption.WrongKey for one that was sealed with another key.
    """
    serialise([f"callback secret {workspace_id}"])
    kept = _live(workspace_id)
    if not kept:
        kept = [signing_secrets.sealed(_new())]
        callback.keep_secrets(workspace_id, kept, now_ms())
    return [encryption.decrypt(item["secret"]) for item in kept]


def rotate(workspace_id: str, *, by: str = audit_log.COMMAND_LINE) -> str:
    """Makes a new secret and returns it for the only time, within the open transaction.

    The one before signs beside it for another day, unless it cannot be opened any more.
    """
    serialise([f"callback secret {workspace_id}"])
    secret, now = _new(), now_ms()
    callback.keep_secrets(workspace_id, signing_secrets.rotated(_live(workspace_id), secret, now), now)
    audit_log.note(workspace_id, by, "callback_secret.rotated", workspace_id)
    return secret


def state(workspace_id: str) -> dict[str, Any]:
    """When the secret was made, and until when the one before signs, too: milliseconds UTC or None."""
    row = callback.secrets_of(workspace_id)
    ends = [item["expires_at"] for item in _live(workspace_id) if item["expires_at"]]
    return {"made_at": row and row["changed_at"], "older_until": max(ends, default=None)}


def _live(workspace_id: str) -> list[dict[str, Any]]:
    row = callback.secrets_of(workspace_id)
    return signing_secrets.live(row["secrets"] if row else [], now_ms())


def _new() -> str:
    return PREFIX + secrets.token_urlsafe(32)
