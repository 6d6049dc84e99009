"""Columns that few records have, asked for those that have none."""

from __future__ import annotations

from typing import Any

from peewee import fn

from models.database.base import database


def lacks(column: Any, nothing: Any, least: Any) -> Any:
    """That a row has null in a column; `nothing` is a value below all that it has, which begin at `least`.

    A server that has never looked at the column takes null for rare, and would read all rows to find a page
    of them. Of what is less than something it supposes a third.
    """
    return column.is_null() if database.obj.EMBEDDED else fn.COALESCE(column, nothing) < least
