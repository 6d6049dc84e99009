"""The overview shows the API's numbers, drawn and as tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.inbox import charts
from models import Feedback, Theme, ThemeMember, ThemeRun
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"


@pytest.fixture(name="sent")
def _sent(call: Call) -> None:
    for text, page in (
        ("The export is broken", "/reports"),
        ("The export crashes for all our customers!!", "/reports"),
        ("How do I export?", "/help <b>"),
        ("Lovely work, thank you", None),
    ):
        subject = {"page": page} if page else {}
        assert call("POST", PATH, json={"text": text, "subject": subject}).status_code == 201


def table(page: str, section: str) -> dict[str, list[str]]:
    """The rows of the first table of a section."""
    part = page.partition(f'id="{section}"')[2].partition("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.S)[1:]
    cells = [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        for row in rows
    ]
    return {unescape(row[0]): row[1:] for row in cells}


@pytest.mark.both(long=True)
@pytest.mark.parametrize("period", ["24h", "7d", "30d", "90d"])
@pytest.mark.usefixtures("sent")
def test_numbers(reader: Make, call: Call, period: str) -> None:
    """Every number is the API's: by time and category, impact, page, source and outcome."""
    page = reader("viewer").get(f"/overview?period={period}").text
    stats = call("GET", "/gateway/v1/stats?by=category").json["data"]
    volume = table(page, "volume")
    names = ("bug", "feature", "question", "praise", "other")
    sums = {name: sum(int(row[n]) for row in volume.values()) for n, name in enumerate(names)}

    assert len(volume) == {"24h": 24, "7d": 7, "30d": 30, "90d": 90}[period]
    assert {name: n for name, n in sums.items() if n} == {row["category"]: row["count"] for row in stats}
    assert sum(int(row[0]) for row in table(page, "impact").values()) == 4
    assert table(page, "pages") == {"/reports": ["2"], "/help <b>": ["1"]}
    assert table(page, "sources") == {"native": ["4"]}
    assert '<option value="native">native</option>' in page
    assert table(page, "outcomes")["native"] == ["4", "accepted 4"]


@pytest.mark.both(long=True)
@pytest.mark.usefixtures("sent")
def test_themes(reader: Make, call: Call, tenant: Tenant) -> None:
    """Each theme tells its growth and highest impact, and leads to a list of just its records."""
    records = list(Feedback.select().order_by(Feedback.id))
    now = records[0].received_at
    run = ThemeRun.create(
        id="tr_1", workspace_id=tenant.workspace_id, since=0, newest=records[-1].id, took=1, computed_at=now
    )
    theme = Theme.create(
        id="th_1", lasting_id="th_1", run=run, label="<export>, crash", terms=["export", "crash"]
    )
    earlier = now - 9 * 86_400_000  # in the seven days before those that are shown
    Feedback.update(received_at=earlier).where(Feedback.id == records[2].id).execute()
    for record, at in ((records[0], now), (records[1], now), (records[2], earlier)):
        ThemeMember.insert(theme=theme, feedback=record.id, at=at, closeness=1.0).execute()
    ann = reader("viewer")
    page = ann.get("/overview?period=7d").text
    cells = table(page, "themes")["<export>, crash"]
    (link,) = re.findall(r'href="(/inbox\?theme=[^"]+)"', page)
    assert 'href="/themes/th_1?period=7d"' in page
    listed = re.findall(r'data-id="(fb_\w+)"', ann.get(unescape(link)).text)

    assert cells[:2] == ["2 +100%", str(max(record.impact for record in records[:2]))]
    assert listed == [records[1].id, records[0].id]
    every = call("GET", f"{PATH}?theme=th_1").json["data"]
    assert {row["id"] for row in every} == {record.id for record in records[:3]}
    assert call("GET", f"{PATH}?theme=th_2").json["data"] == []
    assert call("GET", "/gateway/v1/stats?theme=th_1&since=3d").json["total"]["count"] == 2
    assert call("GET", f"{PATH}?theme=").status_code == 400


