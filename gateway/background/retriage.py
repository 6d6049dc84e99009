"""Labels stored records anew with the model in use: what triage labelled, never what people or senders said.

Records are read some at a time, the oldest first, labelled outside of transactions and written in short
ones (gateway.core.pacing). How far that came is a Progress, which can be kept in each of these transactions:
whoever goes on from it counts every record once and tells of no change twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from gateway import triage
from gateway.access import audit_log
from gateway.access.caller import rules_in
from gateway.core.ids import new_id, now_ms
from gateway.core.pacing import Pace, Transact, transact
from gateway.triage import active_model
from gateway.triage.second_reader import Layer, Reading, unpack
from gateway.triage.stored import record_of, relabelled, to_label
from models.queries import feedback_query, relabelling
from models.queries.feedback_query import Filter
from models.queries.ordering import OLDEST_BY, Position
from models.tables import feedback, meaning

EVENT = "relabelled"
TOGETHER = 50  # records read and labelled together
TRIES = 5  # times that a record which others change meanwhile is labelled
SECOND = "second_reader"
LABELS = ("category", "sentiment", "impact", "language")

Row = Mapping[str, Any]
Move = tuple[str, Any, Any]  # a label's name, what it was, what it is


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a retriage came: the `position` of the last record, and what became of those up to it.

    Of the records that were `read`, some have another label (`changed`), the same ones with another
    confidence, reason or model (`refreshed`), or all as it was (`same`); some have nothing that triage gave
    (`kept`), some were deleted or changed by others time and again (`missed`). `moves` counts changes of a
    label by what it was and is; `seconds` is how long it all took.
    """

    position: Position | None = None
    read: int = 0
    changed: int = 0
    refreshed: int = 0
    same: int = 0
    kept: int = 0
    missed: int = 0
    seconds: float = 0.0
    moves: Mapping[Move, int] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {**asdict(self), "moves": [[*move, count] for move, count in self.moves.items()]}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """What `state` gave."""
        moves = {(name, before, after): count for name, before, after, count in state["moves"]}
        return cls(**{**state, "moves": moves})

    def report(self) -> dict[str, Any]:
        """Counts, and changes by label with the most frequent first."""
        most = sorted(self.moves.items(), key=lambda one: (LABELS.index(one[0][0]), -one[1], str(one[0])))
        counts = ("read", "changed", "refreshed", "same", "kept", "missed")
        return {
            **{name: getattr(self, name) for name in counts},
            "changes": [
                {"field": name, "from": before, "to": after, "count": count}
                for (name, before, after), count in most
            ],
            "model_version": triage.version(),
            "seconds": round(self.seconds, 1),
        }

    def after(self, told: Sequence[_Told], position: Position | None) -> Self:
        """The same with some records more, and where the last of them is."""
        ends, moves = Counter(one.end for one in told), Counter(self.moves)
        moves.update(move for one in told for move in one.moves)
        counts = {name: getattr(self, name) + count for name, count in ends.items()}
        return replace(self, **counts, position=position, read=self.read + len(told), moves=dict(moves))


@dataclass(frozen=True, slots=True)
class _Told:
    """A record as it was read, the columns that it is given, and which of them are other labels."""

    row: Row
    given: Mapping[str, Any] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    end: str = "kept"  # which number of a Progress it adds to
    tries: int = 0


def retriage(
    chosen: Filter,
    workspace_id: str,
    project_id: str | None = None,
    *,
    after: Progress | None = None,
    transact: Transact = transact,
    keep: Callable[[Progress], object] | None = None,
    dry_run: bool = False,
    by: str = audit_log.COMMAND_LINE,
    layer: Layer | None = None,
) -> Iterator[Progress]:
    """Labels the records that a filter means, and says every some records how far it came.

    It goes on `after` what was said or kept before. `keep` is called within each transaction. With `dry_run`
    nothing is written. `by` is who is told of in the history: a run, or the command line. `layer` is a second
    reader's: what it read is labelled with what it says of that today.
    """
    run = _Run(workspace_id, project_id, chosen, Pace(transact), keep, dry_run, by, layer)
    active_model.look()
    progress, position = after or Progress(), after.position if after else None
    while True:
        began = time.monotonic()
        page, following = feedback_query.page(
            workspace_id, project_id, chosen, limit=TOGETHER, sort=OLDEST_BY[chosen.time], after=position
        )
        if page:
            # What a page leaves out was deleted while it was read.
            progress = run.page(page, progress, following)
            progress = replace(progress, seconds=progress.seconds + time.monotonic() - began)
            yield progress
        if following is None:
            return
        position = following


