"""Reading and triaging with keys alone in a real browser: on, beside the list, many at once, no key lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.inbox.conftest import Site, Visit
from tests.inbox.test_accessible import RULES
from tests.inbox.test_fast_keys import keys, statuses

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
WIDE, USUAL = {"width": 1440, "height": 900}, {"width": 1280, "height": 800}


def sent(site: Site, tag: str, count: int) -> None:
    """So many records that have a tag, with one request."""
    body = [{"text": f"{tag} {number}: the export is broken", "tags": [tag]} for number in range(count)]
    httpx.post(
        f"{site.url}/gateway/v1/feedback/batch", json=body, headers=site.server.headers
    ).raise_for_status()


def rows_of(site: Site, tag: str) -> list[dict[str, str]]:
    asked = httpx.get(f"{site.url}/gateway/v1/feedback?tag={tag}&limit=200", headers=site.server.headers)
    found: list[dict[str, str]] = asked.json()["data"]
    return found


def listed(visit: Open, site: Site, tag: str, count: int, **size: int) -> Page:
    """The list of so many new records that have a tag."""
    sent(site, tag, count)
    who = visit("triager", bypass_csp=True)
    who.page.set_viewport_size(size or USUAL)
    who.go(f"/inbox?tag={tag}&status=open")
    expect(who.page.locator(".row")).to_have_count(min(count, 50))
    return who.page


def broken(page: Page) -> list[str]:
    """The rules of axe-core that a page breaks."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("size", [USUAL, WIDE], ids=["alone", "beside"])
def test_forty_in_a_record(visit: Open, site: Site, size: dict[str, int]) -> None:
    """40 new records are labelled and resolved one after the other, at most 100 keys, none of them lost."""
    tag = f"forty{size['width']}"
    page = listed(visit, site, tag, 40, **size)
    typed = ["j", "Enter", *["2", "e"] * 40]
    assert len(typed) <= 100
    for key in typed:
        page.keyboard.press(key)
        page.wait_for_timeout(80)  # the pace of a hand
    expect(page.locator("h2", has_text="Nothing matches")).to_be_visible(timeout=60_000)
    found = rows_of(site, tag)

    assert {(row["status"], row["category"]) for row in found} == {("resolved", "feature")}
    assert len(found) == 40


def test_forty_in_the_list(visit: Open, site: Site) -> None:
    """The same without opening any: labels and verdicts are shown at once and sent together."""
    page = listed(visit, site, "quick", 40)
    keys(page, "j" + "3e" * 40)
    expect(page.locator(".row.done")).to_have_count(40)
    expect(page.locator(".said")).to_contain_text("changed to")
    page.wait_for_load_state("networkidle")
    page.goto(f"{site.url}/inbox?tag=quick&status=open")
    expect(page.locator("h2", has_text="Nothing matches")).to_be_visible()

    assert {(row["status"], row["category"]) for row in rows_of(site, "quick")} == {("resolved", "question")}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_previous_and_next(visit: Open, site: Site, scripts: bool) -> None:
    """Links lead through the list, say where one is, and a status leads on, also without scripts."""
    tag = f"walk{scripts}"
    sent(site, tag, 3)
    who = visit("triager", java_script_enabled=scripts)
    who.go(f"/inbox?tag={tag}&status=open")
    page, title = who.page, who.page.get_by_role("heading", level=1)
    page.locator(".row .title").first.click()
    expect(title).to_have_text(f"{tag} 2: the export is broken")
    expect(page.locator(".place")).to_contain_text("1 of 3")
    page.get_by_role("link", name="Next").click()
    expect(title).to_have_text(f"{tag} 1: the export is broken")
    expect(page.locator(".place")).to_contain_text("2 of 3")
    page.get_by_role("button", name="acknowledged").click()
    expect(title).to_have_text(f"{tag} 0: the export is broken")
    expect(page.locator(".said")).to_contain_text("acknowledged")
    page.go_back()
    expect(title).to_have_text(f"{tag} 1: the export is broken")
    page.get_by_label("A status leads on").uncheck()
    page.get_by_role("button", name="resolved").click()
    expect(page.locator(".said")).to_contain_text("resolved")
    expect(title).to_have_text(f"{tag} 1: the export is broken")
    page.get_by_role("link", name="← Inbox").click()
    expect(page.locator(".row")).to_have_count(2)

    assert statuses(site, tag) == ["open", "resolved", "open"]


