"""The canonical record: one row per piece of feedback."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from peewee import BigIntegerField, DoubleField, IntegerField, TextField

from models.database.base import JSONText, Table, database, dumps, first, locked


class Feedback(Table):
    """One piece of feedback. Names are the API's; times are milliseconds since the epoch, UTC.

    `overruled` holds the labels that people replaced, as they were; `fingerprint` is the same for
    texts that say the same. `triggers`, `state_key` and `content_key` say how far a story has been
    told (models.intake.incident_merge). `words` is what is searched (models.tables.search_words).
    `sentiment_confidence` is not known of records that were labelled before it was kept. `topic` is the id of
    one of the project's own (models.tables.topic); without `topic_origin` nobody has looked for one yet.
    `merged_into` is the record that stands for it, `people` how many distinct authors those that are merged
    into it and it have (models.tables.merge); both are null of most.
    `alert_group` is what an alert is counted with (models.tables.alert_group).
    `assignee` is the user who takes care of it. While it is snoozed `wakes_on_delivery` is 0 or 1, else null;
    `snoozed_until` is the time at which it wakes by itself, null for one that only a delivery wakes.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField()
    source = TextField()
    type = TextField()
    title = TextField()
    text = TextField()
    language = TextField(null=True)
    kind = TextField(null=True)
    category = TextField()
    category_origin = TextField()
    category_confidence = DoubleField()
    sentiment = TextField()
    sentiment_origin = TextField()
    sentiment_score = DoubleField()
    sentiment_confidence = DoubleField(null=True)
    topic = TextField(null=True)
    topic_origin = TextField(null=True)
    topic_confidence = DoubleField(null=True)
    impact = IntegerField()
    impact_origin = TextField()
    impact_reasons = JSONText()
    overruled = JSONText(null=True)
    subject = JSONText()
    author_id = TextField(null=True)
    author_name = TextField(null=True)
    author_email = TextField(null=True)
    tags = JSONText()
    status = TextField()
    assignee = TextField(null=True)
    snoozed_until = BigIntegerField(null=True)
    wakes_on_delivery = IntegerField(null=True)
    incident_key = TextField(null=True)
    occurrences = IntegerField()
    votes = IntegerField()
    merged_into = TextField(null=True)
    people = IntegerField(null=True)
    first_seen_at = BigIntegerField()
    last_seen_at = BigIntegerField()
    resolved_at = BigIntegerField(null=True)
    retracted_at = BigIntegerField(null=True)
    external_id = TextField(null=True)
    occurred_at = BigIntegerField(null=True)
    received_at = BigIntegerField()
    updated_at = BigIntegerField()
    model_version = TextField()
    fingerprint = TextField(null=True)
    triggers = IntegerField()
    state_key = TextField(null=True)
    content_key = TextField(null=True)
    words = TextField(default="")
    alert_group = TextField(null=True)


HIDDEN = ("fingerprint", "triggers", "state_key", "content_key", "words", "alert_group")
STATUSES = ("open", "acknowledged", "resolved", "ignored")
TIMES = (
    "first_seen_at",
    "last_seen_at",
    "resolved_at",
    "retracted_at",
    "snoozed_until",
    "occurred_at",
    "received_at",
    "updated_at",
)


SHOWN = tuple(
    name
    for name in Feedback._meta.sorted_field_names
    if name not in HIDDEN and not name.startswith("author_")
)
_show = itemgetter(*SHOWN)


@lru_cache(maxsize=1024)  # a record shows the moment it came in several times
def iso(milliseconds: int | None) -> str | None:
    """Milliseconds since the epoch as ISO 8601 with milliseconds and Z."""
    if milliseconds is None:
        return None
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def is_id(text: str) -> bool:
    """Whether a text could be a record's id, by its shape."""
    return re.fullmatch("fb_[0-9A-Z]{26}", text) is not None


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the API shows it: the author in one object, times in ISO 8601."""
    shown = dict(zip(SHOWN, _show(row), strict=True))
    for name in TIMES:
        if shown[name] is not None:
            shown[name] = iso(shown[name])
    if shown["wakes_on_delivery"] is not None:
        shown["wakes_on_delivery"] = bool(shown["wakes_on_delivery"])
    shown["author"] = {"id": row["author_id"], "name": row["author_name"], "email": row["author_email"]}
    return shown


def told(name: str, value: Any) -> Any:
    """A column's value as the API shows it."""
    if value is not None and name == "wakes_on_delivery":
        return bool(value)
    return iso(value) if name in TIMES else value


def version(row: Mapping[str, Any]) -> str:
    """A word for the state a row is in: another one after every change, whoever made it."""
    state = dumps([row[name] for name in Feedback._meta.sorted_field_names])
    return hashlib.blake2b(state.encode("utf-8", "replace"), digest_size=12).hexdigest()


def find(
    workspace_id: str, project_id: str | None, feedback_id: str, *, to_change: bool = False
) -> dict[str, Any] | None:
    """One row of this workspace (and, when given, of this project), or None.

    With `to_change` nobody else changes it before the open transaction ends.
    """
    found = _mine(workspace_id, project_id).where(Feedback.id == feedback_id)
    return first(locked(found) if to_change else found)


def latest_of_story(workspace_id: str, source: str, incident_key: str) -> dict[str, Any] | None:
    """The newest record of a story, or None."""
    mine = (Feedback.workspace_id == workspace_id) & (Feedback.incident_key == incident_key)
    of_it = Feedback.select().where(mine & (Feedback.source == source))
    return first(database.obj.through(of_it, "feedback_story").order_by(Feedback.id.desc()))


def _mine(workspace_id: str, project_id: str | None) -> Any:
    """Every query starts here, from the caller's workspace."""
    rows = Feedback.select().where(Feedback.workspace_id == workspace_id)
    return rows if project_id is None else rows.where(Feedback.project_id == project_id)


def first_of(feedback_id: str) -> dict[str, Any] | None:
    """A row of whatever workspace, for whoever may read the database."""
    return first(Feedback.select().where(Feedback.id == feedback_id))
