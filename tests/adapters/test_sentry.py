"""Sentry webhooks: signatures over the raw bytes, one record per issue, people's words kept apart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.common.signatures import hmac_hex
from adapters.contract import Hook, Inbound
from adapters.contract.record import Record
from adapters.sentry import ADAPTER
from tests.adapters.alert_senders import check_hostile, hook, mutations, proves, request, sample
from tests.adapters.test_adapters import FIXTURES, inbound_of
from tests.conftest import SHARED

SECRET = "6f1b5a0e7f2d4c39a8e4c1b2d3f4a5b6"
# As Sentry writes JSON: no spaces, other than ASCII escaped.
BODY = b'{"action":"created","data":{"issue":{"id":"5","title":"Gr\\u00fc\\u00dfe"}},"installation":{}}'
SIGNED = hmac_hex(SECRET, BODY)
SHOUTED = SIGNED.upper()


def read(name: str) -> list[Record]:
    """The records of one of our own fixtures."""
    return ADAPTER.doors[0].read(
        inbound_of(json.loads((FIXTURES / "sentry" / f"{name}.json").read_text())["request"])
    )


def read_json(sent: Any, **headers: str) -> list[Record]:
    return ADAPTER.doors[0].read(request(ADAPTER, sent, **headers))


@pytest.mark.parametrize("header", ["sentry_hook_signature", "sentry_app_signature"])
def test_a_good_signature_passes(header: str) -> None:
    """The hex HMAC of the raw body is good in either header, also while two secrets are live."""
    assert proves(ADAPTER, request(ADAPTER, BODY, **{header: SIGNED}), hook(ADAPTER, SECRET))
    assert proves(ADAPTER, request(ADAPTER, BODY, **{header: SIGNED}), hook(ADAPTER, "newer", SECRET))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        " ",
        SIGNED[:-1],
        SIGNED + "0",
        f"sha256={SIGNED}",
        SHOUTED,
        "ß" * 64,
        "\udcff",
        hmac_hex("other", BODY),
    ],
)
def test_a_bad_signature_fails(signature: str) -> None:
    """Anything else in the header proves nothing, whatever the hook allows and the other header says."""
    inbound = request(ADAPTER, BODY, sentry_hook_signature=signature, sentry_app_signature=SIGNED)

    assert not proves(ADAPTER, inbound, hook(ADAPTER, SECRET))
    assert not proves(ADAPTER, inbound, replace(hook(ADAPTER, SECRET), unsigned=True))
    assert not proves(ADAPTER, inbound, replace(hook(ADAPTER), unsigned=True))


def test_any_changed_byte_fails() -> None:
    """The signature covers every byte, and a body written anew by a JSON library has another."""
    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert not proves(
            ADAPTER, request(ADAPTER, changed, sentry_hook_signature=SIGNED), hook(ADAPTER, SECRET)
        )
    rewritten = json.dumps(json.loads(BODY), ensure_ascii=False).encode()
    assert not proves(
        ADAPTER, request(ADAPTER, rewritten, sentry_hook_signature=SIGNED), hook(ADAPTER, SECRET)
    )


def test_unsigned_is_for_hooks_made_so() -> None:
    """Without a signature only the hook's own word counts."""
    assert not proves(ADAPTER, request(ADAPTER, BODY), hook(ADAPTER, SECRET))
    assert proves(ADAPTER, request(ADAPTER, BODY), Hook("hk_test", "sentry", unsigned=True))
    assert ADAPTER.signed and ADAPTER.signed.may_be_unsigned and ADAPTER.signed.new_secret is None


def test_vendor_vector() -> None:
    """A signature computed as Sentry's own code does it."""
    path = SHARED / "samples" / "_vectors" / "sentry.json"
    if not path.exists():
        pytest.skip(f"no vendor samples at {path.parent}")
    vector = json.loads(path.read_text())
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    inbound = Inbound("POST", ADAPTER.doors[0].path, headers, vector["body"].encode())

    assert proves(ADAPTER, inbound, hook(ADAPTER, vector["client_secret"]))
    assert not proves(ADAPTER, inbound, hook(ADAPTER, "sentry-client-secre"))
    assert [record.title for record in ADAPTER.doors[0].read(inbound)] == ["Fehler äöü <b>"]


