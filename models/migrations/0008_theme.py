"""Themes, as they were last computed."""

from __future__ import annotations

from typing import Any

from peewee import (
    BigIntegerField,
    CompositeKey,
    Database,
    DoubleField,
    ForeignKeyField,
    Model,
    TextField,
)


def up(migrator: Any, db: Database) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Feedback(Base):
        id = TextField(primary_key=True)

    class ThemeRun(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField(null=True)
        since = BigIntegerField()
        newest = TextField()
        took = BigIntegerField()
        computed_at = BigIntegerField(null=True)

        class Meta:
            indexes = ((("workspace_id", "project_id", "computed_at"), False),)

    class Theme(Base):
        id = TextField(primary_key=True)
        run = ForeignKeyField(ThemeRun, on_delete="CASCADE")
        label = TextField()
        terms = TextField()

    class ThemeMember(Base):
        theme = ForeignKeyField(Theme, index=False, on_delete="CASCADE")
        feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
        at = BigIntegerField()
        closeness = DoubleField()

        class Meta:
            primary_key = CompositeKey("theme", "feedback")
            without_rowid = True

    db.create_tables([ThemeRun, Theme, ThemeMember])
