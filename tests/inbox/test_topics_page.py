"""A project's topics: the page that has them, and where records show and get them."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from gateway.access.projects import create_project
from gateway.access.topics import LONGEST_DESCRIPTION, LONGEST_NAME
from gateway.core.ids import now_ms
from models import Feedback, Topic, User
from models.tables.topic import MOST
from tests.api.test_topics_api import made, theme
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
FEEDBACK = "/gateway/v1/feedback"


@pytest.fixture(name="path")
def _path(tenant: Tenant) -> str:
    return f"/settings/projects/{tenant.project_id}/topics"


@pytest.fixture(name="api")
def _api(tenant: Tenant) -> str:
    return f"/gateway/v1/projects/{tenant.project_id}/topics"


def post(call: Call, text: str = "The lantern hums") -> str:
    return str(call("POST", FEEDBACK, json={"text": text}).json["id"])


def main(page: str) -> str:
    return unescape(page.partition("<main")[2])


def test_topics_from_their_making_to_their_end(reader: Make, path: str, call: Call) -> None:
    """Made, renamed, merged and removed by forms, each saying what was done; a viewer has no form."""
    ann = reader("admin")
    assert "None yet." in ann.get(path).text
    form = {"name": "Bills <b>", "description": "What is <i>due</i>"}
    assert ann.post(path, form).location == path
    page = ann.get(path).text
    assert "Bills &lt;b&gt;" in page
    assert "What is &lt;i&gt;due" in page
    assert "Created. Records get it" in page
    first = Topic.get().id
    assert page.count(f'aria-describedby="{first}"') == 2  # which one is changed or removed
    assert ann.post(f"{path}/{first}", {"name": "Bills", "description": ""}).location == path
    assert (Topic.get().name, Topic.get().description) == ("Bills", "")
    ann.post(path, {"name": "Dues"})
    second = Topic.get(Topic.name == "Dues").id
    record = post(call)
    call("PATCH", f"{FEEDBACK}/{record}", json={"topic": second})
    assert ann.post(path, {"merge": second, "into": first}).location == path
    assert Feedback.get_by_id(record).topic == first
    viewer = reader("viewer").get(path).text
    assert "Bills" in viewer
    assert "<form" not in viewer.partition("<main")[2]
    assert "Examples from people: 1" in viewer
    assert f'href="{path}"' in ann.get(path.removesuffix("/topics")).text
    ann.post(f"{path}/{first}", {"act": "remove"})
    assert Feedback.get_by_id(record).topic is None


@pytest.mark.parametrize(
    ("where", "form", "why"),
    [
        ("", {"name": "bills"}, "name: Another topic of this project has it"),
        ("", {"name": "", "description": "kept words"}, "name: Required"),
        ("/{id}", {"name": " ", "description": ""}, "name: "),
        ("", {"merge": "{id}", "into": "top_none"}, "into: Must be another topic"),
        ("", {"merge": "top_none", "into": "{id}"}, "That topic is gone."),
        ("/top_none", {"name": "x"}, "That topic is gone."),
        ("/top_none", {"act": "remove"}, "That topic is gone."),
    ],
)
def test_what_cannot_be_taken(
    reader: Make, path: str, api: str, call: Call, where: str, form: dict[str, str], why: str
) -> None:
    """The page says why, keeps what was typed for a new topic, and changes nothing."""
    topic_id = made(call, api, "Bills")
    form = {name: text.replace("{id}", topic_id) for name, text in form.items()}
    answer = reader("admin").post(path + where.format(id=topic_id), form)
    assert answer.status_code == 400
    assert why in unescape(answer.text)
    assert [row.name for row in Topic.select()] == ["Bills"]
    if "description" in form and not where:
        assert 'value="kept words"' in answer.text


def test_a_record_shows_and_gets_its_topic(reader: Make, api: str, call: Call) -> None:
    """The chip, the choice and the history of a record, and the way back."""
    record = post(call)
    triager = reader("triager")
    assert '<select name="topic"' not in triager.get(f"/records/{record}").text
    topic_id = made(call, api, "Bills & dues")
    where = f"/records/{record}"
    assert triager.post(where, {"topic": topic_id}).location == where
    page = unescape(triager.get(where).text)
    assert "topic: Bills & dues" in page
    assert f'<span class="topic"><a href="/inbox?topic={topic_id}">Bills & dues</a></span>' in page
    assert re.search(rf'<option value="{topic_id}" selected>', page)
    assert "topic: No topic → Bills & dues" in page
    undo = re.search(r'name="undo" value="([^"]+)"', page)
    assert undo
    triager.post("/inbox/undo", {"back": where, "undo": undo[1]})
    assert Feedback.get_by_id(record).topic is None
    triager.post(where, {"topic": topic_id})
    triager.post(where, {"topic": "none"})
    assert Feedback.get_by_id(record).topic is None
    Feedback.update(topic=topic_id, topic_origin="predicted", topic_confidence=0.834).execute()
    viewer = main(reader("viewer").get(where).text)
    assert "predicted, 83% sure" in viewer
    assert re.search(r'<select name="topic"[^>]* disabled>', viewer)
    call("PATCH", f"{FEEDBACK}/{record}", json={"topic": None})
    call("DELETE", f"{api}/{topic_id}")
    assert "topic: No topic → Bills & dues" in main(triager.get(where).text)


def test_the_list_filters_by_topic(reader: Make, api: str, call: Call, tenant: Tenant) -> None:
    """The choice names each topic, its project too where there are several; rows show theirs."""
    viewer = reader("viewer")
    assert '<select name="topic"' not in viewer.get("/inbox").text
    topic_id = made(call, api, "Bills")
    mine, other = post(call), post(call, "The kettle hums")
    call("PATCH", f"{FEEDBACK}/{mine}", json={"topic": topic_id})
    page = viewer.get(f"/inbox?topic={topic_id}").text
    assert f'<option value="{topic_id}" selected>Bills</option>' in page
    assert '<span class="topic">Bills</span>' in page
    assert (mine in page, other in page) == (True, False)
    assert '<input type="hidden" name="topic"' not in page
    page = viewer.get("/inbox?topic=none").text
    assert (mine in page, other in page) == (False, True)
    create_project(tenant.workspace_id, "Second", now_ms())
    assert ">Bills (Default)</option>" in viewer.get("/inbox").text


def test_a_theme_becomes_a_topic(reader: Make, call: Call, tenant: Tenant, path: str) -> None:
    """One click of an admin on the overview, where it is plain which project's topic it is."""
    theme(tenant, [post(call), post(call, "The kettle hums")])
    admin, viewer = reader("admin"), reader("viewer")
    assert "Make it a topic" not in viewer.get("/overview").text
    page = admin.get("/overview").text
    assert f'action="{path}"' in page
    form = dict(re.findall(r'<input type="hidden" name="(theme|name)" value="([^"]+)">', page))
    assert form == {"theme": "th_1", "name": "hums"}
    assert admin.post(path, form).location == path
    assert Feedback.select().where(Feedback.topic == Topic.get().id).count() == 2
    again = admin.post(path, form)
    assert (again.status_code, '<input type="hidden" name="theme" value="th_1">' in again.text) == (400, True)
    create_project(tenant.workspace_id, "Second", now_ms())
    assert "Make it a topic" not in admin.get("/overview").text


