"""What a delivery does to what is stored: begins a record, changes one, adds to a story, or nothing.

Everything here runs within the transaction of models.intake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models import dedupe, incident
from models.base import AT_ONCE, database, first, insert, locked, rows
from models.event import Event
from models.feedback import Feedback
from models.quarantine import Quarantine

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
LABELS = (
    "language",
    "category",
    "category_origin",
    "category_confidence",
    "sentiment",
    "sentiment_origin",
    "sentiment_score",
    "impact",
    "impact_origin",
    "impact_reasons",
    "model_version",
    "fingerprint",
    "words",
)
# What a label's replacement by a person keeps from being labelled anew.
OVERRULABLE = {"category", "sentiment", "impact"}
RULED_BY = {
    "category_origin": ("category",),
    "category_confidence": ("category",),
    "sentiment_origin": ("sentiment",),
    "sentiment_score": ("sentiment",),
    "impact_origin": ("impact",),
}
_COUNTED = 100  # newest records with the same words that are looked at, so that a flood costs no more
_SAME = (
    "FROM feedback WHERE workspace_id = ? AND fingerprint = ? AND received_at >= ? "
    "ORDER BY received_at DESC LIMIT ?"
)
_REPORTERS = (
    "SELECT COUNT(DISTINCT who), MAX(CASE WHEN who = ? THEN 1 ELSE 0 END) FROM "
    f"(SELECT COALESCE(author_id, author_email, id) AS who {_SAME}) AS same"
)
# One look into the index for each: how often the same was said costs nothing here. LIMIT: a server that has
# not analysed its tables yet would read all of the last week instead.
_KNOWN = (
    "WITH asked (said) AS (VALUES {}) SELECT said FROM asked WHERE (SELECT received_at FROM feedback "
    "WHERE workspace_id = ? AND fingerprint = asked.said ORDER BY received_at DESC LIMIT 1) >= ?"
)


@dataclass(slots=True)
class Write:
    """One record to store: its row, the event of this delivery, and what ties it to others.

    `dedupe_key`, `replaceable`, `retracts`, `votes_for`, `state` and `joins` are those of the
    contract's Record. With `held` the delivery goes to quarantine as this row instead.
    """

    row: Mapping[str, Any]
    event: Mapping[str, Any]
    dedupe_key: str | None = None
    replaceable: bool = False
    retracts: bool = False
    votes_for: str | None = None
    state: str | None = None
    joins: str | None = None
    held: Mapping[str, Any] | None = None

    @property
    def begins(self) -> bool:
        """Whether it begins a record, unless its key was used before."""
        plain = self.held is None and not self.retracts and self.votes_for is None
        return plain and self.row["incident_key"] is None

    @property
    def words(self) -> tuple[str, str] | None:
        """What those who say the same have in common, within their workspace."""
        fingerprint = self.row["fingerprint"]
        return (self.row["workspace_id"], fingerprint) if fingerprint else None

    @property
    def shared(self) -> Iterator[tuple[str, ...]]:
        """What decides by being there before, and is no unique key: its words, the stories it may tell."""
        if self.words:
            yield ("words", *self.words)
        for key in {self.row["incident_key"], self.joins} - {None}:
            yield ("story", self.row["workspace_id"], str(key))


@dataclass(slots=True)
class Stored:
    """What became of one write: the row as it now stands (empty when nothing was there to change)."""

    outcome: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reach:
    """How reports of the same thing raise each other's impact.

    Those of the last `window` milliseconds count together. `raised` gives impact reasons what so
    many reporters add; when their number meets one of `steps`, the earlier records are raised too.
    """

    steps: Sequence[int]
    window: int
    raised: Callable[[Sequence[Mapping[str, Any]], int], list[dict[str, Any]]]


def store(write: Write, reach: Reach, now: int) -> Stored:
    """Applies one write and says what became of it."""
    row = write.row
    if write.held is not None:
        insert(Quarantine, write.held)
        return Stored("quarantined", {})
    if write.retracts:
        return _retract(write, now)
    if write.dedupe_key is not None:
        scope = (row["workspace_id"], row["source"], write.dedupe_key)
        if not dedupe.take(*scope, now=now, feedback_id=row["id"]):
            return _again(write, reach, now)
    if write.votes_for is not None:
        return _vote(write, reach, now)
    if row["incident_key"] is not None:
        return _tell(write, reach, now)
    return _create(write, reach, now)


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
    known = _under(write, write.dedupe_key or "")
    if known is None:  # the record was erased, or it never was one; its key stays used
        return Stored("ignored", {})
    if not write.replaceable or _older(write.row, known):
        return Stored("unchanged", known)
    if known["retracted_at"] is None and _same_content(known, write.row):
        return Stored("unchanged", known)
    return _replace(write, known, reach, now)


def _create(write: Write, reach: Reach, now: int) -> Stored:
    row = _joined(write.row, reach, now) if write.row["fingerprint"] else write.row
    insert(Feedback, row)
    insert(Event, {**write.event, "feedback": row["id"], "type": "received"})
    return Stored("created", row)


def _tell(write: Write, reach: Reach, now: int) -> Stored:
    """A delivery of a story: it begins the record, or is merged into it (models.incident)."""
    row, state = write.row, write.state or "note"
    key = write.dedupe_key or row["id"]
    known = _story(write, now)
    if known is None:
        if write.dedupe_key is not None and state == "note":
            _bind(write, None)
        return _create(Write(incident.begun(row, state, key), write.event), reach, now)
    if write.dedupe_key is not None and state != "note":
        _bind(write, known["id"])
    changed = incident.merged(known, row, state, key, (*CONTENT, *LABELS))
    kind = incident.event_type(known, changed, state)
    changed = _unless_overruled(known, changed)
    after = {**known, **changed}
    if "impact_reasons" in changed or after["occurrences"] != known["occurrences"]:
        changed |= _reached(after, reach)
    return _change(write, known, {**changed, "updated_at": now}, kind)


def _bind(write: Write, feedback_id: str | None) -> None:
    """Says which record a delivery is, for those that edit, take back or vote for it later.

    A note is none, even when the story happens to begin with it: taking it back is no reason to
    take back the story.
    """
    row = write.row
    dedupe.point(row["workspace_id"], row["source"], write.dedupe_key or "", feedback_id)


def _story(write: Write, now: int) -> dict[str, Any] | None:
    """The record of this delivery's story, or None when the story begins with it.

    A story is known by its source's incident_key, and may be told by another source that `joins` it.
    """
    row = write.row
    workspace_id, scope, key = row["workspace_id"], f"incident:{row['source']}", row["incident_key"]
    if not dedupe.take(workspace_id, scope, key, now=now, feedback_id=row["id"]):
        told = _row_of(dedupe.taken(workspace_id, scope, key))
        if told is None:  # it was deleted: the story begins anew
            dedupe.point(workspace_id, scope, key, row["id"])
        return told
    known = _row_of(dedupe.taken(workspace_id, "joins", key))
    if known is None and write.joins is not None:
        mine = (Feedback.workspace_id == workspace_id) & (Feedback.incident_key == write.joins)
        named = database.obj.through(Feedback.select().where(mine), "feedback_story")
        known = first(locked(named.order_by(Feedback.id)))
        if known is None:
            dedupe.take(workspace_id, "joins", write.joins, now=now, feedback_id=row["id"])
    if known is not None:
        dedupe.point(workspace_id, scope, key, known["id"])
    return known


def _replace(write: Write, known: Mapping[str, Any], reach: Reach, now: int) -> Stored:
    """New content for a record its sender sent before; a removed one stands again."""
    changed = _unless_overruled(known, {name: write.row[name] for name in (*CONTENT, *LABELS)})
    changed |= _reached({**known, **changed}, reach)
    changed |= {"updated_at": now, "last_seen_at": max(known["last_seen_at"], now)}
    if known["retracted_at"] is not None:
        changed |= {"retracted_at": None, "status": "open"}
    return _change(write, known, changed, "updated")


def _retract(write: Write, now: int) -> Stored:
    known = _under(write, write.dedupe_key or "")
    if known is None:
        return Stored("ignored", {})
    if known["retracted_at"] is not None:
        return Stored("unchanged", known)
    changed = {"retracted_at": now, "updated_at": now, "status": "ignored"}
    return Stored("retracted", _change(write, known, changed, "retracted").row)


def _vote(write: Write, reach: Reach, now: int) -> Stored:
    known = _under(write, write.votes_for or "")
    if known is None:
        return Stored("ignored", {})
    changed = {"votes": known["votes"] + 1, "updated_at": now}
    changed |= _reached({**known, **changed}, reach)
    return _change(write, known, changed, "voted")


def _change(write: Write, known: Mapping[str, Any], changed: dict[str, Any], kind: str) -> Stored:
    Feedback.update(changed).where(Feedback.id == known["id"]).execute()
    insert(Event, {**write.event, "feedback": known["id"], "type": kind})
    return Stored("updated", {**known, **changed})


def _joined(row: Mapping[str, Any], reach: Reach, now: int) -> Mapping[str, Any]:
    """A new row with the reach that the same words from others give it, which it gives them in turn."""
    same = (row["workspace_id"], row["fingerprint"], now - reach.window, _COUNTED)
    who = row["author_id"] or row["author_email"] or row["id"]
    before, known = database.execute_sql(_REPORTERS, (who, *same)).fetchone()
    if not before:
        return row
    reports = before if known else before + 1
    if reports > before and reports in reach.steps:
        for earlier in _saying(*same):
            changed = _raised(earlier["impact_origin"], reach.raised(earlier["impact_reasons"], reports))
            Feedback.update({**changed, "updated_at": now}).where(Feedback.id == earlier["id"]).execute()
    return {**row, **_raised(row["impact_origin"], reach.raised(row["impact_reasons"], reports))}


def _saying(workspace_id: str, fingerprint: str, since: int, limit: int) -> list[dict[str, Any]]:
    """The newest records with these words, to be changed."""
    said = (Feedback.workspace_id == workspace_id) & (Feedback.fingerprint == fingerprint)
    found = Feedback.select(Feedback.id, Feedback.impact_origin, Feedback.impact_reasons)
    found = found.where(said & (Feedback.received_at >= since))
    return rows(locked(found.order_by(Feedback.received_at.desc()).limit(limit)))


def _reached(row: Mapping[str, Any], reach: Reach) -> dict[str, Any]:
    """Impact with the reach that occurrences and votes give."""
    reports = max(row["occurrences"], row["votes"] + 1)
    return _raised(row["impact_origin"], reach.raised(row["impact_reasons"], reports))


def _raised(origin: str, reasons: list[dict[str, Any]]) -> dict[str, Any]:
    """Reasons and their sum; an impact that a person set stays."""
    if origin == "corrected":
        return {"impact_reasons": reasons}
    return {"impact_reasons": reasons, "impact": sum(reason["points"] for reason in reasons)}


def _unless_overruled(known: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The changes without the labels that people set."""
    kept = OVERRULABLE & set(known["overruled"] or ())
    return {name: value for name, value in changed.items() if not kept & {name, *RULED_BY.get(name, ())}}


def _older(row: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether this is an earlier version that arrives late, as far as its sender says when it was."""
    return bool(row["occurred_at"] and known["occurred_at"] and row["occurred_at"] < known["occurred_at"])


def _same_content(known: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Compared as values, so that 4 and 4.0 are the same rating whichever client sent them."""
    return all(known[name] == row[name] for name in CONTENT)


def _under(write: Write, key: str) -> dict[str, Any] | None:
    """The record that came with this dedupe_key, or None."""
    return _row_of(dedupe.taken(write.row["workspace_id"], write.row["source"], key))


def _row_of(used: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if used is None or used["feedback_id"] is None else _row(used["feedback_id"])


def _row(feedback_id: str) -> dict[str, Any] | None:
    return first(locked(Feedback.select().where(Feedback.id == feedback_id)))
