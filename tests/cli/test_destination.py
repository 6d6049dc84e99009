"""Destinations on the command line."""

from __future__ import annotations

from typing import Any

import pytest
from standardwebhooks import Webhook

from models import Destination, Outgoing
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
    answer(run, "destination", "delete", made["id"])
    assert Destination.select().count() == Outgoing.select().count() == 0
    told = run("destination", "create", "webhook", URL)
    assert "whsec_" in told.stdout and "cannot be shown again" in told.stdout


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
    ],
)
def test_what_is_refused(run: Any, words: list[str], why: str) -> None:
    """In a line that says what is wrong; nothing is stored."""
    done = run("destination", *words)
    assert done.exit_code != 0 and why in done.output
    assert Destination.select().count() == 0