def test_in_dutch(reader: Make, call: Call, api: str, path: str) -> None:
    """Names of topics are nobody's words to translate."""
    topic_id = made(call, api, "Topic %(n)s 100%")
    record = post(call)
    call("PATCH", f"{FEEDBACK}/{record}", json={"topic": topic_id})
    ann = reader("admin")
    User.update(language="nl").execute()
    for where in (path, "/inbox", f"/records/{record}"):
        page: Any = ann.get(where)
        assert page.status_code == 200
        assert "Topic %(n)s 100%" in page.text
    assert "onderwerp: Geen onderwerp → Topic %(n)s 100%" in main(ann.get(f"/records/{record}").text)
    word = made(call, api, "question")
    ann.post(f"/records/{record}", {"topic": word})
    page = ann.get(f"/records/{record}").text
    assert "onderwerp: question" in page
    assert "onderwerp: Topic %(n)s 100% → question" in page


def test_undo_is_no_word_of_a_person(reader: Make, api: str, call: Call) -> None:
    """Undo makes a topic the guess that it was, or what nobody had looked for: nothing is learnt of it."""
    bills, dues = made(call, api, "Bills"), made(call, api, "Dues")
    unread, guessed, given = post(call), post(call), post(call)
    Feedback.update(topic=bills, topic_origin="predicted", topic_confidence=0.7).where(
        Feedback.id == guessed
    ).execute()
    call("PATCH", f"{FEEDBACK}/{given}", json={"topic": bills})
    expected = {
        unread: (None, None, None),
        guessed: (bills, "predicted", 0.7),
        given: (bills, "corrected", 1.0),
    }
    ann = reader("admin")
    for record, before in expected.items():
        for chosen in (dues, "none", bills):
            page = ann.post(f"/records/{record}", {"topic": chosen})
            found = re.search(r'name="undo" value="([^"]+)"', ann.get(page.location).text)
            if found is None:
                assert (record, chosen) == (given, bills)  # it had that already
                continue
            assert "Undone." in ann.get(ann.post("/inbox/undo", {"undo": found[1]}).location).text
            row = Feedback.get_by_id(record)
            assert (row.topic, row.topic_origin, row.topic_confidence) == before, chosen