def test_one_story_per_issue() -> None:
    """All that is told of one issue, by any of Sentry's ways, has one incident key."""
    names = ("issue_created", "issue_resolved", "issue_ignored", "event_alert", "comment_created", "legacy")
    records = [record for name in names for record in read(name)]

    assert {record.incident_key for record in records} == {"issue:880021"}
    assert [r.state for r in records] == [
        "triggered",
        "resolved",
        "suppressed",
        "triggered",
        "note",
        "triggered",
    ]
    assert len({record.dedupe_key for record in records}) == len(names)


def test_archived_is_ignored_by_another_name() -> None:
    """Both names of the action are one delivery."""
    (archived,), (ignored,) = read("issue_archived"), read("issue_ignored")

    assert archived.dedupe_key == ignored.dedupe_key and archived.state == ignored.state == "suppressed"


def test_an_issue_reopened_by_hand_is_later_than_its_resolution() -> None:
    """lastSeen does not move when a person reopens an issue; when the webhook was sent does."""
    (resolved,), (reopened,) = read("issue_resolved"), read("issue_unresolved_by_hand")

    assert resolved.occurred_at and reopened.occurred_at and reopened.occurred_at > resolved.occurred_at


@pytest.mark.parametrize("seconds", ["", "soon", "１２", "-5", "9" * 40])
def test_a_bad_time_of_sending_is_no_time(seconds: str) -> None:
    sent = {"action": "unresolved", "data": {"issue": {"id": 1, "lastSeen": "2026-11-20T10:00:00Z"}}}
    (record,) = read_json(sent, sentry_hook_resource="issue", sentry_hook_timestamp=seconds)

    assert record.occurred_at == 1_795_168_800_000


def test_a_retry_is_the_same_delivery() -> None:
    """Sentry's retry has another Request-ID and time; the key comes from the content."""
    for path in sorted((FIXTURES / "sentry").glob("*.json")):
        sent = json.loads(path.read_text())["request"]
        again = {
            **sent,
            "headers": {**sent["headers"], "request-id": "f" * 32, "sentry-hook-timestamp": "1795250000"},
        }
        keys = [[r.dedupe_key for r in ADAPTER.doors[0].read(inbound_of(each))] for each in (sent, again)]

        assert keys[0] == keys[1]


def test_feedback_is_a_message_told_once() -> None:
    """Feedback is no alert and no incident; issue.created and an alert rule tell of the same one."""
    (issue,), (event,) = read("issue_created_feedback"), read("event_alert_feedback")

    assert issue.dedupe_key == event.dedupe_key
    for record in (issue, event):
        assert (record.type, record.incident_key, record.state) == ("message", None, None)
        assert record.text == "The deck plan is upside down\non my tablet, since Friday."
        assert (record.author.name, record.author.email) == ("Nils", "nils@example.org")


@pytest.mark.parametrize("option", [None, False, "false", 0, [], "yes please"])
def test_errors_are_ignored_unless_asked_for(option: Any) -> None:
    """One webhook per event of a whole organisation is for those who ask for it."""
    sent = json.loads((FIXTURES / "sentry" / "error_created.json").read_text())["request"]

    assert ADAPTER.doors[0].read(inbound_of({**sent, "options": {"errors": option}})) == []
    assert len(ADAPTER.doors[0].read(inbound_of({**sent, "options": {"errors": "true"}}))) == 1


@pytest.mark.parametrize("resource", ["installation", "seer", "activity_alert", "size_analysis", "next_year"])
def test_other_resources_are_ignored(resource: str) -> None:
    """What Sentry may send next is no mistake of the sender's."""
    assert read_json({"action": "created", "data": {"issue": {"id": 5}}}, sentry_hook_resource=resource) == []


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([], "body: Expected object, received array"),
        ({"action": "created", "data": []}, "data: Expected object"),
        ({"action": "created", "data": {"issue": 5}}, "issue: Expected object"),
        ({"action": "created", "data": {"issue": {"id": True}}}, "id: Required"),
        ({"action": "triggered", "data": {"event": {"event_id": None}}}, "event_id: Required"),
        ({"action": "triggered", "data": {"event": {"event_id": "e"}}}, "title: Required"),
        ({"action": "critical", "data": {"metric_alert": {}}}, "id: Required"),
        ({"action": "created", "data": {"comment_id": 4}}, "issue_id: Required"),
        ({"id": "1", "project": "p", "event": None}, "event: Expected object"),
    ],
)
def test_what_cannot_be_read_is_kept_with_the_reason(sent: Any, reason: str) -> None:
    (record,) = read_json(sent)

    assert record.unreadable == reason


