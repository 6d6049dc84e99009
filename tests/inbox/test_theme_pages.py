"""Themes as pages: who talks about what, where, in whose words; and where a theme that ended went."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from gateway.core.ids import now_ms
from models import Feedback, Theme, ThemeMember, ThemeRun
from models.database.base import writing
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"
DAY = 86_400_000
SAID = (
    ("ann", "/reports", "en", "The export of invoices is slow since Monday"),
    ("ben", "/reports", "en", "Export takes ten minutes for a hundred rows. It was quick before."),
    ("cas", "/help", "nl", "Het exporteren van facturen duurt te lang"),
    ("ann", None, "en", "Again: the export is slow"),
)


def themed(tenant: Tenant, ids: list[str], name: str = "th_1", label: str = "export, slow") -> None:
    """A theme of these records."""
    now = now_ms()
    with writing():
        run = f"tr_{name}"
        of = {"workspace_id": tenant.workspace_id, "since": now - 60 * DAY, "newest": max(ids), "took": 1}
        ThemeRun.create(id=run, computed_at=now, **of)
        Theme.create(id=name, lasting_id=name, run=run, label=label, terms=["export", "slow"])
        for number, feedback_id in enumerate(ids):
            at = Feedback.get_by_id(feedback_id).received_at
            ThemeMember.create(theme=name, feedback=feedback_id, at=at, closeness=1 - number / 10)


def ended(tenant: Tenant, name: str, became: list[str]) -> None:
    """A theme that ended, as a computation of today tells of it."""
    run = ThemeRun.get_or_none(ThemeRun.workspace_id == tenant.workspace_id)
    with writing():
        if run is None:
            of = {"workspace_id": tenant.workspace_id, "since": 0, "newest": "", "took": 1}
            run = ThemeRun.create(id=f"tr_{name}", computed_at=now_ms(), **of)
        told = {"ended_at": now_ms() - DAY, "became": became}
        Theme.create(id=f"te_{name}", lasting_id=name, run=run, label="old <name>", terms=told)


@pytest.fixture(name="ids")
def _ids(call: Call, tenant: Tenant) -> list[str]:
    """Records of a theme, sent the last first, so that the first is the newest."""
    ids = []
    for who, page, language, text in reversed(SAID):
        sent = {"text": text, "author": {"id": who}, "language": language}
        answer = call("POST", PATH, json={**sent, "subject": {"page": page} if page else {}})
        assert answer.status_code == 201, answer.text
        ids.insert(0, answer.json["id"])
    themed(tenant, ids)
    return ids


def links(page: str, section: str = "") -> list[str]:
    """Where a page, or a section of it, leads."""
    part = page.partition(f'aria-labelledby="{section}"')[2].partition("</section>")[0] if section else page
    return [unescape(link) for link in re.findall(r'href="([^"]+)"', part)]


@pytest.mark.both(long=True)
def test_one_theme(reader: Make, ids: list[str], call: Call) -> None:
    """People, pages, languages and quotes are told, and each number leads to just its records."""
    ann = reader("viewer")
    page = ann.get("/themes/th_1?period=30d")
    shown = call("GET", "/gateway/v1/themes/th_1").json

    assert page.status_code == 200
    assert (shown["count"], shown["people"], shown["previous"]) == (4, 3, 0)
    assert shown["pages"] == [{"page": "/reports", "count": 2}, {"page": "/help", "count": 1}]
    assert shown["languages"] == [{"language": "en", "count": 3}, {"language": "nl", "count": 1}]
    assert shown["sources"] == [{"source": "native", "count": 4}]
    assert sum(day["count"] for day in shown["trend"]) == 4
    for section, number in (("page", 2), ("source", 4), ("language", 3), ("categories", None)):
        first = links(page.text, section)[0]
        listed = re.findall(r'data-id="(fb_\w+)"', ann.get(first).text)
        assert len(listed) == number or number is None, section
        assert set(listed) <= set(ids)
    assert "theme=th_1" in links(page.text, "trend")[0]
    for quote in shown["quotes"]:
        assert f"/records/{quote['id']}" in links(page.text, "quotes")


def test_all_themes(reader: Make, ids: list[str]) -> None:
    """The list leads to each theme, for the period that is looked at, and says how many people."""
    ann = reader("viewer")
    page = ann.get("/themes?period=30d").text
    (row,) = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page, re.S)

    assert links(row)[0] == "/themes/th_1?period=30d"
    assert re.findall(r'<td class="n">(\d+)', row)[:2] == ["4", "3"]
    assert 'class="spark"' in row
    assert "/themes?period=60d" in links(page)
    assert ann.get("/themes?period=nonsense").status_code == 200
    assert ann.get("/themes?project=nowhere").status_code == 200
    assert len(ids) == 4


def test_the_period_decides(reader: Make, ids: list[str], call: Call) -> None:
    """Records before the period are none of it, also when there is no other; growth is told where known."""
    at = now_ms() - 9 * DAY
    with writing():
        Feedback.update(received_at=at).where(Feedback.id.in_(ids)).execute()
        ThemeMember.update(at=at).execute()
    ann = reader("viewer")
    shown = call("GET", "/gateway/v1/themes/th_1").json

    assert (shown["count"], shown["previous"], shown["change"]) == (0, 4, -1.0)
    assert (shown["people"], shown["quotes"], shown["impact"], shown["ended_at"]) == (0, [], None, None)
    assert "No records in this time." in ann.get("/themes/th_1?period=7d").text
    assert '<ol class="quotes">' in ann.get("/themes/th_1?period=30d").text
    assert call("GET", "/gateway/v1/themes/th_1?quotes=21&since=x&what=1").status_code == 400


@pytest.mark.both(long=True)
def test_one_that_ended(reader: Make, ids: list[str], tenant: Tenant, call: Call) -> None:
    """Its address says so, as a page that is gone, and leads to what it became; it has no records."""
    ended(tenant, "th_0", ["th_1", "th_gone"])
    ended(tenant, "th_00", [])
    ann = reader("triager")
    page, alone = ann.get("/themes/th_0?period=30d"), ann.get("/themes/th_00")
    shown = call("GET", "/gateway/v1/themes/th_0").json

    assert page.status_code == alone.status_code == 410
    assert "old &lt;name&gt;" in page.text
    assert "/themes/th_1?period=30d" in links(page.text)
    assert "in no theme any more" in alone.text
    assert shown["became"] == [{"id": "th_1", "label": "export, slow"}]
    assert shown["ended_at"] and shown["count"] == 0 and shown["terms"] == []
    assert [row["id"] for row in call("GET", "/gateway/v1/themes").json["data"]] == ["th_1"]
    assert call("GET", f"{PATH}?theme=th_0").json["data"] == []
    assert ann.get("/overview/themes/th_0").status_code == 404
    assert ann.get("/themes/th_none").status_code == 404


def test_another_workspace_has_none_of_it(
    reader: Make, ids: list[str], tenant: Tenant, other: Tenant, call: Call
) -> None:
    """Neither a theme nor one that ended is told elsewhere, nor what an own one became there."""
    ended(tenant, "th_0", ["th_1"])
    ended(other, "th_9", ["th_1"])
    theirs = reader("admin", other)
    for path in ("/themes/th_1", "/themes/th_0", "/themes/th_1/quotes.md"):
        assert theirs.get(path).status_code == 404, path
    assert theirs.get("/themes").text.count("<tr>") == 0
    assert call("GET", "/gateway/v1/themes/th_9", headers=other.headers).json["became"] == []
    assert theirs.get("/inbox/export?theme=th_1&format=ndjson").data == b""


def test_a_key_of_a_project(ids: list[str], tenant: Tenant, call: Call, new_key: Callable[..., str]) -> None:
    """It sees the themes of its project alone: those of the workspace are made of others' words, too."""
    key = {"Authorization": f"Bearer {new_key(tenant.project_id)}"}
    assert call("GET", "/gateway/v1/themes/th_1", headers=key).status_code == 404
    with writing():
        ThemeRun.update(project_id=tenant.project_id).execute()

    assert call("GET", "/gateway/v1/themes/th_1", headers=key).json["count"] == len(ids)
    assert call("GET", "/gateway/v1/themes/th_1/quotes", headers=key).status_code == 200


def test_quotes_as_markdown(reader: Make, ids: list[str], call: Call) -> None:
    """The file has the quotes that the page shows, each with a link to its record."""
    ann = reader("viewer")
    file = ann.get("/themes/th_1/quotes.md?period=30d")
    asked = call("GET", "/gateway/v1/themes/th_1/quotes?limit=2")

    assert file.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert file.headers["Content-Disposition"].endswith('.md"')
    assert file.text.startswith("# export, slow\n")
    assert set(re.findall(r"/records/(fb_\w+)>", file.text)) <= set(ids)
    assert file.text.count("\n> ") == len(call("GET", "/gateway/v1/themes/th_1").json["quotes"]) >= 3
    assert asked.text.count("\n> ") == 2
    assert "Cache-Control" in file.headers and file.headers["X-Content-Type-Options"] == "nosniff"
