"""Two people share a record: who takes it, who is named, who looks, and what is put aside."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playhouse.test_utils import count_queries

from gateway.access import mentions, users
from gateway.core.ids import now_ms
from gateway.inbox.assigning import until_of
from models import Feedback, Mention, Presence, Session, User
from models.tables import presence
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader, Site, Visit

PATH = "/gateway/v1/feedback"
Make = Callable[..., Reader]


@pytest.fixture(name="record_id")
def _record_id(call: Call) -> str:
    return str(call("POST", PATH, json={"text": "Could you add dark mode"}).json["id"])


def listed(page: str) -> list[str]:
    return re.findall(r'data-id="(fb_\w+)"', page)


def test_taken_from_the_list(reader: Make, record_id: str) -> None:
    """Who takes a record finds it under Mine; a colleague's stale page takes nothing away."""
    ben, eve = reader("triager"), reader("admin")
    form = {"id": [record_id], "had": [f"{record_id}:none"], "assignee": "me", "back": "/inbox"}
    undo = re.search(r'name="undo" value="([^"]+)"', ben.get(ben.post("/inbox/assign", form).location).text)
    assert undo and Feedback.get().assignee == ben.user_id
    said = html.unescape(eve.get(eve.post("/inbox/assign", form).location).text)
    assert "1 left as they are: somebody else changed them meanwhile." in said
    assert Feedback.get().assignee == ben.user_id

    assert listed(ben.get("/inbox?assignee=me").text) == [record_id]
    assert listed(eve.get("/inbox?assignee=me").text) == []
    assert "Assigned to Triager" in eve.get("/inbox").text
    page = ben.get(f"/records/{record_id}").text
    assert "assignee: Nobody → Triager" in page
    ben.post("/inbox/undo", {"undo": undo[1]})
    assert Feedback.get().assignee is None


@pytest.mark.parametrize("how", ["1h", "tomorrow", "monday", "delivery", "2099-01-01"])
def test_put_aside_and_back(reader: Make, record_id: str, how: str) -> None:
    """A snoozed record is in no open view until it is back; undo has it back, too."""
    ben = reader("triager")
    form = {"day": how} if how[0] == "2" else {"snooze": how}
    where = ben.post(f"/records/{record_id}/snooze", form).location
    assert "1 snoozed" in ben.get(where).text
    assert listed(ben.get("/inbox?status=open&snoozed=without").text) == []
    assert listed(ben.get("/inbox?snoozed=only").text) == listed(ben.get("/inbox").text) == [record_id]
    ben.post(f"/records/{record_id}/snooze", {"wake": "1"})
    assert listed(ben.get("/inbox?snoozed=only").text) == []


@pytest.mark.parametrize("how", ["", "yesterday", "2020-01-01", "9999-99-99", "\0"])
def test_no_such_time(reader: Make, record_id: str, how: str) -> None:
    """What is no time, or is over, is refused and puts nothing aside."""
    assert reader("triager").post(f"/records/{record_id}/snooze", {"snooze": how}).status_code == 400
    assert Feedback.get().wakes_on_delivery is None


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_no_such_day(reader: Make, record_id: str, day: str, zone: str) -> None:
    """The first and the last day of all are refused in every zone, though they may have none in UTC."""
    ben = reader("triager")
    User.update(zone=zone).execute()
    assert ben.post(f"/records/{record_id}/snooze", {"day": day}).status_code == 400
    assert Feedback.get().wakes_on_delivery is None


@pytest.mark.parametrize(
    ("how", "day", "at"),
    [
        ("tomorrow", "2026-03-28T12:00", "2026-03-29T07:00:00+00:00"),  # clocks go forward that night
        ("tomorrow", "2026-10-24T12:00", "2026-10-25T08:00:00+00:00"),
        ("monday", "2026-11-30T08:00", "2026-12-07T08:00:00+00:00"),  # a Monday: the next one
        ("monday", "2026-12-06T23:30", "2026-12-07T08:00:00+00:00"),
        ("2026-12-24", "2026-12-06T23:30", "2026-12-24T08:00:00+00:00"),
    ],
)
def test_nine_o_clock(how: str, day: str, at: str) -> None:
    """Mornings are the reader's, also where the clock changes in the night before."""
    assert until_of(how, datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Amsterdam"))) == at


def test_named_in_a_note(reader: Make, call: Call, record_id: str) -> None:
    """Who is named sees it on every page until the record is opened; nobody else does."""
    ben, vic = reader("triager"), reader("viewer")
    ben.post(f"/records/{record_id}", {"note": "@Viewer, do you know this customer? @Triager knows none."})
    assert Mention.select().count() == 1  # nobody is told what they wrote themselves
    assert 'class="mentions"' in vic.get("/overview").text
    assert 'class="mentions"' not in ben.get("/overview").text
    assert listed(vic.get("/inbox?mentioned=me").text) == [record_id]
    assert listed(ben.get("/inbox?mentioned=me").text) == []
    vic.get(f"/records/{record_id}")
    assert 'class="mentions"' not in vic.get("/inbox").text
    assert listed(vic.get("/inbox?mentioned=me").text) == [record_id]


PEOPLE = [
    {"id": "1", "name": "Ann", "email": "ann@x.test"},
    {"id": "2", "name": "Ann Lee", "email": "lee@x.test"},
    {"id": "3", "name": "<script>alert(1)</script>", "email": "s@x.test"},
    {"id": "4", "name": "(.*)+$", "email": "r@x.test"},
    {"id": "5", "name": "Ann", "email": "other@x.test"},
    {"id": "6", "name": "İrem", "email": "i@x.test"},
    {"id": "7", "name": "@", "email": "at@x.test"},
    {"id": "8", "name": " ", "email": "blank@x.test"},
]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("@Ann look", ["1", "5"]),
        ("@ann lee, look", ["2"]),
        ("@Annabel", []),
        ("x@Ann", []),
        ("@ann@x.test", ["1"]),
        ("mail ann@x.test", []),
        ("@<script>alert(1)</script>", ["3"]),
        ("@(.*)+$", ["4"]),
        ("@İREM!", ["6"]),
        ("@@", ["7"]),
        ("@ @", []),
        ("@" * 10_000, ["7"]),
        ("@Ann lee @lee@x.test", ["2"]),
    ],
)
def test_who_is_meant(text: str, ids: list[str]) -> None:
    """Names are texts and no patterns; the longest that fits is meant, an address within words is none."""
    assert mentions.mentioned(text, PEOPLE) == ids


