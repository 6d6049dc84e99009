"""People: users, sessions, one-time links and saved views."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, ForeignKeyField, Model, TextField


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Workspace(Base):
        id = TextField(primary_key=True)

    class User(Base):
        id = TextField(primary_key=True)
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        email = TextField(unique=True)
        name = TextField()
        role = TextField()
        password = TextField(null=True)
        identity = TextField(null=True, unique=True)
        language = TextField(null=True)
        zone = TextField(null=True)
        created_at = BigIntegerField()
        seen_at = BigIntegerField(null=True)
        disabled_at = BigIntegerField(null=True)

    class Session(Base):
        digest = TextField(primary_key=True)
        user = ForeignKeyField(User, on_delete="CASCADE")
        created_at = BigIntegerField()
        seen_at = BigIntegerField()
        expires_at = BigIntegerField()
        note = TextField(null=True)

    class Invite(Base):
        digest = TextField(primary_key=True)
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        user = ForeignKeyField(User, null=True, on_delete="CASCADE")
        email = TextField(null=True)
        role = TextField()
        created_at = BigIntegerField()
        expires_at = BigIntegerField()
        used_at = BigIntegerField(null=True)

    class SavedView(Base):
        id = TextField(primary_key=True)
        user = ForeignKeyField(User, on_delete="CASCADE")
        name = TextField()
        query = TextField()
        created_at = BigIntegerField()

    db.create_tables([User, Session, Invite, SavedView])
