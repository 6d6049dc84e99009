"""Feedback of an imaginary company, for pages that should look lived in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.signing import VENDORS

MAIL = [json.loads(line) for line in (Path(__file__).parent / "scenes.ndjson").read_text().splitlines()]
PROJECTS = ("Web shop", "Mobile app", "Back office")  # beside the default one
# Alerts that fire: the rule, how bad it is, what it says, and what of.
FIRING = [
    (
        "CheckoutErrors",
        "critical",
        "Checkout answers with errors",
        ["checkout-1", "checkout-2", "checkout-3"],
    ),
    ("DiskAlmostFull", "warning", "Disk is 91 % full", ["db-2"]),
    ("QueueStuck", "warning", "The mail queue does not move", ["mail-1", "mail-2"]),
]


def send_all(url: str, key: str) -> list[str]:
    """Sends everything and returns the ids of the native ones, in their order."""
    ids = []
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        for item in MAIL:
            answer = client.post(item["path"], json=item["body"])
            assert answer.status_code < 300, answer.text
            if item["path"].startswith("/gateway"):
                ids.append(answer.json()["id"])
    return ids


def send_hooked(url: str, key: str) -> None:
    """Makes projects, and hooks that alerts, chat, trackers and CI come in by."""
    paths: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=30) as client:
        shown = {"Authorization": f"Bearer {key}"}
        for name in PROJECTS:
            client.post("/gateway/v1/projects", json={"name": name}, headers=shown).raise_for_status()
        for source, headers, sent in _deliveries(int(time.time())):
            vendor = VENDORS[source]
            if source not in paths:
                asked = {"source": source, "secret": vendor.secret, "options": vendor.options}
                made = client.post("/gateway/v1/hooks", json=asked, headers=shown).raise_for_status()
                paths[source] = made.json()["path"]
            body = json.dumps(sent).encode()
            signed = vendor.sign(vendor.secret, body, int(time.time()))
            answer = client.post(
                paths[source], content=body, headers={"content-type": "application/json", **headers, **signed}
            )
            assert answer.status_code < 300, answer.text


def _deliveries(now: int) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """The source of each delivery, its headers and its body."""
    yield "slack", {}, _chat(now, "The export drops umlauts since Monday, our German customers notice.")
    yield "github", {"x-github-event": "issues", "x-github-delivery": f"tulip-{now}"}, _issue()
    yield (
        "datadog",
        {},
        {
            "event_title": "Basket answers slowly",
            "body": "p95 of the basket was over 900 ms for 5 minutes",
            "alert_transition": "Triggered",
            "severity": "P2",
            "monitor_id": 41,
            "scopes": "service:basket",
            "tags": ["env:production", "service:basket"],
            "timestamp": now,
            "id": 7001,
        },
    )
    for rule, severity, said, places in FIRING:
        for number, place in enumerate(places):
            yield "alertmanager", {}, _alert(rule, severity, f"{said}: {place}", place, now - 60 * number)


def _chat(now: int, text: str) -> dict[str, Any]:
    event = {"type": "message", "text": text, "user": "U0MIRA", "ts": f"{now}.001900", "channel": "C0HELP"}
    return {"type": "event_callback", "team_id": "T0TULIP", "event": event, "event_id": f"Ev{now}"}


def _issue() -> dict[str, Any]:
    repository = {"id": 5501, "full_name": "tulip/orders", "html_url": "https://github.com/tulip/orders"}
    user = {"login": "anna-k", "id": 901, "type": "User"}
    issue = {
        "id": 6001,
        "number": 17,
        "title": "Totals are off by a cent",
        "body": "Order 1180 shows 10.01, the invoice says 10.00.",
        "html_url": "https://github.com/tulip/orders/issues/17",
        "user": user,
        "labels": [],
        "state": "open",
    }
    return {"action": "opened", "issue": issue, "repository": repository, "sender": user}


def _alert(rule: str, severity: str, said: str, place: str, at: int) -> dict[str, Any]:
    labels = {"alertname": rule, "severity": severity, "instance": place, "env": "production"}
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": said},
        "startsAt": begun,
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{rule}-{place}",
    }
    group = {"groupKey": f"{{}}:{{alertname={rule}}}", "groupLabels": {"alertname": rule}}
    return {"version": "4", "status": "firing", "receiver": "feedback", "alerts": [alert], **group}
