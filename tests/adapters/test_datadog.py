"""Datadog: who may post, and the quirks of templates, titles and messages."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings

from adapters.contract import Problem
from adapters.contract.record import Record
from adapters.datadog import ADAPTER, TEMPLATE
from tests.adapters.alert_senders import check_hostile, hook, mutations, proves, request, sample
from tests.conftest import ROOT

SECRET, OLD = "s3cret-of-this-hook", "the-one-before"
HOOK = hook(ADAPTER, SECRET, OLD)
FOOTER = (
    "- - -\n\n[[Monitor Status](https://app.datadoghq.com/monitors#77?)] · [[Edit Monitor](https://x/edit)]"
)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def read(sent: Any) -> list[Record]:
    return ADAPTER.doors[0].read(request(ADAPTER, sent))


def one(**sent: Any) -> Record:
    [record] = read({"title": "Disk is full", **sent})
    return record


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": f"Bearer {OLD}"},
        {"authorization": basic(f"datadog:{SECRET}")},
        {"x_gateway_secret": SECRET},
        {"x_gateway_secret": OLD, "authorization": "Bearer other"},
    ],
)
def test_shows_a_live_secret(headers: dict[str, str]) -> None:
    """Either of two live secrets is good in any of the three places."""
    assert proves(ADAPTER, request(ADAPTER, **headers), HOOK)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        *(
            {"authorization": value}
            for value in ("", "Bearer", SECRET, "Bearer x", f"Bearer {SECRET}é", "Basic é")
        ),
        {"authorization": basic(f"{SECRET}:datadog")},
        *({"x_gateway_secret": value} for value in ("", "x", f"{SECRET}\udcff", f"Bearer {SECRET}")),
        {"x_gateway_secret": "x", "authorization": f"Bearer {SECRET}"},
    ],
)
def test_anything_else_proves_nothing(headers: dict[str, str]) -> None:
    """A wrong, malformed or non-ASCII header is no proof, and neither is none."""
    assert not proves(ADAPTER, request(ADAPTER, **headers), HOOK)
    assert not proves(ADAPTER, request(ADAPTER, **headers), hook(ADAPTER))


def test_advice_holds_the_template() -> None:
    """What to paste where is the address, the header and the template that the page shows."""
    assert ADAPTER.signed
    shown = ADAPTER.signed.advice.format(url="https://gw.example/hooks/x", secret="abc", hook_id="hk_1")
    page = (ROOT / "docs" / "dialects" / "datadog.md").read_text()
    [on_the_page] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)

    assert "URL: https://gw.example/hooks/x" in shown
    assert '{"Authorization": "Bearer abc"}' in shown
    assert json.loads(shown[shown.index("Payload:") + 8 :]) == TEMPLATE
    assert json.loads(on_the_page) == TEMPLATE


def test_busy_is_503() -> None:
    """For Datadog a 429 is final, a 503 is not."""
    refused = ADAPTER.refuse(Problem(429, "rate_limited", "Slow down", headers={"Retry-After": "2"}))

    assert (refused.status, refused.headers) == (503, {"Retry-After": "2"})


@pytest.mark.parametrize(
    ("sent", "title"),
    [
        ("[P1] [Triggered on {host:a}] Disk is full", "Disk is full"),
        ("[Triggered] [Memory Alert]", "[Memory Alert]"),
        ("[No Data on {host:a,env:b}] [P3] Disk", "Disk"),
        ("[Re-No Data] Disk", "Disk"),
        ("[re-triggered]Disk", "Disk"),
        ("[Billing] [Triggered] Disk", "[Billing] [Triggered] Disk"),
        ("[Triggered on {host:a}", "[Triggered on {host:a}"),
        ("[Recovered]", "[Recovered]"),
    ],
)
def test_prefixes_are_taken_off(sent: str, title: str) -> None:
    """A title loses Datadog's prefixes, brackets of other words stay; nothing else is no title."""
    assert one(title=sent).title == title


@pytest.mark.parametrize(
    "transition", ["Triggered", "Re-Triggered", "Warn", "Re-Warn", "No Data", "Re-No Data"]
)
def test_trouble(transition: str) -> None:
    """Every transition into trouble, given or in the title, triggers."""
    given, titled = (
        one(transition=transition, monitor_id="1"),
        one(title=f"[{transition}] Disk", monitor_id="1"),
    )

    assert (given.state, titled.state) == ("triggered", "triggered")
    assert given.incident_key == titled.incident_key == "1"


def test_renotify_and_tests_are_ignored() -> None:
    """A reminder changes nothing, a test is no trouble."""
    assert read({"title": "Disk", "transition": "Renotify"}) == []
    assert read({"title": "[Renotify on {host:a}] Disk"}) == []
    assert read({"title": "[Triggered] [TEST] Disk"}) == []
    assert read({"title": "Disk", "alert": {"title": "[TEST] Disk"}}) == []


@pytest.mark.parametrize(
    "missing", ["", " ", "null", "None", "$ALERT_TRANSITION", "$TAGS[env]", None, [], {}, True]
)
def test_missing_values(missing: Any) -> None:
    """What Datadog puts for a variable without a value is as good as absent."""
    record = one(
        transition=missing, link=missing, tags=missing, alert_priority=missing, env=missing, user=missing
    )

    assert (record.state, record.incident_key, record.severity, record.tags) == (None, None, None, ())
    assert record.subject == {}
    assert record.author.name is None


