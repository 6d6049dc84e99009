"""/gateway/v1/hooks: addresses for senders that sign, made, rotated and ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import adapters
from adapters.contract import Adapter, Fault, Inbound, Reply, invalid
from adapters.generic import check_map
from gateway import hooks, pages
from gateway.admin.bodies import NewHook, NewSecret, body_of, project_of, secret, unknown
from gateway.caller import Caller
from models.base import writing
from models.feedback import iso
from models.hook import find_hook


def list_hooks(caller: Caller, inbound: Inbound) -> Reply:
    """The workspace's hooks, oldest first, without their secrets."""
    limit, after = pages.asked(inbound)
    found = hooks.list_hooks(caller.workspace_id, caller.project_id)
    ids = [row["hook_id"] for row in found]
    start = ids.index(after) + 1 if after in ids else 0
    shown = [{**row, "created_at": iso(row["created_at"])} for row in found[start : start + limit + 1]]
    return pages.answer(shown, limit, "hook_id")


def create_hook(caller: Caller, inbound: Inbound) -> Reply:
    """A new hook, with what to paste where at the vendor; its secret is in this answer only.

    Raises Refused (400).
    """
    sent = NewHook.of(inbound)
    kinds = hooks.kinds(adapters.load())
    if sent["source"] not in kinds:
        raise invalid(Fault("source", f"Must be one of {', '.join(sorted(kinds))}"))
    _check(sent["options"])
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
        raise invalid(Fault(error.field, str(error))) from None
    return secret(201, made)


def rotate_hook(caller: Caller, inbound: Inbound) -> Reply:
    """A new secret; the old one works for another day. Raises Refused (400, 404)."""
    sent = NewSecret.check(body_of(inbound))
    try:
        with writing():
            row = _found(caller, inbound)
            made = hooks.rotate_hook(_adapter(row), row["id"], sent.get("secret"), by=caller.key_id)
    except hooks.HookError as error:
        raise invalid(Fault(error.field, str(error))) from None
    return secret(200, made)


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


def _check(options: Mapping[str, Any]) -> None:
    """Options are words, flags and lists of words, but for the map of a generic hook."""
    faults = []
    for name, value in options.items():
        if name == "map":
            faults += [Fault(f"options.map.{fault.field}", fault.message) for fault in check_map(value)]
        elif not _plain(value) and not (isinstance(value, list) and all(map(_plain, value))):
            faults.append(
                Fault(f"options.{name}", "Must be a text, a number, a boolean or an array of these")
            )
    if faults:
        raise invalid(*faults)


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)
