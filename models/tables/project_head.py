"""What each project has learnt from people: its head, and the lessons that were taken back."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, BlobField, BooleanField, ForeignKeyField, TextField

from models.database.base import JSONText, Table, database, first, rows
from models.tables import job
from models.tables.feedback import Feedback
from models.tables.workspace import Project, workspace_of

JOB = "project_heads"  # the background work that learns
BEGUN = "begun "


class ProjectHead(Table):
    """A project's head (gateway.triage.project_head), and what came of the last learning.

    `data` is null where nothing is learnt. `asked_by` wants a learning at once; `stale` says that the head
    has learnt what it should forget. `basis` is what the last learning began with, behind BEGUN until it has
    ended and null once that is taken back; `outcome` is what came of it.
    Times are milliseconds UTC.
    """

    project = ForeignKeyField(Project, primary_key=True, on_delete="CASCADE")
    workspace_id = TextField(index=True)
    asked_by = TextField(null=True)
    stale = BooleanField(default=False)
    tried_at = BigIntegerField(null=True)
    outcome = JSONText(null=True)
    basis = TextField(null=True)
    version = TextField(null=True)
    learnt_at = BigIntegerField(null=True)
    corrections = BigIntegerField(default=0)
    confirmations = BigIntegerField(default=0)
    data = BlobField(null=True)  # the last column: who asks for the others does not read it


class Unlearnt(Table):
    """A lesson that was taken back: what people said of a record is not learnt while it stays what it was."""

    feedback = ForeignKeyField(Feedback, primary_key=True, on_delete="CASCADE")
    project_id = TextField(index=True)
    category = TextField()
    sentiment = TextField()
    at = BigIntegerField()


# The index of migration 0011_learnt is of the same words.
_TAKE_BACK = (
    "INSERT INTO unlearnt (feedback_id, project_id, category, sentiment, at) "
    "SELECT id, project_id, category, sentiment, CAST(? AS BIGINT) FROM feedback "
    "WHERE workspace_id = ? AND project_id = ? AND retracted_at IS NULL "
    "AND (category_origin = 'corrected' OR sentiment_origin = 'corrected') "
    "AND NOT EXISTS (SELECT 1 FROM unlearnt u WHERE u.feedback_id = feedback.id "
    "AND u.category = feedback.category AND u.sentiment = feedback.sentiment) LIMIT ? "
    "ON CONFLICT (feedback_id) DO UPDATE "
    "SET category = excluded.category, sentiment = excluded.sentiment, at = excluded.at"
)
_TOLD = tuple(field for field in ProjectHead._meta.sorted_fields if field.name != "data")
_NOTHING = {"version": None, "learnt_at": None, "corrections": 0, "confirmations": 0, "data": None}


def shown(project_id: str) -> dict[str, Any] | None:
    """What is known of a project's learning, without the head itself; None when there never was any."""
    return first(ProjectHead.select(*_TOLD).where(ProjectHead.project == project_id))


def every() -> list[dict[str, Any]]:
    """What is known of every project's learning, without the heads themselves."""
    return rows(ProjectHead.select(*_TOLD))


def rules_of_projects(workspace_id: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """The id, own areas, usual areas that are off, and version of the head of each project of a workspace.

    Empty when none of them has any. Plain SQL: whoever calls is asked for it every few seconds.
    """
    asked = (
        "SELECT project.id, areas, usual_areas_off, version FROM project "
        "LEFT JOIN project_head ON project_id = project.id WHERE project.workspace_id = ?"
    )
    some = f"{asked} AND COALESCE(areas, usual_areas_off, version) IS NOT NULL LIMIT 1"
    if not database.execute_sql(some, (workspace_id,)).fetchone():
        return []
    return list(database.execute_sql(asked, (workspace_id,)).fetchall())


def head_of(project_id: str, version: str) -> bytes | None:
    """The head of a project in this version, which never changes; None when it is another one by now."""
    asked = "SELECT data FROM project_head WHERE project_id = ? AND version = ?"
    row = database.execute_sql(asked, (project_id, version)).fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


def ask(workspace_id: str, project_id: str, by: str) -> None:
    """Wants a learning at once, within the open transaction."""
    _change(workspace_id, project_id, {"asked_by": by})
    job.hurry(JOB)


def begin(workspace_id: str, project_id: str, basis: str) -> None:
    """Notes what a learning begins with, within the open transaction, unless the project is gone."""
    if workspace_of(project_id) == workspace_id:
        _change(workspace_id, project_id, {"basis": BEGUN + basis})


def mark_stale(workspace_id: str, project_id: str) -> None:
    """Says of a head, and of a learning that goes on, that they have what is to be forgotten.

    Within the open transaction.
    """
    mine = (ProjectHead.workspace_id == workspace_id) & (ProjectHead.project == project_id)
    stale = {"basis": None, "stale": ProjectHead.version.is_null(False)}
    if ProjectHead.update(stale).where(mine).execute():
        job.hurry(JOB)


def store(
    workspace_id: str,
    project_id: str,
    basis: str,
    outcome: dict[str, Any],
    data: bytes | None,
    now: int,
    *,
    changed: bool,
    drop: bool,
) -> bool:
    """Writes down what came of a learning, within the open transaction; with `data` that head is used.

    Nothing happens when what it began with was taken back meanwhile, or the project is gone.
    Without `data` the head before stays, unless it is stale or to `drop`. `changed` says that what it began
    with is another by now: a stale head stays so, and is learnt again.
    """
    row = shown(project_id)
    if row is None or row["basis"] != BEGUN + basis:
        return False
    done: dict[str, Any] = {"asked_by": None, "tried_at": now, "outcome": outcome, "basis": basis}
    if not changed:
        done["stale"] = False
    if data is not None:
        done |= {"version": outcome["version"], "learnt_at": now, "data": data}
        done |= {name: outcome[name] for name in ("corrections", "confirmations")}
    elif drop or row["stale"]:
        done |= _NOTHING
    _change(workspace_id, project_id, done)
    return True


def forget(project_id: str) -> None:
    """Drops what a project has learnt, within the open transaction."""
    forgotten = {**_NOTHING, "stale": False, "asked_by": None, "outcome": None, "basis": None}
    ProjectHead.update(forgotten).where(ProjectHead.project == project_id).execute()


def take_back(row: dict[str, Any], now: int) -> None:
    """Has what people said of a record not learnt any more, within the open transaction."""
    labels = {"category": row["category"], "sentiment": row["sentiment"], "at": now}
    new = {"feedback": row["id"], "project_id": row["project_id"], **labels}
    Unlearnt.insert(new).on_conflict(conflict_target=[Unlearnt.feedback], update=labels).execute()


def take_some_back(workspace_id: str, project_id: str, now: int, at_most: int) -> int:
    """Does so with some corrections of a project that are learnt yet; how many there were."""
    return int(database.execute_sql(_TAKE_BACK, (now, workspace_id, project_id, at_most)).rowcount)


def give_back(feedback_id: str) -> bool:
    """Learns from a record again, within the open transaction; whether that was taken back."""
    return bool(Unlearnt.delete().where(Unlearnt.feedback == feedback_id).execute())


def _change(workspace_id: str, project_id: str, columns: dict[str, Any]) -> None:
    new = {"project": project_id, "workspace_id": workspace_id, **columns}
    ProjectHead.insert(new).on_conflict(conflict_target=[ProjectHead.project], update=columns).execute()
