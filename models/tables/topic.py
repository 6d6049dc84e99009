"""Topics: what a project's records can be about, as its people define it.

A topic that was removed, or merged into another, stays as a row, so that histories can tell its name. Its
records are then changed some at a time (`move_some`), and `settled_at` is when that was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peewee import BigIntegerField, ForeignKeyField, TextField

from models.database.base import Table, first, kept, locked, only, rows
from models.tables import outbox
from models.tables.feedback import Feedback
from models.tables.workspace import Project

MOST = 30  # of a project
JOB = "topics"  # the background work that gives records their topics


class Topic(Table):
    """A topic of a project. Times are milliseconds UTC.

    It is used until `ended_at`, when it was removed or merged; `merged_into` is the topic that its records
    were given then.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField(index=True)
    project = ForeignKeyField(Project, on_delete="CASCADE")
    name = TextField()
    description = TextField()
    created_at = BigIntegerField()
    merged_into = TextField(null=True)
    ended_at = BigIntegerField(null=True)
    settled_at = BigIntegerField(null=True)


_USED = Topic.ended_at.is_null()


def used(project_id: str, *, to_keep: bool = False) -> list[dict[str, Any]]:
    """The topics of a project, the oldest first; with `to_keep` none ends before the transaction does."""
    found = Topic.select().where((Topic.project == project_id) & _USED).order_by(Topic.id)
    return rows(kept(found) if to_keep else found)


def find(
    workspace_id: str, project_id: str | None, topic_id: str, *, to_keep: bool = False
) -> dict[str, Any] | None:
    """A topic in use of this workspace (and, when given, this project), or None; `to_keep` as in `used`."""
    mine = Topic.select().where((Topic.workspace_id == workspace_id) & (Topic.id == topic_id) & _USED)
    found = only(mine, {Topic.project: project_id})
    return first(kept(found) if to_keep else found)


def one(topic_id: str) -> dict[str, Any] | None:
    """A topic in use of whatever workspace, for whoever may read the database; or None."""
    return first(Topic.select().where((Topic.id == topic_id) & _USED))


def projects() -> list[tuple[str, str]]:
    """The projects that have topics, each behind its workspace."""
    found = Topic.select(Topic.workspace_id, Topic.project).where(_USED).distinct()
    return [(row["workspace_id"], row["project"]) for row in rows(found.order_by(Topic.project))]


def of_workspace(workspace_id: str) -> list[dict[str, Any]]:
    """The topics in use of all projects of a workspace, by name."""
    return rows(
        Topic.select().where((Topic.workspace_id == workspace_id) & _USED).order_by(Topic.name, Topic.id)
    )


def names(workspace_id: str, topic_ids: Iterable[str]) -> dict[str, str]:
    """The names of a workspace's topics by their ids, also of those that ended."""
    wanted = list(set(topic_ids))
    if not wanted:
        return {}
    mine = (Topic.workspace_id == workspace_id) & Topic.id.in_(wanted)
    return {row["id"]: row["name"] for row in rows(Topic.select(Topic.id, Topic.name).where(mine))}


def followed(topic_ids: Iterable[str]) -> list[str]:
    """The topics that records have which belong to these, while some of a merged one still have that, too."""
    asked = list(dict.fromkeys(topic_ids))
    wanted = [one for one in asked if one.startswith("top_")]
    found = dict.fromkeys(one for one in asked if one not in wanted)  # no ids: nobody has merged them
    while wanted:
        merged = Topic.select(Topic.id, Topic.merged_into)
        merged = merged.where(Topic.id.in_(wanted) & Topic.merged_into.is_null(False))
        gone = {row["id"]: row["merged_into"] for row in rows(merged)}
        found |= dict.fromkeys(one for one in wanted if one not in gone)
        wanted = list(dict.fromkeys(gone.values()))
    if len(found) == len(asked) and not any(one.startswith("top_") for one in found):
        return asked
    late = Topic.select(Topic.id).where(Topic.merged_into.in_(list(found)) & Topic.settled_at.is_null())
    return [*found, *(row["id"] for row in rows(late.order_by(Topic.id)))]


def unsettled() -> list[str]:
    """The topics that ended and whose records may still have them."""
    found = Topic.select(Topic.id).where(Topic.ended_at.is_null(False) & Topic.settled_at.is_null())
    return [row["id"] for row in rows(found.order_by(Topic.id))]


def move_some(topic_id: str, now: int, at_most: int) -> int:
    """Gives some records of a topic that ended the one it was merged into, or none; how many there were.

    Within the open transaction. When there are no more it is settled. What was corrected to a topic that was
    removed can be given another one again.
    """
    ended = first(locked(Topic.select().where(Topic.id == topic_id)))
    if ended is None:  # its project is gone
        return 0
    mine = (Feedback.workspace_id == ended["workspace_id"]) & (Feedback.topic == topic_id)
    some = Feedback.select(Feedback.id).where(mine & Feedback.topic.is_null(False))
    # In the order in which others take several records, so that no two wait for each other.
    some = some.order_by(Feedback.received_at.desc(), Feedback.id.desc())
    ids = [row["id"] for row in rows(locked(some.limit(at_most)))]
    if ended["merged_into"] is None:
        columns: dict[str, Any] = {"topic": None, "topic_origin": None, "topic_confidence": None}
    else:
        columns = {"topic": ended["merged_into"]}
    if ids:
        Feedback.update(columns).where(Feedback.id.in_(ids), mine).execute()
        outbox.note_ids(outbox.RELABELLED, ids)
    elif first(some):
        return 1  # somebody else changed those that were looked at: there are others
    else:
        Topic.update(settled_at=now).where(Topic.id == topic_id).execute()
    return len(ids)
