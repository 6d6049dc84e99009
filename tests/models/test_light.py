"""A page has as many rows as fit in memory, and the pages have all there are."""

from __future__ import annotations

from typing import Any

import pytest

from models.queries import bounded_pages
from models.queries.ordering import SORTS
from tests.conftest import Call

pytestmark = pytest.mark.both

PATH = "/gateway/v1/feedback"
LONG = bounded_pages.INLINE + 1


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_pages, "AT_HAND", 3 * LONG)


def walk(call: Call, path: str, size: Any) -> list[dict[str, Any]]:
    """All rows of a list. No page of several may hold more than AT_HAND."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = call(
            "GET", f"{path}{'&' if '?' in path else '?'}limit=200{cursor and f'&cursor={cursor}'}"
        ).json
        assert len(page["data"]) == 1 or sum(map(size, page["data"])) <= bounded_pages.AT_HAND
        found += page["data"]
        cursor = page["next_cursor"]
    return found


@pytest.mark.parametrize("sort", SORTS)
def test_records(call: Call, sort: str) -> None:
    """Whatever a list is limited to: long texts and subjects come whole, in fewer rows a page."""
    texts = [f"long {n}" + "x" * (LONG if n % 3 else 0) for n in range(9)] + ["long " + "y" * 4 * LONG]
    sent = [{"text": text, "author": {"id": "ada"}, "tags": ["beta"]} for text in texts]
    sent += [{"text": "A subject that is long", "author": {"id": "ada"}, "tags": ["beta"]}]
    sent[-1]["subject"] = {"value": "z" * LONG}
    ids = [row["id"] for row in call("POST", f"{PATH}/batch", json=sent).json["data"]]

    for chosen in ("", "&q=long", "&author=ada", "&tag=beta", "&source=native"):
        rows = walk(call, f"{PATH}?sort={sort}{chosen}", lambda row: len(row["text"]))
        assert sorted(row["id"] for row in rows) == sorted(ids)
        told = {row["id"]: (row["text"], row["subject"].get("value")) for row in rows}
        assert [told[name] for name in ids] == [
            (one["text"], one.get("subject", {}).get("value")) for one in sent
        ]
    assert len(call("GET", "/gateway/v1/export").data.splitlines()) == len(ids)


def test_raw_payloads(call: Call) -> None:
    """Deliveries in quarantine, and the history of a record, come in pages that fit, too."""
    hook = call("POST", "/gateway/v1/hooks", json={"source": "alertmanager"}).json
    bearer = {"Authorization": f"Bearer {hook['secret']}", "Content-Type": "application/json"}
    for number in range(7):
        call("POST", hook["path"], data=b"no JSON %d " % number + b"x" * LONG * (number % 3), headers=bearer)
    for number in range(7):
        alert = {"labels": {"alertname": "Disk"}, "startsAt": f"2026-01-0{number + 1}T00:00:00Z"}
        alerts = [{**alert, "status": "firing", "annotations": {"description": "x" * LONG * (number % 3)}}]
        call("POST", hook["path"], json={"alerts": alerts}, headers=bearer)
    story = call("GET", f"{PATH}?source=alertmanager").json["data"][0]["id"]

    held = walk(call, "/gateway/v1/quarantine", lambda row: len(row["payload"]))
    assert [row["payload"][8] for row in held] == [str(number) for number in reversed(range(7))]
    told = walk(call, f"{PATH}/{story}/events", lambda row: len(row["payload"] or ""))
    assert [row["id"] for row in told] == sorted({row["id"] for row in told})
    assert call("GET", "/gateway/v1/quarantine?source=slack").json == {"data": [], "next_cursor": None}