@pytest.mark.parametrize(
    ("sent", "severity"),
    [
        ({"alert_priority": "P1", "alert_type": "success"}, 5),
        ({"alert": {"priority": "P5", "type": "error"}}, 1),
        ({"alert_type": "error"}, 4),
        ({"alert_type": "warning"}, 3),
        ({"alert_type": "success"}, 1),
        ({"title": "[P4] [Warn] Disk"}, 2),
        ({"severity": "critical"}, 5),
        ({"priority": "normal"}, None),
        ({"priority": "low"}, None),
        ({"priority": "low", "alert_type": "error"}, 4),
        ({"priority": "P2"}, 4),
    ],
)
def test_severity(sent: dict[str, Any], severity: int | None) -> None:
    """P1 to P5 count, else the alert's type, else the title; the event's priority does not."""
    assert one(**sent).severity == severity


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ({"aggreg_key": "agg", "alert_cycle_key": "c", "alert_id": "1"}, "agg"),
        ({"alert": {"cycle_key": "c", "id": "1"}}, "c"),
        ({"alert": {"id": "1", "scope": "host:a"}}, "1:host:a"),
        ({"monitor_id": 12}, "12"),
        ({"link": "https://app.datadoghq.com/monitors/345?x=1"}, "345"),
        ({"body": f"%%%\nfull\n{FOOTER}\n%%%"}, "77"),
        ({}, None),
    ],
)
def test_stories(sent: dict[str, Any], key: str | None) -> None:
    """The story is the aggregation, else the cycle, else the monitor; without any there is no state."""
    record = one(transition="Triggered", **sent)

    assert record.incident_key == key
    assert record.state == ("triggered" if key else None)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("%%%\n@webhook-a @ann@example.org\nFull. Ask @slack-ops.\n%%%", "Full. Ask ."),
        (f"%%%\nFull, mail ann@example.org\n\n\n\nNow\n\n{FOOTER}\n%%%", "Full, mail ann@example.org\n\nNow"),
        ("%%%\nFull\n[![Graph](https://p/1.png)](https://a/b)\n![x](https://p/2.png)\n%%%", "Full"),
        ("%%%\n@webhook-a\n%%%", "Disk is full"),
        ("Text only, @ann knows", "Text only, @ann knows"),
        ("%%%\n" + "![" * 50_000 + "\n%%%", "![" * 50_000),
    ],
    ids=range(6),
)
def test_messages_are_cleaned(message: str, text: str) -> None:
    """Markdown loses marks, mentions, images and footer, quickly; addresses and plain text stay."""
    assert one(body=message).text == text


def test_keys_of_deliveries() -> None:
    """The event's id with the transition is one delivery; without an id it is the payload itself."""
    assert one(id="5", transition="Warn").dedupe_key == "5:Warn"
    assert one(id="5").dedupe_key == "5"
    assert one(text="a").dedupe_key == one(text="a").dedupe_key != one(text="b").dedupe_key


def test_forms() -> None:
    """A form is read whatever its Content-Type; without NUL, and a broken one is kept raw."""
    body = urlencode({"title": "[Warn] Disk\0", "alert[id]": "1", "alert.priority": "P3", "org": "{broken"})
    [record] = read(body.encode())
    [unread] = read(b"&".join(b"a=1" for _ in range(1001)))

    assert (record.title, record.state, record.severity) == ("Disk\ufffd", "triggered", 3)
    assert record.incident_key == "1"
    assert unread.unreadable


@pytest.mark.parametrize("sent", [{}, [], {"title": "", "text": "null"}, {"title": 7}, {"alert": []}])
def test_no_words_are_kept_raw(sent: Any) -> None:
    """A payload without any title or text is kept with the reason."""
    assert [bool(record.unreadable) for record in read(sent)] == [True]


@settings(max_examples=150, deadline=None)
@given(mutations("datadog"))
def test_survives_hostile_values(sent: dict[str, Any]) -> None:
    """Any JSON value at any place gives records or a reason to keep the delivery raw, never a crash."""
    check_hostile(ADAPTER, sent)


@pytest.mark.parametrize(
    ("name", "transition", "state", "date"),
    [
        ("recommended_triggered.json", "1234567:Triggered", "triggered", 1_406_662_672_000),
        ("recommended_triggered.form.txt", "1234567:Triggered", "triggered", 1_406_662_672_000),
        ("recommended_warn.json", "1234570:Warn", "triggered", 1_406_662_700_000),
        ("recommended_recovered.json", "1234599:Recovered", "resolved", 1_406_662_972_000),
    ],
)
def test_vendor_recommended(name: str, transition: str, state: str, date: int) -> None:
    """The recommended template with documented values gives what the tables say, in JSON and as a form."""
    [record] = sample(ADAPTER, name)

    assert (record.title, record.severity, record.state) == ("Memory Alert", 4, state)
    assert record.text == "system.load.1 over host:my-host was > 0 at least once during the last 1m"
    assert record.subject["url"].startswith("https://app.datadoghq.com/event/jump_to?event_id=12345")
    assert record.subject["environment"] == "prod"
    assert record.tags == ("monitor", "name:myService", "role:computing-node", "env:prod")
    assert (record.dedupe_key, record.occurred_at) == (transition, date)
    assert record.incident_key == "9bd4ac313a4d1e8fae2482df7b77628"
    assert record.author.name == "rudy"


@pytest.mark.parametrize("name", ["recommended_renotify.json", "default_payload_service_check_2020.json"])
def test_vendor_ignored(name: str) -> None:
    """A reminder and a captured test notification are ignored."""
    assert sample(ADAPTER, name) == []
