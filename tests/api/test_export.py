"""GET /gateway/v1/export: files of any size, harmless to spreadsheets; a broken download goes on."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from gateway.api import export
from gateway.transfer import file_export
from models.database.base import database
from models.database.sqlite import Sqlite
from models.queries.ordering import SORTS
from tests.conftest import Call, Server, Tenant

pytestmark = pytest.mark.both

PATH, FEEDBACK = "/gateway/v1/export", "/gateway/v1/feedback"
FORMULA = "=HYPERLINK(1)"


@pytest.fixture(name="ids")
def _ids(call: Call, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Seven records, oldest first, exported two at a time."""
    monkeypatch.setattr(file_export, "FIRST", 2)
    monkeypatch.setattr(file_export, "PAGE", 2)
    items = [{"text": f"Number {n}", "category": "bug" if n % 2 else "praise"} for n in range(6)]
    ids = [row["id"] for row in call("POST", f"{FEEDBACK}/batch", json=items).json["data"]]
    odd = {"text": f'{FORMULA}, Ünï\n"code"', "author": {"name": "@Ada"}, "tags": ["-1"]}
    return [*ids, call("POST", FEEDBACK, json=odd).json["id"]]


def ndjson(response: Any) -> list[Any]:
    return [json.loads(line) for line in response.text.splitlines()]


def sheet(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


def test_ndjson(call: Call, ids: list[str]) -> None:
    """Every record as the list shows it, oldest first, a line each."""
    response = call("GET", PATH)
    listed = call("GET", f"{FEEDBACK}?sort=received_at").json["data"]

    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.headers["Content-Disposition"].endswith('.ndjson"')
    assert "Content-Length" not in response.headers
    assert ndjson(response) == [{**row, "attachments": []} for row in listed]
    assert [row["id"] for row in listed] == ids


def test_csv(call: Call, ids: list[str]) -> None:
    """The same as a table in which nothing is a formula; with a byte order mark when it is asked for."""
    plain, marked = call("GET", f"{PATH}?format=csv"), call("GET", f"{PATH}?format=csv&bom=1")
    found = sheet(plain)

    assert plain.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert marked.data == file_export.BOM + plain.data
    assert [row["id"] for row in found] == ids
    assert found[-1]["text"] == f'\'{FORMULA}, Ünï\n"code"'
    assert found[-1]["author.name"] == "'@Ada"
    cells = [cell for row in csv.reader(io.StringIO(plain.text, newline="")) for cell in row]
    numbers = [cell for cell in cells if cell.startswith("-")]
    assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in cells)
    assert all(float(cell) for cell in numbers)


def test_filters_and_fields(call: Call, ids: list[str]) -> None:
    """What the list takes as a filter and as fields is taken here, too."""
    found = ndjson(call("GET", f"{PATH}?category=bug&fields=id,category"))
    table = sheet(call("GET", f"{PATH}?category=bug&fields=author,id&format=csv"))

    assert found == [{"id": each, "category": "bug"} for each in ids[1:6:2]]
    assert list(table[0]) == ["id", *file_export.AUTHOR]
    assert call("GET", f"{PATH}?tag=none").data == b""
    assert len(call("GET", f"{PATH}?tag=none&format=csv").text.splitlines()) == 1


def test_it_goes_on_after_a_record(call: Call, ids: list[str]) -> None:
    """In parts of three, each after the last id of the one before, it is the whole."""
    whole, parts, cursor = call("GET", f"{PATH}?format=csv").text, "", ""
    for begun in range(3):
        more = f"&header=0&cursor={cursor}" if begun else ""
        part = call("GET", f"{PATH}?format=csv&limit=3{more}").text
        parts += part
        cursor = sheet_ids(parts)[-1]

    assert parts == whole
    assert call("GET", f"{PATH}?cursor={cursor}").data == b""


