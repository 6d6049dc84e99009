"""Who is calling?"""

from __future__ import annotations

import threading
import time
from typing import Any

from adapters.contract import Adapter, Inbound, Problem, Refused
from gateway.caller import Caller
from gateway.ids import now_ms
from gateway.keys import digest, is_well_formed
from models.access import ApiKey, find_key
from models.base import writing

REMEMBERED = 3.0  # seconds a key is known without asking the database; a revocation is felt within these
CHALLENGE = {"WWW-Authenticate": "Bearer"}  # RFC 9110 asks for one with every 401
LAST_USED_EVERY = 60_000  # milliseconds between two notes of when a key was last used


_known: dict[str, tuple[float, Caller]] = {}
_lock = threading.Lock()


def identify(adapter: Adapter, scope: str, inbound: Inbound) -> Caller:
    """The caller whose key the request shows.

    Raises Refused: 401 unauthorized (no key, or none that could be read), 401 invalid_key
    (malformed, unknown, expired or revoked), 403 forbidden (the key lacks the scope).
    """
    key = adapter.key(inbound)
    if key is None:
        raise Refused(Problem(401, "unauthorized", "API key missing or malformed.", headers=CHALLENGE))
    caller = _look_up(key) if is_well_formed(key) else None
    if caller is None or (caller.expires_at is not None and caller.expires_at <= inbound.received_at):
        raise Refused(Problem(401, "invalid_key", "Invalid API key.", headers=CHALLENGE))
    if scope not in caller.scopes and "admin" not in caller.scopes:
        raise Refused(Problem(403, "forbidden", f"This key lacks the scope {scope}."))
    return caller


def forget() -> None:
    """Empties the memory of keys, as when the database is another one."""
    with _lock:
        _known.clear()


def _look_up(key: str) -> Caller | None:
    name, now = digest(key), time.monotonic()
    deadline, caller = _known.get(name, (0.0, None))
    if caller is not None and now < deadline:
        return caller
    row = find_key(name)
    if row is None or row["revoked_at"] is not None:
        with _lock:
            _known.pop(name, None)
        return None
    caller = Caller(
        key_id=row["id"],
        workspace_id=row["workspace"],
        project_id=row["project"],
        default_project_id=row["project"] or row["default_project_id"],
        scopes=frozenset(row["scopes"]),
        rate_limit=row["rate_limit"],
        expires_at=row["expires_at"],
    )
    with _lock:
        _known[name] = (now + REMEMBERED, caller)
    _note_use(row)
    return caller


def _note_use(row: dict[str, Any]) -> None:
    """Writes when the key was last used, to the minute: a write per request would cost a second commit."""
    now = now_ms()
    if now - (row["last_used_at"] or 0) < LAST_USED_EVERY:
        return
    with writing():
        ApiKey.update(last_used_at=now).where(ApiKey.id == row["id"]).execute()
