"""Records as those read them who find out which topic each is about, and what people said of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import SQL, fn

from models.database.base import database, first, locked, rows
from models.database.query_dialects import PRIMARY
from models.queries.ordering import Position, ordered
from models.tables.feedback import Feedback
from models.tables.similarity import SPOKEN

PAGE = 400  # records that are looked at together
READ = 4_000  # characters of a text
MOST_TAUGHT = 600  # records that people gave a topic, or none, the newest: so many are learnt

_TEXT = fn.SUBSTR(Feedback.text, 1, READ).alias("text")
_READ = (
    Feedback.id,
    Feedback.title,
    _TEXT,
    Feedback.topic,
    Feedback.topic_origin,
    Feedback.topic_confidence,
)
# As the index of migration 0025 has it.
_TAUGHT = Feedback.topic_origin == SQL("'corrected'")
_NOT_TAUGHT = Feedback.topic_origin.is_null() | (Feedback.topic_origin != "corrected")


def taught(workspace_id: str, project_id: str) -> list[dict[str, Any]]:
    """What people gave a topic, or none, the newest change first: {title, text, topic}."""
    found = Feedback.select(Feedback.title, _TEXT, Feedback.topic).where(*_of(workspace_id, project_id))
    found = database.obj.through(found.where(_TAUGHT), "feedback_taught")
    return rows(found.order_by(Feedback.updated_at.desc(), Feedback.id.desc()).limit(MOST_TAUGHT))


def examples(workspace_id: str, project_id: str) -> dict[str, int]:
    """How many records people gave each topic of a project."""
    found = Feedback.select(Feedback.topic, fn.COUNT(SQL("1")).alias("number"))
    found = database.obj.through(found.where(*_of(workspace_id, project_id), _TAUGHT), "feedback_taught")
    return {row["topic"]: row["number"] for row in rows(found.group_by(Feedback.topic)) if row["topic"]}


def basis(workspace_id: str, project_id: str) -> str:
    """A text that changes when people give a record of a project another topic."""
    found = Feedback.select(fn.COUNT(SQL("1")).alias("number"), fn.MAX(Feedback.updated_at).alias("last"))
    row = first(database.obj.through(found.where(*_of(workspace_id, project_id), _TAUGHT), "feedback_taught"))
    return f"{row['number']}:{row['last']}" if row else ""


def places(workspace_id: str, project_id: str, sort: str, after: Position) -> list[Position]:
    """Where the next records of a project are behind a place in an order by time, whatever they are."""
    mine = (Feedback.workspace_id == workspace_id) & (Feedback.project_id == project_id)
    found = database.obj.through(
        Feedback.select(Feedback.received_at, Feedback.id).where(mine), "feedback_project"
    )
    return [list(place) for place in ordered(found, sort, after).limit(PAGE).tuples()]


def to_read(feedback_ids: Sequence[str], *, fresh: bool) -> list[dict[str, Any]]:
    """Those of some records that hold people's words and were given no topic by people.

    When `fresh`, only those in which nobody has looked for one.
    """
    found = Feedback.select(*_READ).where(Feedback.id.in_(list(feedback_ids)), Feedback.type.in_(SPOKEN))
    found = found.where(
        Feedback.retracted_at.is_null(), Feedback.topic_origin.is_null() if fresh else _NOT_TAUGHT
    )
    return rows(database.obj.through(found, PRIMARY)) if feedback_ids else []


def hold(feedback_ids: Sequence[str]) -> None:
    """Has nobody else change these records before the open transaction ends; asked for before their topics.

    In the order in which others take several records, so that no two wait for each other.
    """
    mine = database.obj.through(
        Feedback.select(Feedback.id).where(Feedback.id.in_(list(feedback_ids))), PRIMARY
    )
    database.execute(locked(mine.order_by(Feedback.received_at.desc(), Feedback.id.desc())))


def give(feedback_ids: Sequence[str], topic_id: str | None, confidence: float | None) -> None:
    """Gives records a topic, or none, within the open transaction; what people gave one stays as it is."""
    given = {"topic": topic_id, "topic_origin": "predicted", "topic_confidence": confidence}
    mine = Feedback.id.in_(list(feedback_ids))
    Feedback.update(given).where(mine, _NOT_TAUGHT).execute()


def about(topics: tuple[str | None, ...]) -> Any:
    """Whether a row has one of these topics, None for none."""
    named = [one for one in topics if one is not None]
    among = Feedback.topic == named[0] if len(named) == 1 else Feedback.topic.in_(named)
    if None not in topics:
        return among & Feedback.topic.is_null(False)  # as the index has it
    return Feedback.topic.is_null() | among if named else Feedback.topic.is_null()


def _of(workspace_id: str, project_id: str) -> tuple[Any, ...]:
    return (
        Feedback.workspace_id == workspace_id,
        Feedback.project_id == project_id,
        Feedback.retracted_at.is_null(),
    )
