"""The list as a file: the same records in the same order, as CSV, Markdown or NDJSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html import unescape

import pytest

from gateway.inbox import feedback_list
from gateway.transfer import file_export
from models import Feedback
from models.database.base import writing
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader, Site, Visit

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"


@pytest.fixture(name="ids")
def _ids(call: Call, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nine records, the oldest first, of different impact, in lists and files of two at a time."""
    monkeypatch.setattr(file_export, "FIRST", 2)
    monkeypatch.setattr(file_export, "PAGE", 2)
    monkeypatch.setattr(feedback_list, "PAGE", 2)
    ids = []
    for number in range(9):
        sent = {"text": f"The export of table {number} is slow", "tags": ["a", "b"] if number % 2 else ["a"]}
        ids.append(call("POST", PATH, json={**sent, "author": {"name": f"=1+{number}"}}).json["id"])
    with writing():
        for number, feedback_id in enumerate(ids):
            given = {"impact": number * 7 % 5, "category_confidence": number * 4 % 9 / 10}
            Feedback.update(given).where(Feedback.id == feedback_id).execute()
    return ids


def listed(reader: Reader, query: str) -> list[str]:
    """The records of all pages of the list."""
    found, path = [], f"/inbox?{query}"
    while path:
        page = reader.get(path).text
        found += re.findall(r'data-id="(fb_\w+)"', page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = unescape(older[1]) if older else ""
    return found


@pytest.mark.both(long=True)
@pytest.mark.parametrize(
    "query",
    [
        "",
        "sort=-impact",
        "sort=received_at",
        "sort=-doubt",
        "tag=a&tag=b&sort=-impact",
        "q=export",
        "q=nothing",
    ],
)
def test_exactly_the_list(reader: Make, ids: list[str], query: str) -> None:
    """Its filters and its order, whichever they are, in each format."""
    ann = reader("viewer")
    shown = listed(ann, query)
    files = {form: ann.get(f"/inbox/export?{query}&format={form}") for form in ("ndjson", "csv", "md")}
    rows = list(csv.DictReader(io.StringIO(files["csv"].data.decode("utf-8-sig"), newline="")))

    assert len(shown) == {"q=nothing": 0, "tag=a&tag=b&sort=-impact": 4}.get(query, len(ids))
    assert [json.loads(line)["id"] for line in files["ndjson"].text.splitlines()] == shown
    assert [row["id"] for row in rows] == shown
    assert re.findall(r"/records/(fb_\w+)$", files["md"].text, re.M) == shown
    assert all(row["author.name"].startswith("'=") for row in rows)


def test_the_page_offers_it(reader: Make, ids: list[str]) -> None:
    """The links have the query of the list, each of it; an empty list offers none."""
    ann = reader("viewer")
    page = ann.get("/inbox?tag=a&tag=b&sort=-impact").text
    paths = [unescape(path) for path in re.findall(r'href="(/inbox/export[^"]+)"', page)]

    assert [path.rpartition("=")[2] for path in paths] == ["csv", "md", "ndjson"]
    assert all("tag=a&tag=b&sort=-impact" in path for path in paths)
    assert len(ann.get(paths[2]).text.splitlines()) == len(ids) // 2
    assert "/inbox/export" not in ann.get("/inbox?q=nothing").text


def test_how_it_is_sent(reader: Make, stranger: Reader, ids: list[str], call: Call, tenant: Tenant) -> None:
    """Piece by piece, to who is signed in, without what a role may not see; what is wrong is named."""
    secret = "hk_" + "a" * 32
    call("POST", PATH, json={"text": f"Sent through {secret}"})
    ann = reader("viewer")
    answer = ann.get("/inbox/export?format=csv", headers={"Accept-Encoding": "br"}, buffered=False)
    bad = ann.get("/inbox/export?format=xml&min_impact=99")

    assert answer.is_streamed and "Content-Length" not in answer.headers
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="feedback-')
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.data.startswith(file_export.BOM) and answer.data.count(file_export.BOM) == 1
    assert secret.encode() not in answer.data and secret.encode() in reader("admin").get("/inbox/export").data
    assert bad.status_code == 400 and "min_impact" in bad.text and "format" in bad.text
    assert stranger.get("/inbox/export").status_code == 303
    assert len(ids) == 9


@pytest.mark.long
def test_taken_along(visit: Callable[..., Visit], site: Site) -> None:
    """Without a script, too: a click on a format brings the file of the list that is looked at."""
    mine = site.send(text="Take this along, please", tags=["along"])["id"]
    site.send(text="Leave this where it is")
    page = visit("viewer", java_script_enabled=False).page
    page.goto(f"{site.url}/inbox?tag=along")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="Markdown").click()
    path = begun.value.path()

    assert begun.value.suggested_filename.endswith(".md")
    assert re.findall(r"/records/(fb_\w+)$", path.read_text(), re.M) == [mine]
