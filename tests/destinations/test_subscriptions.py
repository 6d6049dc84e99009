"""When people are told: the first at once and the rest together, at an hour, each story once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from adapters.contract import Refused
from gateway.core.config import Config
from gateway.destinations import managing, notifying, subscription
from models import Feedback, Notification, Outbox, Outgoing, Quote
from models.database.base import database, writing
from models.tables import notification
from tests import plans
from tests.conftest import Call, Tenant
from tests.destinations.conftest import Send, Subscribe, now_of, told
from tests.receivers import answering, listening
from tests.transfer.test_erasure import EMAIL, ERASE, traces
from tests.walk import Ear

pytestmark = pytest.mark.both(long=True)
PATH = "/gateway/v1/feedback"
MINUTE, HOUR, DAY = 60, 3_600, 86_400  # seconds


def post(call: Call, text: str, **more: Any) -> str:
    answer = call("POST", PATH, json={"text": text, **more})
    assert answer.status_code == 201 and answer.json is not None, answer.text
    return str(answer.json["id"])


def messages(seen: list[bytes]) -> list[dict[str, Any]]:
    return [told(request).body for request in seen]


def test_the_first_at_once_then_together(call: Call, subscribe: Subscribe, send: Send) -> None:
    """One of many is told as it comes, the others in one message a window; then all begins anew."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        made = subscribe(port, filter="min_impact=0")
        post(call, "The first one")
        send()
        for number in range(12):
            post(call, f"Another one, {number}", author={"email": "ada@example.test"})
        send(9 * MINUTE)
        (first,) = messages(seen)
        assert first["subject"].startswith("New: ") and first["thread"]
        send(10 * MINUTE)
        send(11 * MINUTE)
        _, more = messages(seen)
        assert more["subject"].startswith("12 more: 12 new") and not more["thread"]
        assert len(more["parts"][0]["Entries"]["entries"]) == notifying.MOST_SHOWN
        assert more["parts"][-1]["Link"]["url"].endswith("/inbox?min_impact=0")
        assert "ada@" not in seen[0].decode() + seen[1].decode()
        send(20 * MINUTE)  # nothing has come
        assert now_of(made)["tell_at"] is None
        post(call, "After the window")
        send(21 * MINUTE)
    assert [one["subject"][:4] for one in messages(seen)] == ["New:", "12 m", "New:"]
    assert "After the window" in seen[2].decode()


def test_a_story_is_told_once(call: Call, subscribe: Subscribe, send: Send) -> None:
    """Repeats are no news; its end and that it begins again are, in the thread of its first message."""
    seen: list[bytes] = []
    alert = {"text": "Disk full", "incident_key": "disk", "state": "triggered"}
    options = {"map": {name: name for name in ("text", "incident_key", "dedupe_key", "state")}}
    hook = call("POST", "/gateway/v1/hooks", json={"source": "generic", "options": options}).json
    bearer = {"Authorization": f"Bearer {hook['secret']}"}

    def tell(key: str, state: str, at: float) -> None:
        sent = {**alert, "dedupe_key": key, "state": state}
        assert call("POST", hook["path"], json=sent, headers=bearer).status_code == 200
        send(at)

    with listening(answering("200 OK", seen=seen)) as port:
        subscribe(port, filter="status=open")
        for number in range(3):
            tell(f"a{number}", "triggered", number * HOUR)
        tell("b", "resolved", 4 * HOUR)
        tell("c", "triggered", 5 * HOUR)
        tell("d", "resolved", 5 * HOUR + 1)
        tell("e", "triggered", 5 * HOUR + 2)  # back to what people know
        send(6 * HOUR)
    first, over, again, *more = messages(seen)
    assert [one["subject"].split(":")[0] for one in (first, over, again)] == ["New", "Resolved", "Reopened"]
    assert first["thread"] == over["thread"] == again["thread"] != ""
    assert [one["is_over"] for one in (first, over, again)] == [False, True, False]
    references = [told(request).headers.get("earlier", "") for request in seen]
    assert references[0] == "" and references[1] == references[2] != ""
    assert [one["subject"].split(":")[0] for one in more] == ["Reopened"]


