"""Keys and clicks in a real browser, faster than a page can be loaded: none is lost and none counts twice."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.inbox.conftest import PASSWORD, Site, Visit

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
PACE = 80  # milliseconds between two keys


def statuses(site: Site, source: str) -> list[str]:
    """The status of each record of a source, the newest first."""
    asked = httpx.get(f"{site.url}/gateway/v1/feedback?tag={source}&limit=50", headers=site.server.headers)
    return [row["status"] for row in asked.json()["data"]]


def listed(visit: Open, site: Site, tag: str, count: int) -> Page:
    """The list of so many new records that have a tag."""
    for number in range(count):
        site.send(text=f"{tag} {number}: the export is broken", tags=[tag])
    who = visit("triager")
    who.go(f"/inbox?tag={tag}&status=open")
    expect(who.page.locator(".row")).to_have_count(count)
    return who.page


def keys(page: Page, text: str) -> None:
    page.keyboard.type(text, delay=PACE)


def test_six_at_once(visit: Open, site: Site) -> None:
    """Six records are resolved with six keys, told in one line, and undone with one key."""
    page = listed(visit, site, "six", 8)
    keys(page, "jeeeeee")
    expect(page.locator(".said")).to_contain_text("6 changed to resolved")
    expect(page.locator(".row.done")).to_have_count(6)
    assert statuses(site, "six") == ["resolved"] * 6 + ["open"] * 2
    page.keyboard.press("z")
    expect(page.locator(".said")).to_contain_text("Undone")

    assert statuses(site, "six") == ["open"] * 8


def test_back_before_it_is_sent(visit: Open, site: Site) -> None:
    """Undo at once takes back what is not sent yet, and nothing from before."""
    page = listed(visit, site, "early", 3)
    keys(page, "je")
    expect(page.locator(".said")).to_contain_text("1 changed to resolved")
    with page.expect_request("**/inbox/bulk", timeout=10_000) as asked:
        keys(page, "ezee")
    assert asked.value.post_data is not None
    expect(page.locator(".said")).to_contain_text("changed to resolved")

    assert "open" not in statuses(site, "early")


def test_who_leaves_at_once(visit: Open, site: Site) -> None:
    """What was decided is sent although the page is left a moment later."""
    page = listed(visit, site, "leaving", 2)
    keys(page, "je")
    page.goto(f"{site.url}/overview")
    page.wait_for_load_state("networkidle")

    assert statuses(site, "leaving").count("resolved") == 1


def test_offline(visit: Open, site: Site) -> None:
    """What could not be sent is said, and shown as it was."""
    page = listed(visit, site, "offline", 2)
    page.context.set_offline(True)
    keys(page, "je")
    expect(page.locator(".said.bad")).to_contain_text("could not be saved")
    expect(page.locator(".row.done")).to_have_count(0)
    page.context.set_offline(False)
    keys(page, "e")
    expect(page.locator(".said")).to_contain_text("1 changed to resolved")


def test_back_in_the_list(visit: Open, site: Site) -> None:
    """After a record that left the list the keyboard is where it was."""
    page = listed(visit, site, "place", 4)
    keys(page, "jj")
    page.keyboard.press("Enter")
    expect(page.locator("#labels")).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator(".said")).to_contain_text("resolved")
    page.keyboard.press("u")
    expect(page.locator(".row")).to_have_count(3)
    expect(page.locator(".row.here .title")).to_contain_text("place 1")
    page.keyboard.press("e")
    expect(page.locator(".said")).to_contain_text("1 changed to resolved")

    assert statuses(site, "place") == ["open", "resolved", "resolved", "open"]


def test_a_double_click(visit: Open, site: Site) -> None:
    """A note is saved once, however often its button is clicked."""
    sent = site.send(text="Twice: the export is broken")
    page = visit("triager").page
    page.goto(f"{site.url}/records/{sent['id']}")
    page.locator("#note").fill("Called them back")
    page.get_by_role("button", name="Add note").dblclick()
    expect(page.locator(".said")).to_contain_text("Noted")
    page.wait_for_load_state("networkidle")

    expect(page.locator(".note")).to_have_count(1)


def test_arrow_keys_in_a_filter(visit: Open, site: Site) -> None:
    """An arrow key changes what a filter says and leads nowhere; Enter does."""
    page = listed(visit, site, "arrows", 1)
    page.get_by_label("Category").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".row")).to_have_count(1)
    assert "category" not in page.url
    page.keyboard.press("Enter")
    page.wait_for_url("**category=*")


def test_a_note_in_an_ended_session(visit: Open, site: Site) -> None:
    """What was typed outlives a reload and the end of the session: signed in on the spot, it is sent."""
    sent = site.send(text="Ended: the export is broken")
    who = visit("triager")
    page = who.page
    page.goto(f"{site.url}/records/{sent['id']}")
    page.locator("#note").fill("Called them back")
    page.reload()
    expect(page.locator("#note")).to_have_value("Called them back")
    page.context.clear_cookies(name="feedback-session")
    page.get_by_role("button", name="Add note").click()
    page.fill("[name=email]", "triager@example.test")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".said")).to_contain_text("Noted")

    expect(page.locator(".note .words")).to_have_text("Called them back")
    expect(page.locator("#note")).to_have_value("")
