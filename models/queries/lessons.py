"""What a project can learn from: records whose labels people gave, and those they resolved as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import fn

from models.database.base import first, only, rows
from models.queries.corrections import COLUMNS
from models.tables.event import Event
from models.tables.feedback import Feedback
from models.tables.project_head import Unlearnt

MOST_CORRECTIONS, MOST_CONFIRMATIONS = 1000, 300  # the newest, that are learnt

_CORRECTED = (Feedback.category_origin == "corrected") | (Feedback.sentiment_origin == "corrected")
_LESSON = (*COLUMNS, Feedback.id, Feedback.project_id, Feedback.overruled, Feedback.updated_at)
_TAKEN_BACK = fn.EXISTS(
    Unlearnt.select(Unlearnt.feedback).where(
        (Unlearnt.feedback == Feedback.id)
        & (Unlearnt.category == Feedback.category)
        & (Unlearnt.sentiment == Feedback.sentiment)
    )
)
# Only people change a status: a sender's word that something is over is another kind of event.
_RESOLVED = fn.EXISTS(
    Event.select(Event.id).where((Event.feedback == Feedback.id) & (Event.type == "status"))
)


def _of(workspace_id: str, project_id: str | None) -> Any:
    """Whose records, as the index of migration 0011_learnt has them."""
    mine = (Feedback.workspace_id == workspace_id) & Feedback.retracted_at.is_null()
    return mine if project_id is None else mine & (Feedback.project_id == project_id)


def corrected(workspace_id: str, project_id: str, *, limit: int = MOST_CORRECTIONS) -> list[dict[str, Any]]:
    """What people corrected and is to be learnt, the newest change first."""
    found = Feedback.select(*_LESSON).where(_of(workspace_id, project_id), _CORRECTED, ~_TAKEN_BACK)
    return rows(found.order_by(Feedback.updated_at.desc(), Feedback.id.desc()).limit(limit))


def shown(workspace_id: str, project_id: str, limit: int) -> list[dict[str, Any]]:
    """What people corrected, the newest change first, each with whether that was `taken_back`."""
    found = Feedback.select(*_LESSON, _TAKEN_BACK.alias("taken_back"))
    found = found.where(_of(workspace_id, project_id), _CORRECTED)
    return rows(found.order_by(Feedback.updated_at.desc(), Feedback.id.desc()).limit(limit))


def confirmed(
    workspace_id: str, project_id: str, machines: Sequence[str], origins: Sequence[str]
) -> list[dict[str, Any]]:
    """What people resolved with labels of these origins, the newest first, but records of these types."""
    found = Feedback.select(*_LESSON).where(
        _of(workspace_id, project_id),
        Feedback.status == "resolved",
        Feedback.category_origin.in_(origins),
        Feedback.sentiment_origin.in_(origins),
        Feedback.type.not_in(machines),
        _RESOLVED,
    )
    return rows(found.order_by(Feedback.received_at.desc(), Feedback.id.desc()).limit(MOST_CONFIRMATIONS))


def declared(workspace_id: str, project_id: str) -> list[dict[str, Any]]:
    """What senders labelled themselves, the newest first."""
    said = (Feedback.category_origin == "declared") | (Feedback.sentiment_origin == "declared")
    found = Feedback.select(*_LESSON).where(_of(workspace_id, project_id), said)
    return rows(found.order_by(Feedback.received_at.desc(), Feedback.id.desc()).limit(MOST_CONFIRMATIONS))


def one(workspace_id: str, project_id: str, feedback_id: str) -> dict[str, Any] | None:
    """A record of the project that people corrected, with whether that was `taken_back`; or None."""
    found = Feedback.select(*_LESSON, _TAKEN_BACK.alias("taken_back"))
    return first(found.where(_of(workspace_id, project_id), _CORRECTED, Feedback.id == feedback_id))


def bases(project_id: str | None = None) -> dict[tuple[str, str], tuple[int, str]]:
    """How many corrections there are to learn by workspace and project, and a text that changes with them."""
    found = Feedback.select(
        Feedback.workspace_id,
        Feedback.project_id,
        fn.COUNT(Feedback.id).alias("count"),
        fn.MAX(Feedback.updated_at).alias("last"),
    )
    found = found.where(Feedback.retracted_at.is_null(), _CORRECTED, ~_TAKEN_BACK)
    found = only(found, {Feedback.project_id: project_id}).group_by(
        Feedback.workspace_id, Feedback.project_id
    )
    return {
        (row["workspace_id"], row["project_id"]): (row["count"], f"{row['count']}:{row['last']}")
        for row in rows(found)
    }
