"""Servers that people host count from 1 on each: their stories are told apart, also older ones."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import permutations
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.contract.record import ANY_SERVER, Record
from models import Feedback
from tests.adapters.test_adapters import DIALECTS, FIXTURES, door_of, inbound_of
from tests.conftest import Tenant
from tests.intake.test_incidents import clear, deliver

pytestmark = pytest.mark.both(long=True)

# By source: the host in its fixtures, the vendor's own, and what tells one story (and a vote for it).
STORIES: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {
    "gitlab": [
        (
            "gitlab.example.org",
            "gitlab.com",
            ("issue_opened", "issue_updated", "note_on_issue", "issue_closed"),
        ),
        ("gitlab.example.org", "gitlab.com", ("issue_opened", "emoji_awarded")),
        ("gitlab.example.org", "gitlab.com", ("pipeline_failed", "pipeline_succeeded")),
    ],
    "sentry": [
        ("sentry.io", "sentry.io", ("issue_created", "issue_resolved")),
        ("sentry.io", "sentry.io", ("event_alert", "issue_created", "comment_created")),
    ],
}
CASES = [(source, *story) for source, stories in STORIES.items() for story in stories]


def told(source: str, name: str, host: str, server: str) -> list[Record]:
    text = (FIXTURES / source / f"{name}.json").read_text()
    text = re.sub(rf"//(\w+\.)?{re.escape(host)}", f"//{server}", text)
    inbound = inbound_of(json.loads(text)["request"])
    return door_of(DIALECTS[source], inbound).read(inbound)


def plain(record: Record) -> Record:
    """A record as older versions read it."""
    return replace(record, server=None)


def shown() -> list[tuple[Any, ...]]:
    """The stories that there are, by their hosts."""
    rows, names = Feedback.select().dicts(), ("status", "votes", "occurrences")
    hosts = [urlsplit(str(row["subject"].get("url"))).netloc for row in rows]
    return sorted((host, *(row[name] for name in names)) for host, row in zip(hosts, rows, strict=True))


@pytest.mark.parametrize(("source", "host", "own", "names"), CASES)
def test_two_servers(tenant: Tenant, source: str, host: str, own: str, names: tuple[str, ...]) -> None:
    """The same numbers of two servers are two stories, whatever comes first; a third one is the vendor's."""
    adapter = DIALECTS[source]
    alone = []
    for server in ("one.example.org", "two.example.org", own):
        clear()
        for name in names:
            for record in told(source, name, host, server):
                deliver(tenant, record, adapter)
        alone += shown()
    clear()
    for name in names:
        for server in ("one.example.org", "two.example.org", own):
            # A comment of Sentry's names no server.
            if not (name == "comment_created" and server != "one.example.org"):
                for record in told(source, name, host, server):
                    deliver(tenant, record, adapter)

    assert len(alone) == 3
    assert shown() == sorted(alone)


@pytest.mark.parametrize(("source", "host", "own", "names"), CASES)
def test_stories_of_older_versions(
    tenant: Tenant, source: str, host: str, own: str, names: tuple[str, ...]
) -> None:
    """They go on, told again by whatever they were told by before; another server's do not touch them."""
    adapter = DIALECTS[source]
    deliveries = [record for name in names for record in told(source, name, host, "one.example.org")]
    others = [record for name in names for record in told(source, name, host, "two.example.org")]
    clear()
    for record in deliveries:
        deliver(tenant, record, adapter)
    expected = shown()
    for known in range(1, len(deliveries)):
        clear()
        for record in deliveries[:known]:
            deliver(tenant, plain(record), adapter)
        (before,) = Feedback.select()
        for record in others:
            if record.server != ANY_SERVER:
                deliver(tenant, record, adapter)
        for record in deliveries:
            deliver(tenant, record, adapter)

        mine = [row for row in shown() if "two.example.org" not in row[0]]
        assert mine == expected
        assert Feedback.get_by_id(before.id).subject["url"].count("one.example.org")


def test_a_comment_without_a_server(tenant: Tenant) -> None:
    """It is in the history of its issue, whichever comes first."""
    names = ("issue_created", "comment_created", "issue_resolved")
    for order in permutations(names):
        clear()
        for name in order:
            for record in told("sentry", name, "sentry.io", "one.example.org"):
                deliver(tenant, record, DIALECTS["sentry"])

        assert [row.status for row in Feedback.select()] == ["resolved"], order
