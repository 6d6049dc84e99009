"""What different parts add to one page, together in a real browser: rows, menus, keys and dialogs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.inbox.conftest import Site, Visit

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
OPEN_MENUS = ".tools details[open]"


@pytest.fixture(name="listed")
def _listed(visit: Open, site: Site, request: pytest.FixtureRequest) -> Page:
    """A list of five records of one tag, some of which sound negative and some neutral."""
    tag = re.sub(r"\W|_", "-", request.node.name)
    for number in range(5):
        said = "The export is broken, awful" if number % 2 else "Where is the export"
        site.send(
            text=f"{said} {tag} {number}", tags=[tag], subject={"page": "/reports/of/the/last/year/export"}
        )
    who = visit("triager")
    who.go(f"/inbox?tag={tag}&status=open")
    expect(who.page.locator(".row")).to_have_count(5)
    return who.page


def lefts(page: Page, selector: str) -> set[float]:
    found: list[float] = page.locator(selector).evaluate_all(
        "all => all.map((one) => Math.round(one.getBoundingClientRect().left))"
    )
    return set(found)


def heights(page: Page) -> set[float]:
    found: list[float] = page.locator(".row").evaluate_all(
        "all => all.map((one) => Math.round(one.getBoundingClientRect().height))"
    )
    return set(found)


def test_keys_of_menus(listed: Page) -> None:
    """`a` and `b` open their menus with the focus in them, in the list and in a record."""
    listed.keyboard.press("j")
    for key, field in (("a", "assignee"), ("b", "snooze")):
        listed.keyboard.press(key)
        expect(listed.locator(f".tools [name={field}]")).to_be_focused()
        listed.keyboard.press("Escape")
        expect(listed.locator(OPEN_MENUS)).to_have_count(0)
    listed.keyboard.press("j")
    listed.keyboard.press("Enter")
    expect(listed.locator("article h1")).to_be_visible()
    for key, field in (("a", "assignee"), ("b", "snooze")):
        listed.keyboard.press(key)
        expect(listed.locator(f".take [name={field}]")).to_be_focused()
        listed.keyboard.press("Escape")


def test_merge_by_key(listed: Page) -> None:
    """`d` merges the chosen rows; it is no change that is sent with others."""
    for key in ("j", "x", "j", "x", "d"):
        listed.keyboard.press(key)
    expect(listed.locator(".said")).to_contain_text("2 people say the same")
    expect(listed.locator(".row")).to_have_count(4)


def test_menus_close(listed: Page) -> None:
    """Esc closes what lies over the list and has one back at the row; so does a click elsewhere."""
    listed.keyboard.press("j")
    listed.keyboard.press("g")
    expect(listed.locator("[name=tags-add]")).to_be_focused()
    listed.keyboard.press("Escape")
    expect(listed.locator(OPEN_MENUS)).to_have_count(0)
    expect(listed.locator(".row .title").first).to_be_focused()
    for summary in (".tools .more > summary", ".tools .menu > summary", ".save > summary", ".me > summary"):
        listed.locator(summary).first.click()
        assert listed.locator("details[open]").count() == 1
    listed.locator("h1").click()
    expect(listed.locator("details[open]")).to_have_count(0)


def test_rows_align(listed: Page) -> None:
    """Rows stand in columns and are one line high, whether they sound like anything or are somebody's."""
    assert len(lefts(listed, ".row .impact")) == 1
    assert len(lefts(listed, ".row .title")) == 1
    before = heights(listed)
    for key in ("j", "a", "Enter"):
        listed.keyboard.press(key)
    expect(listed.locator(".row .person")).to_have_count(1)
    assert len(lefts(listed, ".row .impact")) == 1
    assert heights(listed) == before


def test_words_beside_a_record(listed: Page) -> None:
    """Beside a record each row shows its title and the filters keep clear of the record."""
    listed.set_viewport_size({"width": 1440, "height": 900})
    listed.locator(".title").first.click()
    expect(listed.locator("#pane h1")).to_be_visible()
    least = listed.locator(".row .what").evaluate_all("all => Math.min(...all.map((one) => one.clientWidth))")
    assert least > 200
    edge = listed.locator("#pane").bounding_box()
    ends = listed.locator(".filters :is(input, select, button, a)").evaluate_all(
        "all => Math.max(...all.map((one) => one.getBoundingClientRect().right))"
    )
    assert edge and ends <= edge["x"]
    assert (
        listed.locator(".filters select").evaluate_all(
            "all => Math.min(...all.map((one) => one.clientWidth))"
        )
        > 60
    )


@pytest.mark.parametrize("width", [360, 1280, 1440])
def test_sheets_on_the_page(listed: Page, width: int) -> None:
    """What opens over the list is all on the page, and the help begins at its beginning."""
    listed.set_viewport_size({"width": width, "height": 800})
    listed.keyboard.press("j")
    for key, sheet in (("g", ".more .sheet"), ("a", ".menu[open] > div"), ("b", ".menu[open] > div")):
        listed.keyboard.press(key)
        box = listed.locator(sheet).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, key
        assert listed.evaluate("document.documentElement.scrollWidth") <= width
        listed.keyboard.press("Escape")
    listed.locator("body").press("?")
    expect(listed.locator("#keys-title")).to_be_in_viewport()


def test_the_menu_is_one_line_on_a_phone(visit: Open) -> None:
    """In Dutch, too, whose words are longer: all of it is beside the account, none of it under another."""
    who = visit("viewer", locale="nl-NL")
    who.page.set_viewport_size({"width": 360, "height": 740})
    links = who.page.locator(".bar nav a")
    boxes = [box for box in (links.nth(n).bounding_box() for n in range(links.count())) if box]
    account = who.page.locator(".me").bounding_box()
    assert len({(box["y"], box["height"]) for box in boxes}) == 1 and account
    one_line = """all => all.every((one) => {
        const range = document.createRange();
        range.selectNodeContents(one);
        return range.getClientRects().length === 1;
    })"""
    assert links.evaluate_all(one_line)
    assert boxes[-1]["x"] + boxes[-1]["width"] <= account["x"]
