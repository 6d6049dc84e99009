"""A comment whose author deletes it: its words go from everywhere, that there was one stays."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from gateway import triage
from gateway.access.caller import Caller
from gateway.core.ids import new_id
from gateway.intake import store
from models import Event, Feedback
from models.intake.comments import HIDDEN, KIND
from models.intake.incident_merge import DELETED
from tests.adapters.test_adapters import DIALECTS, FIXTURES, door_of, inbound_of
from tests.conftest import Tenant
from tests.intake.test_incidents import NOW, clear
from tests.intake.test_redaction import kept

pytestmark = pytest.mark.both(long=True)

# By their fixtures: what begins the story, the comment in its versions, its end; and words of the comment.
COMMENTS = {
    "github": ("issue_opened", ["issue_comment", "comment_edited"], "comment_deleted", "can see it on order"),
    "jira": ("created", ["comment", "comment_edited"], "comment_deleted", "Same here"),
    "linear": ("created", ["comment", "comment_edited"], "comment_removed", "Same here"),
    "sentry": (None, ["comment_created"], "comment_deleted", "cabins that were rebuilt"),
    "slack": ("message", ["reply_in_thread"], "reply_deleted", "Same here"),
    "zendesk": ("created", ["comment"], "comment_redacted", "no ticket after a day"),
    "intercom": ("created", ["user_replied"], "part_redacted", "Now it shows tomorrow"),
}

COMMENT = json.loads((FIXTURES / "zendesk/comment.json").read_text())["request"]["json"]


def deliver(tenant: Tenant, source: str, name: str) -> list[str]:
    """Stores a fixture's delivery with its own body, and says what became of it."""
    return send(tenant, source, json.loads((FIXTURES / source / f"{name}.json").read_text())["request"])


def send(tenant: Tenant, source: str, request: dict[str, Any]) -> list[str]:
    """Stores a request, and says what became of it."""
    adapter, inbound = DIALECTS[source], inbound_of(request)
    inbound.request_id, inbound.received_at = new_id("req"), NOW
    caller = Caller("hk_1", tenant.workspace_id, None, tenant.project_id, frozenset({"ingest"}), None, None)
    records = door_of(adapter, inbound).read(inbound)
    saved = store.save(caller, adapter, inbound, records, [triage.label(record) for record in records])
    return [one.outcome for one in saved]


def history() -> list[str]:
    return [event.type for event in Event.select().order_by(Event.id)]


@pytest.mark.parametrize("source", COMMENTS)
def test_deleted_comments(tenant: Tenant, source: str) -> None:
    """In whatever order its versions and its end arrive, no word of it is left; the story's own words are."""
    root, versions, end, words = COMMENTS[source]
    for order in permutations([*versions, end]):
        clear()
        if root:
            deliver(tenant, source, root)
        before: Any = Feedback.select().dicts().first()
        outcomes, told = {}, {"": int(root is not None)}
        for name in order:
            outcomes[name] = deliver(tenant, source, name)
            told[name] = Event.select().count()
        kept_some = told[order[order.index(end) - 1] if order[0] != end else ""] > told[""]
        rows = list(Feedback.select().dicts())

        assert words not in kept()
        # Newer words that arrive first may say nothing that the story does not say.
        assert outcomes[end] == (["updated"] if kept_some else ["ignored"])
        assert history().count(KIND) == kept_some
        assert kept_some or order[-1] != end
        if before:
            assert [(row["title"], row["text"]) for row in rows] == [(before["title"], before["text"])]
        else:
            assert [row["text"] for row in rows] == ([DELETED] if kept_some else [])
        assert deliver(tenant, source, end) == ["ignored"]


@pytest.mark.parametrize("source", COMMENTS)
def test_told_by_nothing_else(tenant: Tenant, source: str) -> None:
    """A record that began with the comment says that it was deleted, and what tells the story later wins."""
    root, versions, end, words = COMMENTS[source]
    deliver(tenant, source, versions[0])
    (row,) = Feedback.select()
    assert words in row.text
    deliver(tenant, source, end)
    (row,) = Feedback.select()

    assert row.text == DELETED
    assert words not in kept()
    if root:
        deliver(tenant, source, root)
        (row,) = Feedback.select()
        assert row.text != DELETED


def test_other_comments_stay(tenant: Tenant) -> None:
    """The words and deliveries of what else was said are kept."""
    deliver(tenant, "slack", "message")
    deliver(tenant, "slack", "thread_broadcast")
    deliver(tenant, "slack", "reply_in_thread")
    deliver(tenant, "slack", "reply_deleted")

    assert [event.type for event in Event.select().where(Event.payload.is_null())] == ["note", KIND]
    (deleted,) = (event for event in Event.select() if event.detail.get("deleted"))
    assert deleted.type == "note"


def shown(row: dict[str, Any]) -> list[str]:
    """What a record tells of who may see it."""
    told = [tag for tag in row["tags"] if tag.startswith("visibility:")]
    return [*told, *filter(None, [row["subject"].get("visibility")])]


@pytest.mark.parametrize("root", ["created", None])
def test_hidden_comments(tenant: Tenant, root: str | None) -> None:
    """A comment that is made private is told as such whichever comes first, and its ticket is not."""
    names = ["comment", "made_private", *([root] if root else [])]
    for order in permutations([*names, "made_private"]):
        clear()
        for name in order:
            private(tenant) if name == "made_private" else deliver(tenant, "zendesk", name)
        (row,) = Feedback.select().dicts()
        words = COMMENTS["zendesk"][3].encode()
        events = [event for event in Event.select() if event.type != HIDDEN]
        told = {words in event.payload: event.detail.get("visibility") for event in events}

        assert shown(row) == ([] if root else ["visibility:private", "private"])
        assert told.pop(True) == "private"
        assert set(told.values()) <= {None}
        assert history().count(HIDDEN) == (order.index("comment") < order.index("made_private"))
        if not root:
            deliver(tenant, "zendesk", "created")  # whose words these are then
            (row,) = Feedback.select().dicts()
            assert shown(row) == []


def private(tenant: Tenant) -> None:
    """Delivers that the comment of the fixture `comment` was made private."""
    case = json.loads((FIXTURES / "zendesk/comment_made_private.json").read_text())
    case["request"]["json"]["event"]["comment"]["id"] = COMMENT["event"]["comment"]["id"]
    send(tenant, "zendesk", case["request"])
