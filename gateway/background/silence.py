"""The alert of a silence: of hooks that must be heard from (adapters.watchdog), and have not been."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters import watchdog
from adapters.contract import Inbound, called_shortly
from adapters.contract.record import State
from gateway.access.caller import Caller
from gateway.background.lease import Lease, Work
from gateway.core.ids import new_id, now_ms
from gateway.intake.store_many import Sender, store_part
from models.tables.feedback import latest_of_story
from models.tables.hook import hooks_of
from models.tables.outcome import last_minute

EVERY = 60_000  # milliseconds between two looks


def look(lease: Lease) -> int:
    """Begins a story for each hook that is silent for too long, and ends those of hooks that are heard."""
    for hook in hooks_of(watchdog.ADAPTER.name):
        lease.extend()
        _judge(hook, now_ms())
    return EVERY


def _judge(hook: Mapping[str, Any], now: int) -> None:
    # A sign of life is ignored; what says that it has stopped is accepted, and no such sign.
    heard = last_minute(hook["id"], "ignored")
    since = max(heard or 0, hook["created_at"])
    known = latest_of_story(hook["workspace"], watchdog.ADAPTER.name, hook["id"])
    is_open = known is not None and known["status"] in ("open", "acknowledged")
    allowed = watchdog.silence_of(hook["options"])
    name = hook["name"] or called_shortly(hook["id"])
    if now - since >= allowed:
        if not is_open:
            words = f"Nothing was heard from {name} for {_told(allowed)}"
            _store(hook, words, since + allowed, "triggered", f"silent:{since}", now)
    elif known is not None and is_open and heard is not None and heard > known["last_seen_at"]:
        _store(hook, f"{name} is heard again", heard, "resolved", f"heard:{heard}", now)


def _store(hook: Mapping[str, Any], words: str, at: int, state: State, key: str, now: int) -> None:
    default = hook["project"] or hook["default_project_id"]
    caller = Caller.inside(hook["id"], hook["workspace"], hook["project"], default)
    inbound = Inbound("", "silence", {}, request_id=new_id("req"), received_at=now)
    record = watchdog.story(hook["id"], words, at, state, key)
    sender = Sender(caller, watchdog.ADAPTER, inbound)
    store_part(sender, [(record, b"")], None, lambda done: "", counted=False, before=())


def _told(milliseconds: int) -> str:
    """So many minutes, hours or days in words."""
    for name, unit in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)):
        if milliseconds % unit == 0:
            count = milliseconds // unit
            return f"{count} {name}" + ("" if count == 1 else "s")
    return f"{milliseconds // 1000} seconds"


LOOK = Work("silence", look)
