"""Which firing of an alert an end belongs to that does not say so.

Each firing is a story of its own, and some senders write another beginning into its end (`family` of
models.intake.telling). Who ends what is worked out from the times of all firings and ends that are known,
never from their order of arrival: a later one may show that an end belongs elsewhere, and moves it there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from models.database.base import database, dumps, update
from models.intake import incident_merge
from models.intake.story_state import RANKS, StoryState, moment_of, state_of
from models.intake.telling import STATUS, Telling, Told
from models.intake.writes import Reach, Write, add, reached, row_with, told_as
from models.tables import dedupe, merging, outbox
from models.tables.event import Event
from models.tables.feedback import Feedback

MOST = 8  # newest firings, and as many ends, that are remembered of an alert


class Firing(NamedTuple):
    """Since when an alert fires (milliseconds), the story's key, and its record."""

    at: int
    key: str
    record: str


class End(NamedTuple):
    """When a firing ended, as which story, its delivery's key and event, and the record that has it."""

    at: int
    key: str
    record: str
    delivery: str | None
    event: str


@dataclass(slots=True)
class Family:
    """The firings and ends of an alert, ascending by time."""

    firings: list[Firing] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)

    @classmethod
    def of(cls, answer: str | None) -> Family:
        """As it is remembered; older versions kept the ids of records."""
        kept = json.loads(answer or "[]")
        if isinstance(kept, dict):
            return cls([Firing(*one) for one in kept["firings"]], [End(*one) for one in kept["ends"]])
        family = cls()
        for row in filter(None, map(row_with, kept)):
            at, key, record = row["first_seen_at"], row["incident_key"], row["id"]
            if row["triggers"]:
                family.firings.append(Firing(at, key, record))
            if row["resolved_at"] is not None:
                family.ends.append(End(row["resolved_at"], key, record, None, ""))
        return family

    def holders(self) -> dict[str, Firing]:
        """The firing of each end by the end's key: that of its own story, else the newest that had begun by
        then and has no end yet. An end without one is not in it."""
        mine = {firing.key: firing for firing in self.firings}
        held = {end.key: mine[end.key] for end in self.ends if end.key in mine}
        open_: list[Firing] = []
        loose = [end for end in self.ends if end.key not in mine]
        begun = [firing for firing in self.firings if firing.key not in held]
        steps = [(firing.at, 0, firing.key) for firing in begun] + [(end.at, 1, end.key) for end in loose]
        for _, ends, key in sorted(steps):
            if not ends:
                open_.append(mine[key])
            elif open_:
                held[key] = open_.pop()
        return held

    def changed(self, records: Mapping[str, str]) -> None:
        """Notes which records have these ends now, by their keys."""
        self.ends = [end._replace(record=records.get(end.key, end.record)) for end in self.ends]

    def remember(self) -> str:
        """The newest of it, and no end of a firing that is forgotten."""
        firings, held = sorted(self.firings)[-MOST:], self.holders()
        ends = [end for end in sorted(self.ends) if end.key not in held or held[end.key] in firings]
        return dumps({"firings": firings, "ends": ends[-MOST:]})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a delivery of an alert belongs: the record, None for a new one, and what was said of it before.

    `moved` is the end that the record now has and another had, which is `left` over if it had no more than
    that. `apart` is how many records of ends it made.
    """

    known: dict[str, Any] | None
    remembered: StoryState | None = None
    moved: End | None = None
    left: bool = False
    apart: int = 0


def place(
    write: Write,
    telling: Telling,
    own: dict[str, Any] | None,
    joined: dict[str, Any] | None,
    reach: Reach,
    now: int,
) -> Place:
    """Finds the record of a firing or an end, and moves the ends that belong elsewhere since it is known.

    `own` is the record that the story's key led to so far, which decides once its firing is too old to be
    remembered, and `joined` that by which another source knows the story.
    """
    row = write.row
    name = (row["workspace_id"], f"family:{row['source']}", telling.family or "")
    dedupe.take(*name, now=now)
    used = dedupe.taken(*name)
    family = Family.of(used["answer"] if used else None)
    remembered = {one.key for one in family.firings} | {one.key for one in family.ends}
    if own is not None and len(family.firings) >= MOST and row["incident_key"] not in remembered:
        return Place(own)
    if telling.means == "resolved":
        found = _place_end(family, write, telling, joined, reach, now)
    else:
        found = _place_firing(family, write, telling, joined, reach, now)
    dedupe.remember_answer(*name, family.remember())
    return found


def arrived(write: Write, found: Place, record: str) -> None:
    """Moves the end that a record was found to have, now that the record is there."""
    if found.moved is None or found.moved.record == record:
        return
    _move(write, found.moved, record)
    if found.left:  # what people noted there goes along
        Event.update(feedback=record).where(Event.feedback == found.moved.record).execute()
        outbox.note_ids(outbox.DELETED, [found.moved.record])
        merging.delete([found.moved.record])


def _place_firing(
    family: Family, write: Write, telling: Telling, joined: dict[str, Any] | None, reach: Reach, now: int
) -> Place:
    row = write.row
    key = row["incident_key"]
    same = next((firing for firing in family.firings if firing.key == key), None)
    if same is not None and (known := row_with(same.record)) is not None:
        return Place(known)  # it is told again
    family.firings = [firing for firing in family.firings if firing.key != key]
    before = family.holders()
    firing = Firing(incident_merge.happened(row, telling), key, row["id"])
    family.firings.append(firing)
    after = family.holders()
    waited = next((end for end in family.ends if end.key in after.keys() - before.keys()), None)
    known = joined or (row_with(waited.record) if waited else None)
    family.firings[-1] = firing._replace(record=known["id"] if known else row["id"])
    changed = [end for end in family.ends if before.get(end.key) != after.get(end.key)]
    mine = next((end for end in changed if after.get(end.key) == firing), None)
    _take_away([end for end in changed if joined is None or end is not waited], reach, now)
    for end in changed:
        if end is not mine:
            _give(write, end, after[end.key].record, reach, now)
    family.changed({end.key: after[end.key].record for end in changed if end is not mine})
    if mine is not None:
        family.changed({mine.key: family.firings[-1].record})
    waits = mine is not None and not any(mine.record == one.record for one in family.firings)
    return Place(row_with(known["id"]) if known else None, _state(mine), mine, left=waits)


def _place_end(
    family: Family, write: Write, telling: Telling, joined: dict[str, Any] | None, reach: Reach, now: int
) -> Place:
    row = write.row
    same = next((end for end in family.ends if end.key == row["incident_key"]), None)
    if same is not None and (known := row_with(same.record)) is not None:
        return Place(known)
    family.ends = [other for other in family.ends if other.key != row["incident_key"]]
    before = family.holders()
    end = End(telling.at, row["incident_key"], row["id"], write.dedupe_key, write.event["id"])
    family.ends.append(end)
    after = family.holders()
    holder = after.get(end.key)
    known = (row_with(holder.record) if holder else None) or joined
    if holder is not None and (known is None or known["id"] != holder.record):  # it was deleted
        again = holder._replace(record=known["id"] if known else row["id"])
        family.firings = [again if firing == holder else firing for firing in family.firings]
    changed = [one for one in family.ends if one is not end and before.get(one.key) != after.get(one.key)]
    _take_away(changed, reach, now)
    apart = [one for one in changed if one.key not in after]
    gone = [one for one in apart if row_with(one.record) is None]  # they were deleted with their record
    family.ends = [one for one in family.ends if one not in gone]
    apart = [one for one in apart if one not in gone]
    for one in changed:
        if one.key in after:
            _give(write, one, after[one.key].record, reach, now)
        elif one in apart:
            _apart(write, telling, one, reach, now)
    family.changed({one.key: after[one.key].record if one.key in after else row["id"] for one in changed})
    if changed and known is not None:
        known = row_with(known["id"])  # as it is without what was taken away
    family.changed({end.key: known["id"] if known else row["id"]})
    return Place(known, apart=len(apart))


def _take_away(ends: Iterable[End], reach: Reach, now: int) -> None:
    """Lets records be as if they had not been told of these ends."""
    for end in ends:
        row = row_with(end.record)
        if row is None:
            continue
        told = Told.of(row)
        state = told.state
        by_people = row["resolved_at"] != state.resolved_at
        state.remove(end.at)
        changed: dict[str, Any] = {"state_key": state.newest or None, "content_key": told.column()}
        if row["last_seen_at"] == end.at:
            changed["last_seen_at"] = (
                max(row["first_seen_at"], moment_of(state.newest)) if state.newest else 0
            )
        if not by_people:
            changed["resolved_at"] = state.resolved_at
            if row["status"] == STATUS["resolved"] and state.newest:
                changed["status"] = STATUS[state_of(state.newest)]
        changed |= incident_merge.left({**row, **changed}, told)
        _keep(row, changed, reach, now)


def _give(write: Write, end: End, record: str, reach: Reach, now: int) -> None:
    """Tells a record that is there of an end."""
    known = row_with(record)
    if known is None:
        return
    telling = Telling("resolved", end.at, end.delivery or "", quiet=True)
    _keep(known, incident_merge.merged(known, write.row, telling, counted=False), reach, now)
    _move(write, end, record)


def _keep(known: Mapping[str, Any], changed: dict[str, Any], reach: Reach, now: int) -> None:
    if "impact_reasons" in changed:
        changed |= reached({**known, **changed}, reach)
    update(Feedback, known["id"], {**changed, "updated_at": now})
    merging.touched(known, changed, now)
    outbox.note(told_as(known, changed), known, now)


def _apart(write: Write, told: Telling, end: End, reach: Reach, now: int) -> None:
    """Makes the record of an end that turned out to be that of no firing that is known.

    Its words are those of the end that is told now, which says the same of the same alert; its own are in
    the delivery that its history has.
    """
    own = {"occurred_at": end.at, "incident_key": end.key}
    row = {**write.row, **own}
    telling = replace(told, at=end.at, key=end.delivery or "")
    began = incident_merge.begun(row, telling, counted=False)
    add(began | reached(began, reach), reach, now)
    _move(write, end, row["id"])


def _move(write: Write, end: End, record: str) -> None:
    """Lets an end's event and keys be those of another record."""
    workspace_id, source = write.row["workspace_id"], write.row["source"]
    dedupe.point(workspace_id, f"incident:{source}", end.key, record)
    if end.delivery is not None:
        dedupe.point(workspace_id, source, end.delivery, record)
    database.execute_sql(
        "UPDATE event SET feedback_id = ? WHERE feedback_id = ? AND id = ?", (record, end.record, end.event)
    )


def _state(end: End | None) -> StoryState | None:
    if end is None:
        return None
    state = StoryState()
    state.add(f"{end.at:016d}:{RANKS['resolved']}:{end.delivery or ''}", itself=True)
    return state