def test_many_that_end_together(call: Call, subscribe: Subscribe, send: Send) -> None:
    """What has a message of its own is changed there, five of those at most; the rest is told together."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        subscribe(port)
        ids = []
        for number in range(notifying.MOST_APART + 3):
            ids.append(post(call, f"One of a kind, {number}"))
            send(number * HOUR)
        for name in ids:
            assert call("PATCH", f"{PATH}/{name}", json={"status": "resolved"}).status_code == 200
        assert [one["thread"] for one in messages(seen)] == ids
        send(20 * HOUR)
        send(21 * HOUR)
    later = sorted(messages(seen)[len(ids) :], key=lambda one: str(one["thread"]))
    assert {one["thread"] for one in later[1:]} == set(ids[: notifying.MOST_APART])
    assert all(one["is_over"] for one in later[1:])
    assert later[0]["subject"].startswith("3 more: 3 resolved") and not later[0]["thread"]


@pytest.mark.parametrize("when", ["daily", "weekly"])
def test_at_an_hour(call: Call, subscribe: Subscribe, send: Send, when: str) -> None:
    """All of a day or week is one message, the highest impact first; a missed hour is made up for once."""
    seen: list[bytes] = []
    length = DAY if when == "daily" else 7 * DAY
    with listening(answering("200 OK", seen=seen)) as port:
        made = subscribe(port, when=when, subscription={"hour": 0, "include_author": True})
        due = now_of(made)["tell_at"]
        for text in ("Fine", "Everybody is locked out and all data are lost", "Good"):
            post(call, text, author={"name": "Ada"})
        wait = (due - now_of(made)["created_at"]) / 1000
        send(wait - 5)
        assert not seen
        send(wait + 3 * length + 60)
        send(wait + 3 * length + 61)
        send(wait + 4 * length + 60)  # nothing has come
        assert (now_of(made)["tell_at"] - due) == 5 * length * 1000
    (one,) = messages(seen)
    entries = one["parts"][0]["Entries"]["entries"]
    assert one["subject"].startswith("3 records: 3 new") and "locked out" in entries[0]["text"]
    assert all("Ada" in entry["facts"] for entry in entries)


def test_while_paused(call: Call, subscribe: Subscribe, send: Send) -> None:
    """Nothing is lost meanwhile: it is told together once the destination is enabled."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        made = subscribe(port)
        managing.change(now_of(made), {"state": "paused"}, by="key_test")
        for number in range(3):
            post(call, f"Number {number} of three")
        send(DAY)
        assert not seen and Outgoing.select().count() == 0
        managing.change(now_of(made), {"state": "enabled"}, by="key_test")
        send(2 * DAY)
    (one,) = messages(seen)
    assert one["subject"].startswith("3 more: 3 new")


def test_who_is_quoted_and_gone(call: Call, subscribe: Subscribe, send: Send, tenant: Tenant) -> None:
    """With a record all goes that has its words; what nobody had yet is told anew without it."""
    subscribe(9, filter="tag=vip")
    first, second, third = (post(call, f"The {word} one", tags=["vip"]) for word in ("1st", "2nd", "3rd"))
    send()
    post(call, "The 4th one", tags=["vip"])
    send(10 * MINUTE)
    assert [row.type for row in Outgoing.select().order_by(Outgoing.id)][1] == "feedback.rolled_up"
    assert Quote.select().count() == 3
    assert call("DELETE", f"{PATH}/{second}").status_code == 204
    assert [row.feedback_id for row in Outgoing.select()] == [first] and Quote.select().count() == 0
    send(11 * MINUTE)
    (again,) = Outgoing.select().where(Outgoing.type == "feedback.rolled_up")
    assert "2nd" not in again.body and "3rd" in again.body and "4th" in again.body
    Outgoing.update(state="sent").execute()
    assert call("DELETE", f"{PATH}/{third}").status_code == 204
    send(12 * MINUTE)
    assert [row.feedback_id for row in Outgoing.select()] == [first]
    assert Notification.select().count() == 2


