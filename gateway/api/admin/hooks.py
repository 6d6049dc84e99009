"""/gateway/v1/hooks: addresses for senders that sign, made, changed, rotated and ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import adapters
from adapters.contract import Adapter, Fault, Inbound, Reply, invalid
from gateway.access import hooks
from gateway.access.caller import Caller
from gateway.api import pagination
from gateway.api.admin import hook_deliveries
from gateway.api.admin.request_schemas import (
    HookChange,
    NewHook,
    NewSecret,
    body_of,
    project_of,
    secret,
    unknown,
)
from models.database.base import writing
from models.tables.feedback import iso
from models.tables.hook import find_hook


def list_hooks(caller: Caller, inbound: Inbound) -> Reply:
    """The workspace's hooks, oldest first, without their secrets, with what came through each lately."""
    limit, after = pagination.asked(inbound)
    found = hooks.list_hooks(caller.workspace_id, caller.project_id, after=after, limit=limit + 1)
    shown = [{**row, "created_at": iso(row["created_at"])} for row in found]
    shown = hook_deliveries.with_deliveries(shown, inbound.received_at)
    return pagination.answer(shown, limit, "hook_id")


def create_hook(caller: Caller, inbound: Inbound) -> Reply:
    """A new hook, with what to paste where at the vendor; its secret is in this answer only.

    Raises Refused (400).
    """
    sent = NewHook.of(inbound)
    kinds = hooks.kinds(adapters.load())
    if sent["source"] not in kinds:
        raise invalid(Fault("source", f"Must be one of {', '.join(sorted(kinds))}"))
    project_id = project_of(caller, sent)
    try:
        with writing():
            made = hooks.create_hook(
                kinds[sent["source"]],
                caller.workspace_id,
                project_id,
                secret=sent.get("secret"),
                unsigned=sent["unsigned"],
                name=sent["name"],
                rate_limit=sent.get("rate_limit"),
                options=sent["options"],
                by=caller.key_id,
            )
    except hooks.HookError as error:
        raise invalid(*error.faults) from None
    return secret(201, made)


def rotate_hook(caller: Caller, inbound: Inbound) -> Reply:
    """A new secret; the old one works for another day. Raises Refused (400, 404)."""
    sent = NewSecret.check(body_of(inbound))
    try:
        with writing():
            row = _found(caller, inbound)
            made = hooks.rotate_hook(_adapter(row), row["id"], sent.get("secret"), by=caller.key_id)
    except hooks.HookError as error:
        raise invalid(*error.faults) from None
    return secret(200, made)


def change_hook(caller: Caller, inbound: Inbound) -> Reply:
    """Sets options of a hook; one that is null is taken away. Raises Refused (400, 404)."""
    sent = HookChange.of(inbound)
    try:
        with writing():
            hook_id = _found(caller, inbound)["id"]
            changed = hooks.change_hook(hook_id, sent["options"], by=caller.key_id)
    except hooks.HookError as error:
        raise invalid(*error.faults) from None
    shown = {**changed, "created_at": iso(changed["created_at"])}
    return Reply(200, hook_deliveries.with_deliveries([shown], inbound.received_at)[0])


def delete_hook(caller: Caller, inbound: Inbound) -> Reply:
    """Ends a hook; what came through it stays. Raises Refused (404)."""
    with writing():
        hooks.delete_hook(_found(caller, inbound)["id"], by=caller.key_id)
    return Reply(204)


def _found(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    row = find_hook(inbound.params["hook_id"])
    if row is None or row["workspace"] != caller.workspace_id:
        raise unknown("hook")
    if caller.project_id not in (None, row["project"]):
        raise unknown("hook")
    return row


def _adapter(row: Mapping[str, Any]) -> Adapter:
    return adapters.load()[row["source"]]
