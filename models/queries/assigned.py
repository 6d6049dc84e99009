"""Whose records are meant, in whose notes a person is named, and which are snoozed.

The indexes (migration 0039) leave out records that nobody takes care of, and those that are awake.
"""

from __future__ import annotations

from typing import Any, Protocol

from peewee import SQL

from models.database.base import database
from models.database.query_dialects import FEW
from models.queries.rare_columns import lacks
from models.tables.feedback import Feedback
from models.tables.mention import Mention

_SNOOZED = "wakes_on_delivery IS NOT NULL"


class Asked(Protocol):
    """Of a models.queries.feedback_query.Filter what this is about."""

    @property
    def assignee(self) -> tuple[str | None, ...]: ...
    @property
    def mentioned(self) -> tuple[str, ...]: ...
    @property
    def snoozed(self) -> bool | None: ...


def conditions(chosen: Asked) -> list[Any]:
    """What the rows that are meant have in common."""
    found: list[Any] = []
    if chosen.assignee:
        found.append(_assigned(chosen.assignee))
    if chosen.mentioned:
        found.append(Feedback.id.in_(_noted(chosen)))
    if chosen.snoozed is not None:
        found.append(SQL(_SNOOZED) if chosen.snoozed else lacks(Feedback.wakes_on_delivery))
    return found


def index(workspace_id: str, chosen: Asked, *, in_order: bool) -> str | None:
    """The index of assigned or snoozed rows, where it has the order of the list or few rows."""
    named = [who for who in chosen.assignee if who is not None]
    if named and len(named) == len(chosen.assignee):
        if in_order and len(named) == 1:
            return "feedback_assignee"
        if _are_few(workspace_id, named):
            return "feedback_assignee"
    if chosen.snoozed and (in_order or few(workspace_id, chosen)):
        return "feedback_snoozed"
    return None


def few(workspace_id: str, chosen: Asked) -> str | None:
    """The index of snoozed rows, when they are so few that any order will do."""
    if chosen.snoozed and database.obj.few(workspace_id, _SNOOZED, [], "feedback_snoozed"):
        return "feedback_snoozed"
    return None


def names_few(chosen: Asked) -> bool:
    """Whether the people in question are named in the notes of few records. Only of the embedded database."""
    return bool(database.obj.EMBEDDED) and _noted(chosen).limit(FEW).count() < FEW


def _are_few(workspace_id: str, named: list[str]) -> bool:
    marks = ", ".join("?" * len(named))
    return bool(database.obj.few(workspace_id, f"assignee IN ({marks})", named))


def _assigned(people: tuple[str | None, ...]) -> Any:
    """Whether one of these people takes care of a row, None for nobody."""
    named = [who for who in people if who is not None]
    among = Feedback.assignee == named[0] if len(named) == 1 else Feedback.assignee.in_(named)
    if None not in people:
        return among & Feedback.assignee.is_null(False)  # as the index has it
    return Feedback.assignee.is_null() | among if named else Feedback.assignee.is_null()


def _noted(chosen: Asked) -> Any:
    return Mention.select(Mention.feedback).where(Mention.user.in_(list(chosen.mentioned)))
