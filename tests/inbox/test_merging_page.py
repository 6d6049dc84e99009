"""Merging in the inbox: from the list, from a record, with a way back, and without a script."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from gateway.background import similar
from gateway.background.lease import run_once
from models import Feedback
from tests.conftest import Call
from tests.inbox.conftest import Reader, Site, Visit
from tests.inbox.test_two_people import undo_form

PATH = "/gateway/v1/feedback"
Make = Callable[..., Reader]


@pytest.fixture(name="ids")
def _ids(call: Call) -> list[str]:
    """Three that say nearly the same, and one of its own."""
    words = "The export of invoices to PDF stops after the third page of {} and nothing else happens"
    items = [{"text": words.format(month), "author": {"name": month}} for month in ("May", "June", "July")]
    items.append({"text": "The colour of the button is hard to see at night"})
    ids = [row["id"] for row in call("POST", f"{PATH}/batch", json=items).json["data"]]
    run_once(similar.KEEP_UP)
    return ids


def into() -> dict[str, str]:
    """What each merged record is merged into."""
    found = Feedback.select().where(Feedback.merged_into.is_null(False))
    return {row.id: row.merged_into for row in found}


def test_from_the_list(reader: Make, ids: list[str]) -> None:
    """The chosen ones are one row that says how many people; Undo takes them apart."""
    ben = reader("triager")
    page = ben.get(ben.post("/inbox/merge", {"id": ids[:3], "back": "/inbox"}).location).text
    assert into() == {ids[1]: ids[0], ids[2]: ids[0]}
    assert "3 people say the same" in page
    assert "<span>3 people</span>" in page
    assert re.findall(r'data-id="(fb_\w+)"', page) == [ids[3], ids[0]]

    assert "Undone." in ben.get(ben.post("/inbox/unmerge", undo_form(page)).location).text
    assert into() == {}
    again = ben.get(ben.post("/inbox/unmerge", undo_form(page)).location).text
    assert "That cannot be undone any more." in again
    one = ben.get(ben.post("/inbox/merge", {"id": ids[0], "back": "/inbox"}).location).text
    assert "Choose at least two records" in one


def test_undo_takes_apart_its_own_alone(reader: Make, ids: list[str]) -> None:
    """Undo of a merge leaves a colleague's, though the same records were chosen, and groups as they were."""
    ben, eve = reader("triager"), reader("admin")
    eve.post("/inbox/merge", {"id": ids[:2]})
    page = ben.get(ben.post("/inbox/merge", {"id": ids[:3]}).location).text  # a list from before
    ben.post("/inbox/unmerge", undo_form(page))
    assert into() == {ids[1]: ids[0]}

    page = ben.get(ben.post("/inbox/merge", {"id": ids[1:3]}).location).text
    assert into() == {ids[1]: ids[0], ids[2]: ids[0]}
    ben.post("/inbox/unmerge", undo_form(page))
    assert into() == {ids[1]: ids[0]}

    eve.post(f"/records/{ids[2]}/merge", {"id": ids[3]})
    page = ben.get(ben.post(f"/records/{ids[0]}/merge", {"id": ids[3]}).location).text
    assert into() == dict.fromkeys(ids[1:], ids[0])
    ben.post("/inbox/unmerge", undo_form(page))
    assert into() == {ids[1]: ids[0], ids[3]: ids[2]}


def test_from_a_record(reader: Make, ids: list[str]) -> None:
    """What is alike stands beside it: merged one by one or at once, taken out, or told apart."""
    ben = reader("triager")
    page = ben.get(f"/records/{ids[0]}").text
    assert page.count("Not the same") == 2
    assert "Merge all 2" in page
    said = ben.get(ben.post(f"/records/{ids[0]}/merge", {"id": ids[1], "act": "dismiss"}).location).text
    assert "not suggested any more" in said
    assert said.count("Not the same") == 1

    page = ben.get(ben.post(f"/records/{ids[0]}/merge", {"id": ids[1:3]}).location).text
    assert "Said by 3 people" in page
    assert [name in page for name in ("June", "July")] == [True, True]
    assert "open it" in ben.get(f"/records/{ids[1]}").text
    page = ben.get(ben.post(f"/records/{ids[0]}/unmerge", {"id": ids[1]}).location).text
    assert into() == {ids[2]: ids[0]}
    assert "Said by 2 people" in page


def test_by_address(reader: Make, ids: list[str]) -> None:
    """Another record is named by its id or its address; what cannot be merged is said."""
    ben = reader("triager")
    ben.post(f"/records/{ids[0]}/merge", {"id": f"https://feedback.example.com/records/{ids[3]}"})
    assert into() == {ids[3]: ids[0]}
    for wrong, said in ((ids[3], "They are one already."), ("fb_x", "No such feedback"), ("", "Which one?")):
        page = ben.get(ben.post(f"/records/{ids[0]}/merge", {"id": wrong}).location).text
        assert said in page


def test_resolve_all_alike(reader: Make, ids: list[str]) -> None:
    """All that say the same are resolved as one change, which Undo takes back."""
    ben = reader("triager")
    answer = ben.post(f"/records/{ids[0]}/merge", {"id": ids[1:3], "act": "resolve"})
    page = ben.get(answer.location).text
    assert {row.id for row in Feedback.select().where(Feedback.status == "resolved")} == set(ids[:3])
    ben.post("/inbox/undo", undo_form(page))
    assert Feedback.select().where(Feedback.status == "resolved").count() == 0


def test_viewers_see_and_do_nothing(reader: Make, call: Call, ids: list[str]) -> None:
    """Who may only read sees who said it, and no button."""
    call("POST", f"{PATH}/{ids[0]}/merge", json={"ids": ids[1:3]})
    page = reader("viewer").get(f"/records/{ids[0]}").text
    assert "Said by 3 people" in page
    assert "Take out" not in page
    assert "Merge" not in page


@pytest.mark.long
def test_from_the_keyboard(site: Site, visit: Callable[..., Visit]) -> None:
    """In a browser with a script `d` merges the chosen ones of the list."""
    ids = [
        site.send(text=f"Invoice {number} stops", author={"id": f"u{number}"})["id"] for number in range(3)
    ]
    page = visit("triager").page
    page.goto(f"{site.url}/inbox?status=open")
    page.keyboard.press("A")
    page.keyboard.press("d")
    expect(page.locator("[role=status]").first).to_contain_text("3 people say the same")
    expect(page.locator(f'[data-id="{ids[0]}"]')).to_be_visible()
    expect(page.locator(f'[data-id="{ids[1]}"]')).to_have_count(0)
