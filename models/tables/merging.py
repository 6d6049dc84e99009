"""Merging records that say the same, taking them apart again, and what their number of people adds to impact.

Everything runs within the open transaction of whoever calls. Groups of a project are changed one after the
other, so that A into B and B into A at once end in one group.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from peewee import Case

from models.database.base import (
    AT_ONCE,
    database,
    insert_all,
    locked,
    rows,
    serialise,
    to_change,
    update,
    values,
)
from models.database.query_dialects import PRIMARY
from models.tables import merge
from models.tables.feedback import Feedback
from models.tables.impact_reasons import impact_of
from models.tables.merge import Merge

Row = dict[str, Any]
_TAKEN = (Feedback.received_at.desc(), Feedback.id.desc())  # the order in which others take several records


def take(project_id: str) -> None:
    """Waits until nobody else changes groups of this project."""
    serialise([("merge", project_id)])


def rows_of(workspace_id: str, project_id: str | None, ids: Sequence[str]) -> list[Row]:
    """Those of the ids that are of a workspace and, when given, of a project, to be changed."""
    found = database.obj.through(Feedback.select().where(Feedback.id.in_(list(ids))), PRIMARY)
    mine = found.where(Feedback.workspace_id == workspace_id)
    if project_id is not None:
        mine = mine.where(Feedback.project_id == project_id)
    return rows(locked(mine.order_by(*_TAKEN))) if ids else []


def root_of(row: Mapping[str, Any]) -> str:
    """The record that stands for one."""
    return str(row["merged_into"] or row["id"])


def put_together(root_id: str, others: Sequence[str], key_id: str, now: int) -> None:
    """Merges records, which stand for themselves, with all that is merged into them into another such one."""
    edge = {"into": root_id, "key_id": key_id, "at": now}
    insert_all(Merge, [values(Merge, {"feedback": other, **edge}) for other in others])
    groups = rows(Feedback.select(Feedback.id).where(Feedback.id.in_(list(others)), Feedback.people > 0))
    _belongs([*others, *merge.below(others)], root_id, now)
    for group in groups:  # which stand for nobody any more
        recount(group["id"], now)
    recount(root_id, now)


def take_apart(root_id: str, some: Sequence[str], now: int) -> None:
    """Takes records out of a group, each with what was merged into it before, as it was then."""
    edges = merge.edges(root_id)
    for one in some:
        del edges[one]
    under: dict[str, list[str]] = {}
    for record_id, into in edges.items():
        under.setdefault(into, []).append(record_id)
    Merge.delete().where(Merge.feedback.in_(list(some))).execute()
    _belongs(some, None, now)
    heads = [one for one in some if one in under]  # which stand for others again
    for one in heads:
        with_it = list(under[one])
        for record_id in with_it:  # which grows by what is merged into each
            with_it += under.get(record_id, ())
        _belongs(with_it, one, now)
    for one in (*heads, root_id):
        recount(one, now)


def recount(root_id: str, now: int) -> None:
    """Gives a record the number of its group's people and the impact that follows; none without a group."""
    row = to_change(Feedback, root_id)
    if row is None:
        return
    people = None
    if row["merged_into"] is None and merge.count_members(root_id):
        people = merge.count_people(root_id)
    if people == row["people"]:
        return
    columns = {"people": people, **impact_of({**row, "people": people}, row["impact_reasons"])}
    update(Feedback, root_id, {**columns, "updated_at": max(now, row["updated_at"] + 1)})


def touched(known: Mapping[str, Any], changed: Iterable[str], now: int) -> None:
    """Counts a record's group anew when its author was changed."""
    if {"author_id", "author_email"} & set(changed) and (known["merged_into"] or known["people"] is not None):
        recount(root_of(known), now)


def delete(ids: Sequence[str]) -> None:
    """Deletes records with their history, and lets the groups that they were of go on without them."""
    left = leave(ids)
    Feedback.delete().where(Feedback.id.in_(list(ids))).execute()
    for root_id in left:
        recount(root_id, _now())


def leave(ids: Sequence[str]) -> list[str]:
    """Takes records that are going to be deleted out of their groups; the groups to count anew after that.

    What was merged into one is merged into what that was merged into. In the place of one that stands for
    others the oldest of them does, with its status.
    """
    grouped = Feedback.merged_into.is_null(False) | Feedback.people.is_null(False)
    found = database.obj.through(Feedback.select().where(Feedback.id.in_(list(ids))), PRIMARY).where(grouped)
    if not ids or not (named := rows(found)):
        return []
    serialise(("merge", project) for project in sorted({row["project_id"] for row in named}))
    roots = dict.fromkeys(root_of(row) for row in rows(locked(found.order_by(*_TAKEN))))
    heirs = (_without(root, set(ids), _now()) for root in roots)
    return [heir for heir in heirs if heir is not None]


def _without(root_id: str, gone: set[str], now: int) -> str | None:
    """Takes records out of one group; what stands for the others then, None when there are none."""
    edges = merge.edges(root_id)
    kept = {}
    for record_id, into in edges.items():
        while into in gone and into != root_id:
            into = edges[into]
        if record_id not in gone:
            kept[record_id] = into
    heir = root_id
    if root_id in gone:
        if not kept:
            return None
        heir = next(record_id for record_id, into in kept.items() if into == root_id)
        del kept[heir]
        kept = {record_id: heir if into == root_id else into for record_id, into in kept.items()}
        Merge.delete().where(Merge.feedback == heir).execute()
    for record_id, into in kept.items():
        if into != edges[record_id]:
            Merge.update(into=into).where(Merge.feedback == record_id).execute()
    if heir != root_id:
        _belongs([heir], None, now)
        _belongs(list(kept), heir, now)
        _follow(heir, root_id)
    return heir


def _follow(heir: str, root_id: str) -> None:
    """Gives a record the status of the one in whose place it stands."""
    was = rows(Feedback.select(Feedback.status, Feedback.resolved_at).where(Feedback.id == root_id))
    for columns in was:
        Feedback.update(columns).where(Feedback.id == heir).execute()


def _belongs(ids: Sequence[str], root_id: str | None, now: int) -> None:
    """Writes down what stands for records."""
    later = Case(None, [(Feedback.updated_at < now, now)], Feedback.updated_at + 1)
    for start in range(0, len(ids), AT_ONCE):
        some = list(ids[start : start + AT_ONCE])
        Feedback.update(merged_into=root_id, updated_at=later).where(Feedback.id.in_(some)).execute()


def _now() -> int:
    return time.time_ns() // 1_000_000