def sheet_ids(text: str) -> list[str]:
    return [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", ["", "q=number"])
def test_each_order(call: Call, ids: list[str], sort: str, query: str) -> None:
    """In any order of the list it is the whole list, and goes on after any of its records."""
    whole = [row["id"] for row in ndjson(call("GET", f"{PATH}?{query}&sort={sort}"))]
    listed = [row["id"] for row in call("GET", f"{FEEDBACK}?{query}&sort={sort}").json["data"]]

    assert whole == listed and len(whole) == (6 if query else len(ids))
    for place, cursor in enumerate(whole):
        rest = ndjson(call("GET", f"{PATH}?{query}&sort={sort}&cursor={cursor}"))
        assert [row["id"] for row in rest] == whole[place + 1 :]


def test_markdown(call: Call, ids: list[str]) -> None:
    """Each record with the address of its page, its words as they are and never as markup."""
    response = call("GET", f"{PATH}?format=md")

    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert re.findall(r"/records/(fb_\w+)$", response.text, re.M) == ids
    assert f"    {FORMULA}" in response.text
    assert response.text.count("\n---\n") == len(ids) - 1
    assert call("GET", f"{PATH}?format=md&tag=none").data == b""


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("format=xml", {"format"}),
        ("format=md&fields=id&bom=1", {"fields", "bom"}),
        ("bom=1", {"bom"}),
        ("format=csv&bom=yes&header=2", {"bom", "header"}),
        ("fields=id,fingerprint", {"fields"}),
        ("limit=0", {"limit"}),
        ("limit=x&status=done&color=red", {"limit", "status", "color"}),
        ("cursor=fb_00000000000000000000000000", {"cursor"}),
        ("cursor=%00", {"cursor"}),
        ("sort=colour", {"sort"}),
    ],
)
@pytest.mark.both(long=True)
def test_bad_parameters(call: Call, query: str, names: set[str]) -> None:
    """Every bad parameter is named."""
    response = call("GET", f"{PATH}?{query}")

    assert response.status_code == 400
    assert {error["field"] for error in response.json["errors"]} == names


def test_anothers_record_is_no_cursor(call: Call, ids: list[str], other: Tenant) -> None:
    """A cursor of another workspace is one that does not exist."""
    assert call("GET", f"{PATH}?cursor={ids[0]}", headers=other.headers).status_code == 400
    assert call("GET", PATH, headers=other.headers).data == b""


def begun(app: Flask, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """An export of which the first line has been read, and the others not yet."""
    monkeypatch.setattr(export, "TOGETHER", 1)
    response = app.test_client().get(PATH, headers=tenant.headers, buffered=False)
    found = response.iter_encoded()
    next(found)
    return iter(found)


def test_it_holds_nothing(
    app: Flask, call: Call, tenant: Tenant, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an export waits for its reader others write, and the log of the database can be emptied."""
    rest = begun(app, tenant, monkeypatch)
    late = call("POST", FEEDBACK, json={"text": "Late"}).json["id"]
    call("PATCH", f"{FEEDBACK}/{ids[-1]}", json={"status": "resolved"})
    if isinstance(database.obj, Sqlite):
        busy, *_ = database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
    lines = [json.loads(line) for line in b"".join(rest).splitlines()]

    assert [row["id"] for row in lines] == ids[1:]
    assert late not in [row["id"] for row in lines]
    assert lines[-1]["status"] == "resolved"


def test_a_failure_is_no_end(
    app: Flask, tenant: Tenant, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the database fails half way the answer breaks off, so that nobody takes it for the whole."""
    rest = begun(app, tenant, monkeypatch)

    def fail(*args: Any, **options: Any) -> Any:
        raise OSError("gone")

    monkeypatch.setattr(file_export.feedback_query, "page", fail)
    with pytest.raises(OSError, match="gone"):
        list(rest)


@pytest.mark.long
def test_over_http(each_server: Server) -> None:
    """A running gateway sends it in chunks, takes feedback meanwhile, and lives on when a reader leaves."""
    with each_server.client() as client:
        items = [
            {"text": f"{n}", "subject": {"pad": "x" * 8000}, "external_id": "exported"} for n in range(600)
        ]
        assert client.post(f"{FEEDBACK}/batch", json=items).json()["accepted"] == 600
        with client.stream("GET", f"{PATH}?external_id=exported") as response:
            assert response.headers["transfer-encoding"] == "chunked"
            lines = response.iter_lines()
            first = json.loads(next(lines))
            with each_server.client() as second:
                assert second.post(FEEDBACK, json={"text": "Meanwhile"}).status_code == 201
        rest = client.get(f"{PATH}?external_id=exported&cursor={first['id']}").text.splitlines()
        whole = client.get(f"{PATH}?external_id=exported").text.splitlines()
        head = client.head(PATH)

    assert len(whole) == 600
    assert whole[1:] == rest
    assert json.loads(whole[0]) == first
    assert (head.status_code, head.content) == (200, b"")