def test_beside_the_list(visit: Open, site: Site) -> None:
    """On a wide screen a record opens beside its list; address, title, focus and Back are right."""
    page = listed(visit, site, "wide", 4, **WIDE)
    heading = page.locator("#pane article header h1")
    page.locator(".row .title").nth(1).click()
    expect(heading).to_have_text("wide 2: the export is broken")
    expect(heading).to_be_focused()
    expect(page.locator(".row.here .title")).to_contain_text("wide 2")
    assert "open=fb_" in page.url
    assert broken(page) == []
    keys(page, "jj")
    expect(heading).to_have_text("wide 0: the export is broken")
    page.go_back()
    expect(heading).to_have_text("wide 1: the export is broken")
    expect(page.locator(".row.here .title")).to_contain_text("wide 1")
    page.reload()
    expect(heading).to_have_text("wide 1: the export is broken")
    page.keyboard.press("i")
    expect(heading).to_have_text("wide 0: the export is broken")
    expect(page.locator(".row")).to_have_count(3)
    page.keyboard.press("z")
    expect(page.locator(".row")).to_have_count(4)
    page.keyboard.press("u")
    expect(page.locator("#pane")).to_have_count(0)
    expect(page.locator(".row.here .title")).to_contain_text("wide 0")
    page.go_back()
    expect(heading).to_have_text("wide 0: the export is broken")
    page.set_viewport_size(USUAL)
    expect(heading).to_be_visible()
    expect(page.locator(".rows")).to_be_hidden()
    assert broken(page) == []

    assert statuses(site, "wide") == ["open"] * 4


def test_beside_it_without_scripts(visit: Open, site: Site) -> None:
    """The same address is the list with the record beside it; a row leads to the record's page."""
    sent(site, "plain", 2)
    who = visit("triager", java_script_enabled=False)
    page = who.page
    page.set_viewport_size(WIDE)
    who.go(f"/inbox?tag=plain&open={rows_of(site, 'plain')[0]['id']}")
    expect(page.locator("#pane article header h1")).to_have_text("plain 1: the export is broken")
    expect(page.locator(".row")).to_have_count(2)
    page.locator("#pane").get_by_role("button", name="resolved").click()
    expect(page.locator("#pane article header h1")).to_have_text("plain 0: the export is broken")
    page.locator(".row .title").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("plain 1: the export is broken")


def test_ranges(visit: Open, site: Site) -> None:
    """Shift chooses from one row to another, with keys and with the mouse; Esc chooses none."""
    page = listed(visit, site, "range", 8)
    chosen = page.locator(".row > input:checked")
    keys(page, "jx")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(chosen).to_have_count(4)
    page.keyboard.press("Shift+J")
    expect(chosen).to_have_count(5)
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    boxes = page.locator(".row > input[name=id]")
    boxes.nth(1).click()
    boxes.nth(6).click(modifiers=["Shift"])
    expect(chosen).to_have_count(6)
    expect(page.locator(".tools .count")).to_have_text("6")
    page.keyboard.press("e")
    expect(page.locator(".said")).to_contain_text("6 changed to resolved")

    assert statuses(site, "range") == ["open", *["resolved"] * 6, "open"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_all_that_match(visit: Open, site: Site, scripts: bool) -> None:
    """All shown are chosen, then all that match; they are changed together and it can be undone."""
    tag = f"match{scripts}"
    sent(site, tag, 60)
    who = visit("triager", java_script_enabled=scripts, bypass_csp=True)
    page = who.page
    who.go(f"/inbox?tag={tag}&status=open")
    if scripts:
        page.keyboard.press("Shift+A")
        expect(page.locator(".matching")).to_contain_text("Choose all 60 that match")
        assert broken(page) == []
        page.keyboard.press("Shift+A")
    else:
        page.get_by_role("link", name="Choose all that match").click()
    expect(page.locator(".matching")).to_contain_text("All 60 that match are chosen")
    if scripts:
        assert broken(page) == []
        page.keyboard.press("e")
    else:
        page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".said")).to_contain_text("60 changed to resolved")
    assert {row["status"] for row in rows_of(site, tag)} == {"resolved"}
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".said")).to_contain_text("Undone")

    assert {row["status"] for row in rows_of(site, tag)} == {"open"}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_more_than_can_be_undone(visit: Open, site: Site, scripts: bool) -> None:
    """The reader is asked, sees how far it is, and hears that it cannot be undone at once."""
    tag = f"storm{scripts}"
    sent(site, tag, 600)
    who = visit("triager", java_script_enabled=scripts, bypass_csp=True)
    page = who.page
    who.go(f"/inbox?tag={tag}&all=1")
    page.get_by_role("button", name="Ignore").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All of them?")
    expect(page.locator("main")).to_contain_text("600 changed to ignored")
    if scripts:
        assert broken(page) == []
    page.get_by_role("button", name="Change them").click()
    if not scripts:
        expect(page.get_by_role("heading", level=1)).to_have_text("500 of 600 are done")
        page.get_by_role("button", name="Go on").click()
    expect(page.locator(".said")).to_contain_text("600 changed to ignored", timeout=60_000)
    expect(page.locator(".said")).to_contain_text("cannot be undone at once")
    page.goto(f"{site.url}/inbox?tag={tag}&status=open")

    expect(page.locator("h2", has_text="Nothing matches")).to_be_visible()


