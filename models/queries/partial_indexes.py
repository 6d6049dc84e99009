"""The indexes of records that are rare by their type or labels, which leave out what is common.

A query is read through one (migrations 0013 and 0026) only where it says in the same words what that is of.
"""

from __future__ import annotations

from typing import Protocol

from peewee import SQL

from models.database.base import database

# Columns whose index holds all values but the usual one, and indexes of labels less sure than a number.
_USUAL = {"type": "message", "category_origin": "predicted", "sentiment_origin": "predicted"}
ORIGINS = ("category_origin", "sentiment_origin")
_UNSURE, _DOUBTFUL = 0.5, 0.6
_LESS_SURE = {
    "feedback_unsure": f"category_confidence < {_UNSURE}",
    "feedback_doubtful": f"(category_confidence < {_DOUBTFUL} OR sentiment_confidence < {_DOUBTFUL})",
}


class Asked(Protocol):
    """Of a models.queries.feedback_query.Filter what these indexes are about."""

    @property
    def confidence_below(self) -> float | None: ...
    @property
    def any_confidence_below(self) -> float | None: ...


def conditions(chosen: Asked) -> list[SQL]:
    """What a filter says anyway, in the words of the indexes that have all it means."""
    found = [SQL(_LESS_SURE[index]) for index in less_sure(chosen)]
    return found + [SQL(_other(name)) for name in _USUAL if unusual(chosen, name)]


def less_sure(chosen: Asked) -> list[str]:
    """The indexes of less sure labels that have all which a filter means."""
    asked = (chosen.confidence_below, _UNSURE), (chosen.any_confidence_below, _DOUBTFUL)
    found = zip(_LESS_SURE, asked, strict=True)
    return [index for index, (below, most) in found if below is not None and below <= most]


def unusual(chosen: Asked, name: str) -> bool:
    """Whether a filter asks for a column's values, and not for its usual one."""
    values: tuple[str, ...] = getattr(chosen, name)
    return bool(values) and _USUAL[name] not in values


def is_few(workspace_id: str, chosen: Asked, name: str) -> bool:
    """Whether few rows have one of a column's unusual values that a filter asks for."""
    values = getattr(chosen, name)
    test = f"{name} IN ({', '.join('?' * len(values))}) AND {_other(name)}"
    return bool(database.obj.few(workspace_id, test, values, f"feedback_{name}"))


def few(workspace_id: str, chosen: Asked) -> str | None:
    """The index of rows so few, by whose their labels are and how sure, that any order will do."""
    for name in ORIGINS:
        if unusual(chosen, name) and is_few(workspace_id, chosen, name):
            return f"feedback_{name}"
    for index in less_sure(chosen):
        if database.obj.few(workspace_id, _LESS_SURE[index], [], index):
            return index
    return None


def _other(name: str) -> str:
    return f"{name} <> '{_USUAL[name]}'"
