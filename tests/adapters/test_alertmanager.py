"""Alertmanager: who may post, and the quirks of its alerts."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.alertmanager import ADAPTER
from adapters.common.alerts import fingerprint_of
from adapters.contract import Problem
from tests.adapters.alert_senders import check_hostile, hook, mutations, proves, request, sample

SECRET, OLD = "s3cret-of-this-hook", "the-one-before"
HOOK = hook(ADAPTER, SECRET, OLD)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header", [f"Bearer {SECRET}", f"bearer {OLD}", basic(f"feedback:{SECRET}"), basic(f":{OLD}")]
)
def test_shows_a_live_secret(header: str) -> None:
    """Either of two live secrets is good, as a bearer or as the password of basic authentication."""
    assert proves(ADAPTER, request(ADAPTER, authorization=header), HOOK)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "Bearer",
            "Bearer ",
            SECRET,
            f"Bearer {SECRET[:-1]}",
            f"Bearer {SECRET}x",
            f"Bearer {SECRET} x",
        ),
        *(f"Token {SECRET}", f"Bearer {SECRET[:-1]}ü", "Bearer \udce4", "Basic", "Basic !!", "Basic w6Q=x"),
        *(
            basic(SECRET),
            basic(f"{SECRET}:"),
            basic("u:wrong"),
            "Basic " + base64.b64encode(b"u:\xff").decode(),
        ),
    ],
)
def test_anything_else_proves_nothing(header: str) -> None:
    """A wrong, cut, malformed or non-ASCII header is no proof, and neither is none."""
    assert not proves(ADAPTER, request(ADAPTER, authorization=header), HOOK)
    assert not proves(ADAPTER, request(ADAPTER), HOOK)
    assert not proves(ADAPTER, request(ADAPTER, authorization=header), hook(ADAPTER))


def test_advice_can_be_filled_in() -> None:
    """What to paste where holds the address and the secret."""
    assert ADAPTER.signed
    shown = ADAPTER.signed.advice.format(url="https://gw.example/hooks/x", secret="abc", hook_id="hk_1")

    assert "- url: https://gw.example/hooks/x" in shown
    assert "credentials: abc" in shown


def test_busy_is_503() -> None:
    """Alertmanager retries a 503 within the flush but not a 429."""
    refused = ADAPTER.refuse(Problem(429, "rate_limited", "Slow down", headers={"Retry-After": "2"}))

    assert (refused.status, refused.headers) == (503, {"Retry-After": "2"})


def alert(**change: Any) -> dict[str, Any]:
    return {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-05-04T07:30:00Z", **change}


def read(*alerts: Any, **group: Any) -> Any:
    return ADAPTER.doors[0].read(request(ADAPTER, {"version": "4", "alerts": list(alerts), **group}))


def test_a_reminder_has_the_same_key() -> None:
    """The same firing alert again has the dedupe key of the first, a new firing another story."""
    first, again = read(alert()), read(alert(), notification_reason="repeat interval elapsed")
    later = read(alert(startsAt="2026-05-05T07:30:00Z"))

    assert first == again
    assert first[0].dedupe_key != later[0].dedupe_key
    assert first[0].incident_key != later[0].incident_key


def test_resolved_ends_the_story_it_began() -> None:
    """Firing and resolved differ in dedupe key and state, not in the story."""
    [fired], [done] = read(alert()), read(alert(status="resolved", endsAt="2026-05-04T08:00:00Z"))

    assert fired.incident_key == done.incident_key
    assert fired.dedupe_key != done.dedupe_key
    assert (fired.occurred_at, done.occurred_at) == (1_777_879_800_000, 1_777_881_600_000)


def test_without_a_start_nothing_is_taken_for_a_reminder() -> None:
    """Without startsAt a delivery has no dedupe key: a second firing must not be lost."""
    [record] = read(alert(startsAt=None))

    assert record.dedupe_key is None
    assert record.incident_key == record.external_id


def test_the_status_of_the_group_counts_only_for_alerts_without_one() -> None:
    """An alert's own status wins; one without takes its group's."""
    own, none = read(alert(), alert(status=None), status="resolved")

    assert (own.state, none.state) == ("triggered", "resolved")


@pytest.mark.parametrize(
    ("alerts", "why"),
    [
        (None, "alerts: Expected array, received null"),
        ({}, "alerts: Expected array, received object"),
        ([7], "alerts.0: Expected object, received number"),
        ([{}], "alerts.status: Invalid enum value. Expected 'firing' | 'resolved'"),
        ([alert(status="odd")], "alerts.status: Invalid enum value. Expected 'firing' | 'resolved'"),
        ([alert(labels=[])], "alerts.labels.alertname: Required"),
    ],
)
def test_what_is_not_understood_is_kept(alerts: Any, why: str) -> None:
    """A delivery in another shape is kept with what is wrong with it."""
    [record] = ADAPTER.doors[0].read(request(ADAPTER, {"version": "4", "alerts": alerts}))

    assert record.unreadable == why


def test_no_alerts_are_no_records() -> None:
    """An empty group is nothing to keep."""
    assert read() == []


@settings(max_examples=150, deadline=None)
@given(mutations("alertmanager"))
def test_survives_hostile_values(sent: dict[str, Any]) -> None:
    """Any JSON value at any place gives records or a reason to keep the delivery raw, never a crash."""
    check_hostile(ADAPTER, sent)


@pytest.mark.parametrize("name", ["v4_captured_firing.json", "v4_0_34_shape_firing.json"])
def test_vendor_firing(name: str) -> None:
    """A recorded group of two firing alerts is two records with what the tables say."""
    records = sample(ADAPTER, name)

    assert [record.incident_key for record in records] == [
        "801cea1f9f69014d:1795234338788",
        "6cae4b1b5d730a2e:1795234338788",
    ]
    record = records[0]
    assert (record.title, record.severity, record.state) == ("Error rate above 5%", 5, "triggered")
    assert record.text.startswith("checkout error rate is 7.3%\nsecond line äöü")
    assert record.text.endswith("https://wiki.example.com/r/1")
    assert record.subject["url"] == "http://prom.example.com/graph?g0.expr=up%20%3D%3D%200&g0.tab=1"
    assert record.subject["environment"] == "prod"
    assert record.occurred_at == 1_795_234_338_788
    assert record.dedupe_key == "801cea1f9f69014d:1795234338788:firing"
    assert "service:checkout" in record.tags
    assert "truncated_alerts" not in record.subject


def test_vendor_resolved_and_truncated() -> None:
    """A recorded resolution ends the same story; a cut group says so."""
    done, cut = sample(ADAPTER, "v4_captured_resolved.json"), sample(ADAPTER, "v4_truncated.json")

    assert [record.state for record in done] == ["resolved", "resolved"]
    assert done[0].incident_key == cut[0].incident_key
    assert done[0].occurred_at == 1_795_234_355_791
    assert [record.subject["truncated_alerts"] for record in cut] == [1]


def test_vendor_fingerprints() -> None:
    """A fingerprint computed of the recorded labels is the one that Alertmanager sent."""
    for record in sample(ADAPTER, "v4_captured_firing.json"):
        labels = dict(tag.split(":", 1) for tag in record.tags)

        assert fingerprint_of(labels) == record.external_id


def test_vendor_version_3() -> None:
    """The old shape without fingerprints has computed ones."""
    [record] = sample(ADAPTER, "v3_legacy.json")

    assert (record.title, record.text) == ("Connect fail", "Connect to host2 fails")
    assert (record.severity, record.state, record.occurred_at) == (5, "triggered", 1_470_047_228_008)
    assert record.subject["environment"] == "Production"
    assert record.subject["group_key"] == "5615590933959184469"
    assert record.incident_key == f"{record.external_id}:1470047228008"
