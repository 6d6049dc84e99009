"""`feedback-gateway copy`: every table between the two kinds of database, all of it or nothing."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from peewee import AutoField, BlobField, BooleanField, DoubleField, ForeignKeyField, IntegerField

import adapters
from benchmarks.copying import source as filled
from gateway.access import bootstrap
from gateway.access.hooks import create_hook
from gateway.app import create_app
from gateway.cli import main
from gateway.core.config import Config
from models import TABLES, close, connect
from models.database.base import JSONText, database, opened, writing
from models.intake import commit
from models.migrations import migrate
from models.queries.copying import Copy
from tests import postgres
from tests.conftest import PLENTY, Tenant

KINDS = ("sqlite", "postgres")
NUMBERS = itertools.count()
# What sorts, counts or is spelled differently somewhere.
TEXTS = ("b", "a", "B", "é", "Z_1", "z-0", "", '\t"\\N\\.\n', "\U0001f600", "ﬀ", "{}", "0x")
# Tables of the schema that are made anew from others or from the program, and so are not copied.
DERIVED = {"schema_migration"}

Made = Callable[[str], str]


@pytest.fixture(name="make")
def _make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    """The URL of a new database of a kind, empty: make("postgres")."""
    left = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/{next(NUMBERS)}.db"
        made = request.getfixturevalue("cluster").database("template0")
        left.append(made)
        return str(made.__enter__())

    yield make
    commit.stop()
    close()
    for made in left:
        made.__exit__(None, None, None)


def copy(source: str, target: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["copy", "--from", source, "--to", target, *options])


def copied(source: str, target: str, *options: str) -> dict[str, Any]:
    done = copy(source, target, "--json", *options)
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def value_of(table: Any, field: Any, n: int) -> Any:
    """The n-th row's value: of every type, with nulls where they may be."""
    if isinstance(field, ForeignKeyField):
        return value_of(field.rel_model, field.rel_field, n)
    if field.null and n % 3 == 0:
        return None
    if isinstance(field, JSONText):
        return [{"n": n, "text": TEXTS[n % len(TEXTS)]}, None, 0.1]
    if isinstance(field, BlobField):
        return bytes(range(n, 256))
    if isinstance(field, BooleanField):
        return bool(n % 2)
    if isinstance(field, DoubleField):
        return (0.1 + n, -1 / 3, 1e-300, 2.0)[n % 4]
    if isinstance(field, IntegerField):
        large = 2**62 if field.field_type == "BIGINT" else 2**30
        return (-large, 0, large)[n % 3] + n
    return f"{TEXTS[n % len(TEXTS)]}:{n}"


def fill_all(url: str, rows: int = 24) -> None:
    """Rows in every table, made from what the tables say of themselves."""
    connect(url)
    migrate()
    with writing():
        for table in TABLES:
            fields = table._meta.sorted_fields
            table.insert_many(
                [{field.name: value_of(table, field, n) for field in fields} for n in range(rows)]
            ).execute()
    close()


