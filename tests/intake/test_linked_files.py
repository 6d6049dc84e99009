"""Files that chats only link to: each waits once with its record, and is fetched as its host asks for."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters import load
from adapters.common import slack_files
from gateway.access import hooks
from gateway.background import fetch_credentials, fetching
from gateway.background.lease import run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.files.store import store
from models import Asset, Feedback, HookRow, Job
from models.database.base import rows
from models.tables import job
from tests.conftest import Call, Tenant
from tests.receivers import answering, listening
from tests.signing import VENDORS
from tests.uploads import png

pytestmark = pytest.mark.both(long=True)

TOKEN = "xoxb-1111-2222-abcdefghijkl"
Send = Callable[[Any], None]


def hook(tenant: Tenant, call: Call, source: str, options: dict[str, Any]) -> tuple[str, Send]:
    """A new hook's id, and what sends JSON through it."""
    vendor = VENDORS[source]
    made = hooks.create_hook(load()[source], tenant.workspace_id, None, secret=vendor.secret, options=options)

    def send(sent: Any) -> None:
        body = json.dumps(sent).encode()
        proof = vendor.sign(vendor.secret, body, int(time.time()))
        response = call("POST", made["path"], data=body, headers=proof)
        assert response.status_code == 200, response.text

    return made["hook_id"], send


def slack_file(name: str, **more: Any) -> dict[str, Any]:
    url = f"https://files.slack.com/files-pri/T1-{name}/{name}.png"
    return {"id": name, "name": f"{name}.png", "mode": "hosted", "size": 9, "url_private": url, **more}


def slack_event(files: list[Any], **more: Any) -> dict[str, Any]:
    message = {"type": "message", "user": "U1", "channel": "C1", "ts": "1795249500.001900", "text": "Look"}
    event = {**message, "subtype": "file_share", "files": files, **more}
    return {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event}


def waiting() -> list[tuple[str, str]]:
    found = rows(Asset.select().order_by(Asset.id))
    assert {row["status"] for row in found} <= {"pending_upload"}
    return [(row["name"], row["source_url"]) for row in found]


def test_files_of_slack(tenant: Tenant, call: Call) -> None:
    """They wait with the record; a message that is sent again, or edited, brings only new ones."""
    _, send = hook(tenant, call, "slack", {"bot_token": TOKEN})
    one, two = slack_file("F1"), slack_file("F2")
    elsewhere = [
        slack_file("F3", url_private="https://files.slack.com.example.org/F3"),
        slack_file("F4", mode="external"),
        {"id": "F5", "mode": "tombstone"},
    ]
    send(slack_event([one, *elsewhere]))
    send(slack_event([one, *elsewhere]))
    send({**slack_event([one], type="app_mention"), "event_id": "Ev2"})
    edited = slack_event([one, two])["event"]
    change = {"type": "message", "subtype": "message_changed", "channel": "C1", "event_ts": "1795249600.1"}
    send({**slack_event([]), "event": {**change, "message": {**edited, "text": "Look here"}}})

    assert waiting() == [(f"{name}.png", slack_file(name)["url_private"]) for name in ("F1", "F2")]
    (record,) = rows(Feedback.select())
    assert {row["feedback_id"] for row in rows(Asset.select())} == {record["id"]}
    Asset.delete().execute()
    send({**slack_event([]), "event": {**change, "event_ts": "1795249700.1", "message": edited}})
    assert waiting() == []  # what somebody deleted does not come back


def test_files_go_with_their_reply(tenant: Tenant, call: Call) -> None:
    """Who deletes a reply in a thread takes its files with its words; the thread's others stay."""
    _, send = hook(tenant, call, "slack", {"bot_token": TOKEN})
    thread = {"ts": "1795249501.001900", "thread_ts": "1795249500.001900", "text": "Here too"}
    send(slack_event([slack_file("F1")]))
    send(slack_event([slack_file("F2")], **thread))
    assert [name for name, _ in waiting()] == ["F1.png", "F2.png"]
    assert len(rows(Feedback.select())) == 1

    gone = {"type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": thread["ts"]}
    send({**slack_event([]), "event": {**gone, "previous_message": {**thread, "user": "U1"}}})
    assert [name for name, _ in waiting()] == ["F1.png"]


def test_a_preview_names_the_files(tenant: Tenant, call: Call) -> None:
    """What a message would bring is told, and nothing of it is fetched."""
    hook_id, _ = hook(tenant, call, "slack", {"bot_token": TOKEN})
    told = call("POST", f"/gateway/v1/preview/slack?hook={hook_id}", json=slack_event([slack_file("F1")]))

    assert [file["name"] for file in told.json["records"][0]["files"]] == ["F1.png"]
    assert waiting() == []


def test_slack_without_a_token(tenant: Tenant, call: Call) -> None:
    """Then the links in the words are all there is to have."""
    _, send = hook(tenant, call, "slack", {})
    send(slack_event([slack_file("F1")]))

    assert waiting() == []
    assert "F1.png (https://files.slack.com/" in rows(Feedback.select())[0]["text"]


