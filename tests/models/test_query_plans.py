"""Every statement finds its rows without reading all there are, whatever a database knows of its tables."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from gateway.background import analyze, themes
from gateway.background.lease import run_once
from models import TABLES, Feedback, Job
from models.database import planner_statistics as parts
from models.database import query_dialects
from models.database.base import database
from models.queries import assigned, feedback_query, full_text
from tests import plans
from tests.conftest import Tenant
from tests.walk import TEXT, Ear, Walk, groups_of

Heard = dict[str, Any]
SENT = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")  # others find no rows
MANY = 30_000  # rows that a table of a server is given


@pytest.fixture(name="walk")
def _walk(app: Flask, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Heard, Heard]]:
    """Walks through the gateway; what it sends while few rows are meant, and when they are taken for many."""

    def walk(thorough: bool, unread: Heard | None = None) -> tuple[Heard, Heard]:
        monkeypatch.setattr(themes, "groups_of", groups_of)
        few, many = Ear(), Ear()
        steps = Walk(app.test_client(), app.test_client(), tenant, few, thorough)
        with few.listening():
            for step in (steps.deliveries, steps.works):
                step()
            if unread is not None:
                unread.update(finds(few.heard))
            for step in (steps.programs, steps.pages, steps.works, steps.filters):
                step()
        for module in (query_dialects, feedback_query, full_text, assigned):
            monkeypatch.setattr(module, "FEW", 0)
        with many.listening():
            steps.filters(many)
        return finds(few.heard), finds(many.heard)

    return walk


def finds(heard: Heard) -> Heard:
    return {sql: params for sql, params in heard.items() if sql.startswith(SENT)}


def faults(few: Heard, many: Heard) -> str:
    """The statements that read too much, with their plans."""
    judged = [(sql, params, False) for sql, params in many.items()]
    judged += [(sql, params, True) for sql, params in few.items() if sql not in many]
    found = {sql: plans.faults(sql, params, few=any_order) for sql, params, any_order in judged}
    return "\n".join(f"{plans.short(sql)}\n  {lines}" for sql, lines in found.items() if lines)


def test_no_statement_reads_everything(
    walk: Callable[..., tuple[Heard, Heard]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in a database that grew from empty and knows nothing of its tables, nor in an analysed one."""
    few, many = walk(False)
    assert len(few) > 300 and len(many) > 200
    assert not faults(few, many)
    monkeypatch.setattr(parts, "LEAST", 1)
    keep()
    enlarge()

    assert not faults(few, many)


def enlarge() -> None:
    """Has the planner know a thousand times as many rows as there are."""
    known = database.execute_sql("SELECT rowid, stat FROM sqlite_stat1 WHERE idx IS NOT NULL").fetchall()
    assert len(known) > 20
    for place, stat in known:
        more = re.sub(r"\b(?!1\b)\d+", lambda number: f"{number[0]}000", stat)
        database.execute_sql("UPDATE sqlite_stat1 SET stat = ? WHERE rowid = ?", (more, place))
    database.execute_sql("ANALYZE sqlite_schema")  # which reads it again


@pytest.mark.long
def test_no_statement_of_many_reads_everything(walk: Callable[..., tuple[Heard, Heard]]) -> None:
    """The same with every fixture, and every two fields of a filter."""
    few, many = walk(True)

    assert len(few) > 1_500 and len(many) > 1_000
    assert not faults(few, many)
    unused = set(plans.MANY.values()) - {plans.excused(sql) for sql in few}
    assert all(why.startswith("on a server") for why in unused)


@pytest.mark.both
def test_what_is_deleted_with_a_row_is_found(app: Flask) -> None:
    """Every foreign key begins an index: to delete a row reads no whole table for what hangs on it."""
    for table in TABLES:
        name = plans.name_of(table)
        indexes = [index.columns for index in database.obj.get_indexes(name)]
        key = database.obj.get_primary_keys(name)
        for column in {key.column for key in database.obj.get_foreign_keys(name)}:
            assert any(columns[0] == column for columns in (*indexes, key)), (name, column)


def keep() -> None:
    Job.update(due_at=0).execute()
    assert run_once(analyze.KEEP)


