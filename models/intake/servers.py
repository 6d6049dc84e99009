"""Stories of one server among several, and those of older versions, whose keys did not have it.

Some deliveries do not name their server: they are of the first story that has their key on any.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from models.database.base import database
from models.intake.writes import Write, plain, row_of
from models.tables import dedupe

_COPY = (
    "INSERT INTO dedupe (workspace_id, scope, key, feedback_id, digest, answer, expires_at) "
    "SELECT workspace_id, ?, ?, feedback_id, digest, answer, expires_at FROM dedupe "
    "WHERE workspace_id = ? AND scope = ? AND key = ? ON CONFLICT DO NOTHING"
)


def adopt(write: Write) -> None:
    """Lets the write's keys stand for what was told under them without a server, when that is of this one."""
    workspace_id, source, server = write.row["workspace_id"], write.row["source"], write.server or ""
    own = {write.dedupe_key, write.votes_for}
    scoped = [(source, key) for key in own] + [(f"votes:{source}", key) for key in own]
    scoped += [(f"incident:{source}", write.row["incident_key"]), (f"comment:{source}", write.comment)]
    for scope, key in scoped:
        if key is None or dedupe.taken(workspace_id, scope, key) is not None:
            continue
        known = plain(key, server)
        if known != key:
            if _is_of(workspace_id, source, known, server):
                database.execute_sql(_COPY, (scope, key, workspace_id, scope, known))
        elif scope.startswith("incident:"):  # it does not name its server
            database.execute_sql(_COPY, (scope, key, workspace_id, _unnamed(source), key))


def told(write: Write, record: str, now: int) -> None:
    """Lets deliveries that do not name their server find the story, unless they find another's."""
    key = write.row["incident_key"]
    if key is not None and (known := plain(key, write.server or "")) != key:
        dedupe.take(
            write.row["workspace_id"], _unnamed(write.row["source"]), known, now=now, feedback_id=record
        )


def _unnamed(source: str) -> str:
    return f"unnamed:{source}"


def _is_of(workspace_id: str, source: str, key: str, server: str) -> bool:
    """Whether a key led to a record of this server, or of one that was not said."""
    for scope in (source, f"incident:{source}"):
        row = row_of(dedupe.taken(workspace_id, scope, key))
        if row is not None:
            url = str(row["subject"].get("url") or "")
            return urlsplit(url).netloc.rpartition("@")[2].lower() in ("", server)
    return False
