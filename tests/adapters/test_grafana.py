"""Grafana: signatures with and without a time, or the secret itself; alerts of both generations."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.common.signatures import hmac_hex
from adapters.contract import Hook
from adapters.contract.record import Record
from adapters.grafana import ADAPTER
from tests.adapters.alert_senders import NOW, check_hostile, hook, mutations, proves, request, sample
from tests.conftest import SHARED

SECRET, OLD = "s3cret-of-this-hook", "the-one-before"
CLOCK = "X-Grafana-Alerting-Timestamp"
HOOK = hook(ADAPTER, SECRET, OLD)
TIMED = hook(ADAPTER, SECRET, OLD, timestamp_header=CLOCK)
BODY = '{"message": "Küche"}'.encode()
SECONDS = NOW // 1000


def shown(signature: str | None, clock: str | None = None, body: bytes = BODY, **headers: str) -> Any:
    if signature is not None:
        headers["x_grafana_alerting_signature"] = signature
    if clock is not None:
        headers["x_grafana_alerting_timestamp"] = clock
    return request(ADAPTER, body, **headers)


def timed(clock: str, secret: str = SECRET) -> str:
    return hmac_hex(secret, clock.encode() + b":" + BODY)


def read(sent: Any, **options: Any) -> list[Record]:
    inbound = replace(request(ADAPTER, sent), options=options)
    return ADAPTER.doors[0].read(inbound)


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_signs_the_body(secret: str) -> None:
    """The hex HMAC of the body by either live secret is good."""
    assert proves(ADAPTER, shown(hmac_hex(secret, BODY)), HOOK)


@pytest.mark.parametrize(
    "header", [f"Bearer {SECRET}", f"Bearer {OLD}", "Basic ZzpzM2NyZXQtb2YtdGhpcy1ob29r"]
)
def test_shows_the_secret(header: str) -> None:
    """Without a signature the secret is shown as a bearer or as a password."""
    assert proves(ADAPTER, shown(None, authorization=header), HOOK)


@pytest.mark.parametrize(
    "signature",
    [
        *("", "x", "é" * 64, "\udcff", hmac_hex(SECRET, BODY)[:-1], f"sha256={hmac_hex(SECRET, BODY)}"),
        *(hmac_hex("other", BODY), hmac_hex(SECRET, BODY + b" "), timed(str(SECONDS))),
    ],
)
def test_a_wrong_signature(signature: str) -> None:
    """A signature that is there must be right; the secret beside it does not help."""
    assert not proves(ADAPTER, shown(signature), HOOK)
    assert not proves(ADAPTER, shown(signature, authorization=f"Bearer {SECRET}"), HOOK)


def test_a_flipped_byte_and_nothing_at_all() -> None:
    """A changed body, a wrong bearer, no proof and no live secret are all refused."""
    assert not proves(ADAPTER, shown(hmac_hex(SECRET, BODY), body=BODY[:-1] + b"]"), HOOK)
    assert not proves(ADAPTER, shown(None, authorization="Bearer nope"), HOOK)
    assert not proves(ADAPTER, shown(None), HOOK)
    assert not proves(ADAPTER, shown(hmac_hex(SECRET, BODY)), hook(ADAPTER))


@pytest.mark.parametrize("off", [-300, 0, 299, 300])
def test_signs_the_time_too(off: int) -> None:
    """With a time header the time is signed, and may be off by 300 seconds."""
    clock = str(SECONDS + off)

    assert proves(ADAPTER, shown(timed(clock), clock), TIMED) == (abs(SECONDS + off - NOW / 1000) <= 300)
    assert proves(ADAPTER, shown(timed(str(SECONDS), OLD), str(SECONDS)), TIMED)


@pytest.mark.parametrize(
    ("signature", "clock"),
    [
        (timed(str(SECONDS - 301)), str(SECONDS - 301)),
        (timed(str(SECONDS + 302)), str(SECONDS + 302)),
        (timed(str(SECONDS)), str(SECONDS + 1)),
        (timed(str(SECONDS)), None),
        (hmac_hex(SECRET, BODY), str(SECONDS)),
        *((timed(clock), clock) for clock in ("", "soon", "1e9", "nan", "9" * 5000, "é", f"{SECONDS}.5")),
    ],
)
def test_a_wrong_time(signature: str, clock: str | None) -> None:
    """A stale, early, other, missing or malformed time is refused, however well it is signed."""
    assert not proves(ADAPTER, shown(signature, clock), TIMED)


def test_a_hook_that_signs_takes_nothing_less() -> None:
    """A hook made with either option refuses the bare secret; its signature header may have any name."""
    other = hook(ADAPTER, SECRET, signature_header="X-My-Signature")
    good = hmac_hex(SECRET, BODY)

    assert proves(ADAPTER, request(ADAPTER, BODY, x_my_signature=good), other)
    assert not proves(ADAPTER, shown(good), other)
    for strict in (other, TIMED):
        assert not proves(ADAPTER, shown(None, authorization=f"Bearer {SECRET}"), strict)


def test_advice_can_be_filled_in() -> None:
    """What to paste where holds the address and the secret."""
    assert ADAPTER.signed
    advice = ADAPTER.signed.advice.format(url="https://gw.example/hooks/x", secret="abc", hook_id="hk_1")

    assert "URL: https://gw.example/hooks/x" in advice
    assert "credentials: abc" in advice


def test_both_methods_read_alike() -> None:
    """POST and PUT are the same door."""
    assert [door.method for door in ADAPTER.doors] == ["POST", "PUT"]
    assert len({door.path for door in ADAPTER.doors}) == 1


def alert(**change: Any) -> dict[str, Any]:
    return {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-05-04T07:30:00Z", **change}


def group(*alerts: Any, **change: Any) -> dict[str, Any]:
    return {"version": "1", "orgId": 1, "status": "firing", "alerts": list(alerts), **change}


def test_reminders_and_resolution() -> None:
    """A reminder has the key of the first delivery, a resolution the story of it."""
    first, again, done = (read(group(alert(status=status))) for status in ("firing", "firing", "resolved"))

    assert first == again
    assert first[0].incident_key == done[0].incident_key
    assert first[0].dedupe_key != done[0].dedupe_key


@pytest.mark.parametrize(
    ("links", "url"),
    [
        (
            {"panelURL": "https://g/p", "dashboardURL": "https://g/d", "generatorURL": "https://g/r"},
            "https://g/p",
        ),
        ({"panelURL": "", "dashboardURL": "https://g/d", "generatorURL": "https://g/r"}, "https://g/d"),
        ({"generatorURL": "https://g/r"}, "https://g/r"),
        ({"generatorURL": "?orgId=1"}, "https://g/"),
    ],
)
def test_the_closest_address(links: dict[str, str], url: str) -> None:
    """The panel is closest, then the dashboard, the rule and Grafana itself."""
    [record] = read(group(alert(**links), externalURL="https://g/"))

    assert record.subject["url"] == url


def test_own_annotations_are_not_words() -> None:
    """The group's message is the text when an alert has only annotations of Grafana's own."""
    [record] = read(group(alert(annotations={"__description__": "x"}), message="All of it"))

    assert (record.title, record.text) == ("A", "All of it")


def test_ignored_names() -> None:
    """The Test button's alert is ignored, by its name, unless an option lists other names."""
    sent = group(alert(labels={"alertname": "TestAlert"}), alert(labels={"alertname": "B"}))
    legacy = {"ruleId": 1, "ruleName": "B", "state": "ok"}

    assert [record.title for record in read(sent)] == ["B"]
    assert [record.title for record in read(sent, ignore_alertnames=["B"])] == ["TestAlert"]
    assert read(legacy, ignore_alertnames="A, B") == []


