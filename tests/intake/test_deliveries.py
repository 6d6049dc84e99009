"""Deliveries that make several records: each keeps its own part, and what is left is kept once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapters
from adapters.common.json_spans import find, with_parts
from adapters.contract import Inbound
from adapters.contract.record import Record
from adapters.contract.strict_json import parse
from gateway.access import hooks
from gateway.background import retention
from gateway.core.ids import now_ms
from gateway.transfer import erasure
from models import TABLES, Delivery, Event, Feedback, Project, Quarantine
from models.database.base import database
from models.migrations import migrate
from models.queries.personal_data import Person
from models.tables.delivery import whole
from tests.conftest import Call, Tenant
from tests.signing import VENDORS

both = pytest.mark.both
FIXTURES = Path(__file__).parent.parent / "fixtures"
DIALECTS = adapters.load()
SECRET = "a-secret-of-the-hook"


# Whose deliveries may hold a change and the words it was explained with, and no more.
EXPLAINED = {"azure_devops", "bitbucket", "intercom", "jira"}


def several(path: Path) -> dict[str, Any] | None:
    case = json.loads(path.read_text())
    return case if len(case.get("records", ())) > 1 else None


CASES = {
    f"{path.parent.name}/{path.stem}": (path.parent.name, case)
    for name in DIALECTS
    for path in sorted((FIXTURES / name).glob("*.json"))
    if (case := several(path))
}


def alert(number: int) -> dict[str, Any]:
    labels = {"alertname": f"Disk{number}", "cluster": "eu-1", "team": "Größe"}
    return {"status": "firing", "labels": labels, "startsAt": f"2026-05-04T07:{number % 60:02}:00Z"}


def group(count: int) -> bytes:
    """Alerts of one group, whose message and common labels tell of all of them or none."""
    alerts = [alert(number) for number in range(count)]
    message = "\n".join(f"Firing: {one['labels']['alertname']}" for one in alerts)
    sent = {"receiver": "feedback", "alerts": alerts, "message": message, "version": "4"}
    return json.dumps(sent, indent=1, ensure_ascii=False).encode()


def messages(count: int) -> bytes:
    said = [
        {"id": f"m{n}", "event": "incident.trigger", "incident": {"id": f"P{n}", "title": f"Slow {n}"}}
        for n in range(count)
    ]
    return json.dumps({"messages": said}).encode()


def items(count: int) -> bytes:
    return json.dumps({"page": {"list": [{"text": f"The map is blank {n}"} for n in range(count)]}}).encode()


def envelope(count: int) -> bytes:
    lines = ['{"sent_at": "2026-05-04T07:30:00Z"}']
    for number in range(count):
        said = {"event_id": f"{number:032x}", "contexts": {"feedback": {"message": f"It broke at {number}"}}}
        lines += [json.dumps({"type": "feedback"}), json.dumps(said)]
        lines += [json.dumps({"type": "attachment", "filename": f"screenshot-of-the-map-{number}.png"}), "x"]
    return "\n".join(lines).encode()


# Every dialect that makes several records of one delivery: its body with so many, and the hook's options.
MADE: dict[str, tuple[Callable[[int], bytes], dict[str, Any]]] = {
    "alertmanager": (group, {}),
    "grafana": (group, {}),
    "pagerduty": (messages, {}),
    "generic": (items, {"map": {"items": "page.list", "text": "text"}}),
    "sentry_envelope": (envelope, {}),
}


def sender(
    call: Call, tenant: Tenant, name: str, options: dict[str, Any], sent: Mapping[str, str] | None = None
) -> Callable[[bytes], None]:
    """Sends bodies through a new hook of a dialect."""
    adapter = DIALECTS[name]
    vendor = VENDORS.get(name)
    given = None if name == "sentry_envelope" else vendor.secret if name in EXPLAINED and vendor else SECRET
    made = hooks.create_hook(
        adapter, tenant.workspace_id, None, public_url="https://gateway.test", secret=given, options=options
    )
    headers = {"Authorization": f"Bearer {SECRET}"}
    if name == "sentry_envelope":
        headers = {"X-Sentry-Auth": f"Sentry sentry_key={made['hook_id']}"}

    def send(body: bytes) -> None:
        proof = vendor.sign(vendor.secret, body, 0) if name in EXPLAINED and vendor else headers
        response = call(
            "POST",
            made["path"],
            data=body,
            headers={**sent, **proof} if sent and name in EXPLAINED else proof,
        )
        assert response.status_code in (200, 202), response.text

    return send


def bytes_kept() -> int:
    """Of all that is stored of deliveries."""
    tables = [
        table
        for table in TABLES
        if table.__name__ in ("Feedback", "Event", "Delivery", "Quarantine", "Dedupe")
    ]
    values = (value for table in tables for row in table.select().tuples() for value in row)
    return sum(len(value) for value in values if isinstance(value, str | bytes | memoryview))


def test_every_dialect_is_here() -> None:
    """The fixtures with several records are of the dialects that are tried here."""
    assert {name for name, _ in CASES.values()} <= set(MADE) | EXPLAINED


def kept_of(name: str, body: bytes) -> bytes:
    """What is kept of a body: of an envelope all but what is in its attachments, which are files."""
    if name != "sentry_envelope":
        return body
    *_, door = (one for one in DIALECTS[name].doors if one.streamed)
    assert door.streamed is not None

    def keep(name: str, declared: str, chunks: Iterable[bytes]) -> None:
        assert b"".join(chunks) == b"x"

    return door.streamed.reduced(Inbound("POST", "/", {}), iter([body]), len(body), keep)


@both(long=True)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "grafana" else pytest.mark.long) for name in MADE]
)
def test_what_is_kept_grows_with_the_delivery(call: Call, tenant: Tenant, name: str) -> None:
    """Twice the records are twice the bytes, all of it is there, and a record has its own part only."""
    body_of, options = MADE[name]
    send = sender(call, tenant, name, options)
    kept = []
    for count in (8, 16, 32):
        for table in (Feedback, Delivery):
            table.delete().execute()
        database.execute_sql("DELETE FROM dedupe")
        send(body_of(count))
        assert Feedback.select().count() == count
        kept.append(bytes_kept())
        (row,) = Delivery.select()
        assert whole(row.id) == kept_of(name, body_of(count))
        for event in Event.select():
            assert len(bytes(event.payload)) < len(body_of(2))

    assert kept[2] - kept[1] < 2.1 * (kept[1] - kept[0])


@pytest.mark.long
@both
@pytest.mark.parametrize("name", CASES)
def test_fixtures_are_put_together_again(call: Call, tenant: Tenant, name: str) -> None:
    """A delivery of several records is there as it came, whole and in parts that are none of each other's."""
    dialect, case = CASES[name]
    request = case["request"]
    body = json.dumps(request["json"], indent=2).encode() if "json" in request else request["text"].encode()
    sender(call, tenant, dialect, request.get("options", {}), request.get("headers", {}))(body)
    (row,) = Delivery.select()
    parts = [bytes(event.payload) for event in Event.select()]

    assert whole(row.id) == body
    assert all(parts) and len(parts) == sum("unreadable" not in one for one in case["records"])
    assert len(bytes(row.envelope)) + sum(map(len, parts)) == len(body)


