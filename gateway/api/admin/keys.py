"""/gateway/v1/keys: listed, made, rotated and revoked by the holder of an admin key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.common.times import milliseconds
from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access import api_keys
from gateway.access.caller import Caller
from gateway.api import pagination
from gateway.api.admin.request_schemas import NewKey, Rotation, body_of, project_of, secret, unknown
from models.database.base import writing
from models.tables.feedback import iso

TIMES = ("created_at", "expires_at", "revoked_at", "last_used_at")


def list_keys(caller: Caller, inbound: Inbound) -> Reply:
    """The workspace's keys, oldest first, without their text."""
    limit, after = pagination.asked(inbound)
    found = api_keys.list_keys(caller.workspace_id, caller.project_id, after=after or "", limit=limit + 1)
    return pagination.answer([_document(row) for row in found], limit, "key_id")


def create_key(caller: Caller, inbound: Inbound) -> Reply:
    """A new key; its text is in this answer and nowhere else. Raises Refused (400)."""
    sent = NewKey.of(inbound)
    expires_at = None if sent.get("expires_at") is None else milliseconds(sent["expires_at"])
    if expires_at is not None and expires_at <= inbound.received_at:
        raise invalid(Fault("expires_at", "Must be in the future"))
    project_id = project_of(caller, sent)
    with writing():
        key_id, text = api_keys.create_key(
            caller.workspace_id,
            project_id,
            name=sent["name"],
            scopes=list(dict.fromkeys(sent["scopes"])),
            rate_limit=sent.get("rate_limit"),
            expires_at=expires_at,
            by=caller.key_id,
        )
        made = api_keys.find(key_id)
    assert made is not None, "it was just made"
    return secret(201, {**_document(api_keys.shown(made)), "key": text})


def revoke_key(caller: Caller, inbound: Inbound) -> Reply:
    """Ends a key; every process refuses it within 3 seconds. Raises Refused (404)."""
    with writing():
        row = api_keys.revoke(_found(caller, inbound), by=caller.key_id)
    return Reply(200, _document(api_keys.shown(row)))


def rotate_key(caller: Caller, inbound: Inbound) -> Reply:
    """A new key that may do the same; the old one works for `overlap_hours` more. Raises Refused (404)."""
    overlap = int(Rotation.check(body_of(inbound))["overlap_hours"] * 3_600_000)
    with writing():
        row = _found(caller, inbound)
        if (
            row["revoked_at"] is not None
            or (row["expires_at"] or inbound.received_at + 1) <= inbound.received_at
        ):
            raise invalid(Fault("key_id", "This key has ended"))
        key_id, text, ends = api_keys.rotate(row, overlap=overlap, by=caller.key_id)
        made = api_keys.find(key_id)
    assert made is not None, "it was just made"
    replaced = {"replaces": row["id"], "replaced_expires_at": iso(ends)}
    return secret(201, {**_document(api_keys.shown(made)), "key": text, **replaced})


def _found(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    row = api_keys.find(inbound.params["key_id"], caller.workspace_id, caller.project_id)
    if row is None:
        raise unknown("key")
    return row


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: iso(row[name]) for name in TIMES}}
