"""A DSN has no secret: hooks of Sentry's SDKs held an empty one, encrypted, and now hold none."""

from __future__ import annotations

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("UPDATE hook SET secrets = '[]' WHERE source = 'sentry_envelope'")