@both(long=True)
def test_read(call: Call, tenant: Tenant) -> None:
    """A record shows its part with what it shares, and on request the whole delivery."""
    sender(call, tenant, "alertmanager", {})(group(3))
    path = f"/gateway/v1/feedback/{Feedback.select().order_by(Feedback.id).first().id}"
    (event,) = call("GET", f"{path}/events").json["data"]
    shown = call("GET", f"{path}?expand=raw,deliveries,events").json

    assert json.loads(event["payload"]) == alert(0)
    assert '"receiver": "feedback"' in event["envelope"] and 'Disk1"' not in event["envelope"]
    assert [one["payload"] for one in shown["raw"]] == [event["payload"]]
    assert [one["envelope"] for one in shown["raw"]] == [event["envelope"]]
    assert [one["payload"].encode() for one in shown["deliveries"]] == [group(3)]
    assert "payload" not in shown["events"]["data"][0]


@both(long=True)
def test_what_is_known_already_stays_with_the_delivery(call: Call, tenant: Tenant) -> None:
    """A delivery of which one record is new is kept whole; one of which nothing is new is not kept."""
    send = sender(call, tenant, "alertmanager", {})
    for count in (2, 3, 3):
        send(group(count))

    assert [whole(row.id) for row in Delivery.select().order_by(Delivery.id)] == [group(2), group(3)]
    assert Event.select().count() == 3


@both
def test_goes_with_the_last_part(call: Call, tenant: Tenant) -> None:
    """What is shared stays while one record has its part, deleted or emptied as the others may be."""
    sender(call, tenant, "alertmanager", {})(group(3))
    first, second, third = Feedback.select().order_by(Feedback.id)
    for gone in (first, second):
        call("DELETE", f"/gateway/v1/feedback/{gone.id}")
    (event,) = call("GET", f"/gateway/v1/feedback/{third.id}/events").json["data"]
    assert event["envelope"] and whole(Delivery.get().id) is None
    assert (
        call("GET", f"/gateway/v1/feedback/{third.id}?expand=deliveries").json["deliveries"][0]["payload"]
        is None
    )

    Project.update(payload_retention_days=1).execute()
    Event.update(at=now_ms() - 2 * 86_400_000).execute()
    Feedback.update(received_at=now_ms() - 2 * 86_400_000).execute()
    retention.remove(Project.select().dicts().get())

    assert Event.get().payload is None
    assert Delivery.select().count() == 0