def everything(url: str) -> dict[str, list[Any]]:
    """All rows of every table by a plain SELECT, as the models read them."""
    connect(url)
    found = {
        table._meta.table_name: sorted(repr(tuple(row)) for row in table.select().tuples())
        for table in TABLES
    }
    close()
    return found


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_every_table_and_back(make: Made, source: str, target: str) -> None:
    """Rows of every type and odd text arrive as they were, there and back again, with equal digests."""
    first, second, third = make(source), make(target), make(source)
    fill_all(first)
    there, back = copied(first, second), copied(second, third)

    assert {one["table"] for one in there["tables"]} == {table._meta.table_name for table in TABLES}
    assert all(one["equal"] and one["from"]["rows"] == 24 for one in there["tables"])
    assert (there["equal"], there["rows"]) == (True, 24 * len(TABLES))
    assert there["tables"] == back["tables"]
    assert everything(first) == everything(second) == everything(third)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_forgotten(make: Made, kind: str) -> None:
    """Every table of the schema is copied, every column of it, and no table numbers its own rows."""
    connect(make(kind))
    migrate()
    here = set(database.get_tables())
    columns = {name: {column.name for column in database.get_columns(name)} for name in here}
    close()

    kept = {name for name in here if name.startswith(("search", "sqlite_", "rollup", "feedback_tag"))}
    assert here - {table._meta.table_name for table in TABLES} - kept == DERIVED
    for table in TABLES:
        assert {field.column_name for field in table._meta.sorted_fields} == columns[table._meta.table_name]
        assert not isinstance(table._meta.primary_key, AutoField)


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_gateway_goes_on(make: Made, tmp_path: Path, source: str, target: str) -> None:
    """On the copy the same keys are known, secrets can be read, and each page is what it was."""
    urls = make(source), make(target)

    def gateway(url: str) -> Any:
        directory = tmp_path / str(next(NUMBERS))
        connect(url)
        migrate()
        close()
        settings = {"secret_key": postgres.SECRET, "rate_limit": PLENTY, "log_level": "error"}
        return create_app(Config(database_url=url, data_dir=str(directory), **settings)).test_client()

    client = gateway(urls[0])
    made = bootstrap.initialise(None, None)
    tenant = Tenant(made["workspace_id"], made["project_id"], made["key"])
    options = {"map": {"text": "said"}}
    adapter = adapters.load()["generic"]
    hook = create_hook(adapter, tenant.workspace_id, None, public_url="http://here", options=options)
    for n in range(5):
        headers = {**tenant.headers, "Idempotency-Key": f"k{n}"}
        sent = client.post("/gateway/v1/feedback", json={"text": f"{n} é"}, headers=headers)
        assert sent.status_code == 201
    pages = ("/gateway/v1/feedback", "/gateway/v1/outcomes?by=source,outcome")
    before = [client.get(page, headers=tenant.headers).json for page in pages]
    commit.stop()
    close()
    copied(*urls)
    client = gateway(urls[1])

    assert [client.get(page, headers=tenant.headers).json for page in pages] == before
    again = client.post(
        "/gateway/v1/feedback", json={"text": "0 é"}, headers={**tenant.headers, "Idempotency-Key": "k0"}
    )
    assert again.json["id"] == before[0]["data"][-1]["id"]
    signed = {"Authorization": f"Bearer {hook['secret']}"}
    assert client.post(hook["path"], json={"said": "hello"}, headers=signed).status_code == 200


