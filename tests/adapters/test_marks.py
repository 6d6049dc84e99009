"""Marks of secrecy are kept as tag and field, and clocks are bounded, whichever adapter read them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.common.times import moment_of, moment_or_seconds, stamp
from gateway import triage
from gateway.access.caller import Caller
from gateway.core.ids import new_id, new_ulid
from gateway.intake import store
from models.tables import event
from tests.adapters.test_adapters import CASES, DIALECTS, FIXTURES, door_of, inbound_of, name_of
from tests.conftest import Tenant

SECRET = {
    "gitlab/issue_confidential": "confidential",
    "github/issue_opened": "private",
    "github/discussion_created": "private",
    "github/run_failed": "private",
    "slack/message_in_a_private_channel": "private",
    "slack/command_in_a_direct_message": "private",
    "discord/slash_in_direct_message": "private",
    "discord/message_command_in_direct_message": "private",
    "jira/described_in_adf": "confidential",
    "bitbucket/issue_created": "private",
    "bitbucket/build_failed": "private",
    "azure_devops/build_failed_in_a_private_project": "private",
    "mattermost/direct_message": "private",
    "teams/message_in_a_group_chat": "private",
    "zulip/direct": "private",
}
# Remarks that fewer may see than their story: a mark of their own, and the story after which they come.
REMARKS = {
    "gitlab/note_internal": ("confidential", "gitlab/issue_opened"),
    "jira/comment_restricted": ("private", "jira/created"),
    "zendesk/internal_comment": ("private", "zendesk/created"),
    "intercom/admin_noted": ("private", "intercom/created"),
}
OPEN = (
    "gitlab/issue_no_longer_confidential",
    "gitlab/issue_opened",
    "slack/message",
    "slack/command",
    "discord/slash",
    "jira/created",
    "zendesk/created",
    "intercom/created",
    "azure_devops/build_failed",
    "mattermost/message",
    "teams/message",
    "zulip/mention",
)
TAKEN = [path for path in CASES if "records" in json.loads(path.read_text())]
CALLER = Caller("hk_1", "ws_1", None, "prj_1", frozenset({"ingest"}), None, None)
EARLY = 1_600_000_000_000  # before everything in the fixtures


def read(name: str, change: Any = None) -> Any:
    case = json.loads((FIXTURES / f"{name}.json").read_text())
    if change:
        change(case["request"]["json"])
    inbound = inbound_of(case["request"])
    return door_of(DIALECTS[name.partition("/")[0]], inbound).read(inbound)


@pytest.mark.parametrize(("name", "mark"), SECRET.items(), ids=SECRET)
def test_secrecy_is_kept(name: str, mark: str) -> None:
    """What is not for everybody says so, as a tag to filter by and in the subject."""
    (record,) = read(name)

    assert f"visibility:{mark}" in record.tags
    assert record.subject["visibility"] == mark


@pytest.mark.parametrize(("name", "mark"), [(name, mark) for name, (mark, _) in REMARKS.items()])
def test_a_remark_has_a_mark_of_its_own(name: str, mark: str) -> None:
    """The story that it belongs to is not marked by it."""
    (record,) = read(name)

    assert (record.state, record.secrecy) == ("note", mark)
    assert "visibility" not in record.subject
    assert not any(tag.startswith("visibility:") for tag in record.tags)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("name", "mark", "story"), [(name, *told) for name, told in REMARKS.items()])
def test_a_record_is_marked_while_its_words_are_a_secret_remarks(
    tenant: Tenant, name: str, mark: str, story: str, turned: bool
) -> None:
    """Nobody reads them without their mark, and once others tell the story it is as open as they are."""
    caller = Caller("hk_1", tenant.workspace_id, None, tenant.project_id, frozenset({"ingest"}), None, None)

    def send(which: str) -> Any:
        case = json.loads((FIXTURES / f"{which}.json").read_text())
        inbound = inbound_of(case["request"])
        adapter = DIALECTS[which.partition("/")[0]]
        (record,) = door_of(adapter, inbound).read(inbound)
        if which == name:  # of the same story, whatever numbers the fixtures have
            record = replace(record, incident_key=told.incident_key)
        inbound.request_id = new_id("req")
        return store.save(caller, adapter, inbound, [record], [triage.label(record)])[0].document

    (told,) = read(story)
    documents = [send(which) for which in ((name, story) if turned else (story, name))]

    secret = [f"visibility:{mark}" in document["tags"] for document in documents]
    assert secret == [turned, False]
    assert ["visibility" in document["subject"] for document in documents] == secret
    assert len({document["id"] for document in documents}) == 1
    marks = [one["detail"].get("visibility") for one in event.of(documents[0]["id"], limit=9)]
    assert marks == ([mark, None] if turned else [None, mark])


@pytest.mark.parametrize("name", OPEN)
def test_what_is_for_everybody_has_no_mark(name: str) -> None:
    """Public places leave no mark."""
    (record,) = read(name)

    assert "visibility" not in record.subject
    assert not any(tag.startswith("visibility:") for tag in record.tags)


@pytest.mark.parametrize(
    ("level", "mark"), [(0, "private"), (10, "internal"), (20, None), ("0", None), (None, None), (True, None)]
)
def test_visibility_of_a_gitlab_project(level: Any, mark: str | None) -> None:
    """GitLab numbers its visibilities."""
    (record,) = read("gitlab/issue_opened", lambda sent: sent["project"].update(visibility_level=level))

    assert record.subject.get("visibility") == mark


@pytest.mark.parametrize(
    ("repository", "mark"),
    [
        ({"private": True, "visibility": "internal"}, "internal"),
        ({"private": True}, "private"),
        ({"private": False, "visibility": "public"}, None),
        ({"private": "yes"}, None),
    ],
)
def test_visibility_of_a_github_repository(repository: dict[str, Any], mark: str | None) -> None:
    """GitHub names them, and before that said only `private`."""

    def change(sent: Any) -> None:
        sent["repository"] = {"id": 1, "full_name": "tulip/orders", **repository}

    (record,) = read("github/issue_opened", change)

    assert record.subject.get("visibility") == mark


@pytest.mark.parametrize("path", TAKEN, ids=name_of)
def test_no_clock_is_believed(path: Any) -> None:
    """Nothing happens more than five minutes after it came; what was sent stays in the subject."""
    case = json.loads(path.read_text())
    adapter, inbound = DIALECTS[path.parent.name], replace(inbound_of(case["request"]), received_at=EARLY)
    inbound = replace(inbound, request_id=new_id("req"))
    for record in door_of(adapter, inbound).read(inbound):
        record = replace(record, workspace_ref=None, project_ref=None)
        row = store.write_of(CALLER, adapter, inbound, record, triage.label(record), new_ulid()).row
        if record.occurred_at is not None and record.occurred_at > EARLY + 300_000:
            assert row["occurred_at"] == row["last_seen_at"] == EARLY
            assert moment_of(row["subject"]["sent_occurred_at"]) == record.occurred_at
        else:
            assert row["occurred_at"] == record.occurred_at


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00", "0001-01-01T00:00:00Z"]
)
def test_no_time_is_none(text: str) -> None:
    """Zero, in whatever words, is no time."""
    assert moment_of(text) is None
    assert moment_or_seconds(0) is None
    assert moment_or_seconds(1) is None


@pytest.mark.parametrize(
    "texts",
    [
        ("2026-11-29T05:00:00Z", "2026-11-29T06:00:00+01:00", "2026-11-29T05:00:00.000000Z"),
        ("2026-11-20 09:06:29 UTC", "2026-11-20T09:06:29Z", "2026-11-20 10:06:29 +0100"),
    ],
)
def test_an_instant_has_one_stamp(texts: tuple[str, ...]) -> None:
    """The same instant is the same key, however it is written; what is no time stays as it is."""
    assert len(set(map(stamp, texts))) == 1
    assert stamp("soon") == "soon"


REWRITTEN = {
    "alertmanager/firing": lambda sent, text: sent["alerts"][0].update(startsAt=text),
    "grafana/firing": lambda sent, text: sent["alerts"][0].update(startsAt=text),
    "github/issue_reopened": lambda sent, text: sent["issue"].update(updated_at=text),
    "github/discussion_closed": lambda sent, text: sent["discussion"].update(updated_at=text),
    "gitlab/issue_closed": lambda sent, text: sent["object_attributes"].update(updated_at=text),
    "gitlab/pipeline_failed": lambda sent, text: sent["object_attributes"].update(finished_at=text),
    "sentry/issue_resolved": lambda sent, text: sent["data"]["issue"].update(lastSeen=text),
    "sentry/metric_alert_critical": lambda sent, text: sent["data"]["metric_alert"].update(
        date_detected=text
    ),
    "linear/done": lambda sent, text: sent["data"].update(updatedAt=text),
    "linear/restored": lambda sent, text: sent["data"].update(updatedAt=text),
    "bitbucket/build_failed": lambda sent, text: sent["commit_status"].update(updated_on=text),
    "bitbucket/issue_resolved": lambda sent, text: sent["issue"].update(updated_on=text),
    "uptime_kuma/down": lambda sent, text: sent["heartbeat"].update(time=text),
    "statuspage/investigating": lambda sent, text: sent["incident"].update(
        incident_updates=[], updated_at=text
    ),
    "statuspage/component_down": lambda sent, text: sent["component_update"].update(id="", created_at=text),
    "newrelic/activated": lambda sent, text: sent.update(updatedAt=text),
    "sentry/comment_created": lambda sent, text: sent["data"].update(timestamp=text),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_no_key_depends_on_how_a_time_is_written(name: str) -> None:
    """Another offset or fraction of the same instant is the same delivery of the same story."""
    keys = set()
    for text in ("2026-11-20T05:00:00Z", "2026-11-20T07:00:00.000+02:00", "2026-11-20T05:00:00.0000000Z"):
        (record,) = read(name, lambda sent, text=text: REWRITTEN[name](sent, text))
        keys.add((record.dedupe_key, record.incident_key, record.occurred_at, record.occurrence))

    assert len(keys) == 1
