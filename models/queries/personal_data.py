"""What is stored about a person: found, shown, and taken out of every table.

An email address is looked for in everything, in whatever spelling (models.queries.email_addresses). An id
says less by itself, so it is looked for as a record's author, and as a whole JSON string in what came in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from peewee import Tuple

from models.database.base import JSONText, Table, database, dumps, locked
from models.queries.email_addresses import Address
from models.tables.alert_mute import AlertMute
from models.tables.asset import Asset
from models.tables.audit import Audit
from models.tables.callback import Callback
from models.tables.dedupe import Dedupe
from models.tables.delivery import Delivery
from models.tables.destination import Destination
from models.tables.event import Event
from models.tables.feedback import Feedback
from models.tables.meaning import Meaning
from models.tables.outgoing import Attempt, Outgoing
from models.tables.quarantine import Quarantine
from models.tables.reply import Reply
from models.tables.run import Run
from models.tables.topic import Topic
from models.tables.user import SavedView, User

ERASED = "[erased]"  # what stands where an address was
TOUCHED = (
    Feedback,
    Event,
    Delivery,
    Dedupe,
    Quarantine,
    Audit,
    SavedView,
    Topic,
    Asset,
    Run,
    Callback,
    Destination,
    Outgoing,
    Attempt,
    Reply,
    AlertMute,
)
SHORTEST_ID = 6  # characters of an id that is looked for in what came in
_RECORDS, _EVENTS = 200, 50  # rows in memory at a time; an event may have a payload of megabytes
# Columns that say nothing of a person and must stay what they are.
_KEPT = {"id", "workspace_id", "project_id", "feedback", "hook_id", "key_id", "type", "action", "fingerprint"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody, by an email address in any spelling, an id that senders gave, or both."""

    email: str | None = None
    id: str | None = None

    def wrote(self, row: Row) -> bool:
        """Whether a record is the person's: by the author's id or address, or an id that is the address."""
        if self.id is not None and row["author_id"] == self.id:
            return True
        return any(self.is_named(row[name]) for name in ("author_email", "author_id"))

    def is_named(self, text: str | None) -> bool:
        """Whether a text is the person's address, however it is written, and nothing else."""
        return self._address is not None and bool(text) and self._address.is_all_of(str(text))

    def is_in(self, payload: Any) -> bool:
        """Whether a payload, an answer or anything else that came or went as a whole mentions the person."""
        if payload is None:
            return False
        text = payload if isinstance(payload, str) else bytes(payload).decode("utf-8", "replace")
        if self._address is not None and self._address.is_in(text, coded=True):
            return True
        return any(mark in text for mark in self._marks)

    def mentions(self, table: type[Table], row: Row) -> Row:
        """The columns of a row that mention the person's address, as they are without it."""
        found = {}
        for field in table._meta.sorted_fields:
            text = row.get(field.column_name)
            if field.name in _KEPT or not isinstance(text, str) or not self.mentioned(text):
                continue
            if isinstance(field, JSONText):
                value = json.loads(text)
                left = self._left_of(value)
                if left != value:
                    found[field.column_name] = dumps(left)
            elif self._address is not None:
                found[field.column_name] = self._address.replaced(text, ERASED)
        return found

    def mentioned(self, text: str) -> bool:
        """Whether a text has the person's address in it."""
        return self._address is not None and self._address.is_in(text)

    def around(self, text: str, width: int = 80) -> str:
        """The words around the first mention in a text."""
        spans = [] if self._address is None else self._address.spans(text)
        return text[max(0, spans[0][0] - width) : spans[0][1] + width] if spans else ""

    def _left_of(self, value: Any) -> Any:
        """A JSON value without the person's address."""
        if isinstance(value, str) and self._address is not None:
            return self._address.replaced(value, ERASED)
        if isinstance(value, list):
            return [self._left_of(item) for item in value]
        if isinstance(value, dict):
            return {self._left_of(name): self._left_of(item) for name, item in value.items()}
        return value

    @cached_property
    def _address(self) -> Address | None:
        return None if self.email is None else Address(self.email)

    @cached_property
    def _marks(self) -> tuple[str, ...]:
        if self.id is None:
            return ()
        ways = dict.fromkeys((dumps(self.id), json.dumps(self.id)))
        shown = [f'"author":{{"id":{quoted}' for quoted in ways]  # as our own answers have it
        return (*ways, *shown) if len(self.id) >= SHORTEST_ID else tuple(shown)


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
    return _rows(SavedView.select().where(SavedView.user.in_(users) | (SavedView.shared_in == workspace_id)))


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
    remains: list[str] = database.obj.compact([table._meta.table_name for table in (*TOUCHED, Meaning)])
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
