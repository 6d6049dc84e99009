"""Records that say the same, merged into one that stands for them, and taken apart again.

Nothing of a merged record is lost: deliveries, stories, notes and deletions go on with it, lists leave it out
(`merged=with` has it), and taking it out of its group restores all as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from adapters.common.schemas import Strict, TextList, every, means, not_blank
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import query_parameters
from gateway.api.feedback_change import check_match, shown
from gateway.api.feedback_list import cursor_of, position_of
from gateway.api.merged import MOST_SHOWN
from gateway.background import similar
from gateway.core.ids import new_id
from gateway.core.pacing import transact
from models.database.base import insert_all, values, writing
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.queries.ordering import NEWEST
from models.tables import feedback, merge, merging, outbox
from models.tables.event import Event
from models.tables.similarity import SPOKEN

MOST = 1_000  # records of one request
MOST_GROUP = 5_000  # records that one may stand for
LEAST_ALIKE = 0.7  # score of two records that are suggested
LOOKED_AT = 100  # records that one page of suggestions looks at

Row = dict[str, Any]


@means(minItems=1, maxItems=MOST)
def _some(value: list[str]) -> None:
    if not 1 <= len(value) <= MOST:
        raise ValidationError(f"Array must contain 1 to {MOST} element(s)")


class MergeIds(Strict):
    """The records to merge into one, or to take out of it."""

    ids = TextList(every(not_blank), required=True, validate=_some)


@means(minItems=2, maxItems=2, uniqueItems=True)
def _two(value: list[str]) -> None:
    if len(set(value)) != 2 or len(value) != 2:
        raise ValidationError("Array must contain exactly 2 different element(s)")


class NotAlike(Strict):
    """Two records that do not say the same."""

    ids = TextList(every(not_blank), required=True, validate=_two)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who merges, where, and with which request: `project_id` bounds what may be touched when it is given."""

    workspace_id: str
    project_id: str | None
    key_id: str
    at: int
    request_id: str | None = None


def merge_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """Merges records into the one of the path. Raises Refused as `put_together` does, and 412."""
    ids = MergeIds.of(inbound)["ids"]
    return _done(put_together, caller, inbound, ids)


def unmerge_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """Takes records out of what the one of the path stands for. Raises Refused as that does, and 412."""
    ids = MergeIds.of(inbound)["ids"]
    return _done(take_apart, caller, inbound, ids)


def put_together(
    who: Actor, record_id: str, ids: Sequence[str], check: Callable[[Row], None] | None = None
) -> Row:
    """Merges records into one, each with all that is merged into it, and returns what stands for all of them.

    Where a record is merged into another one already, what stands for it is meant. `check` is given the one
    that is named before anything is done. Raises Refused: 400 for records of several projects, 404 for those
    that are not there, 409 when they are one already or one would stand for too many.
    """

    def work() -> Row:
        root, rows = _meant(who, record_id, ids, check)
        roots = [name for name in dict.fromkeys(map(merging.root_of, rows)) if name != root["id"]]
        if not roots:
            raise Refused(Problem(409, "conflict", "They are one already."))
        more = len(roots) + len(merge.below(roots))
        if merge.count_members(root["id"]) + more > MOST_GROUP:
            raise Refused(Problem(409, "conflict", f"One record stands for at most {MOST_GROUP} others."))
        merging.put_together(root["id"], roots, who.key_id, who.at)
        return _told(who, "merged", root, roots)

    return transact(work)  # again where it collides with who has some of them already, such as a deletion


def take_apart(
    who: Actor, record_id: str, ids: Sequence[str], check: Callable[[Row], None] | None = None
) -> Row:
    """Takes records out of what one stands for, with what was merged into them, and returns that one.

    Raises Refused: 400 for records that it does not stand for, 404 for those that are not there.
    """

    def work() -> Row:
        root, rows = _meant(who, record_id, ids, check)
        if root["id"] in ids or any(row["merged_into"] != root["id"] for row in rows):
            raise invalid(Fault("ids", "Each must be merged into this record"))
        apart = [row["id"] for row in rows]
        merging.take_apart(root["id"], apart, who.at)
        return _told(who, "unmerged", root, apart)

    return transact(work)


def _done(act: Callable[..., Row], caller: Caller, inbound: Inbound, ids: Sequence[str]) -> Reply:
    place = (caller.workspace_id, caller.project_id)
    who = Actor(*place, caller.key_id, inbound.received_at, inbound.request_id)
    return shown(act(who, inbound.params["feedback_id"], ids, lambda row: check_match(inbound, row)))