def test_labels_of_many(visit: Open, site: Site) -> None:
    """With keys alone the chosen ones get tags, a note and a category."""
    page = listed(visit, site, "labels", 3)
    keys(page, "jxjx")
    keys(page, "g")
    expect(page.locator("[name=tags-add]")).to_be_focused()
    assert broken(page) == []
    keys(page, "seen, later")
    page.locator("[name=tags-add]").press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_contain_text("2 with other tags")
    keys(page, "x")
    keys(page, "n")
    expect(page.locator("#bulk [name=note]")).to_be_focused()
    keys(page, "Called them")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_contain_text("1 with a note")
    keys(page, "4")
    expect(page.locator(".said")).to_contain_text("1 changed to praise")
    found = rows_of(site, "labels")

    assert [row["tags"] for row in found] == [["labels", "seen", "later"]] * 2 + [["labels"]]
    assert [row["category"] for row in found].count("praise") == 1


def test_every_verb_of_a_record(visit: Open, site: Site) -> None:
    """Each verb of a record is done with keys alone."""
    page = listed(visit, site, "verbs", 2)
    page.goto(f"{site.url}/inbox?tag=verbs")
    keys(page, "j")
    page.keyboard.press("Enter")
    said, title = page.locator(".said"), page.get_by_role("heading", level=1)
    for key, word in (("4", "praise"), ("6", "positive"), ("y", "acknowledged")):
        page.keyboard.press(key)
        expect(said).to_contain_text(word)
    expect(title).to_contain_text("verbs 0")
    page.keyboard.press("k")
    expect(title).to_contain_text("verbs 1")
    page.keyboard.press("o")
    expect(said).to_contain_text("status: open")
    page.keyboard.press("m")
    expect(page.locator("[name=impact]")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    keys(page, "urgent")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("Tags changed")
    page.keyboard.press("n")
    keys(page, "Called")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("Noted")
    expect(page.locator(".note .words")).to_have_text("Called")
    expect(page.locator("#note")).to_have_value("")


def test_the_command_bar(visit: Open, site: Site) -> None:
    """Ctrl-K finds verbs, views and pages as one types, and does or opens them."""
    page = listed(visit, site, "bar", 2)
    bar, field = page.locator("#commands"), page.locator("#commands input")
    page.keyboard.press("j")
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    expect(bar.get_by_role("option", name="Quarantine")).to_be_visible()
    assert broken(page) == []
    keys(page, "acknow")
    expect(bar.get_by_role("option")).to_have_count(1)
    expect(field).to_have_attribute("aria-activedescendant", "command-0")
    page.keyboard.press("Enter")
    expect(bar).to_be_hidden()
    expect(page.locator(".said")).to_contain_text("1 changed to acknowledged")
    page.keyboard.press("Control+k")
    keys(page, "zzz")
    expect(bar.get_by_role("option")).to_have_count(0)
    expect(bar.locator("p")).to_have_text("Nothing is called so.")
    assert broken(page) == []
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.keyboard.press("Control+k")
    keys(page, "prai")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(bar.locator("[aria-selected=true]")).to_contain_text("Praise")
    page.keyboard.press("Enter")
    page.wait_for_url("**category=praise*")
    page.keyboard.press("Control+k")
    keys(page, "mod")
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/model")


def test_no_single_keys(visit: Open, site: Site) -> None:
    """Who takes the mark away in the help is not surprised by single keys, also on the next page."""
    page = listed(visit, site, "single", 2)
    page.keyboard.press("?")
    page.get_by_label("Single keys do something").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    keys(page, "je")
    page.keyboard.press("Control+k")
    expect(page.locator("#commands")).to_be_visible()

    assert statuses(site, "single") == ["open"] * 2


def test_the_list_of_keys(visit: Open) -> None:
    """The keys, views and pages are a page of their own, also without scripts."""
    who = visit("viewer", java_script_enabled=False)
    who.go("/inbox/keys")
    expect(who.page.locator("kbd", has_text=re.compile("^j$"))).to_be_visible()
    who.page.get_by_role("link", name="Questions").click()
    who.page.wait_for_url("**category=question*")


def test_two_on_the_same_records(visit: Open, site: Site) -> None:
    """What one resolved meanwhile is not changed by the other's choice of all that match."""
    ben = listed(visit, site, "both", 60)
    ann = visit("admin").page
    ann.goto(f"{site.url}/inbox?tag=both&status=open")
    keys(ben, "A")
    expect(ben.locator(".matching a")).to_contain_text("60")
    keys(ben, "A")
    expect(ben.locator(".matching b")).to_contain_text("All 60")
    keys(ann, "ji")
    expect(ann.locator(".said")).to_contain_text("1 changed to ignored")
    keys(ben, "e")
    expect(ben.locator(".said")).to_contain_text("59 changed to resolved")

    assert sorted({row["status"] for row in rows_of(site, "both")}) == ["ignored", "resolved"]
