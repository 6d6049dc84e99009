"""Destinations on the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.destinations import found_kinds
from gateway.destinations.by_kind import webhook
from models import Destination, Outgoing
from models.database.base import writing
from models.tables import outgoing
from tests.cli.test_cli_hooks import _run, answer  # noqa: F401  # a fixture

URL = "https://hooks.example.com/feedback"


def test_life_of_a_destination(run: Any) -> None:
    """It is created, listed without its secret, tested, rotated, replayed and deleted."""
    words = ["--name", "Shop", "--events", "feedback.created,feedback.deleted", "--filter", "category=bug"]
    words += ["--header", "Authorization: Bearer hush", "--thin"]
    made = answer(run, "destination", "create", "webhook", URL, *words)
    Webhook(made["secret"])
    (listed,) = answer(run, "destination", "list")["destinations"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert listed["events"] == ["feedback.created", "feedback.deleted"] and listed["thin"]
    assert (listed["filter"], listed["headers"], listed["name"]) == (
        "category=bug",
        ["Authorization"],
        "Shop",
    )
    assert answer(run, "destination", "test", made["id"])["queued"] == 1
    assert answer(run, "destination", "rotate", made["id"])["secret"] != made["secret"]
    since = ["--state", "sent", "--since", "2020-01-01T00:00:00Z", "--until", "2030-01-01T00:00:00Z"]
    for more in ([], since, ["--delivery", "msg_0"]):
        assert answer(run, "destination", "replay", made["id"], *more)["queued"] == 0
    assert answer(run, "destination", "forget", made["id"])["forgotten"] == 0
    words = ["--url", f"{URL}/2", "--name", "Web", "--events", "feedback.deleted", "--filter", "tag=vip"]
    words += ["--header", "X-Shop: 1", "--whole", "--ordered"]
    changed = answer(run, "destination", "change", made["id"], *words)
    assert (changed["url"], changed["name"], changed["events"]) == (f"{URL}/2", "Web", ["feedback.deleted"])
    assert (changed["filter"], changed["headers"]) == ("tag=vip", ["X-Shop"])
    assert changed["ordered"] and not changed["thin"]
    assert not answer(run, "destination", "change", made["id"], "--unordered")["ordered"]
    assert answer(run, "destination", "pause", made["id"])["state"] == "paused"
    assert answer(run, "destination", "enable", made["id"])["state"] == "enabled"
    assert answer(run, "destination", "log", made["id"]) == {"deliveries": []}
    answer(run, "destination", "delete", made["id"])
    assert Destination.select().count() == Outgoing.select().count() == 0
    told = run("destination", "create", "webhook", URL)
    assert "whsec_" in told.stdout and "cannot be shown again" in told.stdout


def test_the_log(run: Any) -> None:
    """Each delivery is a line, and each attempt at it is one with the answer."""
    made = answer(run, "destination", "create", "webhook", URL)["id"]
    row = {"id": "msg_1", "workspace_id": "ws_1", "destination": made, "feedback": None, "body": "{}"}
    row |= {"type": "destination.test", "state": outgoing.WAITING, "next_at": 0, "created_at": 0}
    with writing():
        outgoing.add_all([row])
        attempt = {"at": 0, "ms": 12, "status": 500, "why": None, "answer": "Oops,\nsorry"}
        assert outgoing.tried({"id": "msg_1", "tries": 0}, {}, attempt)
    shown = run("destination", "log", made, "--state", "waiting", "--limit", "5").stdout.splitlines()
    time = "1970-01-01T00:00:00.000Z"
    assert shown == [
        f"msg_1  {time}  waiting  destination.test",
        f"  1. {time}  12 ms  500 Oops, sorry",
    ]
    assert answer(run, "destination", "forget", made, "--delivery", "msg_1")["forgotten"] == 1


def test_when_people_are_told(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription is set as a whole and in parts; kinds for programs have none."""
    told = answer(run, "destination", "create", "webhook", URL)
    assert told["subscription"] is None
    refused = run("destination", "change", told["id"], "--when", "daily")
    assert refused.exit_code == 1 and "subscription: " in refused.stderr
    note = replace(webhook.KIND, render=None, write=lambda message: message.subject)
    monkeypatch.setattr(found_kinds, "load", lambda: {"webhook": note})
    words = ["--when", "weekly", "--hour", "9", "--weekday", "4", "--zone", "Europe/Amsterdam"]
    words += ["--window", "30", "--include-author", "--content", "digest"]
    made = answer(run, "destination", "create", "webhook", URL, *words)
    wanted = {"when": "weekly", "hour": 9, "weekday": 4, "zone": "Europe/Amsterdam", "window": 30}
    assert made["subscription"] == {**wanted, "include_author": True, "content": "digest"}
    changed = answer(run, "destination", "change", made["id"], "--hour", "7", "--no-author")
    assert changed["subscription"] == {**made["subscription"], "hour": 7, "include_author": False}
    for bad in (["--hour", "24"], ["--zone", "Mars"], ["--window", "0"], ["--weekday", "7"]):
        refused = run("destination", "change", made["id"], *bad)
        assert refused.exit_code == 1 and f"subscription.{bad[0][2:]}: " in refused.stderr
    refused = run("destination", "change", made["id"], "--when", "each")
    assert "subscription.content" in refused.stderr


def test_a_project_of_its_own(run: Any) -> None:
    """With --project it is told of that alone, else of the whole workspace."""
    project = answer(run, "project", "create", "Web")
    place = ["--project", project["project_id"], "--workspace", project["workspace_id"]]
    made = answer(run, "destination", "create", "webhook", URL, *place)
    assert made["project_id"] == project["project_id"]
    assert answer(run, "destination", "create", "webhook", URL)["project_id"] is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["create", "pigeon", URL], "kind: "),
        (["create", "webhook", "https://10.0.0.1/"], "GATEWAY_OUTBOUND_PRIVATE"),
        (["create", "webhook", URL, "--events", "feedback.eaten"], "events"),
        (["create", "webhook", URL, "--filter", "colour=red"], "filter.colour"),
        (["create", "webhook", URL, "--header", "Host: x"], "headers.Host"),
        (["create", "webhook", URL, "--header", "Host"], "NAME:VALUE"),
        (["test", "dst_0"], "no destination dst_0"),
        (["rotate", "dst_0"], "no destination dst_0"),
        (["replay", "dst_0"], "no destination dst_0"),
        (["delete", "dst_0"], "no destination dst_0"),
        (["forget", "dst_0"], "no destination dst_0"),
        (["log", "dst_0"], "no destination dst_0"),
        (["pause", "dst_0"], "no destination dst_0"),
        (["change", "dst_0", "--thin"], "no destination dst_0"),
        (["change", "dst_0"], "--url"),
    ],
)
def test_what_is_refused(run: Any, words: list[str], why: str) -> None:
    """In a line that says what is wrong; nothing is stored."""
    done = run("destination", *words)
    assert done.exit_code != 0 and why in done.output
    assert Destination.select().count() == 0
