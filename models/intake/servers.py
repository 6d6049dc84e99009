"""Stories of one server among several, and those of older versions, whose keys did not have it."""

from __future__ import annotations

from urllib.parse import urlsplit

from models.database.base import database
from models.intake.writes import Write, row_of
from models.tables import dedupe

ANY = "any"  # what names no server
_COPY = (
    "INSERT INTO dedupe (workspace_id, scope, key, feedback_id, digest, answer, expires_at) "
    "SELECT workspace_id, scope, ?, feedback_id, digest, answer, expires_at FROM dedupe "
    "WHERE workspace_id = ? AND scope = ? AND key = ? ON CONFLICT DO NOTHING"
)


def adopt(write: Write) -> None:
    """Lets the write's keys stand for what was told under them without the server, or under the alias.

    Only for what is of this server, or does not say of which it is.
    """
    workspace_id, source = write.row["workspace_id"], write.row["source"]
    own, story = {write.dedupe_key, write.votes_for}, write.row["incident_key"]
    scoped = [(source, key) for key in own] + [(f"votes:{source}", key) for key in own]
    scoped += [(f"incident:{source}", story), (f"comment:{source}", write.comment)]
    for scope, key in scoped:
        if key is None or dedupe.taken(workspace_id, scope, key) is not None:
            continue
        for known in (_plain(key, write.server), write.alias if key == story else None):
            if known is not None and _is_of(workspace_id, source, known, write.server or ""):
                database.execute_sql(_COPY, (key, workspace_id, scope, known))


def told(write: Write, record: str, now: int) -> None:
    """Lets deliveries that do not name their server find the story, unless they find another's."""
    name = (write.row["workspace_id"], f"incident:{write.row['source']}", write.alias or "")
    dedupe.take(*name, now=now, feedback_id=record)


def _plain(key: str | None, server: str | None) -> str | None:
    """A key without its server; None when it has none."""
    return key[len(server) + 1 :] if key and server and key.startswith(f"{server}:") else None


def _is_of(workspace_id: str, source: str, key: str, server: str) -> bool:
    """Whether a key led to a record of this server, or one of the two does not say of which it is."""
    for scope in (source, f"incident:{source}"):
        row = row_of(dedupe.taken(workspace_id, scope, key))
        if row is not None:
            url = str(row["subject"].get("url") or "")
            return server == ANY or urlsplit(url).netloc.rpartition("@")[2].lower() in ("", server)
    return False
