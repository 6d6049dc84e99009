"""Records counted by day: exact, since triggers count with each change, in its own transaction."""

from __future__ import annotations

from peewee import BigIntegerField, CompositeKey, IntegerField, TextField

from models.database.base import Table

DAY = 86_400_000  # milliseconds
LEVELS = tuple(f"impact_{level}" for level in range(15))  # columns: how many have that impact


class Rollup(Table):
    """So many records of one day (received_at / DAY) that are alike in all of these, and their sums.

    `score` is of sentiment_score in millionths, since sums of whole numbers stay exact however often
    records change. `language` is empty for an unknown one. On a server the rows of several `slot`s make the
    sum, so that writers do not wait for each other (models.database.sharded_counters).
    """

    workspace_id = TextField()
    day = BigIntegerField()
    project_id = TextField()
    source = TextField()
    type = TextField()
    category = TextField()
    sentiment = TextField()
    status = TextField()
    language = TextField()
    slot = IntegerField()
    records = BigIntegerField()
    impact = BigIntegerField()
    score = BigIntegerField()

    class Meta:
        primary_key = CompositeKey(
            "workspace_id",
            "day",
            "project_id",
            "source",
            "type",
            "category",
            "sentiment",
            "status",
            "language",
            "slot",
        )
        without_rowid = True


for _name in LEVELS:
    Rollup._meta.add_field(_name, BigIntegerField())


class OccurredRollup(Rollup):
    """By how much a day's counts differ when records count on the day they occurred.

    A record that occurred on the day it was received is in none of these. Another one adds one on the day it
    occurred, and takes one away on the day it was received.
    """

    class Meta:
        table_name = "rollup_occurred"
