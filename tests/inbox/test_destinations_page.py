"""The pages of destinations: made, changed, tried, watched, paused, replayed and ended by admins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from markupsafe import escape
from standardwebhooks import Webhook

from gateway.background.lease import run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.core.outbound import Forbidden
from gateway.destinations import found_kinds, ladder, managing, sender
from gateway.inbox import destination_form, refusals
from models import Audit, Destination, Feedback, Outgoing, User
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader
from tests.receivers import answering, listening

Make = Callable[..., Reader]
LIST = "/settings/destinations"
NEW = f"{LIST}/new/webhook"
FORM = {"url": "http://localhost:9/hook", "events": "feedback.created", "act": "save"}
SAME = {"Sec-Fetch-Site": "same-origin"}
ANSWER = b"<b onclick=x>no & never</b>"


@pytest.fixture(autouse=True)
def _allowed(tenant: Tenant) -> Iterator[None]:
    """Receivers of this machine are sent to."""
    outbound.connect(Config(outbound_allow="localhost"))
    yield
    outbound.connect(Config())


@pytest.fixture(name="made")
def _made(tenant: Tenant) -> str:
    """A destination that nobody answers at."""
    sent: dict[str, Any] = {"name": "Shop", "headers": {"Authorization": "Bearer sealed"}}
    row = managing.create(tenant.workspace_id, None, "webhook", FORM["url"], sent, by="key_test")
    return f"{LIST}/{row['id']}"


def work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the worker does with what is due."""
    monkeypatch.setattr(sender, "LINGER", 0.0)
    run_once(sender.SEND)


def post(call: Call, text: str = "The export stalls") -> str:
    return str(call("POST", "/gateway/v1/feedback", json={"text": text}).json["id"])


def previewed(page: str) -> str:
    """The part of a page that shows what is sent."""
    begin = page.index('id="preview"')
    return page[begin : page.index("</section>", begin)]


