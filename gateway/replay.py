"""What a payload would become, and what quarantine becomes with today's adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from adapters.contract import Adapter, Inbound, Record, Refused, Saved
from gateway import store, triage
from gateway.caller import Caller
from gateway.ids import new_id, now_ms
from models.base import first, writing
from models.hook import HookRow
from models.quarantine import Quarantine


def preview(adapter: Adapter, inbound: Inbound) -> dict[str, Any]:
    """The records and labels a payload would become through the adapter's first door; nothing is stored."""
    records = _read(adapter, inbound)
    unreadable = [record.unreadable for record in records if record.unreadable]
    return {
        "unreadable": unreadable[0] if unreadable else None,
        "records": [_shown(record) for record in records if not record.unreadable],
    }


def replay(adapter: Adapter, row: dict[str, Any]) -> list[Saved] | str:
    """Sends a held delivery through its adapter again: what was stored, or why it still cannot be read.

    Parts that can be read are stored; it stays held until all of it can be.
    """
    request = row["request"]
    hook = first(HookRow.select().where(HookRow.id == row["hook_id"]))
    inbound = Inbound(
        request["method"],
        request["path"],
        request["headers"],
        bytes(row["payload"]),
        params=request["params"],
        request_id=new_id("req"),  # not the delivery's own: parts of it may be stored under that one
        received_at=row["received_at"],
        options=dict(hook["options"]) if hook else {},
    )
    read = _read(adapter, inbound)
    records = [record for record in read if not record.unreadable]
    reasons = [record.unreadable for record in read if record.unreadable]
    caller = Caller(
        key_id=row["hook_id"],
        workspace_id=row["workspace_id"],
        project_id=row["project_id"],
        default_project_id=row["project_id"],
        scopes=frozenset({"ingest"}),
        rate_limit=None,
        expires_at=None,
    )
    saved = store.save(caller, adapter, inbound, records, [triage.label(record) for record in records])
    if reasons:
        return reasons[0]
    with writing():
        Quarantine.update(replayed_at=now_ms()).where(Quarantine.id == row["id"]).execute()
    return saved


def _read(adapter: Adapter, inbound: Inbound) -> list[Record]:
    """The records of a payload through the door it came by, else through the first one."""
    came_by = [door for door in adapter.doors if _filled(door.path, inbound.params) == inbound.path]
    door = (came_by or adapter.doors)[0]
    try:
        return door.read(inbound)
    except Refused as refused:
        return [Record(text="", unreadable=refused.problem.message)]


def _filled(path: str, params: Mapping[str, str]) -> str:
    for name, value in params.items():
        path = path.replace(f"<{name}>", value)
    return path


def _shown(record: Record) -> dict[str, Any]:
    label = triage.label(record)
    said = {name: value for name, value in asdict(record).items() if value not in (None, "", (), {}, False)}
    labels = asdict(label)
    return {**said, "labels": {name: labels[name] for name in labels if name != "category_scores"}}
