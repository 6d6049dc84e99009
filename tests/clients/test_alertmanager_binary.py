"""Prometheus Alertmanager's own binary, sending to a hook of a running gateway."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.conftest import Inbox, new_hook, severity_of
from tests.clients.lossy import Lossy
from tests.conftest import Server

PATIENCE = 20  # seconds within which what Alertmanager has to do is done
OFTEN = "200ms"
ROUTE = {"receiver": "feedback", "group_by": ["alertname"], "group_wait": "50ms", "group_interval": OFTEN}

Alerting = Callable[..., "Alertmanager"]


class Alertmanager:
    """A running Alertmanager, told of alerts as Prometheus tells it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def tell(self, *alerts: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()


@contextmanager
def running(folder: Path, webhook: dict[str, Any], repeat: str) -> Iterator[Alertmanager]:
    """An Alertmanager whose only receiver is this webhook, until the block ends."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if binary is None:
        pytest.skip("prometheus-alertmanager is not installed")
    receiver = {"name": "feedback", "webhook_configs": [{"send_resolved": True, **webhook}]}
    config = {"route": {**ROUTE, "repeat_interval": repeat}, "receivers": [receiver]}
    (folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [
        binary,
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/data",
        "--web.listen-address=127.0.0.1:0",
        "--cluster.listen-address=",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told: list[str] = []
    found = None
    for line in process.stderr:
        told.append(line)
        if found := re.search(r'"Listening on" address=(\S+)', line):
            break
    reader = threading.Thread(target=lambda: told.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        assert found, "".join(told)
        yield Alertmanager(f"http://{found[1]}")
    finally:
        process.terminate()
        process.wait(timeout=30)
        reader.join(timeout=10)
        process.stderr.close()


@pytest.fixture(name="proxy")
def _proxy(proxy: Lossy) -> Lossy:
    """A proxy that loses nothing, and knows what the gateway answered."""
    proxy.lose = 0
    return proxy


@pytest.fixture(name="alerting")
def _alerting(server: Server, proxy: Lossy, tmp_path: Path) -> Iterator[Alerting]:
    """Starts Alertmanager with a hook of its own: alerting("--rate-limit", "1/second")."""
    with ExitStack() as stack:

        def alerting(
            *options: str, repeat: str = "1h", basic: bool = False, secret: str = ""
        ) -> Alertmanager:
            made = new_hook(server, "alertmanager", *options, at=proxy.url)
            shown = secret or made["secret"]
            http_config: dict[str, Any] = {"authorization": {"credentials": shown}}
            if basic:
                http_config = {"basic_auth": {"username": "alertmanager", "password": shown}}
            webhook = {"url": made["url"], "http_config": http_config}
            return stack.enter_context(running(tmp_path, webhook, repeat))

        yield alerting


def alert(name: str, began: datetime, ended: datetime | None = None, **labels: str) -> dict[str, Any]:
    """An alert as Prometheus posts it."""
    times = {"startsAt": began.isoformat()} | ({"endsAt": ended.isoformat()} if ended else {})
    return {
        "labels": {"alertname": name, "severity": "critical", "env": "staging", **labels},
        "annotations": {
            "summary": "Mailkø står stille",
            "description": "No mail has left for 10 minutes.\nThe queue is 4k long.",
            "runbook_url": "https://wiki.example.org/mail",
        },
        "generatorURL": "https://prom.example.org/graph?g0.expr=mail_queue%20%3E%20100&g0.tab=1",
        **times,
    }


def awaited(what: str, reached: Callable[[], Any]) -> Any:
    """What `reached` returns once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := reached()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.05)
    return value


def minutes_ago(minutes: float) -> datetime:
    """A time in whole milliseconds, to which the gateway keeps times."""
    return datetime.now(UTC).replace(microsecond=250_000) - timedelta(minutes=minutes)