@both
def test_erasure(call: Call, tenant: Tenant) -> None:
    """An author is taken out of the parts and of what is shared; the parts of others stay."""
    mapping = {"items": "list", "text": "text", "author.email": "email"}
    send = sender(call, tenant, "generic", {"map": mapping})
    said = [{"text": "Hers", "email": "ada@example.test"}, {"text": "His", "email": "bob@example.test"}]
    send(json.dumps({"list": said}).encode())
    send(json.dumps({"list": [said[1], said[1]], "from": "ada@example.test"}).encode())
    ada = Person("ada@example.test")
    planned = erasure.erase(tenant.workspace_id, ada, "anonymise", dry_run=True)["counts"]
    done = erasure.erase(tenant.workspace_id, ada, "anonymise", compact=False)["counts"]

    assert done == planned
    assert done["payloads"] == 2
    assert Delivery.select().count() == 0
    assert (
        sorted(json.loads(bytes(row.payload))["text"] for row in Event.select() if row.payload) == ["His"] * 3
    )


@both(long=True)
def test_replay(call: Call, tenant: Tenant) -> None:
    """What a replay makes of a held delivery is kept as if it had been understood at once."""
    send = sender(call, tenant, "generic", {"map": {"items": "list", "text": "words"}})
    body = json.dumps({"list": [{"text": "One"}, {"text": "Two"}], "shared": 1}).encode()
    send(body)
    hook = database.execute_sql("SELECT options FROM hook").fetchone()[0]
    database.execute_sql("UPDATE hook SET options = ?", (hook.replace('"words"', '"text"'),))
    held = Quarantine.get().id
    assert call("POST", f"/gateway/v1/quarantine/{held}/replay").status_code == 200

    assert whole(Delivery.get().id) == body
    assert sorted(bytes(row.payload) for row in Event.select()) == [b'{"text": "One"}', b'{"text": "Two"}']


@both
def test_rows_from_before(call: Call, tenant: Tenant) -> None:
    """A database with records is given what is new, and what it has is read as it was."""
    record = call("POST", "/gateway/v1/feedback", json={"text": "From before"}).json
    on_event = "" if database.obj.__class__.__name__ == "Sqlite" else " ON event"
    for name in ("event_deleted", "event_emptied"):
        database.execute_sql(f"DROP TRIGGER {name}{on_event}")
    if on_event:
        database.execute_sql("DROP FUNCTION delivery_left()")
    database.execute_sql("DROP TABLE delivery")
    database.execute_sql("DROP INDEX event_delivery")
    database.execute_sql("ALTER TABLE event DROP COLUMN delivery_id")
    database.execute_sql("DELETE FROM schema_migration WHERE name = '0015_delivery'")

    assert migrate() == ["0015_delivery"]
    (event,) = call("GET", f"/gateway/v1/feedback/{record['id']}/events").json["data"]
    assert (json.loads(event["payload"]), event["envelope"]) == ({"text": "From before"}, None)
    assert call("DELETE", f"/gateway/v1/feedback/{record['id']}").status_code == 204


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False, width=16),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=25)
@given(st.lists(JSON, min_size=1, max_size=4), JSON, st.booleans(), st.sampled_from([None, 1]))
def test_places(values: list[Any], other: Any, ascii_only: bool, indent: int | None) -> None:
    """A value's place in the body has its bytes, however deep it stands and however the body is written."""
    sent = {"before": other, "é\n": [{"list": values}, "]"], "after": other}
    body = json.dumps(sent, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    parsed = parse(body)
    wanted = parsed["é\n"][0]["list"]
    places = find(b"\xef\xbb\xbf" + body, parsed, wanted)

    found = sorted((place for place in places if place), key=lambda place: place.start)
    assert all(
        parse((b"\xef\xbb\xbf" + body)[place]) == value
        for place, value in zip(places, wanted, strict=True)
        if place
    )
    assert all(one.stop <= two.start for one, two in pairwise(found))
    assert all(places[n] for n, value in enumerate(wanted) if value and isinstance(value, dict | list))


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (b'{"list": [{"a": 1}], "list": [{"a": 2}, {"a": 3}]}', "list"),
        (b'{"list": [{"a": 2}, {"a": 3}]}', "list[].{b: a}"),
    ],
)
def test_no_place(body: bytes, items: str) -> None:
    """What stands at no one place in the body is kept beside it."""
    values = [{"a": 2}, {"a": 3}] if items == "list" else [{"b": 2}, {"b": 3}]
    inbound = Inbound("POST", "/", {}, body)
    with_parts(inbound, [(Record(text=""), value) for value in values])

    assert [json.loads(part) for part in inbound.parts if isinstance(part, bytes)] == values