@dataclass(frozen=True, slots=True)
class _Run:
    """What one retriage is about."""

    workspace_id: str
    project_id: str | None
    chosen: Filter
    pace: Pace
    keep: Callable[[Progress], object] | None
    dry_run: bool
    by: str
    layer: Layer | None

    def page(self, page: Sequence[Row], progress: Progress, end: Position | None) -> Progress:
        """Labels some records; `end` is where the last of them is, where that is known."""
        found, done = self._labelled(page), 0
        end = end or feedback_query.place_of(page[-1], self.chosen, OLDEST_BY[self.chosen.time])
        while done < len(found):
            upto = done + self._to_write(found[done:])
            some = found[done:upto]
            place = end if upto == len(found) else self._place(some[-1].row)
            written, progress = self._write(some, progress, place)
            done += written
            if written < len(some):
                found[done] = self._again(found[done])
        return progress

    def _to_write(self, found: Sequence[_Told]) -> int:
        """How many records have as many to be written among them as a transaction may have."""
        size = 0
        for number, one in enumerate(found):
            size += bool(one.given)
            if size > self.pace.size:
                return number
        return len(found)

    def _write(self, some: Sequence[_Told], before: Progress, place: Position) -> tuple[int, Progress]:
        """Writes records up to the first one that others changed: how many those are, and the progress."""
        if self.dry_run or (self.keep is None and not any(one.given for one in some)):
            return len(some), before.after(some, place)

        def act() -> tuple[int, Progress]:
            written = next((number for number, one in enumerate(some) if not self._apply(one)), len(some))
            if not written:
                return 0, before
            here = place if written == len(some) else self._place(some[written - 1].row)
            progress = before.after(some[:written], here)
            if self.keep is not None:
                self.keep(progress)
            return written, progress

        return self.pace.write(act, max(1, sum(bool(one.given) for one in some)))

    def _apply(self, one: _Told) -> bool:
        if not one.given:
            return True
        now = max(now_ms(), one.row["updated_at"] + 1)
        changes = {name: {"from": before, "to": after} for name, before, after in one.moves}
        detail = {"changes": changes, "key_id": self.by, "model_version": one.given.get("model_version")}
        event = {"id": new_id("ev"), "type": EVENT, "at": now, "detail": detail} if changes else None
        return relabelling.apply(one.row, {**one.given, "updated_at": now}, event)

    def _again(self, one: _Told) -> _Told:
        """A record that others changed meanwhile, labelled as it is now; not for ever."""
        row = feedback.find(self.workspace_id, self.project_id, one.row["id"])
        if row is None or one.tries == TRIES:
            return _Told(one.row, end="missed")
        (told,) = self._labelled([row])
        return replace(told, tries=one.tries + 1)

    def _labelled(self, found: Sequence[Row]) -> list[_Told]:
        """What some records are given."""
        rules = rules_in(self.workspace_id)  # now: what a project has learnt may be forgotten at any time
        rows = [row for row in found if to_label(row)]
        readings = self._readings(rows)
        items = {row["id"]: (record_of(row), rules.get(row["project_id"])) for row in rows}
        alone = [feedback_id for feedback_id in items if feedback_id not in readings]
        labels = dict(zip(alone, triage.label_all([items[one] for one in alone]), strict=True))
        for feedback_id, second in readings.items():
            labels[feedback_id] = triage.label(*items[feedback_id], second=second)
        return [
            _told(row, relabelled(row, labels[row["id"]])) if row["id"] in labels else _Told(row)
            for row in found
        ]

    def _readings(self, rows: Sequence[Row]) -> dict[str, Reading]:
        """What the second reader says today of what it read, where it is still known what that means."""
        if self.layer is None:
            return {}
        read = [row["id"] for row in rows if SECOND in (row["category_origin"], row["sentiment_origin"])]
        kept = meaning.vectors(read)
        chances = self.layer.chances(unpack([*kept.values()])) if kept else []
        pairs = zip(kept, chances, strict=True)
        return {one: Reading(said["category"], said["sentiment"]) for one, said in pairs}

    def _place(self, row: Row) -> Position:
        return feedback_query.place_of(row, self.chosen, OLDEST_BY[self.chosen.time])


def _told(row: Row, labels: Mapping[str, Any]) -> _Told:
    given = {name: value for name, value in labels.items() if row[name] != value}
    moves = tuple((name, row[name], given[name]) for name in LABELS if name in given)
    return _Told(row, given, moves, "changed" if moves else "refreshed" if given else "same")