@pytest.mark.parametrize(
    ("state", "becomes"),
    [("alerting", "triggered"), ("no_data", "triggered"), ("ok", "resolved"), ("paused", "suppressed")],
)
def test_legacy_states(state: str, becomes: str) -> None:
    """Every state before version 9 has its own word here."""
    [record] = read({"ruleId": 7, "orgId": 2, "state": state, "title": f"[{state}] CPU", "message": "!"})

    assert (record.state, record.incident_key) == (becomes, "2:7")
    assert record.dedupe_key
    assert record.dedupe_key.startswith(f"7:{state}:")


def test_legacy_keys_depend_on_the_body() -> None:
    """Before version 9 another body is another delivery of the same story."""
    [one], [two] = (read({"ruleId": 7, "state": "alerting", "evalMatches": [{"value": n}]}) for n in (1, 2))

    assert one.dedupe_key != two.dedupe_key
    assert one.incident_key == two.incident_key == "7"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({}, "alerts: Required"),
        (group(alert(status="gone")), "alerts.status: Invalid enum value. Expected 'firing' | 'resolved'"),
        (
            {"ruleId": 1, "state": "sad"},
            "state: Invalid enum value. Expected 'alerting' | 'no_data' | 'ok' | 'paused' | 'pending'",
        ),
        ([1], "body: Expected object, received array"),
    ],
)
def test_what_is_not_understood_is_kept(sent: Any, why: str) -> None:
    """A delivery in another shape is kept with what is wrong with it."""
    assert [record.unreadable for record in read(sent)] == [why]