def test_undo_when_the_topic_is_gone(reader: Make, api: str, call: Call) -> None:
    """Undo of a topic that was removed meanwhile says so, and the record stays as it is."""
    bills, dues, record = made(call, api, "Bills"), made(call, api, "Dues"), post(call)
    call("PATCH", f"{FEEDBACK}/{record}", json={"topic": bills})
    ann = reader("admin")
    page = ann.get(ann.post(f"/records/{record}", {"topic": dues}).location).text
    (token,) = re.findall(r'name="undo" value="([^"]+)"', page)
    call("DELETE", f"{api}/{bills}")
    said = ann.get(ann.post("/inbox/undo", {"undo": token}).location)
    assert "1 could not be undone" in said.text
    assert Feedback.get_by_id(record).topic == dues


def test_names_are_nobody_elses_words(reader: Make, api: str, call: Call) -> None:
    """A topic that is called as a word of the page is not translated; one that is confirmed is told once."""
    topic_id, record = made(call, api, "bug"), post(call)
    ann = reader("admin")
    with_dutch = {"headers": {"Accept-Language": "nl"}}
    said = ann.get(ann.post(f"/records/{record}", {"topic": topic_id}, **with_dutch).location, **with_dutch)
    assert "onderwerp: bug" in said.text
    assert "Geen onderwerp → bug" in said.text
    other = post(call)
    Feedback.update(topic=topic_id, topic_origin="predicted", topic_confidence=0.7).where(
        Feedback.id == other
    ).execute()
    ann.post(f"/records/{other}", {"topic": topic_id})
    assert "bug → bug" not in ann.get(f"/records/{other}").text


def test_a_saved_filter_follows_a_merge(reader: Make, api: str, call: Call) -> None:
    """A filter by a topic that was merged finds what has the other one now, and says what it asks for."""
    bills, dues, record = made(call, api, "Bills"), made(call, api, "Dues"), post(call)
    call("PATCH", f"{FEEDBACK}/{record}", json={"topic": bills})
    call("POST", f"{api}/{bills}/merge", json={"into": dues})
    viewer = reader("viewer")
    page = main(viewer.get(f"/inbox?topic={bills}").text)
    assert record in page
    assert f'<option value="{bills}" selected>Bills</option>' in page
    listed = call("GET", f"{FEEDBACK}?topic={bills}").json["data"]
    assert [row["id"] for row in listed] == [record]
    assert f'value="{bills},{dues}" selected' in main(viewer.get(f"/inbox?topic={bills},{dues}").text)
    call("DELETE", f"{api}/{dues}")
    assert record not in main(viewer.get(f"/inbox?topic={bills}").text)


def test_pages_stay_small(reader: Make, path: str, call: Call, tenant: Tenant) -> None:
    """With as many topics as there may be, named as long as may be, in many projects."""
    others = [create_project(tenant.workspace_id, f"p{number}", now_ms()) for number in range(9)]
    projects = [tenant.project_id, *others]
    rows = [
        {
            "id": f"top_{project:04d}{number:022d}",
            "workspace_id": tenant.workspace_id,
            "project": projects[project],
            "name": f"{number:02d}" + "x" * (LONGEST_NAME - 2),
            "description": "y" * LONGEST_DESCRIPTION,
            "created_at": 0,
        }
        for project in range(10)
        for number in range(MOST)
    ]
    Topic.insert_many(rows).execute()
    post(call)
    ann = reader("admin")
    for page in (path, "/inbox", f"/inbox?project={tenant.project_id}", "/overview"):
        answer = ann.get(page)
        assert len(answer.data) < 60_000, page
    assert "Merge into" in main(ann.get(path).text)
    offered = main(ann.get(f"/inbox?project={tenant.project_id}").text).count(
        f'<option value="{rows[0]["id"][:8]}'
    )
    assert offered == 2 * MOST  # to filter by, and to give the chosen ones