SPOIL = {
    "sqlite": [
        "CREATE TRIGGER spoil AFTER INSERT ON project WHEN substr(NEW.id, -2) = ':7' "
        "BEGIN UPDATE project SET name = name || ' ' WHERE id = NEW.id; END"
    ],
    "postgres": [
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.name := NEW.name || '' ''; RETURN NEW; END'",
        "CREATE TRIGGER spoil BEFORE INSERT ON project FOR EACH ROW WHEN (right(NEW.id, 2) = ':7') "
        "EXECUTE FUNCTION spoil()",
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_arrives_changed(make: Made, kind: str) -> None:
    """One space more in one row is noticed: exit 1, the table is named, and the target stays empty."""
    source, target = make("sqlite"), make(kind)
    fill_all(source)
    connect(target)
    migrate()
    for statement in SPOIL[kind]:
        database.execute_sql(statement)
    close()
    done = copy(source, target, "--json")
    answer = json.loads(done.stdout)

    assert done.exit_code == 1
    assert not answer["equal"]
    assert [one["table"] for one in answer["tables"] if not one["equal"]] == ["project"]
    assert "project" in done.stderr
    assert not any(everything(target).values())


@pytest.mark.parametrize("kind", KINDS)
def test_check(make: Made, kind: str) -> None:
    """--check copies nothing and tells equal from different, both ways round."""
    source, target = make("sqlite"), make(kind)
    fill_all(source)
    copied(source, target)
    assert copied(source, target, "--check")["equal"]
    connect(target)
    database.execute_sql("UPDATE event SET payload = NULL WHERE at = (SELECT MAX(at) FROM event)")
    close()
    for urls in ((source, target), (target, source)):
        done = copy(*urls, "--check")

        assert (done.exit_code, "different: event" in done.stdout) == (1, True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_with_rows(make: Made, kind: str) -> None:
    """A target that holds anything is refused by the tables' names, and stays as it is."""
    source, target = make("sqlite"), make(kind)
    fill_all(source)
    connect(target)
    migrate()
    bootstrap.initialise("Mine", None)
    close()
    before = everything(target)
    done = copy(source, target)

    assert (done.exit_code, done.stdout) == (1, "")
    assert "rows in: workspace, project, api_key" in done.stderr
    assert everything(target) == before


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted(make: Made, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that is stopped half way leaves nothing behind, and the same command begins again."""
    source, target = make("sqlite"), make(kind)
    fill_all(source)
    work = Copy(source, target)
    work.prepare()

    def stop(table: str, rows: int) -> None:
        if table == "event":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.run(stop)
    work.close()

    assert not any(everything(target).values())
    assert copied(source, target)["equal"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_moment(make: Made, kind: str) -> None:
    """What the source takes while it is copied stays behind: the copy is of one moment."""
    source, target = make(kind), make("sqlite")
    fill_all(source)
    work = Copy(source, target)
    work.prepare()
    told = []

    def meanwhile(table: str, rows: int) -> None:
        if not told:
            other = opened(source, 1)
            other.execute_sql("DELETE FROM event")
            other.shut()
        told.append(table)

    compared = {one.table: one for one in work.run(meanwhile)}
    work.close()

    assert compared["event"].equal
    assert compared["event"].target.rows == 24


def test_a_server_keeps_its_rows(make: Made) -> None:
    """Rows come from a server some at a time: a table need not fit in memory."""
    url = make("postgres")
    fill_all(url)
    server = opened(url, 1)
    with server.snapshot():
        rows = server.stream("SELECT * FROM event", 5)
        assert len(next(rows)) == 5
        assert server.execute_sql("SELECT COUNT(*) FROM pg_cursors WHERE name = 'stream'").fetchone() == (1,)
        rows.close()
    server.shut()


def test_refusals(make: Made, tmp_path: Path) -> None:
    """What cannot be copied is told in a line: no such database, an old schema, no URL, twice the same."""
    here, empty = make("sqlite"), make("sqlite")
    fill_all(here)
    connect(empty)
    database.execute_sql("SELECT 1")
    close()
    for source, target, said in (
        (make("sqlite"), make("sqlite"), "no database at"),
        (empty, make("sqlite"), "feedback-gateway migrate"),
        (here, here, "the same"),
        ("oracle://x", here, "--from: database URLs look like"),
        (here, "postgresql://u:secret@h/n?nonsense=1", "--to: must look like"),
        (here, "postgresql://u:secret@127.0.0.1:1/x", "nothing copied"),
    ):
        done = copy(source, target)

        assert (done.exit_code, done.stdout) == (1, ""), done.output
        assert said in done.stderr
        assert "secret" not in done.stderr
    assert copy(here, make("sqlite"), "--check").exit_code == 1


def test_a_text_no_server_takes(make: Made) -> None:
    """A NUL that came into a file by other means stops the copy with a line, and nothing is kept."""
    source, target = make("sqlite"), make("postgres")
    fill_all(source)
    with sqlite3.connect(source.removeprefix("sqlite:///")) as file:
        file.execute("UPDATE feedback SET title = 'a' || char(0) || 'b'")
    done = copy(source, target)

    assert (done.exit_code, "nothing copied" in done.stderr) == (1, True), done.output
    assert not any(everything(target).values())


@pytest.mark.long
def test_two_hundred_thousand_records(make: Made, tmp_path: Path) -> None:
    """200,000 records with their events to PostgreSQL and back, with equal digests."""
    source, server, back = filled(tmp_path, 200_000), make("postgres"), make("sqlite")
    there, again = copied(source, server), copied(server, back)

    assert there["equal"] and again["equal"]
    assert there["rows"] > 400_000
    assert there["tables"] == again["tables"]
