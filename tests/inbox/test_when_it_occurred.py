"""In a real browser: imported history lies where it happened, and the inbox begins with what is open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateway.core.ids import now_ms
from models.tables.feedback import iso
from tests.inbox.conftest import Site, Visit

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
DAY = 86_400_000
DAYS = 25  # of history, one record on each


def view(page: Page, name: str) -> str:
    """The count beside a view."""
    return page.locator(f".views a:has-text('{name}') .count").first.inner_text()


@pytest.fixture(name="history", scope="module")
def _history(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A year's export of another tool, imported today by the command."""
    now, path = now_ms(), tmp_path_factory.mktemp("history") / "export.ndjson"
    path.write_text(
        "".join(
            json.dumps({"text": f"Story {day}: the export is empty", "occurred_at": iso(now - day * DAY)})
            + "\n"
            for day in range(1, DAYS + 1)
        )
    )
    command = [str(Path(sys.executable).parent / "feedback-gateway"), "import", str(path)]
    subprocess.run(command, env=site.server.environ, check=True, capture_output=True)
    return site


def bars(page: Page) -> int:
    """On how many days the chart of the volume has something."""
    places = page.locator("section[aria-labelledby=volume] rect[class]:not(.key rect, .room)")
    return len({places.nth(n).get_attribute("x") for n in range(places.count())} - {None})


def test_imported_history_is_spread_over_its_days(visit: Open, history: Site) -> None:
    """One bar for each day; by when it was received it is one bar on today, for who wants to know that."""
    who = visit("viewer")
    who.go("/overview?period=30d")
    assert bars(who.page) >= DAYS
    with who.page.expect_navigation():
        who.page.select_option("select[name=time]", "received")

    assert bars(who.page) == 1
    assert "time=received" in who.page.url


@pytest.mark.parametrize("script", [True, False])
def test_the_list_has_it_where_it_happened(visit: Open, history: Site, script: bool) -> None:
    """What is newer stands before history that came after it; the time beside a row is the order's."""
    history.send(text="Yesterday's news", occurred_at=iso(now_ms() - DAY // 2), tags=["news"])
    who = visit("viewer", java_script_enabled=script)
    who.go("/inbox?q=story")
    times = [who.page.locator(".when time").nth(n).get_attribute("datetime") or "" for n in range(DAYS)]
    assert times == sorted(times, reverse=True)
    assert len({at[:10] for at in times}) == DAYS
    who.go("/inbox?since=10d&until=5d&q=story")
    assert who.page.locator(".row").count() == 5
    who.page.select_option("select[name=time]", "received")
    if not script:
        who.page.click(".filters button:has-text('Filter')")
    expect(who.page.locator(".row")).to_have_count(0)


def test_the_inbox_begins_with_what_is_open(visit: Open, site: Site) -> None:
    """What is resolved is behind its view; counts say how many there are, and go down as work is done."""
    for number in range(4):
        site.send(text=f"Begin {number}: nothing happens on save", tags=["begin"])
    who = visit("triager")
    page = who.page
    assert page.url.endswith("/inbox?status=open&snoozed=without")
    assert page.locator(".views [aria-current]").inner_text().startswith("Open")
    opened, resolved = int(view(page, "Open")), int(view(page, "Resolved"))
    page.locator(".row .title").first.focus()
    page.keyboard.press("e")
    expect(page.locator(".views a:has-text('Resolved') .count")).to_have_text(str(resolved + 1))
    expect(page.locator(".views a:has-text('Open') .count").first).to_have_text(str(opened - 1))
    page.click(".views a:has-text('Resolved')")

    assert page.locator(".row").count() == resolved + 1


def test_two_people_see_each_others_work_in_the_counts(visit: Open, site: Site) -> None:
    """What a colleague resolved is gone from the number on the next page that is loaded."""
    for number in range(3):
        site.send(text=f"Both {number}: the page stays white", tags=["both"])
    ann, ben = visit("admin"), visit("triager")
    before = int(view(ben.page, "Open"))
    ann.go("/inbox?tag=both&status=open")
    ann.page.check("#all")
    ann.page.click("#bulk button[data-key=e]")
    expect(ann.page.locator(".views a:has-text('Open') .count").first).to_have_text(str(before - 3))
    ben.page.reload()

    assert int(view(ben.page, "Open")) == before - 3


def test_a_critical_alert_is_where_one_looks_for_it(visit: Open, site: Site) -> None:
    """The view of high impact has it, though its impact is 8, until somebody says that it matters less."""
    alert = {"type": "alert", "severity": 5, "subject": {"page": "/checkout"}}
    site.send(text="CheckoutDown: no payment for 5 minutes", **alert)
    who = visit("triager")
    who.page.click(".views a:has-text('High impact')")
    row = who.page.locator(".row", has_text="CheckoutDown")
    expect(row.locator(".impact")).to_contain_text("8")
    row.locator(".title").click()
    who.page.select_option("select[name=impact]", "3")
    who.page.locator("form:has(select[name=impact]) button").click()
    who.go("/inbox?priority=high&status=open")

    expect(who.page.locator(".row", has_text="CheckoutDown")).to_have_count(0)