def test_what_becomes_important(call: Call, subscribe: Subscribe, send: Send) -> None:
    """A record that reaches the filter's impact later is told then, and once."""
    record = post(call, "The export button does nothing")
    subscribe(9, filter="min_impact=9")
    for impact in (3, 9, 12):
        assert call("PATCH", f"{PATH}/{record}", json={"impact": impact}).status_code == 200
        send(impact * HOUR)
    (row,) = Outgoing.select()
    assert row.body.count("New: ") == 1 and row.feedback_id == record


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_in_a_minute(call: Call, subscribe: Subscribe, send: Send, count: int) -> None:
    """However many come, there are two messages, and one for each window that is over."""
    subscribe(9)
    for second in range(count // 50):
        batch = [{"text": f"Item {second} {number}"} for number in range(50)]
        assert call("POST", f"{PATH}/batch", json=batch).status_code == 200
        if second % 20 == 0:
            send(second * 3000 / count)
    while Outbox.select().exists():
        send(MINUTE)
    for minute in (10, 20, 30):
        send(minute * MINUTE)
    first, rolled = Outgoing.select().order_by(Outgoing.id)
    assert first.type == "feedback.created" and f"{count - 1:,} more: {count - 1:,} new" in rolled.body


AMSTERDAM = {"when": "daily", "zone": "Europe/Amsterdam"}


@pytest.mark.parametrize(
    ("told_so", "at", "expected"),
    [
        ({**AMSTERDAM, "hour": 8}, "2026-11-30T06:59Z", "2026-11-30T07:00Z"),
        ({**AMSTERDAM, "hour": 8}, "2026-11-30T07:00Z", "2026-12-01T07:00Z"),
        ({**AMSTERDAM, "hour": 8}, "2026-07-01T07:00Z", "2026-07-02T06:00Z"),
        ({**AMSTERDAM, "hour": 2}, "2026-03-28T12:00Z", "2026-03-29T01:00Z"),  # two o'clock is left out
        ({**AMSTERDAM, "hour": 2}, "2026-03-29T01:00Z", "2026-03-30T00:00Z"),
        ({**AMSTERDAM, "hour": 2}, "2026-10-24T12:00Z", "2026-10-25T00:00Z"),  # it comes twice
        ({**AMSTERDAM, "hour": 2}, "2026-10-25T00:00Z", "2026-10-26T01:00Z"),
        ({"when": "weekly", "weekday": 0, "hour": 0}, "2026-12-01T00:00Z", "2026-12-07T00:00Z"),
        (
            {"when": "weekly", "weekday": 2, "zone": "Pacific/Auckland"},
            "2026-12-01T18:00Z",
            "2026-12-01T19:00Z",
        ),
    ],
)
def test_hours_of_zones(told_so: dict[str, Any], at: str, expected: str) -> None:
    """The next hour, also where clocks are changed."""
    found = subscription.Subscription(**told_so).next_after(_at(at))
    assert found == _at(expected)


def _at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"subscription": {"content": "digest"}}, "subscription.content"),
        ({"events": ["feedback.deleted"]}, "events"),
    ],
)
def test_what_people_cannot_have(subscribe: Subscribe, sent: dict[str, Any], field: str) -> None:
    """It is refused by its field's name."""
    with pytest.raises(Refused) as refused:
        subscribe(9, **sent)
    assert [fault.field for fault in refused.value.problem.faults] == [field]


