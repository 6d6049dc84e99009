"""The laws of stories: a delivery begins a record, or is merged into the one that others began.

Everything here runs within the transaction of models.intake.commit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from models.database.base import database, dumps, first, locked
from models.intake import incident_merge, votes
from models.intake.telling import Telling
from models.intake.writes import (
    Reach,
    Stored,
    Write,
    change,
    create,
    reached,
    row_of,
    row_with,
    unless_overruled,
)
from models.tables import dedupe
from models.tables.feedback import Feedback

_DIGEST = 16  # characters of a digest that tell one version's words from another's
# What changes though a delivery says nothing new: when it was said last.
_KEPT_COUNT = {"content_key", "state_key", "last_seen_at", "impact_reasons"}
_RELATIVES = 8  # newest records of an alert that an end may belong to


def tell(write: Write, reach: Reach, now: int) -> Stored:
    """A delivery of a story: it begins the record, or is merged into it (models.intake.incident_merge)."""
    row, telling = write.row, telling_of(write)
    workspace_id, scope = row["workspace_id"], f"incident:{row['source']}"
    known, remembered = _story(write, telling, now)
    if known is None and telling.quiet:
        # No record, but what it says counts once there is one: the beginning may arrive after the end.
        state_key = max(remembered or "", telling.state_key)
        dedupe.remember_answer(workspace_id, scope, row["incident_key"], state_key)
        if write.dedupe_key is not None and not write.retracts:
            dedupe.point(workspace_id, row["source"], write.dedupe_key, None)
        return Stored("ignored", {})
    if known is None:
        return _begin(write, telling, remembered, reach, now)
    if write.dedupe_key is not None and telling.state != "note":
        dedupe.point(workspace_id, row["source"], delivery_key(write), known["id"])
    changed = incident_merge.merged(known, row, telling, _counted(write, telling, now))
    if write.retracts and "state_key" not in changed:
        return Stored("unchanged", known)
    if remembered:
        changed |= incident_merge.settled({**known, **changed}, remembered)
    changed |= incident_merge.left({**known, **changed})
    kind = incident_merge.event_type(known, changed, telling)
    changed = unless_overruled(known, changed)
    if telling.restates and all(changed[name] == known[name] for name in changed.keys() - _KEPT_COUNT):
        Feedback.update(changed).where(Feedback.id == known["id"]).execute()
        return Stored("unchanged", {**known, **changed})
    after = {**known, **changed}
    if "impact_reasons" in changed or after["occurrences"] != known["occurrences"]:
        changed |= reached(after, reach)
    stored = change(write, known, {**changed, "updated_at": now}, kind)
    return Stored("retracted", stored.row) if write.retracts else stored


def delivery_key(write: Write) -> str:
    """What the delivery is known by: newer words of a story are a delivery of their own.

    Of anything else they come under the key of what they replace (`_again`).
    """
    if write.telling is None or not write.telling.restates:
        return write.dedupe_key or ""
    return f"{write.dedupe_key}#{write.telling.key[-_DIGEST:]}"


def _begin(write: Write, telling: Telling, remembered: str | None, reach: Reach, now: int) -> Stored:
    """The record of a story that was not told before, with what was remembered of it meanwhile."""
    row = write.row
    workspace_id, source, key = row["workspace_id"], row["source"], row["incident_key"]
    dedupe.point(workspace_id, f"incident:{source}", key, row["id"])
    if telling.joins is not None:
        dedupe.take(workspace_id, "joins", telling.joins, now=now, feedback_id=row["id"])
    if telling.family is not None:
        _remember_family(write, telling.family, now)
    if write.dedupe_key is not None and telling.state == "note":
        # Taking a note back is no reason to take back the story, even when it begins with the note.
        dedupe.point(workspace_id, source, write.dedupe_key, None)
    began = incident_merge.begun(row, telling, _counted(write, telling, now))
    if remembered:
        began |= incident_merge.settled(began, remembered)
        began["last_seen_at"] = max(began["last_seen_at"], incident_merge.moment_of(remembered))
    began |= incident_merge.left(began)
    began["votes"] = sum(votes.cast(workspace_id, source, name) for name in {write.dedupe_key, key} - {None})
    began |= reached(began, reach)
    return create(Write(began, write.event), reach, now)


def _counted(write: Write, telling: Telling, now: int) -> bool:
    """Whether this is another occurrence, and not another notification of one that is counted."""
    if telling.state != "triggered" or not telling.counts:
        return False
    if telling.occurrence is None:
        return True
    row = write.row
    key = f"{row['incident_key']}:{telling.occurrence}"
    return dedupe.take(
        row["workspace_id"], f"occurrence:{row['source']}", key, now=now, feedback_id=row["id"]
    )


def telling_of(write: Write) -> Telling:
    """What the write says of its story; a note, if nothing else is known."""
    return write.telling or Telling("note", int(write.row["occurred_at"] or write.row["received_at"]))


def _story(write: Write, telling: Telling, now: int) -> tuple[dict[str, Any] | None, str | None]:
    """The record of this delivery's story, or None when nobody has told it, and what is remembered of it.

    A story is known by its source's incident_key, and may be told by another source that `joins` it. An
    alert's end whose own story is unknown ends the newest open one of its `family`.
    """
    row = write.row
    workspace_id, scope, key = row["workspace_id"], f"incident:{row['source']}", row["incident_key"]
    remembered = None
    if not dedupe.take(workspace_id, scope, key, now=now):
        used = dedupe.taken(workspace_id, scope, key)
        told = row_of(used)
        if told is not None:
            return told, None
        remembered = (
            used["answer"] if used else None
        )  # without one its record was deleted: the story begins anew
    known = row_of(dedupe.taken(workspace_id, "joins", key))
    if known is None and telling.joins is not None:
        mine = (Feedback.workspace_id == workspace_id) & (Feedback.incident_key == telling.joins)
        named = database.obj.through(Feedback.select().where(mine), "feedback_story")
        known = first(locked(named.order_by(Feedback.id)))
    if known is None and telling.family is not None:
        known = _relative(_family(write, telling.family), row, telling)
    if known is not None:
        dedupe.point(workspace_id, scope, key, known["id"])
    return known, remembered


def _family(write: Write, family: str) -> list[dict[str, Any]]:
    """The newest records of an alert, of which each firing is a story of its own."""
    row = write.row
    used = dedupe.taken(row["workspace_id"], f"family:{row['source']}", family)
    ids = json.loads(used["answer"] or "[]") if used else []
    return [known for known in map(row_with, ids) if known is not None]


def _remember_family(write: Write, family: str, now: int) -> None:
    row = write.row
    name = (row["workspace_id"], f"family:{row['source']}", family)
    dedupe.take(*name, now=now)
    used = dedupe.taken(*name)
    ids = json.loads((used and used["answer"]) or "[]")
    dedupe.remember_answer(*name, dumps([*ids, row["id"]][-_RELATIVES:]))


def _relative(
    family: list[dict[str, Any]], row: Mapping[str, Any], telling: Telling
) -> dict[str, Any] | None:
    """Which record of an alert a delivery belongs to whose own story is unknown.

    Some senders write another beginning into an end. Such an end is that of the newest story that is
    open and had begun by then; one that arrived first waits for its beginning.
    """
    family = [known for known in family if known["state_key"] is not None]
    if telling.means == "resolved":
        began = [
            known
            for known in family
            if incident_merge.state_of(known["state_key"]) not in ("resolved", "retracted")
            and known["first_seen_at"] <= telling.at
        ]
        return max(began, key=lambda known: known["first_seen_at"], default=None)
    if telling.means == "triggered":
        ended = [
            known
            for known in family
            if not known["triggers"]
            and incident_merge.state_of(known["state_key"]) == "resolved"
            and incident_merge.moment_of(known["state_key"]) >= incident_merge.happened(row, telling)
        ]
        return min(ended, key=lambda known: known["state_key"], default=None)
    return None
