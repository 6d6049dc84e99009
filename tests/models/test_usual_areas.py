"""A project that had areas in place of the usual ones keeps what it had."""

from __future__ import annotations

from importlib import import_module

from peewee import SqliteDatabase
from playhouse.migrate import SchemaMigrator

from gateway.access.caller import rules_in
from gateway.access.projects import switch_usual_areas
from gateway.core.area_rules import names_of
from gateway.triage import DEFAULT_AREAS
from models import Project
from tests.conftest import Tenant

MIGRATION = import_module("models.migrations.0038_usual_areas_off")


def test_what_a_project_had_it_keeps() -> None:
    """The usual areas are off where a project had its own, also none, and on where it had not."""
    names = [area.name for area in DEFAULT_AREAS]
    db = SqliteDatabase(":memory:")
    db.execute_sql("CREATE TABLE project (id TEXT, areas TEXT)")
    for row in (("own", '[{"name": "x"}]'), ("none", "[]"), ("usual", None)):
        db.execute_sql("INSERT INTO project VALUES (?, ?)", row)
    MIGRATION.up(SchemaMigrator.from_database(db), db)
    kept = dict(db.execute_sql("SELECT id, usual_areas_off FROM project").fetchall())

    assert {name: sorted(names_of(off)) for name, off in kept.items()} == {
        "own": sorted(names),
        "none": sorted(names),
        "usual": [],
    }


def test_rules_of_a_project(tenant: Tenant) -> None:
    """Whoever sends has the usual areas that are off among the rules of the project."""
    row = {"id": tenant.project_id, "workspace": tenant.workspace_id, "usual_areas_off": None}
    assert rules_in(tenant.workspace_id) == {}
    switch_usual_areas(row, ["login"])
    rules = rules_in(tenant.workspace_id)[tenant.project_id]

    assert rules is not None
    assert (rules.areas, rules.off) == ((), {"login"})
    assert Project.get_by_id(tenant.project_id).usual_areas_off == ["login"]
