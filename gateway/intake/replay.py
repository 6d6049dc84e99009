"""What a payload would become, and what quarantine becomes with today's adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from adapters.contract import Adapter, Inbound, Problem, Refused
from adapters.contract.record import Record
from gateway import triage
from gateway.access.caller import Caller
from gateway.core.ids import new_id
from gateway.intake.store import parted_of
from gateway.intake.store_many import Done, Read, Sender, store_part
from models.database.base import dumps, first
from models.intake import commit
from models.tables.hook import HookRow

NEVER = 253_402_300_799_000  # milliseconds, the last second of the year 9999


def preview(adapter: Adapter, inbound: Inbound, caller: Caller) -> dict[str, Any]:
    """The records and labels that a payload of this caller's would become; nothing is stored.

    It is read through the door it came by, else through the adapter's first.
    """
    records = _read(adapter, inbound)
    unreadable = [record.unreadable for record in records if record.unreadable]
    return {
        "unreadable": unreadable[0] if unreadable else None,
        "records": [_shown(record, caller) for record in records if not record.unreadable],
    }


def leniently(adapter: Adapter, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The preview of a held delivery with broken JSON mended; None when that helps nothing."""
    if not any(record.unreadable for record in _read(adapter, resumed(row))):
        return None
    found = preview(adapter, resumed(row, lenient=True), sender_of(row))
    return None if found["unreadable"] or not found["records"] else found


def resumed(row: Mapping[str, Any], *, lenient: bool = False) -> Inbound:
    """The request that a held delivery came with, as it came, through the hook as it is today.

    With `lenient` JSON that a template broke is mended while it is read (adapters.contract.lenient_json).
    """
    request = row["request"]
    hook = first(HookRow.select().where(HookRow.id == row["hook_id"]))
    return Inbound(
        request["method"],
        request["path"],
        request["headers"],
        bytes(row["payload"]),
        params=request["params"],
        query=request.get("query", {}),  # those held by older versions have none
        request_id=new_id("req"),  # not the delivery's own: parts of it may be stored under that one
        received_at=row["received_at"],
        options=dict(hook["options"]) if hook else {},
        lenient=lenient,
    )


def sender_of(row: Mapping[str, Any]) -> Caller:
    """Whoever sent a held delivery."""
    return Caller.inside(row["hook_id"], row["workspace_id"], row["project_id"], row["project_id"])


def replay(adapter: Adapter, row: Mapping[str, Any], *, lenient: bool = False) -> list[str] | str:
    """Sends a held delivery through its adapter again: the ids of its records, or why it is still held.

    Parts that can be read are stored; it stays held until all of it can be. Once it is, a replay
    changes nothing and names the same records. Raises models.intake.commit.Gone, with nothing stored, when
    somebody discarded it meanwhile.
    """
    inbound = resumed(row, lenient=lenient)
    read = _read(adapter, inbound)
    items: list[Read] = [(record, inbound.body) for record in read if not record.unreadable]
    reasons = [record.unreadable for record in read if record.unreadable]
    caller = sender_of(row)
    known = zip(inbound.parts, read, strict=False)
    inbound.parts = [part for part, record in known if not record.unreadable]
    parted = parted_of(caller, inbound, [record for record in read if not record.unreadable])
    # Taken in the transaction that stores it, so that of two replays at once one finds it done.
    claim = None if reasons else commit.Claim(row["workspace_id"], "replay", str(row["id"]), "", NEVER)
    try:
        done = store_part(
            Sender(caller, adapter, inbound),
            items,
            claim,
            _told,
            counted=True,
            before=(),
            parted=parted,
            held=str(row["id"]),
        )
        told = _told(done)
        reasons += [one.message for one in done if isinstance(one, Problem)]
    except commit.Taken as taken:
        told = taken.answer or "[]"
    if reasons:
        return reasons[0]
    return list(json.loads(told))


def _told(done: Sequence[Done]) -> str:
    """The ids of what was stored, once each, as JSON."""
    ids = (one.row["id"] for one in done if isinstance(one, commit.Stored) and one.row)
    return dumps(list(dict.fromkeys(ids)))


def _read(adapter: Adapter, inbound: Inbound) -> list[Record]:
    """The records of a payload through the door it came by, else through the first one."""
    came_by = [
        door
        for door in adapter.doors
        if door.method == inbound.method and _filled(door.path, inbound.params) == inbound.path
    ]
    door = (came_by or adapter.doors)[0]
    try:
        return door.read(inbound)
    except Refused as refused:
        return [Record(text="", unreadable=refused.problem.message)]


def _filled(path: str, params: Mapping[str, str]) -> str:
    for name, value in params.items():
        path = path.replace(f"<{name}>", value)
    return path


def _shown(record: Record, caller: Caller) -> dict[str, Any]:
    label = triage.label(record, caller.rules_for(record.project_ref))
    said = {name: value for name, value in asdict(record).items() if value not in (None, "", (), {}, False)}
    labels = asdict(label)
    return {**said, "labels": {name: labels[name] for name in labels if name != "category_scores"}}
