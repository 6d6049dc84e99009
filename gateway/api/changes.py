"""The feed of changes: each record that is created, changed or deleted, in the order of the commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.api import pagination, query_parameters
from gateway.api.feedback_list import is_value
from gateway.core.ids import new_id, now_ms
from gateway.core.pacing import MOST, Pace, transact
from gateway.core.rate import RETRY_AFTER
from models.database.base import database
from models.queries import changes, feedback_query
from models.queries.feedback_query import WITH, Filter
from models.queries.ordering import SORTS, Position
from models.tables import feed, feedback

EXISTING = "existing"  # the type of what was there when the reading began
OLDEST = "received_at"  # the order of that
PATIENCE = 1.0  # seconds that the beginning of a feed waits for those who write
NOTED = 12 * 3_600_000  # milliseconds between two notes that a feed is read


@dataclass(frozen=True, slots=True)
class _Place:
    """How far somebody has read: up to a change of a feed, made `at` that time.

    Until those that were there at the beginning are told, `position` is the last one of them; [] is none.
    """

    feed: str
    project: str | None
    seq: int
    at: int | None
    position: Position | None

    def __str__(self) -> str:
        return pagination.opaque([self.feed, self.project, self.seq, self.at, self.position])


def list_changes(caller: Caller, inbound: Inbound) -> Reply:
    """Records that were created, changed or deleted, as they are now, in the order of the commits, each once.

    Without a cursor those come first that are there. Raises Refused: 400, 410 when the cursor is too old, and
    503 when the feed cannot begin now.
    """
    faults: list[Fault] = []
    existing = query_parameters.word(inbound, "existing", ("0", "1"), faults)
    if existing is not None and "cursor" in inbound.query:
        faults.append(Fault("existing", "Is for the beginning, without a cursor"))
    if faults:
        raise invalid(*faults)
    limit, cursor = pagination.asked(inbound, "existing")
    scope = (caller.workspace_id, caller.project_id)
    if cursor is None:
        cursor = begin(*scope, by=caller.key_id, existing=existing != "0")
    return Reply(200, read(*scope, cursor, limit))


def begin(workspace_id: str, project_id: str | None, *, by: str, existing: bool) -> str:
    """The cursor of who begins to read, with or without the records that are there; changes are noted now.

    Raises Refused (503) when somebody writes for so long that they may not notice.
    """
    transact(partial(_begin, workspace_id, by))
    if not database.obj.outlast("feedback", PATIENCE):
        message = "The feed cannot begin while others write for long, try again."
        raise Refused(Problem(503, "overloaded", message, headers=RETRY_AFTER))
    Pace().until_none(partial(feed.number, workspace_id))
    known = feed.find(workspace_id)
    if known is None or known["id"] is None:
        raise _expired()
    return str(_last(known, _Place(known["id"], project_id, 0, None, [] if existing else None)))


def read(workspace_id: str, project_id: str | None, cursor: str, limit: int) -> dict[str, Any]:
    """A page behind a cursor, as it is answered; without data there is nothing new.

    Raises Refused (400, 410).
    """
    place = _place_of(cursor, project_id)
    known = _known(workspace_id, place)
    if known["read_at"] < now_ms() - NOTED:
        transact(partial(feed.note_read, workspace_id, now_ms()))
    while place.position is not None:
        rows, last = feedback_query.page(
            workspace_id,
            project_id,
            Filter(merged=WITH),
            limit=limit,
            sort=OLDEST,
            after=place.position or None,
        )
        place = replace(place, position=last)
        if rows:
            shown = [_shown(EXISTING, row["id"], row["updated_at"], row) for row in rows]
            return {"data": shown, "next_cursor": str(place)}
    while True:
        shown, place, more = _page(workspace_id, place, limit)
        if shown or not more:
            return {"data": shown, "next_cursor": str(place)}


def _page(workspace_id: str, place: _Place, limit: int) -> tuple[list[dict[str, Any]], _Place, bool]:
    """What some changes behind a place tell, the place behind those, and whether there are more already."""
    known, numbered = _known(workspace_id, place), 0
    found = feed.after(known, place.project, place.seq, limit)
    if len(found) < limit and feed.any_new(workspace_id):
        numbered = transact(partial(feed.number, workspace_id, MOST))
        known = _known(workspace_id, place)
        found = feed.after(known, place.project, place.seq, limit)
    told = changes.with_records(workspace_id, place.project, found)
    _known(workspace_id, place)  # what was forgotten meanwhile may be missing
    shown: dict[str, dict[str, Any]] = {}
    for change, row in told:
        # What a later change has undone is told by that, and a record is told once, as it is now.
        if (change["type"] == feed.DELETED) == (row is None):
            shown.setdefault(
                row_id := change["feedback_id"], _shown(change["type"], row_id, change["at"], row)
            )
    if len(told) == limit or len(told) < len(found):
        return [*shown.values()], replace(place, seq=told[-1][0]["seq"], at=told[-1][0]["at"]), True
    return [*shown.values()], _last(known, place), numbered == MOST


def _begin(workspace_id: str, by: str) -> None:
    feed_id = new_id("feed")
    if feed.begin(workspace_id, feed_id, now_ms()):
        audit_log.note(workspace_id, by, "feed.began", feed_id)


def _place_of(cursor: str, project_id: str | None) -> _Place:
    """What a cursor tells. Raises Refused (400)."""
    told = pagination.told(cursor)
    if not isinstance(told, list) or len(told) != 5 or not _is_place(*told):
        raise invalid(Fault("cursor", "Invalid cursor"))
    place = _Place(*told)
    if place.project != project_id:
        raise invalid(Fault("cursor", "Is that of a key of another project, or of none"))
    return place


def _is_place(feed_id: Any, project: Any, seq: Any, at: Any, position: Any) -> bool:
    numbers = pagination.is_number(seq) and (at is None or pagination.is_number(at))
    return isinstance(feed_id, str) and isinstance(project, str | None) and numbers and _is_position(position)


def _is_position(told: Any) -> bool:
    names = SORTS[OLDEST][0]
    if told is None or told == []:
        return True
    return isinstance(told, list) and len(told) == len(names) and all(map(is_value, names, told))


def _known(workspace_id: str, place: _Place) -> dict[str, Any]:
    """The feed, which still has all changes behind a place. Raises Refused (410).

    A database that was put back to an earlier state has other changes with the same numbers.
    """
    known = feed.find(workspace_id)
    if known is None or known["id"] != place.feed or not known["forgotten"] <= place.seq <= known["seq"]:
        raise _expired()
    if feed.moment_of(workspace_id, place.seq) not in (None, place.at):
        raise _expired()
    return known


def _expired() -> Refused:
    message = "What changed since this cursor is no longer known: start anew, without a cursor."
    return Refused(Problem(410, "cursor_expired", message))


def _last(known: Mapping[str, Any], place: _Place) -> _Place:
    """The same, at the end of the feed as it is known."""
    return replace(place, seq=known["seq"], at=feed.moment_of(known["workspace_id"], known["seq"]))


def _shown(kind: str, feedback_id: str, at: int, row: Mapping[str, Any] | None) -> dict[str, Any]:
    data = None if row is None else feedback.document(row)
    return {"type": kind, "id": feedback_id, "at": feedback.iso(at), "data": data}
