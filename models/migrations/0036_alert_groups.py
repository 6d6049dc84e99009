"""Alerts know the group that they are counted with, and a group can be muted.

The groups of what is stored are worked out here, some at a time, by a frozen copy of the rule, while others
go on writing. What an earlier release stores meanwhile has none. What became of the deliveries of one hook is
found without those of the others.
"""

from __future__ import annotations

import json
from typing import Any

from peewee import BigIntegerField, ForeignKeyField, IntegerField, Model, SqliteDatabase, TextField
from playhouse.migrate import migrate

atomic = False
_AT_ONCE = 500  # records in a transaction
_UNEVALUATED = ("DatasourceError", "DatasourceNoData")


def up(migrator: Any, db: Any) -> None:
    embedded = isinstance(db, SqliteDatabase)
    concurrently = "" if embedded else "CONCURRENTLY"
    if "alert_group" not in {column.name for column in db.get_columns("feedback")}:
        migrate(migrator.add_column("feedback", "alert_group", TextField(null=True)))
    _give(db, "?" if embedded else "%s")
    for name, column, where in (
        ("feedback_alert_group", "alert_group, received_at, id", "alert_group IS NOT NULL"),
        ("feedback_alert_ended", "resolved_at", "alert_group IS NOT NULL AND resolved_at IS NOT NULL"),
    ):
        db.execute_sql(f"DROP INDEX {concurrently} IF EXISTS {name}")
        on = f"feedback (workspace_id, {column})"
        db.execute_sql(f"CREATE INDEX {concurrently} {name} ON {on} WHERE {where}")
    db.execute_sql(f"DROP INDEX {concurrently} IF EXISTS outcome_key")
    db.execute_sql(f"CREATE INDEX {concurrently} outcome_key ON outcome (key_id, minute)")
    _keep_mutes(db)


def _give(db: Any, mark: str) -> None:
    """Gives the alerts that are stored their groups, workspace by workspace in the order of an index."""
    columns = "id, received_at, source, type, title, subject, tags"
    for (workspace_id,) in db.execute_sql("SELECT id FROM workspace").fetchall():
        for kind in ("alert", "ci"):
            after: tuple[Any, ...] = ("", 0, "")
            while True:
                found = db.execute_sql(
                    f"SELECT {columns}, status FROM feedback WHERE workspace_id = {mark} "
                    f"AND type <> 'message' AND type = {mark} "
                    f"AND (status, received_at, id) > ({mark}, {mark}, {mark}) "
                    f"ORDER BY status, received_at, id LIMIT {_AT_ONCE}",
                    (workspace_id, kind, *after),
                ).fetchall()
                if not found:
                    break
                after = found[-1][7], found[-1][1], found[-1][0]
                with db.atomic():
                    for row in found:
                        db.execute_sql(
                            f"UPDATE feedback SET alert_group = {mark} WHERE id = {mark}",
                            (_group(*row[2:7]), row[0]),
                        )


def _group(source: str, kind: str, title: str, subject_text: str, tags_text: str) -> str | None:
    subject, tags = json.loads(subject_text), json.loads(tags_text)

    def said(*names: str) -> str:
        found = (subject.get(name) for name in names)
        return next((value.strip() for value in found if isinstance(value, str) and value.strip()), "")

    tagged = (tag.partition(":") for tag in tags if tag.startswith(("rulename:", "condition:")))
    if kind == "ci":
        name = f"{said('repository', 'project')} {said('workflow', 'pipeline')}"
    else:
        names = (said("rule"), said("alertname"), said("monitor"), *(tag[2] for tag in tagged))
        name = next((one for one in names if one and one not in _UNEVALUATED), "")
        name = name or (f"#{said('monitor_id')}" if said("monitor_id") else said("alertname"))
    name = " ".join((name.strip() or _pattern(title)).split())[:160].strip()
    return f"{source}:{name}" if name else None


def _pattern(title: str) -> str:
    words: list[str] = []
    for word in title.split():
        common = "*" if "@" in word or any(mark.isdigit() for mark in word) else word
        if common != "*" or words[-1:] != ["*"]:
            words.append(common)
    return " ".join(words)


def _keep_mutes(db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Workspace(Base):
        id = TextField(primary_key=True)

    class Project(Base):
        id = TextField(primary_key=True)

    class AlertMute(Base):
        id = TextField(primary_key=True)
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE", index=False)
        project = ForeignKeyField(Project, null=True, on_delete="CASCADE", index=False)
        alert_group = TextField()
        until = BigIntegerField(null=True)
        more = IntegerField(null=True)
        key_id = TextField()
        created_at = BigIntegerField()
        ended_at = BigIntegerField(null=True)

        class Meta:
            indexes = ((("workspace", "id"), False), (("project",), False))

    db.create_tables([AlertMute])
