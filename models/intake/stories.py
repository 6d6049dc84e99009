"""The laws of stories: a delivery begins a record, or is merged into the one that others began.

Everything here runs within the transaction of models.intake.commit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from models.database.base import database, dumps, first, update
from models.intake import alert_family, incident_merge, votes
from models.intake.alert_family import Place
from models.intake.story_state import StoryState
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


def tell(write: Write, reach: Reach, now: int) -> Stored:
    """A delivery of a story: it begins the record, or is merged into it (models.intake.incident_merge)."""
    row, telling = write.row, telling_of(write)
    workspace_id, scope = row["workspace_id"], f"incident:{row['source']}"
    found = _story(write, telling, reach, now)
    known, remembered = found.known, found.remembered
    if known is None and telling.quiet:
        # No record, but what it says counts once there is one: the beginning may arrive after the end.
        state = remembered or StoryState()
        state.add(telling.state_key, itself=telling.is_state)
        dedupe.remember_answer(workspace_id, scope, row["incident_key"], dumps([state.newest, state.kept]))
        if write.dedupe_key is not None and not write.retracts:
            dedupe.point(workspace_id, row["source"], write.dedupe_key, None)
        return Stored("ignored", {})
    if known is None:
        begun = _begin(write, telling, remembered, reach, now)
        alert_family.arrived(write, found, begun.row["id"])
        return begun
    if write.dedupe_key is not None and telling.state != "note":
        dedupe.point(workspace_id, row["source"], delivery_key(write), known["id"])
    changed = incident_merge.merged(known, row, telling, _counted(write, telling, now), remembered)
    kind = incident_merge.event_type(known, changed, telling)
    changed = unless_overruled(known, changed)
    after = {**known, **changed}
    if "impact_reasons" in changed or after["occurrences"] != known["occurrences"]:
        changed |= reached(after, reach)
    same = telling.restates and all(changed[name] == known[name] for name in changed.keys() - _KEPT_COUNT)
    if same or (write.retracts and "state_key" not in changed):
        return _noted(known, changed)
    stored = change(write, known, {**changed, "updated_at": now}, kind)
    alert_family.arrived(write, found, known["id"])
    return Stored("retracted" if write.retracts else stored.outcome, stored.row, found.apart)


def _noted(known: Mapping[str, Any], changed: Mapping[str, Any]) -> Stored:
    """A delivery that says nothing new, and no event, but what comes later is judged by it too."""
    update(Feedback, known["id"], changed)
    return Stored("unchanged", {**known, **changed})


def delivery_key(write: Write) -> str:
    """What the delivery is known by: newer words of a story are a delivery of their own.

    Of anything else they come under the key of what they replace (`_again`).
    """
    if write.telling is None or not write.telling.restates:
        return write.dedupe_key or ""
    return f"{write.dedupe_key}#{write.telling.key[-_DIGEST:]}"


def _begin(write: Write, telling: Telling, remembered: StoryState | None, reach: Reach, now: int) -> Stored:
    """The record of a story that was not told before, with what was remembered of it meanwhile."""
    row = write.row
    workspace_id, source, key = row["workspace_id"], row["source"], row["incident_key"]
    dedupe.point(workspace_id, f"incident:{source}", key, row["id"])
    if telling.joins is not None:
        dedupe.take(workspace_id, "joins", telling.joins, now=now, feedback_id=row["id"])
    if write.dedupe_key is not None and telling.state == "note":
        # Taking a note back is no reason to take back the story, even when it begins with the note.
        dedupe.point(workspace_id, source, write.dedupe_key, None)
    began = incident_merge.begun(row, telling, _counted(write, telling, now), remembered)
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


def _story(write: Write, telling: Telling, reach: Reach, now: int) -> Place:
    """The record of this delivery's story, or None when nobody has told it, and what is remembered of it.

    A story is known by its source's incident_key, and may be told by another source that `joins` it. Those
    of one alert are told apart by models.intake.alert_family.
    """
    row = write.row
    workspace_id, scope, key = row["workspace_id"], f"incident:{row['source']}", row["incident_key"]
    of_alert = telling.family is not None and telling.means in ("triggered", "resolved")
    remembered = told = None
    if not dedupe.take(workspace_id, scope, key, now=now):
        used = dedupe.taken(workspace_id, scope, key)
        told = row_of(used)
        if told is not None and not of_alert:
            return Place(told)
        if used and used["answer"]:  # without one its record was deleted: the story begins anew
            remembered = _remembered(used["answer"])
    known = row_of(dedupe.taken(workspace_id, "joins", key))
    if known is None and telling.joins is not None:
        mine = (Feedback.workspace_id == workspace_id) & (Feedback.incident_key == telling.joins)
        named = database.obj.through(Feedback.select(Feedback.id).where(mine), "feedback_story")
        first_named = first(named.order_by(Feedback.id))
        known = first_named and row_with(first_named["id"])
    found = Place(known, remembered)
    if of_alert:
        found = alert_family.place(write, telling, told, known, reach, now)
    if found.known is not None:
        dedupe.point(workspace_id, scope, key, found.known["id"])
    return found


def _remembered(answer: str) -> StoryState:
    """What quiet ends have said of a story; in older versions only the newest state key."""
    newest, kept = json.loads(answer) if answer.startswith("[") else (answer, None)
    return StoryState.of(newest, None, kept)
