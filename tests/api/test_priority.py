"""What is of high priority, of what comes by every door and of whatever was said about it since."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from gateway.access import hooks
from gateway.core.ids import now_ms
from models import Feedback
from models.database import query_dialects
from models.intake.telling import MACHINES
from models.queries import priority
from tests.access.test_hooks import SIGNED, VENDORS, bearer
from tests.adapters.test_adapters import CASES, inbound_of
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both
PATH = "/gateway/v1/feedback"


def is_high(row: Any) -> bool:
    """The rule, in words of its own."""
    severity = max((one["points"] for one in row.impact_reasons if one["part"] == "severity"), default=0)
    by_itself = row.type in ("alert", "ci") and severity == 5 and row.impact_origin != "corrected"
    return row.impact >= 9 or by_itself


def shown(call: Call, query: str) -> set[str]:
    answer = call("GET", f"{PATH}?limit=200&{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    return {row["id"] for row in answer.json["data"]}


@pytest.fixture(name="everything")
def _everything(app: Flask, call: Call, tenant: Tenant) -> Call:
    """A record or more by every door there is, and some that are critical."""
    for path in CASES:
        inbound, name = inbound_of(json.loads(path.read_text())["request"]), path.parent.name
        headers, where = dict(inbound.headers), inbound.path
        for part, value in inbound.params.items():
            where = where.replace(f"<{part}>", value)
        if name in SIGNED:
            vendor = VENDORS.get(name)
            options = {**(vendor.options if vendor else {}), **inbound.options}
            secret = vendor.secret if vendor else None
            made = hooks.create_hook(
                SIGNED[name],
                tenant.workspace_id,
                None,
                public_url="https://gateway.test",
                secret=secret,
                options=options,
            )
            sign = vendor.sign if vendor else bearer
            where = made["path"]
            headers |= {"Authorization": "", **sign(made["secret"], inbound.body, now_ms() // 1000)}
        call(inbound.method, where, headers=headers, data=inbound.body)
    for number in range(6):
        for kind in ("alert", "ci", "message"):
            body = {"text": f"Checkout {kind} {number}", "type": kind, "severity": number}
            for page in ("/checkout", "/help"):
                assert call("POST", PATH, json={**body, "subject": {"page": page}}).status_code == 201
    return call


def agree(call: Call) -> dict[str, bool]:
    every = {row.id: is_high(row) for row in Feedback.select()}
    found, rest = set[str](), set[str]()
    for kinds in ("alert,ci", "message,chat,rating,correction"):
        for least, most in ((0, 4), (5, 8), (9, 14)):
            some = f"type={kinds}&min_impact={least}&max_impact={most}"
            found |= shown(call, f"priority=high&{some}")
            rest |= shown(call, f"priority=normal&{some}")
    assert found == {one for one, high in every.items() if high}
    assert rest == {one for one, high in every.items() if not high}
    return every


def test_the_rule_holds_for_every_door_and_after_corrections(
    everything: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the records came, whoever corrected what, and however many there are."""
    before = agree(everything)
    assert 5 < sum(before.values()) < len(before)
    ids = sorted(before)
    everything("PATCH", PATH, json={"ids": ids[::3], "change": {"impact": 3}})
    everything("PATCH", PATH, json={"ids": ids[1::7], "change": {"impact": 9}})
    everything("PATCH", PATH, json={"ids": ids[2::5], "change": {"category": "praise"}})
    everything("PATCH", PATH, json={"ids": ids[4::5], "change": {"sentiment": "negative"}})
    after = agree(everything)
    assert {one for one in ids if before[one] != after[one]}

    monkeypatch.setattr(query_dialects, "FEW", 0)
    assert agree(everything) == after


def test_a_critical_alert_on_the_checkout_is_of_high_priority(call: Call) -> None:
    """Its impact is 8: it has no tone, and the view of nine and more never showed it."""
    body = {"type": "alert", "severity": 5, "subject": {"page": "/checkout"}}
    alert = call("POST", PATH, json={**body, "text": "CheckoutDown"}).json
    quiet = call("POST", PATH, json={**body, "severity": 4, "text": "CheckoutSlow"}).json

    assert alert["impact"] == 8
    assert shown(call, "priority=high&status=open") == {alert["id"]}
    assert shown(call, "priority=normal&status=open") == {quiet["id"]}
    call("PATCH", f"{PATH}/{alert['id']}", json={"impact": 2})
    assert shown(call, "priority=high") == set()


def test_a_reason_that_quotes_the_words_of_the_rule_changes_nothing(call: Call) -> None:
    """What a sender writes is not what triage says."""
    words = '"part":"severity","points":5'
    body = {"text": f"crash {words} crashed", "type": "alert", "category": "bug"}
    made = call("POST", PATH, json={**body, "tags": [words]}).json

    assert made["impact"] < 9
    assert shown(call, "priority=high") == set()


def test_machines_are_those_that_triage_knows(app: Flask) -> None:
    assert priority.MACHINES == MACHINES


@pytest.mark.parametrize("value", ["urgent", "", "high,normal"])
def test_other_priorities_are_refused(call: Call, value: str) -> None:
    answer = call("GET", f"{PATH}?priority={value}")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "priority")
