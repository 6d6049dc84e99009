"""The list and one record: found as in the API, triaged with a way back, all of it without a script."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import brotli
import pytest
from playhouse.test_utils import count_queries

from gateway.background import similar
from gateway.background.lease import run_once
from gateway.inbox import static_files
from gateway.inbox.feedback_list import VIEWS
from gateway.inbox.web_link import link
from models import Event, Feedback, Job, Project
from models.queries import top_pages
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"


@pytest.fixture(name="send")
def _send(call: Call) -> Callable[..., str]:
    def send(text: str, **more: Any) -> str:
        answer = call("POST", PATH, json={"text": text, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    return send


def listed(page: str) -> list[str]:
    return re.findall(r'data-id="(fb_\w+)"', page)


def undo_form(page: str) -> dict[str, str]:
    found = re.search(r'name="undo" value="([^"]+)"', page)
    assert found, "no Undo on the page"
    return {"undo": found[1], "back": "/inbox"}


@pytest.mark.both(long=True)
@pytest.mark.parametrize(
    "query",
    [
        "",
        "category=question",
        "sentiment=negative&min_impact=3",
        "source=orq",
        "status=open,resolved",
        "q=button",
        "q=%22the+button%22+-hate",
        "sort=-impact",
        "type=message&category=bug",
        "tag!=nothing",
    ],
)
def test_lists_what_the_api_lists(reader: Make, call: Call, send: Callable[..., str], query: str) -> None:
    """The same query string finds the same records in the same order."""
    for text in (
        "How do I export this?",
        "The button does nothing",
        "I hate the new button!!",
        "Lovely work",
    ):
        send(text)
    call("POST", "/v2/feedback", json={"property": "rating", "value": ["bad"], "trace_id": "t-1"})
    page = reader("viewer").get(f"/inbox?{query}")

    assert listed(page.text) == [row["id"] for row in call("GET", f"{PATH}?{query}").json["data"]]


def test_what_is_for_everybody(reader: Make, call: Call) -> None:
    """A view leaves out what is marked as not for everybody; the filter stays when another is added."""
    for text, tags in (("In the open", ["team:web"]), ("Kept close", ["visibility:private"])):
        call("POST", PATH, json={"text": text, "tags": tags})
    page = reader("viewer").get(f"/inbox?{dict(VIEWS)['For everybody']}").text

    assert "In the open" in page and "Kept close" not in page
    assert re.search(r'aria-current="page">For everybody', page)
    assert '<input type="hidden" name="tag!" value="visibility:confidential,' in page


@pytest.mark.parametrize("query", [query for _, query in VIEWS])
def test_views_are_filters_of_the_api(reader: Make, call: Call, send: Callable[..., str], query: str) -> None:
    """Each view that is offered is a query string that the API takes."""
    send("Something")

    assert call("GET", f"{PATH}?{query}").status_code == 200
    assert reader("viewer").get(f"/inbox?{query}").status_code == 200


def test_bad_filters_are_named(reader: Make, send: Callable[..., str]) -> None:
    """A filter that cannot be used is told by its name; empty fields of a form are none."""
    send("Something")
    ann = reader("viewer")
    page = ann.get("/inbox?min_impact=99&colour=<b>")

    assert page.status_code == 400
    assert "<b>min_impact</b>" in page.text
    assert "<b>colour</b>" in page.text
    assert ann.get("/inbox?q=&category=&min_impact=").status_code == 200


@pytest.mark.parametrize(
    "text",
    ["%00", "%ff%fe", "q=%00", "cursor=nope", "cursor=%00", "q=" + "a" * 5000, "since=99999999d", "q=%22"],
)
def test_no_query_breaks_it(reader: Make, send: Callable[..., str], text: str) -> None:
    """Whatever stands in the address, there is an answer that is no failure."""
    send("Something")

    assert reader("viewer").get(f"/inbox?{text}").status_code in (200, 400)
    assert reader("triager").get(f"/inbox/fresh?{text}").status_code in (200, 400)


def test_pages(reader: Make, send: Callable[..., str]) -> None:
    """Older ones are a page further, each record on one page, the filter kept."""
    ids = [send(f"Report {n}") for n in range(53)]
    ann = reader("viewer")
    first = ann.get("/inbox?status=open").text
    older = re.search(r'<a href="(/inbox\?[^"]*cursor=[^"]*)"', first)
    assert older
    second = ann.get(unescape(older[1])).text

    assert "status=open" in older[1]
    assert listed(first) + listed(second) == ids[::-1]
    assert "cursor=" not in second.partition("Newest")[2]


def test_teaches_when_empty(reader: Make, call: Call) -> None:
    """An empty inbox shows the command that fills it; with the key it makes, that command works."""
    ann = reader("admin")
    assert "$KEY" in ann.get("/inbox").text
    page = unescape(ann.post("/inbox/first-key", follow_redirects=True).text)
    found = re.search(r"Bearer (sk_live_\w+)", page)
    assert found
    key = {"Authorization": f"Bearer {found[1]}"}

    assert call("POST", PATH, json={"text": "hello"}, headers=key).status_code == 201
    assert call("GET", PATH, headers=key).status_code == 403
    assert found[1] not in ann.get("/inbox").text
    assert "hello" in ann.get("/inbox").text
    assert "first-key" not in reader("viewer").get("/inbox").text


def test_tells_what_is_new(reader: Make, send: Callable[..., str]) -> None:
    """A page that asks hears how many its list lacks, of those its filter means."""
    first = send("The button is broken")
    ann = reader("viewer")
    ask = f"/inbox/fresh?after={first}"
    assert ann.get(ask).json == {"count": 0, "say": "0 new"}
    send("How do I export?")
    send("Thank you, lovely!")

    assert ann.get(ask).json == {"count": 2, "say": "2 new"}
    assert ann.get(f"{ask}&category=question").json["count"] == 1
    for n in range(50):
        send(f"Report {n}")
    assert ann.get(ask).json == {"count": 50, "say": "50+ new"}


@pytest.mark.both(long=True)
def test_many_at_once_and_back(reader: Make, send: Callable[..., str]) -> None:
    """A change to chosen records is one click, and so is taking it back, each to what it was."""
    ids = [send(f"Report {n}") for n in range(3)]
    Feedback.update(status="acknowledged").where(Feedback.id == ids[0]).execute()
    ben = reader("triager")
    before = dict(Feedback.select(Feedback.id, Feedback.status).tuples())
    ben.post("/inbox/bulk", {"set": "status:resolved", "id": ids, "back": "/inbox?status=open"})
    assert {row.status for row in Feedback.select()} == {"resolved"}
    page = ben.get("/inbox").text
    assert "3 changed to resolved" in page
    assert "3 changed" not in ben.get("/inbox").text
    ben.post("/inbox/undo", undo_form(page))

    assert dict(Feedback.select(Feedback.id, Feedback.status).tuples()) == before
    ben.post("/inbox/undo", undo_form(page))
    assert dict(Feedback.select(Feedback.id, Feedback.status).tuples()) == before


@pytest.mark.parametrize(
    "form", [{}, {"set": "status:gone"}, {"set": "author_name:x"}, {"set": ""}, {"set": "status:\0"}]
)
def test_changes_that_are_none(reader: Make, send: Callable[..., str], form: dict[str, str]) -> None:
    """A change that is not one is refused, and nothing is changed."""
    record_id = send("Report")
    answer = reader("triager").post("/inbox/bulk", {**form, "id": record_id})

    assert answer.status_code == 400
    assert Feedback.get().status == "open"


def test_correct_with_one_click(reader: Make, call: Call, send: Callable[..., str]) -> None:
    """A correction is kept with the model's own answer and who made it, shown, and can be undone."""
    record_id = send("Could you add dark mode")
    was = Feedback.get().category
    ben = reader("triager")
    answer = ben.post(f"/records/{record_id}", {"category": "question"})
    page = ben.get(answer.location).text
    row = call("GET", f"{PATH}/{record_id}").json
    assert (row["category"], row["category_origin"], row["overruled"]) == (
        "question",
        "corrected",
        {"category": was},
    )
    assert f"the model said {was}" in page
    assert "Triager" in page.partition('id="history"')[2]
    assert "first key" in page.partition('id="history"')[2]  # which sent it
    assert Event.get(Event.type == "relabelled").detail["key_id"] == ben.user_id
    ben.post("/inbox/undo", undo_form(page))

    assert call("GET", f"{PATH}/{record_id}").json["category"] == was


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ({"sentiment": "positive"}, "positive"),
        ({"status": "resolved"}, "resolved"),
        ({"impact": "12"}, "12"),
        ({"note": "Called them back,\r\n<b>tomorrow</b>"}, "Called them back,\n&lt;b&gt;tomorrow&lt;/b&gt;"),
    ],
)
def test_every_change_shows(reader: Make, send: Callable[..., str], form: dict[str, str], shown: str) -> None:
    """Labels, status and notes change by a form, and the page shows it."""
    record_id = send("The export is broken")
    ben = reader("triager")
    assert ben.post(f"/records/{record_id}", form).status_code == 303

    assert shown in ben.get(f"/records/{record_id}").text