def test_the_token_is_a_secret(tenant: Tenant, call: Call) -> None:
    """It is kept encrypted and never shown; what stands for it changes nothing when it is given back."""
    hook_id, send = hook(tenant, call, "slack", {"bot_token": TOKEN, "bots": ["B1"]})
    listed = call("GET", "/gateway/v1/hooks").json["data"][0]["options"]
    assert listed == {"bot_token": "********", "bots": ["B1"]}
    assert TOKEN not in json.dumps(rows(HookRow.select()))

    path = f"/gateway/v1/hooks/{hook_id}"
    assert call("PATCH", path, json={"options": listed}).status_code == 200
    send(slack_event([slack_file("F1")]))
    (row,) = rows(Asset.select())
    assert fetch_credentials.headers_for(row) == {"Authorization": f"Bearer {TOKEN}"}
    for other in ("https://files.slack.com.example.org/x", "http://files.slack.com/x", "https://a.test/"):
        assert fetch_credentials.headers_for({**row, "source_url": other}) == {}

    assert call("PATCH", path, json={"options": {"bot_token": None}}).status_code == 200
    assert fetch_credentials.headers_for(row) == {}
    call("PATCH", path, json={"options": {"bot_token": "********"}})
    assert fetch_credentials.headers_for(row) == {}
    assert call("PATCH", path, json={"options": {"bot_token": "xoxp-1"}}).status_code == 400


def discord_file(name: str, url: str = "") -> dict[str, Any]:
    link = url or f"https://cdn.discordapp.com/attachments/1/{name}.png?ex=1&is=2&hm=3"
    return {"id": name, "filename": f"{name}.png", "size": 9, "url": link, "content_type": "image/png"}


def reported(*files: dict[str, Any]) -> dict[str, Any]:
    message = {"id": "5", "content": "Look", "author": {"id": "7"}, "channel_id": "2", "attachments": files}
    data = {"type": 3, "name": "Report", "target_id": "5", "resolved": {"messages": {"5": message}}}
    return {"type": 2, "id": "9", "application_id": "1", "guild_id": "3", "channel_id": "2", "data": data}


def test_files_of_discord(tenant: Tenant, call: Call) -> None:
    """Those of a reported message and those that were given with a command wait; other hosts' do not."""
    _, send = hook(tenant, call, "discord", {})
    send(reported(discord_file("a"), discord_file("b"), discord_file("c", "https://example.org/c.png")))
    send({**reported(discord_file("a")), "id": "10"})
    option = {"name": "shot", "type": 11, "value": "77"}
    data = {"type": 1, "name": "bug", "options": [option]}
    given = {"resolved": {"attachments": {"77": discord_file("77")}}}
    send({"type": 2, "id": "11", "guild_id": "3", "channel_id": "2", "data": {**data, **given}})

    assert [name for name, _ in waiting()] == ["a.png", "b.png", "77.png"]
    assert len(rows(Feedback.select())) == 2


@pytest.fixture(name="allowed")
def _allowed(tenant: Tenant) -> Iterator[None]:
    """Files of this machine are fetched."""
    outbound.connect(Config(outbound_allow="127.0.0.1"))
    yield
    outbound.connect(Config())


def test_a_signed_link_is_fetched_and_cut(
    tenant: Tenant, call: Call, allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker hears of it at once; what a link is signed with goes once it was used."""
    work = fetching.work(1_000_000)
    run_once(work)
    _, send = hook(tenant, call, "discord", {})
    with listening(answering("200 OK", body=png())) as port:
        link = f"http://127.0.0.1:{port}/a.png?ex=1&hm=2"
        monkeypatch.setattr("adapters.common.discord_files.OWN", re.compile("http://127"))
        send(reported(discord_file("a", link)))
        assert fetching.NAME in job.hurried(int(time.time() * 1000))
        assert run_once(work)

    (row,) = rows(Asset.select())
    assert (row["status"], row["reason"], row["source_url"]) == ("ready", None, link.partition("?")[0])
    assert b"".join(store().open(row["sha256"])) == png()


def test_slack_is_shown_the_token(
    tenant: Tenant, call: Call, allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of Slack's is asked for with the token; what Slack answers instead of a file is no file."""
    _, send = hook(tenant, call, "slack", {"bot_token": TOKEN})
    seen: list[bytes] = []
    monkeypatch.setattr(slack_files, "OWN", re.compile("http://127"))
    with listening(answering("200 OK", body=png(), seen=seen)) as port:
        send(slack_event([slack_file("F1", url_private=f"http://127.0.0.1:{port}/F1.png")]))
        assert run_once(fetching.work(1_000_000))
    page = answering("200 OK", "Content-Type: text/html", body=b"<!doctype html><title>Sign in</title>")
    with listening(page) as port:
        send(
            slack_event([slack_file("F2", url_private=f"http://127.0.0.1:{port}/F2.png")], ts="1795249502.1")
        )
        Job.delete().execute()
        assert run_once(fetching.work(1_000_000))

    assert f"authorization: bearer {TOKEN}".encode() in b"".join(seen).lower()
    found = rows(Asset.select().order_by(Asset.id))
    assert [(row["name"], row["status"]) for row in found] == [("F1.png", "ready"), ("F2.png", "failed")]
    assert found[1]["reason"].startswith("is none of these")
    assert found[1]["source_url"].endswith("/F2.png")