@pytest.fixture(name="analysed")
def _analysed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is analysed, of tables however small."""
    found: list[str] = []
    kind = type(database.obj)
    analyse = kind.analyse

    def note(self: Any, part: str) -> None:
        found.append(part)
        analyse(self, part)

    monkeypatch.setattr(parts, "LEAST", 1)
    monkeypatch.setattr(kind, "analyse", note)
    return found


def send(app: Flask, tenant: Tenant, count: int) -> None:
    many = [{"text": f"{TEXT} {number}"} for number in range(count)]
    path = "/gateway/v1/feedback/batch"
    assert app.test_client().post(path, json=many, headers=tenant.headers).status_code == 200
    if not database.obj.EMBEDDED:  # its counts of rows are written down now and then
        database.execute_sql("SELECT pg_stat_force_next_flush()")


@pytest.mark.both
def test_planners_hear_how_large_tables_are(app: Flask, tenant: Tenant, analysed: list[str]) -> None:
    """The background worker analyses what has grown, part by part, and not again before it has grown more."""
    runs = []
    for count in (0, 20, 0, 1, 40):
        if count:
            send(app, tenant, count)
        analysed.clear()
        keep()
        runs.append([part for part in analysed if part.startswith("feedback")])
        assert len(analysed) == len(set(analysed))

    assert [bool(run) for run in runs] == [False, True, False, False, True]


def test_open_connections_hear_of_it(app: Flask, tenant: Tenant, analysed: list[str]) -> None:
    """A connection that was open before plans by what the background worker has found out."""
    send(app, tenant, 200)
    with closing(sqlite3.connect(database.obj.database, cached_statements=0)) as other:

        def plan() -> str:
            other.execute("SELECT 1 FROM feedback LIMIT 1").fetchall()  # EXPLAIN asks nobody for news
            asked = "WHERE workspace_id = '' AND received_at > 1 AND id IN (1, 2)"
            found: str = other.execute(f"EXPLAIN QUERY PLAN SELECT * FROM feedback {asked}").fetchone()[3]
            return found

        before = plan()
        keep()
        after = plan()

    assert ["received_at>" in found for found in (before, after)] == [True, False]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_no_statement_reads_everything_of_a_server(
    app: Flask, walk: Callable[..., tuple[Heard, Heard]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement reads a small part of a table that has grown at once.

    Those of senders and of background work also as long as nothing is analysed, which autovacuum or the
    background worker does within a minute or two; until then readers' may have a workspace sorted.
    """
    for name in plans.GROWING & set(database.obj.get_tables()):
        database.execute_sql(f'ALTER TABLE "{name}" SET (autovacuum_enabled = off)')
    first: Heard = {}
    few, _ = walk(False, first)
    grow()
    assert not much(first)
    monkeypatch.setattr(parts, "LEAST", MANY // 2)
    keep()
    if much(few):  # what is known comes from a random sample, and one in many leads astray: not two
        database.execute_sql("ANALYZE")
        assert not much(few)


def much(heard: Heard) -> str:
    """The statements that read a large part of a server's table, with what they read."""
    told = []
    for sql, params in heard.items():
        if not sql.startswith("INSERT") and not plans.excused(sql):
            read = [one for one in plans.read_by_server(sql, params) if one[1] > MANY // 2]
            told += [f"{plans.short(sql)}\n  {read}"] if read else []
    return "\n".join(told)


def grow() -> None:
    """Gives the growing tables of a server many rows, of which it knows nothing: copies of what is there."""
    numbered = f"generate_series(1, {MANY}) AS n"
    fresh = {
        "id": "'fb_' || lpad(n::text, 26, '0')",
        "author_id": "'u' || n",
        "author_email": "NULL",
        "incident_key": "NULL",
        "external_id": "NULL",
        "subject": "'{}'",
        "tags": "'[\"b' || n || '\"]'",
        "words": "' copy' || n || ' '",
        "category": "(ARRAY['bug', 'feature', 'question', 'praise', 'other'])[MOD(n, 5) + 1]",
        "status": "(ARRAY['open', 'resolved'])[MOD(n, 2) + 1]",
        "sentiment": "(ARRAY['positive', 'neutral', 'negative'])[MOD(n, 3) + 1]",
        "impact": "MOD(n, 15)",
        "category_origin": "'predicted'",
        "sentiment_origin": "'predicted'",
        "category_confidence": "0.7 + MOD(n, 30) / 100.0",  # what is doubtful is rare
        "sentiment_confidence": "0.7 + MOD(n, 30) / 100.0",
        "fingerprint": "md5(n::text)",
        "received_at": "received_at - n * 1000",
        "occurred_at": "NULL",
    }
    columns = [field.column_name for field in Feedback._meta.sorted_fields]
    picked = ", ".join(fresh.get(column, column) for column in columns)
    one = "(SELECT * FROM feedback WHERE tags <> '[]' ORDER BY id DESC LIMIT 1) AS one"
    for statement in (
        f"INSERT INTO feedback ({', '.join(columns)}) SELECT {picked} FROM {one}, {numbered}",
        "INSERT INTO event (id, feedback_id, type, at, detail, payload) "
        "SELECT 'ev_' || n, 'fb_' || lpad(n::text, 26, '0'), 'received', n, '{}', NULL "
        f"FROM {numbered}",
        "INSERT INTO signature (id, feedback_id, stale) "
        f"SELECT 100000 + n, 'fb_' || lpad(n::text, 26, '0'), 0 FROM {numbered}",
        f"INSERT INTO signature_key SELECT n, 100000 + n FROM {numbered}",
        "INSERT INTO dedupe (workspace_id, scope, key) SELECT workspace_id, 'native', n::text "
        f"FROM (SELECT workspace_id FROM feedback LIMIT 1) AS one, {numbered}",
    ):
        with database.obj.connection_context():
            database.execute_sql(
                "SET session_replication_role = replica"
            )  # no trigger, no look at other tables
            database.execute_sql(statement)
            database.execute_sql("RESET session_replication_role")


def test_rare_topics_are_read_in_any_order(app: Flask, tenant: Tenant) -> None:
    """What few records have is read through its own index and sorted; what many have is not."""
    send(app, tenant, 30)
    Feedback.update(topic="top_many").execute()
    rare = [row.id for row in Feedback.select().limit(2)]
    Feedback.update(topic="top_rare").where(Feedback.id.in_(rare)).execute()
    asked = {
        (("top_rare",), "-impact"): True,
        (("top_rare", "top_none"), "-received_at"): True,
        (("top_many",), "-impact"): False,
        (("top_many", "top_rare"), "-received_at"): False,
        ((None, "top_rare"), "-received_at"): False,
    }
    heard: list[str] = []
    execute = database.obj.execute_sql
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(query_dialects, "FEW", 10)
        patch.setattr(
            database.obj, "execute_sql", lambda sql, *given: heard.append(sql) or execute(sql, *given)
        )
        for (topics, sort), sought in asked.items():
            heard.clear()
            found, _ = feedback_query.page(
                tenant.workspace_id, None, feedback_query.Filter(topic=topics), limit=5, sort=sort, after=None
            )
            assert found
            assert ("INDEXED BY feedback_topic" in heard[-1]) is sought, (topics, sort)