@pytest.mark.parametrize(
    "form",
    [
        {"impact": "15"},
        {"impact": "x"},
        {"impact": "-1"},
        {"impact": "٣"},
        {"category": "x"},
        {"note": "x" * 10_001},
        {"note": "a\0b"},
    ],
)
def test_bad_changes_are_refused(reader: Make, send: Callable[..., str], form: dict[str, str]) -> None:
    """What is no label and no note is refused without a failure."""
    record_id = send("The export is broken")
    answer = reader("triager").post(f"/records/{record_id}", form)

    assert answer.status_code in (303, 400)
    assert Feedback.get().impact_origin == "predicted"


def test_a_viewer_sees_no_forms(reader: Make, send: Callable[..., str]) -> None:
    """Who may not change anything is offered nothing to change it with."""
    record_id = send("The export is broken")
    ann = reader("viewer")
    page = ann.get(f"/records/{record_id}").text

    assert "<textarea" not in page
    assert len(re.findall(r"<button[^>]*name=\"(?:category|sentiment|status)\"[^>]*disabled", page)) == 12
    assert 'name="id"' not in ann.get("/inbox").text


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("https://example.test/a?b=c#d", True),
        ("http://example.test", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt://example.test/%0aalert(1)", False),
        ("data:text/html,<script>", False),
        ("//example.test", False),
        ("/reports", False),
        ("https://", False),
        ("http://[", False),
        ('https://example.test/"onclick="x', False),
        ("https://example.test/\u202egnp.exe", False),
        (" https://example.test", False),
        ("vbscript:x", False),
        ("ftp://example.test", False),
    ],
)
def test_only_web_addresses_lead_somewhere(text: str, leads: bool) -> None:
    """What a sender calls an address is a link when it is one of the web, else text."""
    assert (link(text) == text) is leads
    assert link(text) in (text, None)


