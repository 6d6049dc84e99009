"""/gateway/v1/keys: listed, made, rotated and revoked by the holder of an admin key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Fault, Inbound, Reply, invalid
from adapters.times import milliseconds
from gateway import keys, pages
from gateway.admin.bodies import NewKey, Rotation, body_of, project_of, secret, unknown
from gateway.caller import Caller
from models.base import writing
from models.feedback import iso

TIMES = ("created_at", "expires_at", "revoked_at", "last_used_at")


def list_keys(caller: Caller, inbound: Inbound) -> Reply:
    """The workspace's keys, oldest first, without their text."""
    limit, after = pages.asked(inbound)
    found = keys.list_keys(caller.workspace_id, caller.project_id, after=after or "", limit=limit + 1)
    return pages.answer([_document(row) for row in found], limit, "key_id")


def create_key(caller: Caller, inbound: Inbound) -> Reply:
    """A new key; its text is in this answer and nowhere else. Raises Refused (400)."""
    sent = NewKey.of(inbound)
    expires_at = None if sent.get("expires_at") is None else milliseconds(sent["expires_at"])
    if expires_at is not None and expires_at <= inbound.received_at:
        raise invalid(Fault("expires_at", "Must be in the future"))
    project_id = project_of(caller, sent)
    with writing():
        key_id, text = keys.create_key(
            caller.workspace_id,
            project_id,
            name=sent["name"],
            scopes=list(dict.fromkeys(sent["scopes"])),
            rate_limit=sent.get("rate_limit"),
            expires_at=expires_at,
            by=caller.key_id,
        )
        made = keys.find(key_id)
    assert made is not None, "it was just made"
    return secret(201, {**_document(keys.shown(made)), "key": text})


def revoke_key(caller: Caller, inbound: Inbound) -> Reply:
    """Ends a key; every process refuses it within 3 seconds. Raises Refused (404)."""
    with writing():
        row = keys.revoke(_found(caller, inbound), by=caller.key_id)
    return Reply(200, _document(keys.shown(row)))


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
        key_id, text, ends = keys.rotate(row, overlap=overlap, by=caller.key_id)
        made = keys.find(key_id)
    assert made is not None, "it was just made"
    replaced = {"replaces": row["id"], "replaced_expires_at": iso(ends)}
    return secret(201, {**_document(keys.shown(made)), "key": text, **replaced})


def _found(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    row = keys.find(inbound.params["key_id"], caller.workspace_id, caller.project_id)
    if row is None:
        raise unknown("key")
    return row


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: iso(row[name]) for name in TIMES}}