@pytest.mark.parametrize("period", ["24h", "7d", "90d"])
@pytest.mark.usefixtures("sent")
def test_bars_lead_to_what_they_count(reader: Make, period: str) -> None:
    """Each bar, row behind a chart, category, page and source leads to the list of just what it counts.

    The list has the period and the filters of the overview.
    """
    ann = reader("viewer")
    page = ann.get(f"/overview?period={period}&category=bug,question").text

    def count(path: str) -> int:
        return len(re.findall(r'data-id="fb_', ann.get(path).text))

    for section in ("volume", "mood", "impact"):
        part = page.partition(f'aria-labelledby="{section}"')[2].partition("</section>")[0]
        bars = re.findall(r'<a href="([^"]+)"[^>]* aria-label="[^"]*: ([^"]+)"', part)
        behind = re.findall(r'<th scope="row"><a href="([^"]+)"', part)
        counts = [count(unescape(path)) for path, _ in bars]
        queries = [dict(parse_qsl(urlsplit(unescape(path)).query)) for path in behind]
        assert behind == [path for path, _ in bars]
        assert sum(counts) == 3 and all(counts)
        assert section == "mood" or counts == [int(told) for _, told in bars]
        assert all(query["category"] == "bug,question" and "since" in query for query in queries)
    (reports,) = re.findall(r'href="([^"]+page=%2Freports[^"]*)"', page)
    assert count(unescape(reports)) == 2
    assert "since=" in reports and "category=bug%2Cquestion" in reports


@pytest.mark.usefixtures("sent")
def test_no_themes_yet(reader: Make) -> None:
    """Before the worker has found any, the page says so."""
    assert "computed in the background" in reader("viewer").get("/overview").text


@pytest.mark.usefixtures("sent")
def test_filters(reader: Make) -> None:
    """The filters of the list are those of the overview; a bad one is named."""
    ann = reader("viewer")
    page = ann.get("/overview?period=7d&category=question").text
    assert table(page, "pages") == {"/help <b>": ["1"]}
    assert "category=question" in page.partition('class="line periods"')[2].partition("</nav>")[0]
    assert ann.get("/overview?period=nonsense").status_code == 200
    bad = ann.get("/overview?min_impact=99&x=<b>")

    assert bad.status_code == 400
    assert "<b>min_impact</b>" in bad.text


def test_nothing_yet(reader: Make) -> None:
    """An overview of nothing says what it will show and how to begin; with a filter, that there are none."""
    ann, ben = reader("viewer"), reader("admin")
    page = ann.get("/overview?period=24h").text

    assert "When feedback comes in, this page answers:" in page
    assert '<svg class="chart' not in page
    assert "/overview?period=90d" in page
    assert "/settings/hooks" not in page and "/settings/hooks" in ben.get("/overview").text
    assert "No records." in ann.get("/overview?category=bug").text


def test_charts_say_what_they_show() -> None:
    """A chart has a title and a description, its words are text, and it has no inline style."""
    drawn = charts.stacked("A <b>", "of & all", ["<x>", "y"], {"bug": [1, 0], "praise": [3, 2]})
    line = charts.line("Mood", "up", ["a", "b", "c"], [-1.0, None, 1.0])

    assert '<title id="c' in drawn
    assert "A &lt;b&gt;" in drawn
    assert "of &amp; all" in drawn
    assert "&lt;x&gt;: bug 1" in drawn
    assert drawn.count("<rect") == 3
    assert line.count("<circle") == 2
    assert "style=" not in drawn + line


def test_what_is_drawn_may_lead_somewhere() -> None:
    """With links a chart is no picture but a group; what is empty leads nowhere, and Tab stops at no bar."""
    bars = charts.stacked("T", "d", ["x", "<y>"], {"bug": [0, 2]}, links=["/a", "/b?c=1&d=2"])
    line = charts.line("T", "d", ["a", "b"], [None, 0.5], ["/a", "/b"])

    assert 'role="group"' in bars and 'role="img"' in charts.stacked("T", "d", ["x"], {"bug": [1]})
    assert re.findall(r'<a href="([^"]+)" tabindex="-1" aria-label="([^"]+)"', bars + line) == [
        ("/b?c=1&amp;d=2", "&lt;y&gt;: 2"),
        ("/b", "b: +0.50"),
    ]


@pytest.mark.parametrize("value", [0, 1, 4, 5, 9, 10, 11, 99, 100, 101, 2001, 999_999])
def test_axes_end_at_round_numbers(value: int) -> None:
    """The highest line is not below the highest bar, and not far above it."""
    top = charts._ceiling(value)

    assert value <= top <= max(4, 2.1 * value)
    assert top % 4 == 0 or top < 100