def test_issue_link(reader: Make, send: Callable[..., str]) -> None:
    """A record from a GitHub repository can be opened there as an issue, its words quoted."""
    record_id = send("Crash <b> `now`", subject={"repository": "octo/app"})
    ann = reader("viewer")
    assert "issues/new" not in ann.get(f"/records/{record_id}").text
    Feedback.update(source="github").execute()
    page = ann.get(f"/records/{record_id}").text

    assert 'href="https://github.com/octo/app/issues/new?title=' in page
    for bad in ("octo", "a/b/c", "../x/y", "octo/app?x=1", "octo/app#", "https://evil.test/a/b"):
        Feedback.update(subject={"repository": bad}).execute()
        assert "issues/new" not in ann.get(f"/records/{record_id}").text


@pytest.mark.parametrize(
    ("repository", "base"),
    [
        ("acme/shop", "https://github.com/acme/shop"),
        ("https://git.example.com:8443/acme/shop", "https://git.example.com:8443/acme/shop"),
    ],
)
@pytest.mark.parametrize(
    "text", ["Short & sweet", "Lines\n" * 3000, "\U0001f980" * 5000, "  # <b>`x`\u2028y" * 900]
)
def test_issue_link_of_a_project(
    reader: Make, send: Callable[..., str], tenant: Tenant, repository: str, base: str, text: str
) -> None:
    """Every record of a project with a repository has the link, no longer than GitHub takes."""
    Project.update(repository=repository).where(Project.id == tenant.project_id).execute()
    crabs = "\U0001f980 " * (1 if len(text) < 1000 else 200)
    record_id = send(text, title=crabs, author={"name": crabs}, subject={"page": "/\u00e9" * 100})
    page = reader("viewer").get(f"/records/{record_id}").text
    (found,) = re.findall(r'href="([^"]+/issues/new[^"]+)"', page)
    parts = urlsplit(unescape(found))
    asked = parse_qs(parts.query)

    assert unescape(found).startswith(f"{base}/issues/new?")
    assert len(unescape(found)) <= 8000
    assert asked["title"][0].startswith("\U0001f980 ")
    assert f"/records/{record_id}" in asked["body"][0]
    assert len(text) > 1000 or f"    {text}" in asked["body"][0]


def test_what_a_list_costs(reader: Make, send: Callable[..., str]) -> None:
    """A list of fifty asks the database no more often than a list of one."""
    send("One")
    ann = reader("viewer")
    with count_queries(only_select=True) as one:
        ann.get("/inbox")
    for n in range(49):
        send(f"Report {n}")
    with count_queries(only_select=True) as fifty:
        page = ann.get("/inbox")

    assert len(listed(page.text)) == 50
    assert fifty.count == one.count <= 13


