"""One change to many records: the chosen ones or all that match, on the page and without a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.inbox import bulk
from models import Event, Feedback, Topic
from tests.conftest import Call
from tests.inbox.conftest import Reader

PATH = "/gateway/v1/feedback"
BULK = "/inbox/bulk"

Make = Callable[..., Reader]


@pytest.fixture(name="ids")
def _ids(call: Call) -> list[str]:
    """Five records, the oldest first; all but the first have a tag."""
    sent = [{"text": f"Report {n} is broken", "tags": ["some"] if n else []} for n in range(5)]
    return [call("POST", PATH, json=item).json["id"] for item in sent]


def column(ids: list[str], name: str) -> list[Any]:
    found = {row["id"]: row[name] for row in Feedback.select().dicts()}
    return [found[one] for one in ids]


def undo(ben: Reader, page: str) -> str:
    (token,) = re.findall(r'name="undo" value="([^"]+)"', page)
    return ben.get(ben.post("/inbox/undo", {"undo": token}).location).text


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that goes on."""
    form = page[page.index('action="/inbox/bulk"') :]
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")])
    return {name: unescape(value) for name, value in found}


@pytest.mark.parametrize(
    ("form", "name", "value", "said"),
    [
        ({"set": "category:praise"}, "category", "praise", "2 changed to praise"),
        ({"set": "sentiment:positive"}, "sentiment", "positive", "2 changed to positive"),
        (
            {"set": "tags", "tags-add": "late, gone", "tags-remove": "some"},
            "tags",
            ["late", "gone"],
            "2 with other tags",
        ),
        ({"set": "status:acknowledged"}, "status", "acknowledged", "2 changed to acknowledged"),
    ],
)
def test_labels_and_tags(
    reader: Make, ids: list[str], form: dict[str, str], name: str, value: Any, said: str
) -> None:
    """The chosen records get it, the others do not, and Undo takes it back."""
    ben, before = reader("triager"), column(ids, name)
    page = ben.get(ben.post(BULK, {**form, "id": ids[1:3]}).location).text
    assert said in page
    assert column(ids, name) == [before[0], value, value, *before[3:]]
    assert "Undone." in undo(ben, page)

    assert column(ids, name) == before


def test_a_topic(reader: Make, call: Call, ids: list[str]) -> None:
    """The chosen records get a topic by its name."""
    project = call("GET", "/gateway/v1/projects").json["data"][0]["project_id"]
    made = {"name": "Bills", "description": "Invoices and payment"}
    topic = call("POST", f"/gateway/v1/projects/{project}/topics", json=made).json["topic_id"]
    ben = reader("triager")
    page = ben.get(ben.post(BULK, {"set": "topic", "topic": topic, "id": ids[:2]}).location).text
    assert "2 changed to Bills" in page
    assert column(ids, "topic")[:3] == [topic, topic, None]
    page = ben.get(ben.post(BULK, {"set": "topic", "topic": "none", "id": ids[:1]}).location).text
    assert "1 changed to No topic" in page
    assert Topic.select().count() == 1


def test_a_note_on_each(reader: Make, ids: list[str]) -> None:
    """A note is written on each of the chosen. It cannot be taken back, and Undo is not offered."""
    ben = reader("triager")
    page = ben.get(ben.post(BULK, {"set": "note", "note": "Called\r\nthem", "id": ids[:3]}).location).text
    assert "3 with a note" in page
    assert 'name="undo" value="u' not in page
    notes = [(row.feedback_id, row.detail["text"]) for row in Event.select().where(Event.type == "note")]

    assert sorted(notes) == sorted((one, "Called\nthem") for one in ids[:3])


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"set": "tags", "tags-add": " , "}, "Say what to change."),
        ({"set": "note", "note": " "}, "Say what to change."),
        ({"set": "topic", "topic": ""}, "Say what to change."),
        ({"set": "status:open"}, "Choose records first."),
        ({"set": "status:open", "filter": "sort=-impact"}, "Choose records first."),
        ({"set": "status:resolved", "filter": "nonsense=1"}, "The filter is not understood."),
    ],
)
def test_what_says_nothing(reader: Make, ids: list[str], form: dict[str, str], said: str) -> None:
    """A form that names no change, no record or no filter changes nothing and says why."""
    ben = reader("triager")
    given = form if "Choose" in said else {**form, "id": ids[0]}
    assert said in ben.get(ben.post(BULK, given).location).text
    assert column(ids, "status") == ["open"] * 5


