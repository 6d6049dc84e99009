"""Records that say the same, merged into one that stands for them, and taken apart again.

Nothing of a merged record is lost: deliveries, stories, notes and deletions go on with it, lists leave it out
(`merged=with` has it), and taking it out of its group restores all as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError

from adapters.common.schemas import Strict, TextList, every, means, not_blank
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import feedback_detail, query_parameters
from gateway.api.feedback_change import check_match, shown
from gateway.api.feedback_list import cursor_of, position_of
from gateway.api.merged import MOST_SHOWN
from gateway.background import similar
from gateway.core.ids import new_id
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


@means(minItems=2, maxItems=2)
def _two(value: list[str]) -> None:
    if len(set(value)) != 2 or len(value) != 2:
        raise ValidationError("Array must contain exactly 2 different element(s)")


class NotAlike(Strict):
    """Two records that do not say the same."""

    ids = TextList(every(not_blank), required=True, validate=_two)


def merge_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """Merges records into the one of the path, each with all that is merged into it.

    Where that one, or one of the others, is merged into another already, what stands for it is meant. Raises
    Refused: 400, 404 for records that are not the caller's, 409 when it is the same group already or a group
    would be too large, 412 when it was changed since.
    """
    ids = list(dict.fromkeys(MergeIds.of(inbound)["ids"]))
    with writing():
        root, rows = _meant(caller, inbound, ids)
        others = [row for row in rows if merging.root_of(row) != root["id"]]
        roots = list(dict.fromkeys(merging.root_of(row) for row in others))
        if not roots:
            raise Refused(Problem(409, "conflict", "They are one already."))
        moved = [*roots, *merge.below(roots)]
        if merge.count_members(root["id"]) + len(moved) > MOST_GROUP:
            raise Refused(Problem(409, "conflict", f"One record stands for at most {MOST_GROUP} others."))
        at = inbound.received_at
        merging.put_together(root["id"], roots, caller.key_id, at)
        _tell(caller, inbound, "merged", root, merging.rows_of(caller.workspace_id, None, roots))
        row = feedback.find(caller.workspace_id, caller.project_id, root["id"])
        assert row is not None, "it is kept by this transaction"
    return shown(row)


def unmerge_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """Takes records out of the group that the one of the path stands for, with what was merged into them.

    Raises Refused: 400 for records that are not in its group, 404 for those that are not the caller's, 412
    when it was changed since.
    """
    ids = list(dict.fromkeys(MergeIds.of(inbound)["ids"]))
    with writing():
        root, rows = _meant(caller, inbound, ids)
        if root["id"] in ids or any(row["merged_into"] != root["id"] for row in rows):
            raise invalid(Fault("ids", "Each must be merged into this record"))
        merging.take_apart(root["id"], [row["id"] for row in rows], inbound.received_at)
        _tell(caller, inbound, "unmerged", root, rows)
        row = feedback.find(caller.workspace_id, caller.project_id, root["id"])
        assert row is not None, "it is kept by this transaction"
    return shown(row)


def _meant(caller: Caller, inbound: Inbound, ids: Sequence[str]) -> tuple[Row, list[Row]]:
    """What stands for the record of the path, and the others, to be changed within the open transaction."""
    named = feedback_detail.find(caller, inbound)
    merging.take(named["project_id"])
    wanted = [named["id"], *ids]
    rows = {row["id"]: row for row in merging.rows_of(caller.workspace_id, caller.project_id, wanted)}
    missing = [one for one in wanted if one not in rows]
    if named["id"] in missing:
        raise Refused(Problem(404, "not_found", "No such feedback."))
    if missing:
        raise Refused(Problem(404, "not_found", f"No such feedback: {missing[0][:60]}"))
    named = rows[named["id"]]
    check_match(inbound, named)
    if any(rows[one]["project_id"] != named["project_id"] for one in ids):
        raise invalid(Fault("ids", "Must be of the same project"))
    root = named
    if named["merged_into"]:
        [root] = merging.rows_of(caller.workspace_id, caller.project_id, [named["merged_into"]])
    return root, [rows[one] for one in ids if one != root["id"]]


def _tell(caller: Caller, inbound: Inbound, kind: str, root: Row, rows: Sequence[Row]) -> None:
    """Writes into the histories what was merged, or taken apart, and notes it for destinations."""
    ids = [row["id"] for row in rows]
    told = [(root, {"ids": ids[:MOST_SHOWN], "records": len(ids)})]
    told += [(row, {"into" if kind == "merged" else "out_of": root["id"]}) for row in rows]
    who = {"key_id": caller.key_id, "request_id": inbound.request_id}
    events, noted = [], []
    for row, detail in told:
        event = {"id": new_id("ev"), "feedback": row["id"], "type": kind, "at": inbound.received_at}
        event |= {"detail": {**detail, **who}, "payload": None, "delivery_id": None}
        events.append(values(Event, event))
        noted.append((f"feedback.{kind}", row, inbound.received_at, event["id"]))
    insert_all(Event, events)
    outbox.note_all(noted)


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
