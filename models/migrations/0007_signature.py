"""Keys under which alike records are found."""

from __future__ import annotations

from typing import Any

from peewee import (
    BigIntegerField,
    CompositeKey,
    Database,
    ForeignKeyField,
    IntegerField,
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

    class Signature(Base):
        id = IntegerField(primary_key=True)
        feedback = ForeignKeyField(Feedback, unique=True, on_delete="CASCADE")
        updated_at = BigIntegerField()

    class SignatureKey(Base):
        key = BigIntegerField()
        signature = ForeignKeyField(Signature, on_delete="CASCADE")

        class Meta:
            primary_key = CompositeKey("key", "signature")
            without_rowid = True

    db.create_tables([Signature, SignatureKey])
