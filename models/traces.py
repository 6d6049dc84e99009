"""What is stored about a person: found, shown, and taken out of every table.

An email address is looked for in everything, in any case and however JSON, HTML and forms encode it. An
id says less by itself, so it is looked for as a record's author, and as a whole JSON string in what came
in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from peewee import Tuple

from models.audit import Audit
from models.base import Table, database, dumps, locked
from models.dedupe import Dedupe
from models.delivery import Delivery
from models.event import Event
from models.feedback import Feedback
from models.people import SavedView, User
from models.quarantine import Quarantine

ERASED = "[erased]"  # what stands where an address was
TOUCHED = (Feedback, Event, Delivery, Dedupe, Quarantine, Audit, SavedView)
SHORTEST_ID = 6  # characters of an id that is looked for in what came in
_RECORDS, _EVENTS = 200, 50  # rows in memory at a time; an event may have a payload of megabytes
# No part of a longer address; what stands before it may be the end of an escape.
_BEFORE = r"(?:(?<![\w.+-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2}))"
_AFTER = r"(?![\w-])(?!\.[^\W_])"
# Columns that say nothing of a person and must stay what they are.
_KEPT = {"id", "workspace_id", "project_id", "feedback", "hook_id", "key_id", "type", "action", "fingerprint"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody, by an email address in lower case, an id that senders gave, or both."""

    email: str | None = None
    id: str | None = None

    def wrote(self, row: Row) -> bool:
        """Whether a record is the person's."""
        if self.id is not None and row["author_id"] == self.id:
            return True
        email = row["author_email"]
        return self.email is not None and email is not None and email.strip().lower() == self.email

    def is_in(self, payload: Any) -> bool:
        """Whether a payload, an answer or anything else that came or went as a whole mentions the person."""
        if payload is None:
            return False
        data = payload.encode("utf-8", "replace") if isinstance(payload, str) else bytes(payload)
        if self._hint is not None and self._hint in data.lower() and self._in_bytes.search(data):
            return True
        return any(mark in data for mark in self._marks)

    def mentions(self, table: type[Table], row: Row) -> Row:
        """The columns of a row that mention the person's address, as they are without it."""
        found = {}
        for field in table._meta.sorted_fields:
            text = row.get(field.column_name)
            if field.name not in _KEPT and isinstance(text, str) and self.mentioned(text):
                found[field.column_name] = self._in_text.sub(ERASED, text)
        return found

    def mentioned(self, text: str) -> bool:
        """Whether a text has the person's address in it."""
        hint = self._hint
        return hint is not None and hint.decode() in text.lower() and self._in_text.search(text) is not None

    def around(self, text: str, width: int = 80) -> str:
        """The words around the first mention in a text."""
        found = self._in_text.search(text)
        return "" if found is None else text[max(0, found.start() - width) : found.end() + width]

    @cached_property
    def _in_text(self) -> re.Pattern[str]:
        return re.compile(f"{_BEFORE}{''.join(map(_encoded, self.email or ''))}{_AFTER}", re.IGNORECASE)

    @cached_property
    def _in_bytes(self) -> re.Pattern[bytes]:
        return re.compile(self._in_text.pattern.encode(), re.IGNORECASE)

    @cached_property
    def _hint(self) -> bytes | None:
        """What is quickly looked for before the pattern: it is in every way to write the address."""
        plain = re.findall(r"[a-z0-9]+", self.email or "")
        return max(plain, key=len).encode() if plain else None

    @cached_property
    def _marks(self) -> tuple[bytes, ...]:
        if self.id is None:
            return ()
        quoted = dumps(self.id).encode()
        shown = b'"author":{"id":' + quoted  # as our own answers have it
        return (quoted, shown) if len(self.id) >= SHORTEST_ID else (shown,)


