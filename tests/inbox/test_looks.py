"""What is seen at once, as a browser lays it out: rows, filters on one line, a drawer, sizes of words."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from models import Topic
from models.database.base import close, connect
from tests.inbox.conftest import Site, Visit

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
WHOLE = """[...document.querySelectorAll(".row")].filter(row => {
  const box = row.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight;
}).length"""
FILTERS = ".filters :is(input[type=search], select, button, .clear)"


@pytest.fixture(name="full", scope="module")
def _full(site: Site) -> Site:
    """Four projects with long names, a topic, and two pages of records with all that a row shows."""
    for name in ("Shop", "The app for phones and tablets", "Tools that only our own people use every day"):
        httpx.post(
            f"{site.url}/gateway/v1/projects", json={"name": name}, headers=site.server.headers
        ).raise_for_status()
    topics = f"{site.url}/gateway/v1/projects/{site.server.tenant.project_id}/topics"
    sent = {"name": "Bills and what they say", "description": "Invoices"}
    httpx.post(topics, json=sent, headers=site.server.headers).raise_for_status()
    for n in range(60):
        site.send(
            title=f"Export {n} ends after three pages for all our customers",
            text="Every export since Monday ends after three pages. " * 5,
            subject={"page": f"/reports/export/{n}"},
            author={"name": "Ravi Patel of the accounts department"},
        )
    return site


def shown(visit: Open, width: int, height: int, path: str = "/inbox", **options: object) -> Page:
    page = visit("triager", **options).page
    page.set_viewport_size({"width": width, "height": height})
    page.goto(page.url.partition("/inbox")[0] + path)
    return page


@SCRIPTS
@pytest.mark.parametrize(
    ("width", "height", "least", "path"),
    [
        (1280, 800, 16, "/inbox"),
        (
            1280,
            800,
            16,
            "/inbox?status=open&category=bug,feature,question,praise,other&sort=-impact&since=7d",
        ),
        (1440, 900, 18, "/inbox"),
        (360, 800, 5, "/inbox"),
        (360, 800, 5, "/inbox?status=open&sort=-impact"),
    ],
)
def test_rows_at_once(  # a table
    visit: Open, full: Site, scripts: bool, width: int, height: int, least: int, path: str
) -> None:
    """Sixteen rows on a small laptop and five on a phone, however much each has to say."""
    page = shown(visit, width, height, path, java_script_enabled=scripts)

    assert page.evaluate(WHOLE) >= least
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("locale", ["en-GB", "nl-NL"])
@pytest.mark.parametrize("width", [1280, 1024])
def test_filters_on_one_line(visit: Open, full: Site, locale: str, width: int) -> None:
    """With four projects, topics and a choice in each."""
    given = {"category": "question", "sentiment": "negative", "status": "acknowledged", "min_impact": "9"}
    query = "&".join(f"{name}={value}" for name, value in given.items())
    connect(full.server.environ["GATEWAY_DATABASE_URL"])
    topic = Topic.get().id
    close()
    page = shown(
        visit,
        width,
        800,
        f"/inbox?{query}&topic={topic}&project={full.server.tenant.project_id}",
        locale=locale,
    )
    boxes = [field.bounding_box() for field in page.locator(FILTERS).all()]

    assert len(boxes) >= 10
    middles = {round(box["y"] + box["height"] / 2) for box in boxes if box}
    assert max(middles) - min(middles) <= 1
    assert all(box and box["width"] >= 48 for box in boxes[:8])  # but two short words


@SCRIPTS
def test_the_drawer_of_a_phone(visit: Open, full: Site, scripts: bool) -> None:
    """Filters are a tap away on a phone, and how many there are is said; without a script, too."""
    page = shown(visit, 360, 800, java_script_enabled=scripts)
    category = page.get_by_label("Category", exact=True)
    expect(category).to_be_hidden()
    page.get_by_text("Filters").click()
    expect(category).to_be_visible()
    category.select_option("bug")
    if not scripts:
        page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**category=bug**")

    expect(page.locator(".drawer summary")).to_have_text("Filters 1")
    expect(page.locator(".head h1")).to_contain_text("Filtered")


@SCRIPTS
def test_a_chip_is_taken_off(visit: Open, full: Site, scripts: bool) -> None:
    """By its cross, with a finger or the keyboard; the other filters stay."""
    page = shown(
        visit, 360, 800, "/inbox?status=open&tag=nothing&page=%2Freports", java_script_enabled=scripts
    )
    page.get_by_role("link", name="Without Tag: nothing").click()
    expect(page.locator(".row").first).to_be_visible()
    page.get_by_role("link", name="Without Status: open").focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**/inbox?page=%2Freports")
    expect(page.locator(".chip")).to_have_count(1)


@SCRIPTS
def test_taller_rows(visit: Open, full: Site, scripts: bool) -> None:
    """One button makes rows of two lines, and of one again."""
    page = shown(visit, 1280, 800, java_script_enabled=scripts)
    heights = [page.locator(".row").first.bounding_box()]
    for name in ("Taller rows", "Shorter rows"):
        page.get_by_role("button", name=name).click()
        page.get_by_role("button", name=name).wait_for(state="detached")
        heights.append(page.locator(".row").first.bounding_box())
    low, high, again = (box["height"] for box in heights if box)

    assert high > 1.5 * low
    assert again == low


def test_small_print_can_be_read(visit: Open, full: Site) -> None:
    """No word of the list or of a record is smaller than 13 pixels."""
    smallest = """Math.min(...[...document.querySelectorAll("main *")].filter(
      at => [...at.childNodes].some(node => node.nodeType === 3 && node.data.trim()) && at.checkVisibility()
    ).map(at => parseFloat(getComputedStyle(at).fontSize)))"""
    page = shown(visit, 1280, 800)
    assert page.evaluate(smallest) >= 13
    page.locator(".title").first.click()
    expect(page.locator("#labels")).to_be_visible()

    assert page.evaluate(smallest) >= 13