def test_who_looks(reader: Make, tenant: Tenant, other: Tenant, record_id: str) -> None:
    """A colleague's page says who else looks; it ends by leaving, with time and with the session."""
    ben, ann = reader("triager"), reader("viewer")
    before = Feedback.select().dicts().get()
    where = f"/records/{record_id}/presence"
    assert ben.post(where).json == {"say": ""}
    assert ann.post(where).json == {"say": "Triager is looking at this"}
    assert "Triager is looking at this" in ann.get(f"/records/{record_id}").text
    assert reader("admin", other).post(where).status_code == 404
    ben.post(where, {"gone": "1"})
    assert ann.post(where).json == {"say": ""}
    ben.post(where)
    Presence.update(until=now_ms() - 1).where(Presence.session == _session(ben)).execute()
    assert ann.post(where).json == {"say": ""}
    ben.post(where)
    users.sign_out_everywhere(ben.user_id)
    assert ann.post(where).json == {"say": ""}
    assert presence.others(other.workspace_id, record_id, ann.user_id, now_ms()) == []
    assert Feedback.select().dicts().get() == before


def _session(who: Reader) -> str:
    return str(Session.get(Session.user == who.user_id).digest)


def test_views_that_are_shared(reader: Make, other: Tenant, record_id: str) -> None:
    """A shared view stands beside everybody's list with its count; its owner's own do not."""
    ben, vic, far = reader("triager"), reader("viewer"), reader("viewer", other)
    ben.post("/inbox/views", {"name": "Dark & <b>", "query": "q=dark", "shared": "1"})
    ben.post("/inbox/views", {"name": "Own", "query": "q=own"})
    for who, shown in ((ben, True), (vic, True), (far, False)):
        assert ('Dark &amp; &lt;b&gt; <span class="count">1</span>' in who.get("/inbox").text) == shown
    assert (">Own</a>" in ben.get("/inbox").text, ">Own</a>" in vic.get("/inbox").text) == (True, False)
    assert vic.post("/inbox/views", {"name": "Mine", "query": "q=x", "shared": "1"}).status_code == 403


@pytest.mark.long
def test_by_keys_alone(visit: Callable[..., Visit], site: Site) -> None:
    """a and Enter take a record, b and Enter put it aside; a colleague is seen to look at it."""
    made = site.send(text="Nobody can pay with a giro card")["id"]
    ann, ben = visit("admin"), visit("triager")
    ann.go("/inbox")
    ann.page.keyboard.press("j")
    ann.page.keyboard.press("a")
    ann.page.keyboard.press("Enter")
    ann.page.get_by_text("1 assigned to Admin").wait_for()
    assert ann.page.locator(".row .person").count() == 1
    ben.go(f"/records/{made}")
    ann.go(f"/records/{made}")
    ann.page.get_by_text("Triager is looking at this").wait_for()
    ben.page.keyboard.press("b")
    ben.page.keyboard.press("Enter")
    ben.page.get_by_text("1 snoozed").wait_for()
    note = ben.page.locator("#note")
    note.press_sequentially("@Adm")
    ben.page.locator(".names [role=option]", has_text="Admin").wait_for()
    note.press("Enter")
    assert note.input_value() == "@Admin "


def test_who_is_gone_is_looked_up_once(reader: Make, call: Call, record_id: str) -> None:
    """However often the history names somebody who lost access, the page asks once what they are called."""
    bob, ann = reader("triager", email="bob@example.test"), reader("admin")
    asked = []
    for times in (1, 5):
        for _ in range(times):
            User.update(disabled_at=None).execute()
            for who in (bob.user_id, None):
                assert call("PATCH", f"{PATH}/{record_id}", json={"assignee": who}).status_code == 200
        User.update(disabled_at=1).where(User.id == bob.user_id).execute()
        ann.get(f"/records/{record_id}")
        with count_queries() as counted:
            assert "Triager" in ann.get(f"/records/{record_id}").text
        asked.append(counted.count)

    assert asked[0] == asked[1]