def _meant(
    who: Actor, record_id: str, ids: Sequence[str], check: Callable[[Row], None] | None
) -> tuple[Row, list[Row]]:
    """What stands for a record, and the others, to be changed within the open transaction."""
    named = feedback.find(who.workspace_id, who.project_id, record_id)
    if named is None:
        raise Refused(Problem(404, "not_found", "No such feedback."))
    merging.take(named["project_id"])
    wanted = list(dict.fromkeys((record_id, *ids)))
    rows = {row["id"]: row for row in merging.rows_of(who.workspace_id, who.project_id, wanted)}
    if missing := [one for one in wanted if one not in rows]:
        raise Refused(Problem(404, "not_found", f"No such feedback: {missing[0][:60]}"))
    root = rows[record_id]
    if check is not None:
        check(root)
    if any(row["project_id"] != root["project_id"] for row in rows.values()):
        raise invalid(Fault("ids", "Must be of the same project"))
    if root["merged_into"]:
        [root] = merging.rows_of(who.workspace_id, who.project_id, [root["merged_into"]])
    return root, [rows[one] for one in wanted if one not in (record_id, root["id"])]


def _told(who: Actor, kind: str, root: Row, ids: Sequence[str]) -> Row:
    """Writes into the histories what was done and notes it for destinations; the record as it is now."""
    found = merging.rows_of(who.workspace_id, None, [root["id"], *ids])
    by = {"key_id": who.key_id, "request_id": who.request_id}
    of_others = {"into" if kind == "merged" else "out_of": root["id"]}
    of_root = {"ids": list(ids[:MOST_SHOWN]), "records": len(ids)}
    events: list[list[Any]] = []
    noted: list[tuple[str, Row, int, str | None]] = []
    for row in found:
        detail = (of_root if row["id"] == root["id"] else of_others) | by
        event = {"id": new_id("ev"), "feedback": row["id"], "type": kind, "at": who.at, "detail": detail}
        events.append(values(Event, {**event, "payload": None, "delivery_id": None}))
        noted.append((f"feedback.{kind}", row, who.at, event["id"]))
    insert_all(Event, events)
    outbox.note_all(noted)
    return next(row for row in found if row["id"] == root["id"])


def list_suggestions(caller: Caller, inbound: Inbound) -> Reply:
    """Pairs of open records of one project that say nearly the same and are not merged, the newest first.

    Those that somebody said are not the same are left out. A page looks at LOOKED_AT records, so it may have
    few pairs, or none, and a cursor still. Raises Refused (400).
    """
    faults = query_parameters.unknown(inbound, ("project", "cursor"))
    chosen = Filter(
        status=("open",), type=SPOKEN, project=tuple(filter(None, [inbound.query.get("project")]))
    )
    after, cursor = None, inbound.query.get("cursor")
    if cursor is not None:
        after = position_of(cursor, NEWEST, feedback_query.place_columns(chosen, NEWEST))
        if after is None:
            faults.append(Fault("cursor", "Invalid cursor"))
    if faults:
        raise invalid(*faults)
    rows, last = feedback_query.page(
        caller.workspace_id, caller.project_id, chosen, limit=LOOKED_AT, sort=NEWEST, after=after
    )
    pairs: dict[merge.Pair, dict[str, Any]] = {}
    around: dict[str, similar.Neighbours] = {}
    for row in rows:
        near = around.setdefault(
            row["project_id"], similar.Neighbours(caller.workspace_id, row["project_id"])
        )
        for score, other in similar.alike(row, near):
            if score >= LEAST_ALIKE:
                both = [{"id": one["id"], "title": one["title"]} for one in (row, other)]
                pairs.setdefault(
                    merge.pair(row["id"], other["id"]), {"score": round(score, 3), "records": both}
                )
    wanted = merge.undecided(pairs)
    data = [told for pair, told in pairs.items() if pair in wanted]
    return Reply(200, {"data": data, "next_cursor": None if last is None else cursor_of(last, NEWEST)})


def dismiss_suggestion(caller: Caller, inbound: Inbound) -> Reply:
    """Remembers that two records do not say the same.

    Raises Refused: 400, 404 for one that is not the caller's.
    """
    ids = NotAlike.of(inbound)["ids"]
    with writing():
        if len(merging.rows_of(caller.workspace_id, caller.project_id, ids)) < len(ids):
            raise Refused(Problem(404, "not_found", "No such feedback."))
        merge.dismiss(merge.pair(*ids), caller.key_id, inbound.received_at)
    return Reply(204)