def chosen_all(ben: Reader, query: str) -> dict[str, str]:
    """What the form of a list says in which all that match are chosen."""
    page = ben.get(f"/inbox?{query}&all=1").text
    return {name: value for name, value in fields(page).items() if name in ("filter", "until")}


def test_all_that_match(reader: Make, call: Call, ids: list[str]) -> None:
    """They are those that matched when the page was shown and still do, and Undo takes it back."""
    ben = reader("triager")
    assert "All 4 that match are chosen." in ben.get("/inbox?tag=some&status=open&all=1").text
    form = chosen_all(ben, "tag=some&status=open&sort=-impact")
    Feedback.update(received_at=Feedback.received_at - 1000).execute()
    later = call("POST", PATH, json={"text": "Later", "tags": ["some"]}).json["id"]
    Feedback.update(received_at=int(form["until"]) + 5000).where(Feedback.id == later).execute()
    reader("admin").post(BULK, {"set": "status:ignored", "id": ids[1]})
    page = ben.get(ben.post(BULK, {"set": "status:resolved", **form}).location).text
    assert "3 changed to resolved" in page
    assert column([*ids, later], "status") == ["open", "ignored", *["resolved"] * 3, "open"]
    assert "Undone." in undo(ben, page)

    assert column([*ids, later], "status") == ["open", "ignored", *["open"] * 4]


def test_more_than_at_once(reader: Make, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Many are asked about first, changed in steps that say how far it is, and end without Undo."""
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    monkeypatch.setattr("gateway.api.feedback_bulk.TOGETHER", 2)
    ben = reader("triager")
    page = ben.post(BULK, {"set": "status:resolved", **chosen_all(ben, "tag=some")}).text
    assert "All of them?" in page
    assert "4 changed to resolved" in page
    assert column(ids, "status") == ["open"] * 5
    page = ben.post(BULK, fields(page)).text
    assert "2 of 4 are done" in page
    assert "data-send" in page
    assert column(ids, "status") == ["open", "resolved", "resolved", "open", "open"]
    page = ben.get(ben.post(BULK, fields(page)).location).text
    assert "4 changed to resolved That many cannot be undone at once." in page
    assert 'name="undo" value="u' not in page

    assert column(ids, "status") == ["open", *["resolved"] * 4]


def test_no_more_than_a_bound(reader: Make, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one request of the API may change are said to be more, and the oldest are changed."""
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    monkeypatch.setattr(bulk, "MOST", 2)
    monkeypatch.setattr("gateway.inbox.feedback_list.MOST", 2)
    monkeypatch.setattr("gateway.api.feedback_bulk.TOGETHER", 2)
    ben = reader("triager")
    page = ben.get("/inbox?tag=some&all=1").text
    assert "All 2+ that match are chosen." in page
    assert "The oldest 2 of them are changed." in page
    page = ben.post(BULK, {"set": "status:resolved", **chosen_all(ben, "tag=some")}).text
    assert "these are the oldest of more that match" in page
    page = ben.get(ben.post(BULK, fields(page)).location).text
    assert "2 changed to resolved" in page

    assert column(ids, "status") == ["open", "resolved", "resolved", "open", "open"]


def test_how_many_match(reader: Make, ids: list[str], other: Any, call: Call) -> None:
    """The page may ask for the number; other workspaces' records are not in it."""
    call("POST", PATH, json={"text": "Theirs", "tags": ["some"]}, headers=other.headers)
    told = reader("triager").get(f"/inbox/matching?{urlencode({'tag': 'some', 'sort': '-impact'})}").json

    assert told == {"count": 4, "say": "Choose all 4 that match"}
    assert reader("triager", other).get("/inbox/matching?tag=some").json["count"] == 1


def test_one_records_tags(reader: Make, ids: list[str]) -> None:
    """A record's page adds and removes tags, with Undo."""
    ben = reader("triager")
    form = {"tags-add": "a, b", "tags-remove": "some"}
    page = ben.get(ben.post(f"/records/{ids[1]}", form).location).text
    assert "Tags changed." in page
    assert column(ids, "tags")[1] == ["a", "b"]
    undo(ben, page)

    assert column(ids, "tags")[1] == ["some"]
