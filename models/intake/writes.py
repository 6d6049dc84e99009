"""A write: one record to store, what became of it, and the changes that all laws have in common.

Everything here runs within the transaction of models.intake.commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.database.base import database, insert, locked, rows, to_change, update
from models.intake.attached import Attached
from models.intake.telling import Telling, Told, stated
from models.tables import dedupe, merging, outbox, snoozes
from models.tables.event import Event
from models.tables.feedback import Feedback
from models.tables.impact_reasons import impact_of

# What a label's replacement by a person keeps from being labelled anew.
OVERRULABLE = {"category", "sentiment", "impact"}
FOLLOWS = {"severity": "category", "sentiment": "sentiment"}  # parts of the impact, and their labels
RULED_BY = {
    "category_origin": ("category",),
    "category_confidence": ("category",),
    "sentiment_origin": ("sentiment",),
    "sentiment_score": ("sentiment",),
    "sentiment_confidence": ("sentiment",),
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


@dataclass(slots=True)
class Write:
    """One record to store: its row, the event of this delivery, and what ties it to others.

    `dedupe_key`, `replaceable`, `retracts`, `votes_for` and `voter` are those of the contract's Record;
    `telling` is what it is to its story. With `held` the delivery goes to quarantine as this row instead.
    `comment` is the key of the comment that it tells, or with `retracts` the end of (models.intake.comments).
    `server` is what its keys begin with (models.intake.servers).
    `files` are the record's, as far as it has not got them yet (models.intake.attached).
    `part` is where the event's payload stands in a delivery that makes several records.
    """

    row: Mapping[str, Any]
    event: Mapping[str, Any]
    dedupe_key: str | None = None
    replaceable: bool = False
    retracts: bool = False
    votes_for: str | None = None
    voter: str | None = None
    telling: Telling | None = None
    held: Mapping[str, Any] | None = None
    part: slice | None = None
    comment: str | None = None
    server: str | None = None
    files: Sequence[Attached] = ()

    @property
    def begins(self) -> bool:
        """Whether it begins a record, unless its key was used before."""
        plain = self.held is None and not self.retracts and self.votes_for is None and self.server is None
        return plain and self.row["incident_key"] is None

    @property
    def hides(self) -> str:
        """Who alone may see the comment from now on, when that is all that it tells."""
        return self.telling.secrecy if self.comment and self.telling and not self.row["text"] else ""

    @property
    def words(self) -> tuple[str, str] | None:
        """What those who say the same have in common, within their workspace."""
        fingerprint = self.row["fingerprint"]
        return (self.row["workspace_id"], fingerprint) if fingerprint else None

    @property
    def marks(self) -> Iterator[tuple[str, ...]]:
        """By what it has to do with other writes: its words, the names of keys."""
        if self.words:
            yield self.words
        for key in (self.dedupe_key, self.votes_for):
            if key is not None:
                yield self.row["workspace_id"], self.row["source"], key

    @property
    def shared(self) -> Iterator[tuple[str, ...]]:
        """What decides by being there before, and is no unique key: its words, the stories it may tell."""
        if self.words:
            yield ("words", *self.words)
        told = self.telling
        keys = {
            self.row["incident_key"],
            self.votes_for,
            self.comment,
            *((told.joins, told.family) if told else ()),
        }
        if self.server is not None and self.row["incident_key"]:
            keys.add(plain(self.row["incident_key"], self.server))
        for key in keys - {None}:
            yield ("story", self.row["workspace_id"], str(key))


def plain(key: str, server: str) -> str:
    """A key without its server."""
    return key.removeprefix(f"{server}:")


@dataclass(slots=True)
class Stored:
    """What became of one write: the row as it now stands (empty when nothing was there to change).

    `beside` is how many other records it made.
    """

    outcome: str
    row: Mapping[str, Any]
    beside: int = 0

    @property
    def told(self) -> bool:
        """Whether the write's event is in the history."""
        return self.outcome in ("created", "updated", "retracted")


@dataclass(frozen=True, slots=True)
class Reach:
    """How reports of the same thing raise each other's impact.

    Those of the last `window` milliseconds count together. `raised` gives impact reasons what so
    many reporters add; when their number meets one of `steps`, the earlier records are raised too.
    """

    steps: Sequence[int]
    window: int
    raised: Callable[[Sequence[Mapping[str, Any]], int], list[dict[str, Any]]]


def create(write: Write, reach: Reach, now: int) -> Stored:
    row = add(write.row, reach, now)
    insert(Event, {**write.event, "feedback": row["id"], "type": "received"})
    return Stored("created", row)


