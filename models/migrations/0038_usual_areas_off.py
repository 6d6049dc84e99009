"""Areas of a project stand beside the usual ones, of which some may be off.

They stood in place of these: a project that had any keeps what it had, with all the usual ones off.
"""

from __future__ import annotations

from typing import Any

from peewee import TextField
from playhouse.migrate import migrate

USUAL = (
    '["login","signup","checkout","payment","billing","data loss","security","availability"]'  # as of then
)


def up(migrator: Any, db: Any) -> None:
    migrate(migrator.add_column("project", "usual_areas_off", TextField(null=True)))
    db.execute_sql(f"UPDATE project SET usual_areas_off = '{USUAL}' WHERE areas IS NOT NULL")
