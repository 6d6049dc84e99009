"""Who is named in a note: `@` before somebody's name or email address.

A name ends where no letter, digit or underscore follows. Of several that fit the longest is meant, and of
people who are called the same all of them are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from models.database.base import rows
from models.tables.user import User

MOST = 50  # people whom a note names
MARK = "@"


def people_of(workspace_id: str) -> list[dict[str, Any]]:
    """Those who may be named: who may read the workspace's records."""
    mine = (User.workspace == workspace_id) & User.disabled_at.is_null()
    return rows(User.select(User.id, User.name, User.email).where(mine).order_by(User.name, User.id))


def mentioned(text: str, people: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of those whom a text names, in the order of the text, each once and MOST at most."""
    called: dict[str, list[str]] = {}
    for one in people:
        for name in {one["name"].strip().casefold(), one["email"].casefold()} - {""}:
            called.setdefault(name, []).append(one["id"])
    lengths = sorted({len(name) for name in called}, reverse=True)
    found: dict[str, None] = {}
    folded = text.casefold()
    place = folded.find(MARK)
    while place >= 0 and len(found) < MOST:
        if place == 0 or not _is_word(folded[place - 1]):  # else it is an address that names nobody here
            found |= dict.fromkeys(_named(folded, place + 1, called, lengths))
        place = folded.find(MARK, place + 1)
    return list(found)[:MOST]


def _named(text: str, start: int, called: Mapping[str, list[str]], lengths: Iterable[int]) -> list[str]:
    """Who has the longest name that a text has at a place."""
    for length in lengths:
        end = start + length
        if end < len(text) and _is_word(text[end]):
            continue
        if (who := called.get(text[start:end])) is not None:
            return who
    return []


def _is_word(mark: str) -> bool:
    return mark.isalnum() or mark == "_"
