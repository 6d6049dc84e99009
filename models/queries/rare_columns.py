"""Columns that few records have, asked for those that have none."""

from __future__ import annotations

from typing import Any

from peewee import SQL, Expression

from models.database.base import database


def lacks(column: Any) -> Any:
    """That a row has null in a column.

    A server that has never looked at the column takes null for rare, and would read all rows to find a page
    of them. What is not true it takes for common: of nothing else is a value not equal to itself.
    """
    return column.is_null() if database.obj.EMBEDDED else Expression(column == column, "IS NOT", SQL("TRUE"))
