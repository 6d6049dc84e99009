"""Reading on: what stands before and after a record in the list, and where a verdict leads."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from io import BytesIO

import pytest

from models import Feedback
from tests.conftest import Call
from tests.inbox.conftest import Reader

PATH = "/gateway/v1/feedback"

Make = Callable[..., Reader]


@pytest.fixture(name="ids")
def _ids(call: Call) -> list[str]:
    """Six records, the oldest first, with impacts in another order."""
    found = [call("POST", PATH, json={"text": f"Report {n}", "tags": ["six"]}).json["id"] for n in range(6)]
    for number, impact in enumerate((4, 2, 3, 0, 8, 11)):
        Feedback.update(impact=impact, received_at=1_700_000_000_000 + number).where(
            Feedback.id == found[number]
        ).execute()
    return found


def place(page: str, ids: list[str]) -> tuple[int | None, int | None, str]:
    """The previous and the next record, and what is said of the place."""
    led = {}
    for rel in ("prev", "next"):
        found = re.search(rf'<a href="(?:/records/|[^"]*open=)(fb_\w+)[^"]*" rel="{rel}"', page)
        led[rel] = ids.index(found[1]) if found else None
    said = re.search(r'<span class="quiet">(\d+ of \d+\+?)</span>', page)
    return led["prev"], led["next"], said[1] if said else ""


@pytest.mark.both
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (3, 1, "4 of 6")),
        ("tag=six&sort=received_at", (1, 3, "3 of 6")),
        ("tag=six&sort=-impact", (0, 1, "4 of 6")),
        ("q=report&sort=-impact&min_impact=3", (0, None, "4 of 4")),
        ("min_impact=4", (4, 0, "3 of 4")),  # which does not mean it
    ],
)
def test_neighbours(reader: Make, ids: list[str], query: str, expected: tuple[int, int, str]) -> None:
    """They are those of the list that the record was opened from, whatever its filter and order."""
    ben = reader("viewer")
    page = ben.get("/records/" + ids[2], query_string={"from": query}).text
    assert place(page, ids) == expected
    beside = ben.get(f"/inbox?{query}&open={ids[2]}" if query else f"/inbox?open={ids[2]}").text

    assert place(beside, ids) == expected


def test_without_a_list(reader: Make, ids: list[str]) -> None:
    """A record that was opened from no list, or from one that somebody made up, has no neighbours."""
    ben = reader("viewer")
    for query in ({}, {"from": "nonsense=1"}, {"from": "sort=nonsense"}, {"from": "", "at": "nonsense"}):
        assert place(ben.get("/records/" + ids[2], query_string=query).text, ids) == (None, None, "")
    assert ben.get("/inbox?open=fb_1").status_code == 200
    assert ben.get(f"/inbox?open={ids[0]}&tag=a&tag=b&at=x").status_code == 200


def test_many(reader: Make, call: Call, ids: list[str]) -> None:
    """Of more than are counted it says so, and no number that would be wrong."""
    sent = [{"text": f"Another {n}"} for n in range(60)]
    made = [row["id"] for row in call("POST", f"{PATH}/batch", json=sent).json["data"]]
    ben = reader("viewer")
    assert place(ben.get(f"/records/{made[-1]}?from=").text, made + ids) == (None, 58, "1 of 50+")
    assert place(ben.get(f"/records/{made[2]}?from=").text, made + ids) == (3, 1, "")


def test_a_verdict_leads_on(reader: Make, ids: list[str]) -> None:
    """A status leads to the next record of the list, a label stays, and from the last one on to the list."""
    ben = reader("triager")
    here = f"/records/{ids[1]}?from=status%3Dopen"
    stays = ben.post(here, {"category": "praise", "seen-status": "open", "then": "next"}).location
    assert ids[1] in stays
    leads = ben.post(here, {"status": "resolved", "seen-status": "open", "then": "next"}).location
    assert leads == f"/records/{ids[0]}?from=status%3Dopen"
    page = ben.get(leads).text
    assert "Status: resolved" in page or "status: resolved" in page
    assert place(page, ids) == (2, None, "5 of 5")
    back = ben.post(leads, {"status": "ignored", "seen-status": "open", "then": "next"}).location

    assert back == "/inbox?status=open"


def test_a_verdict_that_stays(reader: Make, ids: list[str]) -> None:
    """Who takes the mark away stays, and it is away on the next page, too."""
    ben = reader("triager")
    stays = ben.post(f"/records/{ids[1]}?from=", {"status": "resolved", "seen-status": "open"}).location
    assert stays == f"/records/{ids[1]}?from=&stay=1"
    page = ben.get(stays).text
    assert not re.search('name="then" value="next" checked', page)
    (leads,) = re.findall('<a href="([^"]+)" rel="next"', page)

    assert unescape(leads) == f"/records/{ids[0]}?from=&stay=1"


def test_beside_the_list(reader: Make, ids: list[str]) -> None:
    """Beside its list a verdict leads to the next one beside the list."""
    ben = reader("triager")
    page = ben.get(f"/inbox?tag=six&open={ids[3]}").text
    (action,) = set(re.findall('<form method="post" action="(/records/[^"]+)" id="labels"', page))
    leads = ben.post(unescape(action), {"status": "resolved", "seen-status": "open", "then": "next"}).location
    assert leads == f"/inbox?tag=six&open={ids[2]}"

    assert 'aria-current="true"' in ben.get(leads).text


def test_a_label_that_moves_it(reader: Make, ids: list[str]) -> None:
    """A record that a change moves elsewhere in the list is followed by the one that followed it before."""
    ben = reader("triager")
    here = f"/records/{ids[4]}?from=sort%3D-impact"
    assert place(ben.get(here).text, ids) == (5, 0, "2 of 6")
    moved = ben.post(here, {"impact": "0"}).location
    assert place(ben.get(moved).text, ids)[:2] == (5, 0)
    leads = ben.post(moved, {"status": "resolved", "seen-status": "open", "then": "next"}).location

    assert ids[0] in leads


def test_a_record_says_the_time_that_its_list_says(reader: Make, call: Call) -> None:
    """What happened long before it came in says both, as the list goes by when things occurred."""
    sent = {"text": "The export is empty", "occurred_at": "2020-03-01T10:00:00Z"}
    ann, made = reader("viewer"), call("POST", PATH, json=sent).json["id"]
    listed = re.search(r'<div class="when">(<time.*?</time>)', ann.get("/inbox").text)
    header = ann.get(f"/records/{made}").text.partition("<header>")[2].partition("</header>")[0]
    assert listed and f"<span>{listed[1]}</span>" in header
    assert "received now" in re.sub("<[^>]+>", " ", header).replace("  ", " ")


@pytest.mark.parametrize(
    ("form", "sent", "anchor"),
    [
        ("assign", {"assignee": "me"}, ""),
        ("snooze", {"snooze": "delivery"}, ""),
        ("merge", {"id": "nobody"}, ""),
        ("unmerge", {"id": "nobody"}, ""),
        ("replies", {"text": "Thanks."}, "#replies"),
    ],
)
def test_every_form_leads_back(
    reader: Make, ids: list[str], form: str, sent: dict[str, str], anchor: str
) -> None:
    """Whatever is changed on a page that was opened from a list: it is read on there, at its place."""
    ben = reader("triager")
    moved = ben.post(f"/records/{ids[4]}?from=sort%3D-impact&beside=1", {"impact": "0"}).location
    page = unescape(ben.get(moved).text)
    (action,) = set(re.findall(r'<form method="post" action="(/records/[^"]+/assign[^"]*)"', page))
    answer = ben.post(action.replace("/assign", f"/{form}"), sent)
    assert answer.location == moved + anchor

    assert place(ben.get(answer.location).text, ids)[:2] == (5, 0)


def test_files_and_the_end_lead_back(reader: Make, ids: list[str]) -> None:
    """Who adds a file reads on beside the list, and who deletes the record is in the list again."""
    ann = reader("admin")
    page = unescape(ann.get(f"/inbox?tag=six&open={ids[3]}").text)
    (add,) = set(re.findall(r'action="(/records/[^"]+/files[^"]*)"', page))
    (delete,) = set(re.findall(r'action="(/records/\w+/delete[^"]*)"', page))
    added = ann.post(add, {"file": (BytesIO(b"words"), "a.txt")}, content_type="multipart/form-data")
    assert added.location == f"/inbox?tag=six&open={ids[3]}#files"

    assert ann.post(delete).location == "/inbox?tag=six"