def test_from_the_form_to_the_log(reader: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination is made, its secret shown once; a test goes the whole way and stands in the log."""
    ann, seen = reader("admin"), list[bytes]()
    with listening(answering("202 Accepted", seen=seen, body=ANSWER)) as port:
        form = {**FORM, "url": f"http://localhost:{port}/", "name": "Shop <i>"}
        page = ann.get(ann.post(NEW, form).location).text
        (secret,) = re.findall(r"whsec_[\w+/=]{40,}", unescape(page))
        one = f"{LIST}/{Destination.get().id}"
        assert "Shop &lt;i&gt;" in ann.get(LIST).text
        assert "never" in ann.get(LIST).text and secret not in unescape(ann.get(one).text)
        page = ann.get(ann.post(f"{one}/test").location).text
        (asks,) = re.findall('data-wait="(.*?)"', page)
        assert "is in the log" in page and ann.get(unescape(asks)).json["received"] is False
        work(monkeypatch)
        assert ann.get(unescape(asks)).json == {"received": True, "bad": False, "say": "sent · 202"}
        assert ann.get(f"{one}/tested?since=2090").json["received"] is False
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    sent = Webhook(secret).verify(body, {name.lower(): value for name, value in lines})
    assert sent["type"] == "destination.test"
    page = ann.get(one).text
    assert ">sent</span>" in page and "tries: 1 · 202" in page
    detail = ann.get(f"{one}/deliveries/{Outgoing.get().id}").text
    assert str(escape(ANSWER.decode())) in detail and str(escape(body.decode())) in detail
    assert ann.get(f"{one}/deliveries/{Outgoing.get().id}x").status_code == 404
    assert [row.key_id for row in Audit.select() if row.action == "destination.created"] == [ann.user_id]


BAD = [
    ({"url": ""}, "url"),
    ({"url": "http://elsewhere.test/"}, "url"),
    ({"url": "https://a b"}, "url"),
    ({"url": "https://me:pw@a.test"}, "url"),
    ({"url": "https://a.test/#x"}, "url"),
    ({"url": "https://a.test:99"}, "url"),
    ({"url": "ftp://a.test"}, "url"),
    ({"url": "https://"}, "url"),
    ({"url": "https://[::x]/"}, "url"),
    ({"url": "https://a.test:99999/"}, "url"),
    ({"url": "https://127.0.0.1/"}, "url"),
    ({"url": "https://10.0.0.1/"}, "url"),
    ({"url": "https://a.test/" + "x" * 2048}, "url"),
    ({"url": "https://a.test/" + "\u00e9"}, "url"),
    ({"name": "n" * 201}, "name"),
    ({"events": []}, "events"),
    ({"events": ["feedback.created", "feedback.eaten"]}, "events"),
    ({"filter": "color=red"}, "filter"),
    ({"filter": "category=dog"}, "filter"),
    ({"filter": "category="}, "filter"),
    ({"filter": "page=%00"}, "filter"),
    ({"filter": "page=" + "x" * 501}, "filter"),
    ({"filter": "page=a&page=b"}, "filter"),
    ({"filter": "category=" + "bug," * 50 + "bug"}, "filter"),
    ({"filter": "min_impact=15"}, "filter"),
    ({"filter": "min_impact=9&max_impact=3"}, "filter"),
    ({"filter": "confidence_below=2"}, "filter"),
    ({"filter": "since=then"}, "filter"),
    ({"filter": "q=-"}, "filter"),
    ({"filter": "q=a*"}, "filter"),
    ({"filter": "q=" + "+".join(f"w{n}" for n in range(60))}, "filter"),
    ({"filter": "x" * 4001}, "filter"),
    ({"headers": "Bad Name: x"}, "headers"),
    ({"headers": "Host: x"}, "headers"),
    ({"headers": "X-A:"}, "headers"),
    ({"headers": "\n".join(f"X-{n}: 1" for n in range(9))}, "headers"),
]


def test_bad_fields(reader: Make) -> None:
    """What is wrong stands beside its field in the reader's language, with what was typed; none is made."""
    ann = reader("admin")
    User.update(language="nl").execute()
    for form, name in BAD:
        answer = ann.post(NEW, {**FORM, **form})
        page = answer.text
        assert answer.status_code == 400, form
        (why,) = re.findall(f'<p class="fault" id="wrong-{name}">(.*?)</p>', page, re.S)
        assert "Must" not in why and "must" not in why and "Expected" not in why, why
        assert re.search("moet|mag |verplicht|kies|onbekend|geen|gateway|leidt|langer|moge", why.lower()), why
        assert f'aria-describedby="wrong-{name}"' in page or f" wrong-{name}" in page, form
        typed = form[name] if isinstance(form[name], str) else ""
        assert str(escape(typed)) in page, form
    assert Destination.select().count() == 0
    for kind in ("none", "a'b"):
        assert (
            ann.get(f"{LIST}/new/{kind}").status_code
            == ann.post(f"{LIST}/new/{kind}", FORM).status_code
            == 404
        )


def test_changing(reader: Make, made: str) -> None:
    """What the form says is set. Headers stay when none are typed, as their values are not shown."""
    ann = reader("admin")
    page = ann.get(f"{made}/change").text
    assert 'value="Shop"' in page and "those of now are Authorization" in page and "Bearer sealed" not in page
    form = {
        **FORM,
        "name": "Till",
        "events": ["feedback.tagged", "feedback.deleted"],
        "thin": "1",
        "ordered": "1",
    }
    form["filter"] = "https://gateway.test/inbox?category=bug&min_impact=8&sort=-doubt"
    answer = ann.post(f"{made}/change", form)
    assert "Saved." in ann.get(answer.location).text
    shown = managing.shown(Destination.select().dicts().get())
    assert (
        shown["events"] == ["feedback.tagged", "feedback.deleted"]
        and shown["filter"] == "category=bug&min_impact=8"
    )
    assert (shown["name"], shown["thin"], shown["ordered"], shown["headers"]) == (
        "Till",
        True,
        True,
        ["Authorization"],
    )
    page = ann.get(f"{made}/change").text
    assert len(re.findall('<input type="checkbox"[^>]* checked', page)) == 4
    ann.post(f"{made}/change", {**FORM, "headers": "X-Key: a\r\n X-More : b:c \r\n"})
    shown = managing.shown(Destination.select().dicts().get())
    assert shown["headers"] == ["X-Key", "X-More"] and not shown["thin"]
    ann.post(f"{made}/change", {**FORM, "no_headers": "1"})
    assert managing.shown(Destination.select().dicts().get())["headers"] == []
    bad = ann.post(f"{made}/change", {**FORM, "name": "New", "url": "http://a.test"})
    assert bad.status_code == 400 and 'id="wrong-url"' in bad.text and 'value="New"' in bad.text


def test_held_and_dead(reader: Make, made: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while it is paused is held, then sent or forgotten; so is what is dead."""
    ann = reader("admin")
    assert "Paused." in ann.get(ann.post(f"{made}/state", {"state": "paused"}).location).text
    post(call), post(call, "The second")
    work(monkeypatch)
    page = ann.get(made).text
    assert "2 deliveries are held" in page and "Send what was held" not in page
    ann.post(f"{made}/state", {"state": "enabled"})
    assert "Send what was held (2)" in ann.get(made).text
    Outgoing.update(state="dead").where(
        Outgoing.id == Outgoing.select().order_by(Outgoing.id).first().id
    ).execute()
    assert "1 are replayed" in ann.get(ann.post(f"{made}/replay", {"state": "held"}).location).text
    assert [row.state for row in Outgoing.select().order_by(Outgoing.id)] == ["dead", "waiting"]
    assert "Replay all dead ones (1)" in ann.get(made).text
    for since, said in (("2020-01-01T00:00", "1 are replayed"), ("2090-01-01T00:00", "nothing to replay")):
        Outgoing.update(state="dead").execute()
        Outgoing.update(state="waiting").where(
            Outgoing.id == Outgoing.select().order_by(Outgoing.id).first().id
        ).execute()
        answer = ann.post(f"{made}/replay", {"state": "dead", "since": since})
        assert said in ann.get(answer.location).text
    unknown = ("noon", "0001-01-01T00:00+14:00", "9999-12-31T23:00-12:00")
    for form in (*({"state": "dead", "since": since} for since in unknown), {"state": "eaten"}):
        assert 'class="said bad"' in ann.get(ann.post(f"{made}/replay", form).location).text
    assert "1 are forgotten" in ann.get(ann.post(f"{made}/forget", {"state": "dead"}).location).text
    assert 'class="said bad"' in ann.get(ann.post(f"{made}/forget", {"state": "sent"}).location).text
    assert 'class="said bad"' in ann.get(ann.post(f"{made}/state", {"state": "disabled"}).location).text
    assert Outgoing.select().count() == 1
    assert ann.get(ann.post(f"{made}/delete").location).status_code == 200
    assert Outgoing.select().count() == Destination.select().count() == 0


def test_the_log_in_pages(reader: Make, made: str, tenant: Tenant) -> None:
    """The newest come first, in pages and by state, each with its replay."""
    ann, one = reader("admin"), made.rpartition("/")[2]
    for n in range(30):
        row = {"id": f"msg_{n:026}", "workspace_id": tenant.workspace_id, "destination": one, "body": "{}"}
        row |= {
            "type": "feedback.created",
            "state": "dead" if n == 3 else "sent",
            "next_at": 0,
            "created_at": n,
        }
        Outgoing.create(**row, feedback=None, replay=False, rung=0, tries=0)
    page = ann.get(made).text
    assert len(re.findall(f'href="{made}/deliveries/', page)) == 25 and f"msg_{29:026}" in page
    (older,) = re.findall('<a href="([^"]*)" rel="next">', page)
    rest = ann.get(unescape(older)).text
    assert len(re.findall(f'href="{made}/deliveries/', rest)) == 5 and 'rel="next"' not in rest
    dead = ann.get(f"{made}?state=dead").text
    assert re.findall(f'href="{made}/deliveries/(.*?)"', dead) == [f"msg_{3:026}"]
    answer = ann.post(f"{made}/replay", {"delivery_id": f"msg_{3:026}"})
    assert "1 are replayed" in ann.get(answer.location).text
    assert ann.get(f"{made}?state=eaten").status_code == 400


def test_rotating(reader: Make, made: str) -> None:
    """The new secret is shown once, and the old one goes on for a day."""
    ann = reader("admin")
    page = unescape(ann.get(ann.post(f"{made}/rotate").location).text)
    (secret,) = re.findall(r"whsec_[\w+/=]{40,}", page)
    assert "signs for another day" in page and secret not in unescape(ann.get(made).text)


def test_preview(reader: Make, call: Call, made: str) -> None:
    """It shows what is sent of the newest record that matches, before it is saved and after; else a test."""
    ann = reader("admin")
    assert "A test looks like this" in ann.get(f"{made}/change").text
    first, second = post(call, "<b>The</b> export crashes"), post(call, "Lovely, thank you!")
    sent, before = {**FORM, "act": "preview", "name": "P", "url": ""}, Destination.select().count()
    for form, record, words in (
        ({}, second, "Lovely, thank you!"),
        ({"filter": "category=bug"}, first, "&lt;b&gt;The&lt;/b&gt; export crashes"),
        ({"thin": "1"}, second, "&#34;data&#34;: {\n    &#34;id&#34;: "),
        ({"events": "feedback.deleted"}, second, "&#34;type&#34;: &#34;feedback.deleted&#34;"),
        ({"events": "destination.disabled"}, None, "destination_id"),
        ({"filter": "tag=none"}, None, "destination.test"),
    ):
        page = ann.post(NEW, {**sent, **form}).text
        shown = previewed(page)
        assert words in shown and ("<b>The" not in shown), form
        assert re.findall("/records/(fb_\\w+)", shown)[:1] == ([record] if record else []), form
        assert 'value="P"' in page
    assert Destination.select().count() == before
    bad = ann.post(f"{made}/change", {**sent, "filter": "color=red"})
    assert bad.status_code == 400 and 'id="wrong-filter"' in bad.text and 'id="preview"' not in bad.text
    Destination.update(filter="color=red").execute()
    assert 'value="color=red"' in ann.get(f"{made}/change").text
    Feedback.delete().execute()


def test_the_banner(reader: Make, made: str) -> None:
    """Every page tells an admin of what was given up or has failed for half a day, and nobody else."""
    ann, ben = reader("admin"), reader("triager")
    since = now_ms() - ladder.FAILING_FOR
    for columns, told in (
        ({}, False),
        ({"failing_since": since + 60_000}, False),
        ({"failing_since": since}, True),
        ({"failing_since": since, "state": "paused"}, False),
        ({"state": "disabled", "reason": "it answered 410 Gone <b>"}, True),
    ):
        Destination.update({"state": "enabled", "failing_since": None, **columns}).execute()
        for path in ("/inbox", "/overview", "/settings/keys", "/account", made):
            page = ann.get(path).text
            assert ("fault ailing" in page) == told, (columns, path)
            assert "410 Gone <b>" not in page
        assert "fault ailing" not in ben.get("/inbox").text


def test_events_are_said() -> None:
    """Each type of change that may be asked for has its words."""
    assert set(managing.EVENTS) <= set(destination_form.EVENTS_SAID)


PEOPLE = {"url": "https://ntfy.sh/topic", "events": "feedback.created", "act": "save", "zone": "Asia/Tokyo"}
ALSO_BAD = [
    ({"when": "each", "window": "0"}, "window"),
    ({"when": "each", "window": "often"}, "window"),
    ({"when": "daily", "hour": "24"}, "hour"),
    ({"when": "weekly", "hour": "8", "weekday": "7"}, "weekday"),
    ({"when": "daily", "hour": "8", "zone": "Mars/Phobos"}, "zone"),
    ({"when": "never"}, "when"),
    ({"when": "daily", "hour": "8", "content": "poems"}, "content"),
    ({"when": "each", "window": "10", "events": "feedback.deleted"}, "events"),
]


def test_people(reader: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination of people says when they are told and shows it again; only what counts then is sent."""
    monkeypatch.setattr(outbound, "check", lambda url: None)
    ann, new = reader("admin"), f"{LIST}/new/ntfy"
    for form, name in ALSO_BAD:
        answer = ann.post(new, {**PEOPLE, **form}, headers={**SAME, "Accept-Language": "nl"})
        assert answer.status_code == 400, form
        (why,) = re.findall(f'<p class="fault" id="wrong-{name}">(.*?)</p>', answer.text, re.S)
        assert re.search("Moet|Mensen", why), (form, why)
    form = {**PEOPLE, "when": "weekly", "weekday": "2", "hour": "7", "window": "x", "include_author": "1"}
    page = ann.get(ann.post(new, {**form, "content": "digest", "name": "Team"}).location).text
    assert "Wednesday, 7:00 Asia/Tokyo · a digest of the time · with authors" in page
    assert "whsec_" not in page and "Rotate" not in page and "Verify" not in page
    assert " · once a week" in ann.get(LIST).text
    one = f"{LIST}/{Destination.get().id}"
    again = ann.get(f"{one}/change").text
    for name, value in (("weekday", "2"), ("hour", "7"), ("content", "digest"), ("when", "weekly")):
        (field,) = re.findall(f'<select name="{name}">(.*?)</select>', again, re.S)
        assert f'value="{value}" selected' in field, name
    ann.post(f"{one}/change", {**PEOPLE, "when": "each", "window": "30"})
    assert "as it comes, and then every 30 minutes" in ann.get(one).text
    assert "was refused" not in ann.get(ann.post(f"{one}/rotate").location).text


def test_a_message_is_shown_in_its_parts(reader: Make, call: Call) -> None:
    """What people would read is shown as subject and parts, and as the kind writes it."""
    ann = reader("admin")
    post(call, "The export <b>crashes</b> <!channel>")
    for kind in found_kinds.load().values():
        page = ann.post(f"{LIST}/new/{kind.name}", {**PEOPLE, "act": "preview", "window": "10"}).text
        shown = previewed(page)
        assert ("<b>New: bug" in shown) == kind.is_for_people, kind.name
        assert "&lt;b&gt;crashes" in shown and "/records/fb_" in shown
        assert "<b>crashes" not in shown and "<!channel" not in shown


def test_what_is_told_together_is_shown_so(reader: Make, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day is shown as the newest records in one message, and a digest as that of the last whole day."""
    ann, form = reader("admin"), {**PEOPLE, "act": "preview", "when": "daily", "hour": "8"}
    for text in ("The export crashes", "The import crashes"):
        post(call, text)
    shown = previewed(ann.post(f"{LIST}/new/slack", form).text)
    assert "2 records: 2 new" in shown and "The export crashes" in shown and "The import crashes" in shown
    form["content"] = "digest"
    assert "Nothing happened" in previewed(ann.post(f"{LIST}/new/slack", form).text)
    tomorrow = now_ms() + ladder.DAY
    monkeypatch.setattr("gateway.destinations.preview.now_ms", lambda: tomorrow)
    shown = previewed(ann.post(f"{LIST}/new/slack", form).text)
    assert "As it would be sent now" in shown and "The export crashes" in shown
    assert ann.post(f"{LIST}/new/slack", {**form, "hour": "x"}).status_code == 400


def test_kinds_say_what_they_want(reader: Make) -> None:
    """Each kind's form tells what address to give, in the reader's language."""
    ann = reader("admin")
    listed = ann.get(LIST).text
    for kind in found_kinds.load().values():
        assert f'href="{LIST}/new/{kind.name}"' in listed
        page = ann.get(f"{LIST}/new/{kind.name}", headers={"Accept-Language": "nl"}).text
        told = re.findall('<p class="quiet" id="why-url">(.*?)</p>', page)
        assert bool(told) == (kind.check is not outbound.check), kind.name
        assert all(re.match("Moet |Heeft |Is een", words) for words in told), told


ADDRESSES = ("", "https://a.webhook.office.com/webhookb2/1")


def test_what_kinds_ask_for_is_known(tenant: Tenant) -> None:
    """Each kind's words for an address that is none of its own are among those that are translated."""
    for kind in found_kinds.load().values():
        for address in ADDRESSES if kind.is_for_people else ADDRESSES[:1]:
            with pytest.raises(Forbidden) as refused:
                kind.check(address)
            assert str(refused.value) in refusals.PHRASES, kind.name


def test_all_faults_at_once(reader: Make, call: Call) -> None:
    """What a schema refuses hides neither a bad address nor a bad filter, in a form and in the API."""
    sent = {"kind": "slack", "url": "http://example.com", "filter": "colour=red", "name": "n" * 300}
    faults = call("POST", "/gateway/v1/destinations", json=sent).json["errors"]
    page = reader("admin").post("/settings/destinations/new/slack", {**sent, "events": "x"}).text

    assert {fault["field"] for fault in faults} == {"name", "url", "filter.colour"}
    assert {f'id="wrong-{name}"' in page for name in ("name", "url", "filter", "events")} == {True}


def test_changed_by_somebody_else(reader: Make, made: str) -> None:
    """A form that was opened before somebody else's change says so, and is saved when it is sent again."""
    ann = reader("admin")
    (tag,) = re.findall(r'name="etag" value="([^"]+)"', ann.get(f"{made}/change").text)
    mine = {**FORM, "etag": unescape(tag)}
    ann.post(f"{made}/change", {**mine, "name": "Theirs"})
    refused = ann.post(f"{made}/change", {**mine, "name": "Mine"})
    assert (refused.status_code, Destination.get().name) == (400, "Theirs")
    assert "Somebody else has changed it meanwhile" in refused.text and 'value="Mine"' in refused.text
    (tag,) = re.findall(r'name="etag" value="([^"]+)"', refused.text)
    ann.post(f"{made}/change", {**mine, "name": "Mine", "etag": unescape(tag)})

    assert Destination.get().name == "Mine"
