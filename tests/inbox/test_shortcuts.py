"""Keys: the one list of them is what pages, the script, the help and the documents have."""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.inbox import shortcuts
from gateway.inbox.static_files import STATIC
from tests.conftest import ROOT, Call
from tests.inbox.conftest import Reader
from tests.inbox.messages import INBOX

Make = Callable[..., Reader]
KEYS = {pressed for one in shortcuts.SHORTCUTS for pressed in one.keys}


def pressed_on(page: str) -> set[str]:
    return set(re.findall(r'data-key="([^"]+)"', page))


def test_a_key_does_one_thing() -> None:
    """On a page no key has two meanings, and every shortcut is somewhere."""
    for place in shortcuts.BOTH:
        keys = [pressed for one in shortcuts.SHORTCUTS if place in one.where for pressed in one.keys]
        assert len(keys) == len(set(keys)), place
    assert all(one.where and set(one.scripted) <= set(one.where) for one in shortcuts.SHORTCUTS)


def test_the_table_of_the_documents() -> None:
    """docs/inbox.md has the table that the list makes."""
    assert shortcuts.table() in (ROOT / "docs" / "inbox.md").read_text()


def test_templates_know_no_other_key() -> None:
    """What a page is pressed by is in the list."""
    for path in INBOX.glob("templates/*.html"):
        assert set(re.findall(r'data-key="([^"{]+)"', path.read_text())) <= KEYS, path.name


def test_each_key_has_what_it_presses(reader: Make, call: Call) -> None:
    """On each page that a shortcut names there is one element that it presses, or the script has it."""
    made = [call("POST", "/gateway/v1/feedback", json={"text": f"Report {n}"}).json["id"] for n in range(3)]
    project = call("GET", "/gateway/v1/projects").json["data"][0]["id"]
    call("POST", f"/gateway/v1/projects/{project}/topics", json={"name": "Bills", "description": "invoices"})
    author = {"author": {"email": "anna@example.test"}, "subject": {"email_followup_opted_in": True}}
    made.append(call("POST", "/gateway/v1/feedback", json={"text": "Mended?", **author}).json["id"])
    last = call("POST", "/gateway/v1/feedback", json={"text": "The newest"}).json["id"]
    ben = reader("triager")
    ben.post("/inbox/bulk", {"set": "status:acknowledged", "id": [last]})
    pages = {shortcuts.LIST: ben.get("/inbox").text, shortcuts.RECORD: ben.get(f"/records/{made[-1]}?from=").text}
    ben.post("/inbox/bulk", {"set": "status:acknowledged", "id": made[:1]})
    pages[shortcuts.LIST] += ben.get("/inbox").text
    script = "".join((STATIC / "script" / f"{part}.js").read_text() for part in ("keys", "list"))
    for one in shortcuts.SHORTCUTS:
        for place in one.where:
            if place in one.scripted:
                assert f"{one.name}:" in script or f"{one.name}(" in script, one.name
            elif one.name != "undo":
                assert set(one.keys) <= pressed_on(pages[place]), (one.name, place)
    assert "z" in pressed_on(pages[shortcuts.LIST])


def test_the_help_has_them_all(reader: Make) -> None:
    """The help shows each key that the reader may press."""
    page = reader("triager").get("/inbox").text
    for one in shortcuts.SHORTCUTS:
        assert f"<kbd>{shortcuts.caps(one)[0]}</kbd>" in page, one.name
    page = reader("viewer").get("/inbox").text
    for one in shortcuts.SHORTCUTS:
        assert (f"<kbd>{shortcuts.caps(one)[0]}</kbd>" in page) == (one.role == "viewer"), one.name