def test_life_of_an_alert(alerting: Alerting, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
    """A firing alert is an open record; reminders add nothing; resolved, it is the same record, resolved."""
    name, began, ended = f"QueueStuck{trace_id}", minutes_ago(3), minutes_ago(0)
    alertmanager = alerting(repeat=OFTEN)

    alertmanager.tell(alert(name, began))
    (opened,) = awaited("the alert", lambda: inbox.about(alertname=name))
    assert (opened["source"], opened["type"]) == ("alertmanager", "alert")
    assert opened["title"] == "Mailkø står stille"
    assert opened["text"].startswith("No mail has left for 10 minutes.\nThe queue is 4k long.")
    assert opened["text"].endswith("https://wiki.example.org/mail")
    assert (opened["status"], opened["resolved_at"], opened["occurrences"]) == ("open", None, 1)
    assert severity_of(opened) == 5
    assert opened["occurred_at"] == of_the_gateway(began)
    assert set(opened["tags"]) == {f"alertname:{name}", "env:staging", "severity:critical"}
    assert opened["external_id"] == opened["subject"]["fingerprint"]
    expected = {
        "url": "https://prom.example.org/graph?g0.expr=mail_queue%20%3E%20100&g0.tab=1",
        "environment": "staging",
        "receiver": "feedback",
    }
    assert expected.items() <= opened["subject"].items()
    assert {headers["user-agent"].partition("/")[0] for headers in proxy.headers} == {"Alertmanager"}

    before = len(proxy.statuses)
    awaited("two reminders", lambda: len(proxy.statuses) >= before + 2)
    (reminded,) = inbox.about(alertname=name)
    assert (reminded["status"], reminded["occurrences"]) == ("open", 1)
    assert [event["type"] for event in inbox.events(reminded)] == ["received"]

    alertmanager.tell(alert(name, began, ended))
    (resolved,) = awaited(
        "the end", lambda: [record for record in inbox.about(alertname=name) if record["resolved_at"]]
    )
    assert (resolved["id"], resolved["status"]) == (opened["id"], "resolved")
    assert resolved["resolved_at"] == of_the_gateway(ended)
    assert set(proxy.statuses) == {200}


@pytest.mark.long
def test_firing_anew(alerting: Alerting, inbox: Inbox, trace_id: str) -> None:
    """An alert that fires again after its end is another record; the first one stays resolved."""
    name, began = f"QueueStuck{trace_id}", minutes_ago(9)
    alertmanager = alerting()
    alertmanager.tell(alert(name, began))
    awaited("the alert", lambda: inbox.about(alertname=name))
    alertmanager.tell(alert(name, began, minutes_ago(6)))
    awaited("the end", lambda: [r for r in inbox.about(alertname=name) if r["status"] == "resolved"])

    alertmanager.tell(alert(name, minutes_ago(1)))

    awaited("the second", lambda: len(inbox.about(alertname=name)) == 2)
    newest, oldest = inbox.about(alertname=name)
    assert (newest["status"], oldest["status"]) == ("open", "resolved")
    assert newest["external_id"] == oldest["external_id"]


@pytest.mark.long
def test_alerts_of_one_group(alerting: Alerting, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
    """Alerts that travel together are a record each, and when one of them ends only that one is resolved."""
    name, began = f"QueueStuck{trace_id}", minutes_ago(3)
    alertmanager = alerting(repeat=OFTEN)
    alertmanager.tell(*(alert(name, began, queue=queue) for queue in ("mail", "sms", "push")))
    awaited("all three", lambda: len(inbox.about(alertname=name)) == 3)

    alertmanager.tell(alert(name, began, minutes_ago(0), queue="sms"))

    def ended() -> list[str]:
        records = [record for record in inbox.about(alertname=name) if record["status"] == "resolved"]
        return [tag for record in records for tag in record["tags"] if tag.startswith("queue:")]

    awaited("the end", ended)
    before = len(proxy.statuses)
    awaited("a reminder", lambda: len(proxy.statuses) > before)
    assert ended() == ["queue:sms"]
    assert len(inbox.about(alertname=name)) == 3


@pytest.mark.long
def test_spent_limit(alerting: Alerting, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
    """What a hook's limit turns away with a 503 Alertmanager sends again, until it arrives."""
    names = [f"QueueStuck{trace_id}{number}" for number in range(2)]
    began = minutes_ago(1)

    alerting("--rate-limit", "1/second").tell(*(alert(name, began) for name in names))

    awaited("both", lambda: all(inbox.about(alertname=name) for name in names))
    assert set(proxy.statuses) == {200, 503}
    assert [len(inbox.about(alertname=name)) for name in names] == [1, 1]


@pytest.mark.long
@pytest.mark.parametrize("status", [500, None], ids=["error", "cut"])
def test_lost_answer(
    alerting: Alerting, proxy: Lossy, inbox: Inbox, trace_id: str, status: int | None
) -> None:
    """An alert that is stored but whose answer is lost is sent again, and stays one record."""
    name = f"QueueStuck{trace_id}"
    proxy.lose, proxy.status = 1, status

    alerting().tell(alert(name, minutes_ago(1)))

    awaited("a second delivery", lambda: len(proxy.statuses) >= 2)
    (record,) = inbox.about(alertname=name)
    assert record["occurrences"] == 1
    assert [event["type"] for event in inbox.events(record)] == ["received"]


def test_basic_auth(alerting: Alerting, inbox: Inbox, trace_id: str) -> None:
    """The secret may also be the password of basic authentication."""
    name = f"QueueStuck{trace_id}"

    alerting(basic=True).tell(alert(name, minutes_ago(1)))

    (record,) = awaited("the alert", lambda: inbox.about(alertname=name))
    assert record["status"] == "open"


def test_wrong_secret(alerting: Alerting, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
    """Alerts that show another secret are a 401, and nothing is stored."""
    name = f"QueueStuck{trace_id}"

    alerting(secret="ein-anderes-Geheimnis").tell(alert(name, minutes_ago(1)))

    awaited("an answer", lambda: proxy.statuses)
    assert set(proxy.statuses) == {401}
    assert inbox.about(alertname=name) == []


def of_the_gateway(moment: datetime) -> str:
    """A time as the gateway's own API writes it, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
