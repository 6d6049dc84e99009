"""What a delivery does to what is stored: begins a record, changes one, adds to a story, or nothing.

Everything here runs within the transaction of models.intake.commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from models.database.base import AT_ONCE, database, insert
from models.intake import comments, incident_merge, servers, votes
from models.intake.stories import delivery_key, tell, telling_of
from models.intake.writes import (
    Reach,
    Stored,
    Write,
    change,
    create,
    reached,
    row_of,
    under,
    unless_overruled,
    unreached,
)
from models.tables import dedupe
from models.tables.quarantine import Quarantine, note_held

# What the sender said; when a replaceable record comes again, these decide whether anything changed.
CONTENT = (
    "type",
    "title",
    "text",
    "kind",
    "subject",
    "author_id",
    "author_name",
    "author_email",
    "tags",
    "external_id",
    "occurred_at",
)
LABELS = (*incident_merge.LABELS, "impact", "impact_origin", "impact_reasons", "words", "alert_group")
# One look into the index for each: how often the same was said costs nothing here. LIMIT: a server that has
# not analysed its tables yet would read all of the last week instead.
_KNOWN = (
    "WITH asked (said) AS (VALUES {}) SELECT said FROM asked WHERE (SELECT received_at FROM feedback "
    "WHERE workspace_id = ? AND fingerprint = asked.said ORDER BY received_at DESC LIMIT 1) >= ?"
)


def store(write: Write, reach: Reach, now: int) -> Stored:
    """Applies one write and says what became of it."""
    if write.server is not None:
        servers.adopt(write)
    stored = _store(write, reach, now) if write.comment is None else _comment(write, reach, now)
    if write.server is not None and stored.told:
        servers.told(write, stored.row["id"], now)
    return stored


def _comment(write: Write, reach: Reach, now: int) -> Stored:
    """A comment, unless its author has deleted it, or that he has, or that it is hidden from now on."""
    if write.retracts:
        return comments.delete(write, now)
    if write.hides:
        return comments.hide(write, write.hides, now)
    if comments.is_gone(write):
        return Stored("ignored", {})
    comments.mark(write)
    stored = _store(write, reach, now)
    if stored.told:
        comments.remember(write, stored.row["id"], now)
    return stored


def _store(write: Write, reach: Reach, now: int) -> Stored:
    row = write.row
    if write.held is not None:
        insert(Quarantine, write.held)
        note_held(write.held)
        return Stored("quarantined", {})
    if write.retracts and write.votes_for is None:
        return _retract(write, now) if row["incident_key"] is None else tell(write, reach, now)
    if write.dedupe_key is not None:
        scope = (row["workspace_id"], row["source"], delivery_key(write))
        if not dedupe.take(*scope, now=now, feedback_id=row["id"]):
            return _again(write, reach, now)
    if write.votes_for is not None:
        return _vote(write, reach, now)
    if row["incident_key"] is not None:
        return tell(write, reach, now)
    return create(write, reach, now)


def reported(writes: Iterable[Write], reach: Reach) -> set[tuple[str, str]]:
    """Which of the writes' words were said before, within the reach's window."""
    asked: dict[str, list[Write]] = {}
    for write in writes:
        if write.words:
            asked.setdefault(write.words[0], []).append(write)
    known: set[tuple[str, str]] = set()
    for workspace_id, some in asked.items():
        since = min(write.row["received_at"] for write in some) - reach.window
        for start in range(0, len(some), AT_ONCE):
            words = [write.row["fingerprint"] for write in some[start : start + AT_ONCE]]
            sql = _KNOWN.format(", ".join(["(?)"] * len(words)))
            found = database.execute_sql(sql, [*words, workspace_id, since]).fetchall()
            known.update((workspace_id, fingerprint) for (fingerprint,) in found)
    return known


def _again(write: Write, reach: Reach, now: int) -> Stored:
    """A dedupe_key that was used: nothing changes, unless other content replaces what it stood for."""
    known = under(write, delivery_key(write))
    if known is None:  # the record was erased, or it never was one; its key stays used
        return Stored("ignored", {})
    if not write.replaceable or write.telling is not None or _older(write.row, known):
        return Stored("unchanged", known)
    if known["retracted_at"] is None and _same_content(known, write.row):
        return Stored("unchanged", known)
    return _replace(write, known, reach, now)


def _replace(write: Write, known: Mapping[str, Any], reach: Reach, now: int) -> Stored:
    """New content for a record its sender sent before; a removed one stands again."""
    changed = unless_overruled(known, {name: write.row[name] for name in (*CONTENT, *LABELS)})
    changed |= reached({**known, **changed}, reach)
    changed |= {"updated_at": now, "last_seen_at": max(known["last_seen_at"], now)}
    if known["retracted_at"] is not None:
        changed |= {"retracted_at": None, "status": "open"}
    return change(write, known, changed, "updated")


def _retract(write: Write, now: int) -> Stored:
    known = under(write, write.dedupe_key or "")
    if known is None:
        return Stored("ignored", {})
    if known["retracted_at"] is not None:
        return Stored("unchanged", known)
    changed = {"retracted_at": now, "updated_at": now, "status": "ignored"}
    return Stored("retracted", change(write, known, changed, "retracted").row)


def _vote(write: Write, reach: Reach, now: int) -> Stored:
    """A vote, or one taken back, for the record of a dedupe_key or of a story: a person counts once."""
    row, target = write.row, write.votes_for or ""
    cast = votes.Vote(write.voter or write.dedupe_key or row["id"], row["text"], telling_of(write).at)
    more = votes.count(row["workspace_id"], row["source"], target, cast, taken_back=write.retracts, now=now)
    known = under(write, target)
    if known is None:
        known = row_of(dedupe.taken(row["workspace_id"], f"incident:{row['source']}", target))
    if known is None:
        return Stored("ignored", {})
    changed = {"votes": max(0, known["votes"] + more), "updated_at": now}
    if more < 0:
        changed["impact_reasons"] = unreached(known, reach, now)
    changed |= reached({**known, **changed}, reach)
    return change(write, known, changed, "unvoted" if write.retracts else "voted")


def _older(row: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether this is an earlier version that arrives late, as far as its sender says when it was."""
    return bool(row["occurred_at"] and known["occurred_at"] and row["occurred_at"] < known["occurred_at"])


def _same_content(known: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Compared as values, so that 4 and 4.0 are the same rating whichever client sent them."""
    return all(known[name] == row[name] for name in CONTENT)