def add(row: Mapping[str, Any], reach: Reach, now: int) -> Mapping[str, Any]:
    """Stores a new record with the reach that the same words from others give it."""
    row = joined(row, reach, now) if row["fingerprint"] else row
    insert(Feedback, row)
    outbox.note(outbox.CREATED, row, now)
    return row


def change(write: Write, known: Mapping[str, Any], changed: dict[str, Any], kind: str) -> Stored:
    if known["wakes_on_delivery"]:
        changed = snoozes.woken(known, changed, snoozes.DELIVERY, write.event["at"])
    update(Feedback, known["id"], changed)
    merging.touched(known, changed, write.event["at"])
    insert(Event, {**write.event, "feedback": known["id"], "type": kind})
    told = outbox.RETRACTED if kind == "retracted" else told_as(known, changed)
    outbox.note(told, known, write.event["at"], write.event["id"])
    return Stored("updated", {**known, **changed})


def told_as(known: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    """What destinations are told that a delivery did to a record."""
    same = changed.get("status", known["status"]) == known["status"]
    return outbox.UPDATED if same else outbox.STATUS_CHANGED


def joined(row: Mapping[str, Any], reach: Reach, now: int) -> Mapping[str, Any]:
    """A new row with the reach that the same words from others give it, which it gives them in turn."""
    same = (row["workspace_id"], row["fingerprint"], now - reach.window, _COUNTED)
    who = row["author_id"] or row["author_email"] or row["id"]
    before, known = database.execute_sql(_REPORTERS, (who, *same)).fetchone()
    if not before:
        return row
    reports = before if known else before + 1
    if reports > before and reports in reach.steps:
        for earlier in _saying(*same):
            changed = impact_of(earlier, reach.raised(earlier["impact_reasons"], reports))
            update(Feedback, earlier["id"], {**changed, "updated_at": now})
            outbox.note(outbox.UPDATED, earlier, now)
    return {**row, **impact_of(row, reach.raised(row["impact_reasons"], reports))}


def _saying(workspace_id: str, fingerprint: str, since: int, limit: int) -> list[dict[str, Any]]:
    """The newest records with these words, to be changed."""
    said = (Feedback.workspace_id == workspace_id) & (Feedback.fingerprint == fingerprint)
    columns = (Feedback.id, Feedback.workspace_id, Feedback.project_id, Feedback.people)
    found = Feedback.select(*columns, Feedback.impact_origin, Feedback.impact_reasons)
    found = found.where(said & (Feedback.received_at >= since))
    return rows(locked(found.order_by(Feedback.received_at.desc()).limit(limit)))


def reached(row: Mapping[str, Any], reach: Reach) -> dict[str, Any]:
    """Impact with the reach that occurrences and votes give."""
    reports = max(row["occurrences"], row["votes"] + 1)
    return impact_of(row, reach.raised(row["impact_reasons"], reports))


def unreached(known: Mapping[str, Any], reach: Reach, now: int) -> list[dict[str, Any]]:
    """The reasons of a story's impact with the reach that its words and those who say the same give it."""
    told = Told.of(known).reach
    if told is None:
        return list(known["impact_reasons"])
    points, why = told
    reasons = [
        {**reason, "points": points, "why": why} if reason["part"] == "reach" else dict(reason)
        for reason in known["impact_reasons"]
    ]
    if not known["fingerprint"]:
        return reasons
    same = (known["workspace_id"], known["fingerprint"], now - reach.window, _COUNTED)
    reports, _ = database.execute_sql(_REPORTERS, (known["id"], *same)).fetchone()
    return reach.raised(reasons, reports)


def unless_overruled(known: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The changes without the labels that people set, and with the reasons that follow from these."""
    kept = OVERRULABLE & set(known["overruled"] or ())
    left = {name: value for name, value in changed.items() if not kept & {name, *RULED_BY.get(name, ())}}
    other = {name for name in kept if changed.get(name) != known[name]}
    if "impact_reasons" in left and other:
        told = {reason["part"]: reason for reason in known["impact_reasons"]}
        left["impact_reasons"] = [
            dict(told.get(reason["part"], reason))
            if FOLLOWS.get(reason["part"]) in other and not stated(reason["why"])
            else reason
            for reason in left["impact_reasons"]
        ]
        if "impact" in left:
            left |= impact_of({**known, **left}, left["impact_reasons"])
    return left


def under(write: Write, key: str) -> dict[str, Any] | None:
    """The record that came with this dedupe_key, or None."""
    return row_of(dedupe.taken(write.row["workspace_id"], write.row["source"], key))


def row_of(used: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if used is None or used["feedback_id"] is None else row_with(used["feedback_id"])


def row_with(feedback_id: str) -> dict[str, Any] | None:
    return to_change(Feedback, feedback_id)
