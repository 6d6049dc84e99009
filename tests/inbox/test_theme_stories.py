"""Stories of themes and charts in a real browser: from a bar to records, a quote into the clipboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from models import Theme, ThemeRun
from models.database.base import close, connect, writing
from tests.inbox.conftest import Site, Visit
from tests.inbox.test_theme_pages import SAID, ended, themed

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
SCRIPTS = pytest.mark.parametrize("scripts", [True, False])


@pytest.fixture(name="ids")
def _ids(site: Site) -> Iterator[list[str]]:
    """The records of a theme of the site, and one that ended."""
    ids = []
    for who, page, language, text in SAID:
        sent = {"text": text, "author": {"id": who}, "language": language}
        ids.append(site.send(**sent, subject={"page": page} if page else {})["id"])
    connect(site.server.environ["GATEWAY_DATABASE_URL"])
    themed(site.server.tenant, ids)
    ended(site.server.tenant, "th_0", ["th_1"])
    yield ids
    with writing():
        Theme.delete().execute()
        ThemeRun.delete().execute()
    close()


def test_a_quote_is_copied_with_its_link(visit: Open, site: Site, ids: list[str]) -> None:
    """From the overview to a theme, and its words with the address of their record into the clipboard."""
    who = visit("viewer", permissions=["clipboard-read", "clipboard-write"])
    page = who.page
    who.go("/overview?period=30d")
    page.get_by_role("link", name="export, slow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("export, slow")
    quote = page.locator(".quotes li").nth(1)
    words = quote.locator("blockquote").inner_text()
    quote.get_by_role("button", name="Copy").click()
    expect(quote.get_by_role("button")).to_have_text("✓")
    copied = page.evaluate("navigator.clipboard.readText()")
    link = quote.get_by_role("link")
    record = link.get_attribute("href")

    assert words in copied and copied.endswith(f"{site.url}{record}")
    link.click()
    expect(page.locator("body")).to_contain_text(words[:20])
    assert str(record).removeprefix("/records/") in ids


@SCRIPTS
def test_from_an_old_address_to_the_records(visit: Open, site: Site, ids: list[str], scripts: bool) -> None:
    """The address of a theme that ended leads to what it became, that to its records, and these to a file."""
    who = visit("viewer", java_script_enabled=scripts)
    page = who.page
    who.go("/themes/th_0?period=30d")
    expect(page.get_by_role("alert")).to_contain_text("This theme ended")
    page.get_by_role("link", name="export, slow").click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="Quotes as Markdown").click()
    assert begun.value.path().read_text().startswith("# export, slow")
    page.get_by_role("link", name="/reports").click()
    expect(page.locator(".row")).to_have_count(2)
    page.go_back()
    page.get_by_role("link", name="All its records").click()
    expect(page.locator(".row")).to_have_count(len(ids))


def test_a_chart_is_one_stop(visit: Open, site: Site, ids: list[str]) -> None:
    """Tab stops at a chart once, the arrows go from bar to bar, and Enter leads to that bar's records."""
    page = visit("viewer").page
    page.goto(f"{site.url}/overview?period=7d")
    page.locator(".scroll").focus()
    page.keyboard.press("Tab")
    at = "document.activeElement.closest('svg') && document.activeElement.getAttribute('aria-label')"
    assert re.search(r": \d+$", page.evaluate(at))
    page.keyboard.press("Tab")
    assert page.evaluate(at) is None  # not another bar of it
    bars = page.locator('[aria-labelledby="impact"] svg a')
    bars.last.focus()
    assert bars.count() > 1
    page.keyboard.press("Home")
    expect(bars.first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(bars.first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(bars.nth(1)).to_be_focused()
    assert page.locator('svg.chart a[tabindex="0"]').count() == page.locator("svg.chart").count()
    told = str(bars.nth(1).get_attribute("aria-label"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox?*")
    expect(page.locator(".row")).to_have_count(int(told.rpartition(" ")[2]))
    assert f"min_impact={told.partition(':')[0]}" in page.url and len(ids) == 4


@SCRIPTS
def test_a_bar_is_clicked(visit: Open, site: Site, scripts: bool) -> None:
    """Anywhere above a day, also where its bar is small; the list keeps the filter."""
    tag = f"scripts-{scripts}"
    for number in range(3):
        site.send(text=f"Number {number}", tags=[tag])
    who = visit("viewer", java_script_enabled=scripts)
    page = who.page
    who.go(f"/overview?period=7d&tag={tag}")
    page.locator('[aria-labelledby="volume"] svg a').last.click(position={"x": 5, "y": 5})
    page.wait_for_url("**/inbox?*")

    expect(page.locator(".row")).to_have_count(3)
    assert f"tag={tag}" in page.url and "since=" in page.url and "until=" in page.url