def _encoded(char: str) -> str:
    """The ways to write a character of an address."""
    number = ord(char)
    if char.isalnum() and char.isascii():
        return char
    percent = "".join(f"%{byte:02x}" for byte in char.encode())
    ways = (re.escape(char), percent, rf"\\u{number:04x}", f"&#0*{number};", f"&#x0*{number:x};")
    return f"(?:{'|'.join(ways)})"


def records(workspace_id: str, now: int) -> Iterator[list[Row]]:
    """A workspace's records that were received by `now` (milliseconds UTC), some at a time."""
    mine = (Feedback.workspace_id == workspace_id) & (Feedback.received_at <= now)
    place = Tuple(Feedback.received_at, Feedback.id)
    after = (0, "")
    while found := _raw(
        Feedback, mine & (place > Tuple(*after)), [Feedback.received_at, Feedback.id], _RECORDS
    ):
        after = found[-1]["received_at"], found[-1]["id"]
        yield found


def to_change(ids: Sequence[str]) -> list[Row]:
    """Records that were seen, as they are now, to be changed within the open transaction."""
    return _rows(locked(Feedback.select().where(Feedback.id.in_(ids)).order_by(Feedback.id)))


def events(ids: Sequence[str]) -> Iterator[Row]:
    """The history of these records."""
    record, event = "", ""
    while True:
        later = (Event.feedback > record) | ((Event.feedback == record) & (Event.id > event))
        found = _raw(Event, Event.feedback.in_(ids) & later, [Event.feedback, Event.id], _EVENTS)
        if not found:
            return
        record, event = found[-1]["feedback_id"], found[-1]["id"]
        yield from found


def keys(workspace_id: str) -> Iterator[list[Row]]:
    """A workspace's used keys with their answers, some at a time."""
    scope, key = "", ""
    while True:
        later = (Dedupe.scope > scope) | ((Dedupe.scope == scope) & (Dedupe.key > key))
        mine = (Dedupe.workspace_id == workspace_id) & later
        found = _raw(Dedupe, mine, [Dedupe.scope, Dedupe.key], _RECORDS)
        if not found:
            return
        scope, key = found[-1]["scope"], found[-1]["key"]
        yield found


def by_id(table: Any, workspace_id: str) -> Iterator[list[Row]]:
    """A workspace's rows of another table, some at a time."""
    after = ""
    while found := _raw(
        table, (table.workspace_id == workspace_id) & (table.id > after), [table.id], _EVENTS
    ):
        after = found[-1]["id"]
        yield found


def views(workspace_id: str) -> list[Row]:
    """The filters that a workspace's people have saved."""
    users = User.select(User.id).where(User.workspace == workspace_id)
    return _rows(SavedView.select().where(SavedView.user.in_(users)))


def change(table: type[Table], row: Row, columns: Row) -> None:
    """Writes columns as they are given, within the open transaction."""
    names = ", ".join(f'"{name}" = ?' for name in columns)
    where, key = _is(table, row)
    database.execute_sql(
        f'UPDATE "{table._meta.table_name}" SET {names} WHERE {where}', [*columns.values(), *key]
    )


def delete(table: type[Table], row: Row) -> None:
    """Deletes a row within the open transaction."""
    where, key = _is(table, row)
    database.execute_sql(f'DELETE FROM "{table._meta.table_name}" WHERE {where}', key)


def compact() -> list[str]:
    """Makes what was deleted leave the disk, and says what may still be there."""
    remains: list[str] = database.obj.compact([table._meta.table_name for table in TOUCHED])
    return remains


def _is(table: type[Table], row: Row) -> tuple[str, list[Any]]:
    key: Any = table._meta.primary_key
    names = [table._meta.fields[name].column_name for name in getattr(key, "field_names", [key.name])]
    return " AND ".join(f'"{name}" = ?' for name in names), [row[name] for name in names]


def _raw(table: Any, where: Any, order: list[Any], limit: int) -> list[Row]:
    return _rows(table.select().where(where).order_by(*order).limit(limit))


def _rows(query: Any) -> list[Row]:
    """Rows by column as they are stored: JSON as its text."""
    cursor = database.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