def test_a_digest(call: Call, subscribe: Subscribe, send: Send) -> None:
    """It comes at its hour if anything happened, and goes with the records whose words are in it."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        made = subscribe(port, when="daily", subscription={"content": "digest", "hour": 0})
        record = post(call, "The export button does nothing", category="bug")
        wait = (now_of(made)["tell_at"] - now_of(made)["created_at"]) / 1000
        for days in (0, 1, 2, 3):  # the second tells that nothing came
            send(wait + days * DAY + 60)
    first, _ = Outgoing.select().order_by(Outgoing.id)
    assert first.type == "feedback.digest" and "export button" in first.body
    assert {quote.feedback_id for quote in Quote.select()} == {record}
    assert call("DELETE", f"{PATH}/{record}").status_code == 204
    assert not Outgoing.select().where(Outgoing.body.contains("export button")).exists()


def test_what_is_read(call: Call, subscribe: Subscribe) -> None:
    """What waits at one destination, or was told there long ago, is not read for another."""
    crowded, one = subscribe(9)["id"], subscribe(9)["id"]
    answer = call("POST", f"{PATH}/batch", json=[{"text": f"Item {number}"} for number in range(80)])
    assert answer.status_code == 200
    ids = [row.id for row in Feedback.select(Feedback.id)]
    row = {"reason": "feedback.created", "is_over": False}
    with writing():
        for name, some in ((crowded, ids), (one, ids[:60])):
            notification.put(name, [{**row, "feedback": record, "at": at} for at, record in enumerate(some)])
    ear = Ear()
    for analysed in (False, True):
        with ear.listening():
            assert notification.newest(one) == 59
            assert notification.counts(one, 56, 59) == {"feedback.created": 3}
            assert len(notification.highest(one, 56, 59, 2)) == 2
            assert notification.followed(one, 56, 59, 5) == []
            assert set(notification.known(one, ids[5:8])) == set(ids[5:8])
            with writing():
                assert notification.forget(one, 2, 10) == (0 if analysed else 2)
                assert notification.unquote(ids[0]) == 0
        if not analysed:
            database.execute_sql("ANALYZE")
    if not database.obj.EMBEDDED:  # to read so few rows from end to end is quicker
        database.execute_sql("SET enable_seqscan = off")
    for sql, params in ear.heard.items():
        if sql.startswith(("BEGIN", "COMMIT")):
            continue
        if database.obj.EMBEDDED:
            assert not plans.faults(sql, params, few=False), sql
        else:
            assert sum(count for _, count in plans.read_by_server(sql, params)) < 90, sql


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
def test_the_erased_among_many(
    call: Call, subscribe: Subscribe, send: Send, config: Config, mode: str
) -> None:
    """Nothing of a person stays in what tells of many, sent or not; the others are told all the same."""
    for port in (9, 10):
        subscribe(port, subscription={"include_author": True})
    post(call, "The first one")
    send()
    author = {"id": "ada", "email": EMAIL, "name": "Ada"}
    post(call, f"Hers, ask {EMAIL}", author=author)
    post(call, f"His, but ask {EMAIL}")
    post(call, "His alone")
    send(10 * MINUTE)
    sent, waiting = Outgoing.select().where(Outgoing.type == "feedback.rolled_up").order_by(Outgoing.id)
    Outgoing.update(state="sent").where(Outgoing.id == sent.id).execute()
    assert EMAIL in sent.body and EMAIL in waiting.body and traces(config) != []
    assert call("POST", ERASE, json={"email": EMAIL, "mode": mode}).status_code == 200
    assert traces(config) == []
    send(20 * MINUTE)
    (again,) = Outgoing.select().where(Outgoing.type == "feedback.rolled_up")
    assert (
        "His alone" in again.body and traces(config) == [] and again.destination_id == waiting.destination_id
    )


def test_what_is_asked_for(call: Call, subscribe: Subscribe, send: Send) -> None:
    """Notes and tags are told each time, to those who ask for them: a note with its words."""
    subscribe(9, events=["feedback.noted", "feedback.tagged"])
    record = post(call, "The export button does nothing")
    sent = [{"note": "Called her"}, {"category": "praise"}, {"note": "Mailed her"}, {"tags": ["vip"]}]
    for hours, change in enumerate(sent):
        assert call("PATCH", f"{PATH}/{record}", json=change).status_code == 200
        send(hours * HOUR)
    bodies = [(row.type, row.body) for row in Outgoing.select().order_by(Outgoing.id)]
    assert [type_ for type_, _ in bodies] == ["feedback.noted", "feedback.noted", "feedback.tagged"]
    assert "Called her" in bodies[0][1] and "Mailed her" in bodies[1][1]


def test_a_muted_group_is_not_told(call: Call, subscribe: Subscribe, send: Send) -> None:
    """People are told nothing of a muted group, not its end either; of others, and of it later, they are."""
    seen: list[bytes] = []
    muting, alert = "/gateway/v1/alert-groups", {"type": "alert"}
    with listening(answering("200 OK", seen=seen)) as port:
        subscribe(port)
        post(call, "Disk of web-1 is full", title="Disk full", **alert)
        send()
        assert [one["subject"].endswith(": Disk full") for one in messages(seen)] == [True]
        call("POST", f"{muting}/mute", json={"group": "native:Disk full", "more": 2})
        muted = [post(call, f"Disk of web-{number} is full", title="Disk full", **alert) for number in (2, 3)]
        call("PATCH", f"{PATH}/{muted[0]}", json={"status": "resolved"})
        post(call, "The queue is stuck", title="Queue", **alert)
        send(10 * MINUTE)
        assert [one["subject"].endswith(": Queue") for one in messages(seen)[1:]] == [True]
        post(call, "Disk of web-4 is full", title="Disk full", **alert)  # one too many
        send(20 * MINUTE)
        assert [one["subject"].endswith(": Disk full") for one in messages(seen)[2:]] == [True]
    assert Feedback.select().count() == 5


def test_programs_are_told_of_muted_groups(call: Call, add: Any, send: Send) -> None:
    """A webhook is a program's, which keeps what it is told: nothing is left out there."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        add(port, events=["feedback.created"])
        post(call, "Disk of web-1 is full", title="Disk full", type="alert")
        call("POST", "/gateway/v1/alert-groups/mute", json={"group": "native:Disk full", "more": 2})
        post(call, "Disk of web-2 is full", title="Disk full", type="alert")
        send()
    assert len(seen) == 2
