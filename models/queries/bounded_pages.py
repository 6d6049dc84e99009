"""Pages of rows with parts that may be long: as many are read as there is room for, and one at least."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from peewee import SQL, Case, fn

from models.database.base import rows
from models.database.query_dialects import DOUBT, OCCURRED
from models.tables.feedback import Feedback

INLINE = 8_192  # characters of a row's text and subject that are read with it; longer ones by themselves
AT_HAND = 2_000_000  # characters of a page's texts and subjects, or bytes of its payloads

_LONG = (Feedback.text, Feedback.subject)
_WEIGHT = fn.LENGTH(Feedback.text) + fn.LENGTH(Feedback.subject)
_PLAIN = [field for field in Feedback._meta.sorted_fields if field.name not in ("text", "subject")]
# What a page selects: a long text and subject are left out (NULL).
COLUMNS = (
    *_PLAIN,
    *(Case(None, [(_WEIGHT <= INLINE, field)]).alias(field.name) for field in _LONG),
    _WEIGHT.alias("weight"),
    SQL(DOUBT).alias("doubt"),
    SQL(OCCURRED).alias("occurred"),
)
AGAIN = (
    *Feedback._meta.sorted_fields,
    SQL('"t1"."weight"'),
    SQL('"t1"."doubt"'),
    SQL('"t1"."occurred"'),
)  # the same, of a query that selected them


def fit(sizes: Iterable[int]) -> int:
    """How many of the first rows of a page fit in memory, by the sizes of their long parts; one at least."""
    held = accumulate(sizes)
    first = next(held, 0)
    return 1 + sum(1 for size in held if size <= max(AT_HAND, first))


def fitting(page: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first rows of a page, as many as fit in memory; their long parts are still left out."""
    return [*page[: fit(row["weight"] for row in page)]]


def filled(page: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """These rows with their long parts; those that were deleted since are left out."""
    ids = [row["id"] for row in page if row["text"] is None]
    found = rows(Feedback.select(Feedback.id, *_LONG).where(Feedback.id.in_(ids))) if ids else []
    long = {row["id"]: row for row in found}
    made = []
    for row in page:
        if isinstance(row["subject"], str):  # as it is stored
            row["subject"] = json.loads(row["subject"])
        del row["weight"], row["doubt"], row["occurred"]
        if row["text"] is not None or row["id"] in long:
            made.append(row | long.get(row["id"], {}))
    return made