@settings(max_examples=150, deadline=None)
@given(mutations("grafana"))
def test_survives_hostile_values(sent: dict[str, Any]) -> None:
    """Any JSON value at any place gives records or a reason to keep the delivery raw, never a crash."""
    check_hostile(ADAPTER, sent)


@pytest.mark.parametrize(
    ("name", "state", "at"),
    [
        ("webhook_v1_firing.json", "triggered", 1_634_025_063_157),
        ("webhook_v1_resolved.json", "resolved", 1_634_026_803_157),
    ],
)
def test_vendor_version_1(name: str, state: str, at: int) -> None:
    """The documented group of two alerts is two records with what the tables say."""
    record, other = sample(ADAPTER, name)

    assert (record.title, record.state) == ("This alert was triggered for zone us-1", state)
    assert record.text.startswith("The system has high memory usage")
    assert record.text.endswith("https://myrunbook.com/runbook/1234")
    assert record.subject["url"] == "https://play.grafana.org/alerting/1afz29v7z/edit"
    assert record.incident_key == "1:c6eadffa33fcdf37:1634025063157"
    assert (record.occurred_at, record.severity) == (at, None)
    assert "zone:us-1" in record.tags
    assert other.external_id == "bc97ff14869b13e3"


@pytest.mark.parametrize(
    ("name", "state"), [("legacy_alerting.json", "triggered"), ("legacy_ok.json", "resolved")]
)
def test_vendor_legacy(name: str, state: str) -> None:
    """The alerts of before version 9 are one story of their rule."""
    [record] = sample(ADAPTER, name)

    assert (record.title, record.text, record.state) == ("CPU alert", "boom!", state)
    assert record.incident_key == "7"
    assert record.subject["url"].startswith("https://grafana.domain.tld/dashboard/db/alarms?")


def test_vendor_vector() -> None:
    """Signatures computed as Grafana's source does are good, with and without a time."""
    path = SHARED / "samples" / "_vectors" / "grafana.json"
    if not path.exists():
        pytest.skip(f"no vendor vectors at {path.parent}")
    vector = json.loads(path.read_text())
    body, plain, clocked = vector["body"].encode(), vector["no_timestamp"], vector["with_timestamp"]

    def verified(headers: dict[str, str], hook: Hook) -> bool:
        named = {name.lower().replace("-", "_"): value for name, value in headers.items()}
        inbound = request(ADAPTER, body, **named)
        return proves(ADAPTER, replace(inbound, received_at=int(clocked[CLOCK]) * 1000), hook)

    assert verified(plain, hook(ADAPTER, vector["secret"]))
    assert verified(clocked, hook(ADAPTER, vector["secret"], timestamp_header=CLOCK))
    assert not verified(plain, hook(ADAPTER, vector["secret"], timestamp_header=CLOCK))