def test_files_travel_compressed_and_once(reader: Make) -> None:
    """A file is sent as the browser takes it and kept for good by its digest; under another one it is not."""
    ann = reader("viewer")
    paths = sorted(set(re.findall(r'(/inbox/static/[^"#]+)["#]', ann.get("/inbox?status=open").text)))
    assert len(paths) == 4
    for path in paths:
        plain = ann.get(path)
        for accepts, coding, unpack in (
            ("gzip, deflate, br", "br", brotli.decompress),
            ("gzip", "gzip", gzip.decompress),
            ("br;q=0, gzip;q=0", None, bytes),
        ):
            answer = ann.get(path, headers={"Accept-Encoding": accepts})
            assert answer.headers.get("Content-Encoding") == coding
            assert unpack(answer.data) == plain.data
            assert len(answer.data) <= len(plain.data) or path.partition("?")[0].endswith(".svg")
        assert "immutable" in plain.headers["Cache-Control"]
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert ann.get(path.partition("?")[0] + "?0").headers["Cache-Control"] == "no-cache"
    packed = {"Accept-Encoding": "br"}
    sizes = {path.partition("?")[0][14:]: len(ann.get(path, headers=packed).data) for path in paths}

    assert sizes["inbox.css"] < 10_000
    assert sizes["inbox.js"] < 10_000


def test_each_file_of_style_and_script_is_served() -> None:
    """No part is forgotten: who adds a file names it."""
    parts = [part for of in static_files.PARTS.values() for part in of]
    found = (path for path in static_files.STATIC.rglob("*") if path.is_file())
    assert sorted(parts) == sorted(path.relative_to(static_files.STATIC).as_posix() for path in found)


def test_weight(reader: Make, send: Callable[..., str]) -> None:
    """A full list with its style and script travels as less than 60 kB."""
    for n in range(50):
        send(
            f"Report {n}: " + "words of all kinds go here " * 6,
            author={"name": f"Person {n}"},
            subject={"page": f"/p/{n}"},
        )
    ann = reader("admin")
    page = ann.get("/inbox", headers={"Accept-Encoding": "gzip"})
    assets = set(re.findall(r'(/inbox/static/[^"#]+)["#]', ann.get("/inbox").text))
    sizes = [len(ann.get(path, headers={"Accept-Encoding": "gzip"}).data) for path in assets]

    assert page.headers["Content-Encoding"] == "gzip"
    assert len(page.data) + sum(sizes) < 60_000
    assert len(assets) == 4


def test_filters_offer_every_source(reader: Make, send: Callable[..., str], tenant: Tenant) -> None:
    """Also names that no dialect has: imports are filed under any."""
    send("The export is slow")
    for name in ("helpdesk", "survey 2026"):
        Feedback.update(source=name).where(Feedback.id == send(f"Filed by {name}")).execute()
    page = unescape(reader("viewer").get("/inbox?source=helpdesk").text)

    assert '<option value="helpdesk" selected>' in page
    assert '<option value="survey 2026">' in page
    assert page.count('<option value="native"') == 1
    assert top_pages.sources("ws_of_nobody") == []


def test_a_record_leads_to_others(reader: Make, send: Callable[..., str]) -> None:
    """Those that say the same in nearly the same words, and those about the same in others."""
    one = send("The invoice for May shows a wrong VAT number")
    again = send("invoice for May shows wrong VAT number!!")
    about = send("Please mail every invoice to my accountant too")
    send("A dark mode would be lovely")
    Job.update(due_at=0).execute()
    assert run_once(similar.KEEP_UP)
    page = reader("viewer").get(f"/records/{one}").text
    nearly, _, rest = page.partition("Nearly the same words")[2].partition("About the same, in other words")

    assert [f"/records/{other}" in nearly for other in (again, about)] == [True, False]
    assert [f"/records/{other}" in rest for other in (again, about)] == [False, True]


