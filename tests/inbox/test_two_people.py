"""Two people on the same records: nobody's change is lost to another's click or Undo."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from models import Event, Feedback
from tests.conftest import Call
from tests.inbox.conftest import Reader

PATH = "/gateway/v1/feedback"
CHANGES = {"category": "question", "sentiment": "positive", "status": "resolved", "impact": "12"}
COLLEAGUE = {"category": "praise", "sentiment": "negative", "status": "ignored", "impact": "3"}

Make = Callable[..., Reader]


@pytest.fixture(name="record_id")
def _record_id(call: Call) -> str:
    return str(call("POST", PATH, json={"text": "Could you add dark mode"}).json["id"])


def row_of(record_id: str) -> dict[str, Any]:
    """A record but for when it changed last."""
    row: dict[str, Any] = Feedback.select().where(Feedback.id == record_id).dicts().get()
    del row["updated_at"]
    return row


def seen(page: str) -> dict[str, str]:
    """What a record's page says that it showed."""
    return dict(re.findall(r'name="(seen-[a-z]+)" value="([^"]*)"', page))


def undo_form(page: str) -> dict[str, str]:
    (token,) = re.findall(r'name="undo" value="([^"]+)"', page)
    return {"undo": token}


@pytest.mark.parametrize("name", CHANGES)
def test_undo_leaves_nothing_behind(reader: Make, record_id: str, name: str) -> None:
    """After Undo a record is what it was, also who said so and how sure that was; history keeps both."""
    ben, before = reader("triager"), row_of(record_id)
    page = ben.get(ben.post(f"/records/{record_id}", {name: CHANGES[name]}).location).text
    assert row_of(record_id) != before
    assert "Undone." in ben.get(ben.post("/inbox/undo", undo_form(page)).location).text

    assert row_of(record_id) == before
    kinds = [event.type for event in Event.select().order_by(Event.id)]
    assert kinds == ["received"] + ["status" if name == "status" else "relabelled"] * 2


@pytest.mark.parametrize("name", CHANGES)
def test_the_model_said(reader: Make, record_id: str, name: str) -> None:
    """What the model said is told beside a label that a person changed, and beside no other."""
    ben, before = reader("triager"), row_of(record_id)
    page = ben.get(ben.post(f"/records/{record_id}", {name: CHANGES[name]}).location).text
    said = re.findall(r"the model said (\w*)", page)

    assert said == [before[name]] if name in ("category", "sentiment") else said == []


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("other", CHANGES)
def test_undo_after_a_colleague(reader: Make, call: Call, record_id: str, name: str, other: str) -> None:
    """Undo takes back one's own change where it still stands, and never a colleague's."""
    ben, ann, before = reader("triager"), reader("admin"), row_of(record_id)
    page = ben.get(ben.post(f"/records/{record_id}", {name: CHANGES[name]}).location).text
    ann.post(f"/records/{record_id}", {other: COLLEAGUE[other]})
    between = row_of(record_id)
    said = ben.get(ben.post("/inbox/undo", undo_form(page)).location).text

    if name == other:
        assert "1 could not be undone" in said
        assert row_of(record_id) == between
    else:
        after = row_of(record_id)
        assert "Undone." in said
        assert (after[name], str(after[other])) == (before[name], COLLEAGUE[other])
        assert set(after["overruled"] or {}) == {other} - {"status"}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("other", CHANGES)
def test_a_stale_page(reader: Make, record_id: str, name: str, other: str) -> None:
    """A click on what somebody else changed since is told with both values; on what nobody did it is done."""
    ben, ann = reader("triager"), reader("admin")
    shown = seen(ben.get(f"/records/{record_id}").text)
    assert set(shown) == {f"seen-{one}" for one in CHANGES}
    ann.post(f"/records/{record_id}", {other: COLLEAGUE[other]})
    said = ben.get(ben.post(f"/records/{record_id}", {**shown, name: CHANGES[name]}).location).text
    now = str(row_of(record_id)[name])

    if name == other:
        assert now == COLLEAGUE[name]
        assert f"{name} is {COLLEAGUE[name]}, and you chose {CHANGES[name]}" in said
    else:
        assert now == CHANGES[name]


def test_a_stale_list(reader: Make, call: Call) -> None:
    """Of the chosen ones those are left that somebody else changed since the list was shown."""
    ids = [call("POST", PATH, json={"text": f"Report {n}"}).json["id"] for n in range(3)]
    ben, ann = reader("triager"), reader("admin")
    shown = re.findall(r'name="seen" value="([^"]+)"', ben.get("/inbox").text)
    ann.post("/inbox/bulk", {"set": "status:ignored", "id": ids[:1]})
    page = ben.get(
        ben.post("/inbox/bulk", {"set": "status:resolved", "id": ids, "seen": shown}).location
    ).text
    assert [row_of(one)["status"] for one in ids] == ["ignored", "resolved", "resolved"]
    assert "2 changed to resolved" in page
    assert "1 left as they are" in page
    ann.post("/inbox/bulk", {"set": "status:acknowledged", "id": ids[1:2]})
    ben.post("/inbox/undo", undo_form(page))

    assert [row_of(one)["status"] for one in ids] == ["ignored", "acknowledged", "open"]


def test_of_nobody_here(reader: Make, call: Call, other: Any) -> None:
    """Records of somebody else are neither changed nor told of."""
    ann = reader("admin")
    theirs = call("POST", PATH, json={"text": "Theirs"}, headers=other.headers).json["id"]
    assert ann.post(f"/records/{theirs}", {"status": "resolved"}).status_code == 404
    ann.post("/inbox/bulk", {"set": "status:resolved", "id": [theirs, theirs + "x"]})

    assert row_of(theirs)["status"] == "open"