def test_levels() -> None:
    """A level that Sentry does not know says nothing."""
    for level, severity in [
        ("fatal", 5),
        ("error", 4),
        ("warning", 3),
        ("info", 1),
        ("debug", 1),
        ("terrible", None),
        ("", None),
        (4, None),
    ]:
        sent = {"action": "created", "data": {"issue": {"id": 1, "title": "t", "level": level}}}
        assert read_json(sent)[0].severity == severity


def test_limits_leave_plainly() -> None:
    """There is nothing in Sentry's shape to refuse with: plain JSON it is."""
    assert ADAPTER.doors[0].reply(request(ADAPTER, b"no json"), []).status == 200


@settings(max_examples=150, deadline=None)
@given(mutations("sentry"))
def test_hostile_payloads(sent: dict[str, Any]) -> None:
    """Any value at any place becomes records, is ignored or is kept as unreadable."""
    check_hostile(ADAPTER, sent)


def told(name: str, **options: Any) -> list[tuple[Any, ...]]:
    records = sample(ADAPTER, name, **options)
    return [
        (r.type, r.title, r.severity, r.incident_key, r.state, r.occurred_at, r.dedupe_key) for r in records
    ]


def test_samples() -> None:
    """The vendor's own examples, by the tables of the dialect's page."""
    assert told("issue_created.json") == [
        (
            "alert",
            "ReferenceError: blooopy is not defined",
            4,
            "issue:1170820242",
            "triggered",
            1_566_248_317_391,
            "issue:1170820242:created",
        )
    ]
    assert told("event_alert_triggered.json") == [
        (
            "alert",
            "ReferenceError: heck is not defined",
            4,
            "issue:1117540176",
            "triggered",
            1_566_248_777_677,
            "event_alert:e4874d664c3540c1a32eab185f12c5ab:Very Important Alert Rule!",
        )
    ]
    assert told("issue_ignored.json") == [
        (
            "alert",
            "Error #1: This is a test error!",
            4,
            "issue:123",
            "suppressed",
            1_649_096_238_320,
            "issue:123:ignored:1649096238320",
        )
    ]
    assert told("metric_alert_warning.json") == [
        ("alert", "metric alert", 3, "metric_alert:789", "triggered", None, "metric_alert:789:warning:")
    ]
    assert told("comment_created.json")[0][:5] == ("message", "adding a comment", None, "issue:100", "note")
    assert told("error_created.json", errors=True)[0][3:6] == (
        "issue:1170820242",
        "triggered",
        1_566_248_317_391,
    )
    assert told("legacy_plugin_browser_timeout.json") == [
        (
            "alert",
            "Failed to fetch user profile",
            4,
            "issue:4616132097",
            "triggered",
            1_709_991_285_873,
            "legacy:a892bf7d01c640b597831fb1710e3414:",
        )
    ]


def test_sample_of_a_metric_alert() -> None:
    """The two characters \\n of Sentry's example end a line."""
    (record,) = sample(ADAPTER, "metric_alert_resolved.json")

    assert record.text == "1000 events in the last 10 minutes\nFilter: level:error"
    assert (record.state, record.occurred_at, record.dedupe_key) == (
        "resolved",
        1_600_000_000_000,
        "metric_alert:4:resolved",
    )


def test_sample_of_feedback() -> None:
    (record,) = sample(ADAPTER, "issue_created_feedback_category.json")

    assert (record.type, record.text, record.incident_key) == ("message", "Pay button does nothing", None)
    assert (record.author.name, record.author.email) == ("Ann", "ann@example.com")
    assert record.subject["associated_event_id"] == "32fd1995636d446385016e2747623e11"


@pytest.mark.parametrize(
    "name",
    ["issue_assigned", "error_created", "installation_created", "installation_deleted"],
)
def test_samples_that_are_ignored(name: str) -> None:
    assert sample(ADAPTER, f"{name}.json") == []