def test_words_that_decided_are_marked(reader: Make, send: Callable[..., str]) -> None:
    """In title and text, as they are written and safe, with how sure each label is beside them."""
    record_id = send("De app CRASHT <b>steeds</b> & is traag, café's vind ik niet", title="App <i>crasht</i>")
    page = reader("viewer").get(f"/records/{record_id}").text
    row = Feedback.get_by_id(record_id)

    assert re.search('<mark title="[^"]*category[^"]*">CRASHT</mark>', page)
    assert re.search('<h1>.*<mark title="[^"]+">crasht</mark>', page)
    words = re.search(r'<div class="words" dir="auto">(.*?)</div>', page, re.DOTALL)
    assert words and unescape(re.sub("</?mark[^>]*>", "", words[1])) == row.text
    assert "<b>steeds" not in page and "<i>crasht" not in page
    assert f"{round(row.sentiment_confidence * 100)}% sure of the sentiment" in page
    Feedback.update(sentiment_confidence=None).execute()
    assert "sure of the sentiment" not in reader("admin").get(f"/records/{record_id}").text


def test_reasons_quote_what_was_written(reader: Make, send: Callable[..., str]) -> None:
    record_id = send("Ik ben TWEE KEER afgeschreven voor één bestelling")
    page = unescape(reader("viewer").get(f"/records/{record_id}").text)
    kept = " ".join(reason["why"] for reason in Feedback.get_by_id(record_id).impact_reasons)

    assert "twee keer afgeschreven" in kept
    assert '"TWEE KEER afgeschreven' in page


def test_the_unsure_come_by_what_is_at_stake(reader: Make, send: Callable[..., str]) -> None:
    """The view has those whose category or sentiment is a guess, the weightiest doubt first."""
    ids = [send(f"Report {n}") for n in range(4)]
    for record_id, impact, category, sentiment in zip(
        ids, (9, 2, 14, 14), (0.5, 0.3, 0.9, 0.99), (0.9, 0.3, 0.5, 0.99), strict=True
    ):
        changed = {"category_confidence": category, "sentiment_confidence": sentiment, "impact": impact}
        Feedback.update(changed).where(Feedback.id == record_id).execute()
    page = reader("viewer").get(f"/inbox?{dict(VIEWS)['Unsure']}")

    assert listed(page.text) == [ids[2], ids[0], ids[1]]


@pytest.mark.parametrize("query", ["sort=-doubt", "sort=-impact", dict(VIEWS)["Unsure"]])
def test_nothing_is_new_where_nothing_came(reader: Make, send: Callable[..., str], query: str) -> None:
    """Whatever the order of a list, it lacks only what came since."""
    ids = [send(f"Report {n}") for n in range(4)]
    for n, record_id in enumerate(ids):
        Feedback.update(category_confidence=0.5, impact=9 - n).where(Feedback.id == record_id).execute()
    ann = reader("viewer")
    page = ann.get(f"/inbox?{query}").text
    newest = re.search('data-newest="([^"]*)"', page)
    assert newest and listed(page) == ids
    assert ann.get(f"/inbox/fresh?{query}&after={newest[1]}").json["count"] == 0
    Feedback.update(category_confidence=0.2).where(Feedback.id == send("One more")).execute()
    assert ann.get(f"/inbox/fresh?{query}&after={newest[1]}").json["count"] == 1


def test_the_order_is_that_of_the_times(reader: Make, send: Callable[..., str]) -> None:
    """The time beside each row is the one that the list is sorted by; others are said in words."""
    ids = [send(f"Report {n}") for n in range(3)]
    hour = 3_600_000
    now = Feedback.get_by_id(ids[0]).received_at
    for number, (received, seen) in enumerate([(-30, -1), (-20, -20), (-10, -300)]):
        times = {"received_at": now + received * hour, "last_seen_at": now + seen * hour}
        Feedback.update(times).where(Feedback.id == ids[number]).execute()
    page = reader("viewer").get("/inbox").text
    shown = re.findall(r'<div class="when"><time datetime="([^"]+)"', page)
    said = re.findall(r"<span>(last|happened) <time", page)

    assert shown == sorted(shown, reverse=True)
    assert listed(page) == ids[::-1]
    assert said == ["happened", "last"]


@pytest.mark.parametrize("path", ["/nowhere", "/inboxes/old", "/%00", "/wp-login.php"])
def test_addresses_that_are_none(stranger: Reader, reader: Make, path: str) -> None:
    """A browser is shown a page at an address that is none of ours; programs are told as ever."""
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for who in (stranger, reader("viewer")):
        page = who.get(path, headers=browser)
        assert (page.status_code, page.mimetype) == (404, "text/html")
        assert "Not here" in page.text
    for accept in ("application/json", "*/*"):
        told = stranger.get(path, headers={"Accept": accept})
        assert (told.status_code, told.mimetype) == (404, "application/problem+json")
    assert stranger.get("/gateway/v1/nowhere", headers=browser).mimetype == "application/problem+json"
