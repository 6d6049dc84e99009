"""Slack: who sent it, what is one message, and what is left alone."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings

from adapters.common.plain_text import slack_plain
from adapters.contract import Hook, Inbound, Problem
from adapters.contract.record import Record
from adapters.slack import ADAPTER, milliseconds, verify
from tests.adapters.mutation import mutated
from tests.adapters.test_adapters import RECEIVED_AT, inbound_of
from tests.conftest import SHARED

DOOR = ADAPTER.doors[0]
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
HOOK = Hook("hk_test", "slack", (SECRET,))
SAMPLES = SHARED / "samples" / "slack"
NOW = RECEIVED_AT // 1000


def signed(body: bytes = b'{"type":"event_callback"}', at: Any = NOW, secret: str = SECRET) -> Inbound:
    """A request as Slack signs it, here without its library."""
    made = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={made}"}
    return Inbound("POST", "/hooks/slack/hk_test", headers, body, received_at=RECEIVED_AT)


def with_headers(inbound: Inbound, **headers: str) -> Inbound:
    return replace(
        inbound, headers={**inbound.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )


def event(event: dict[str, Any], options: dict[str, Any] | None = None, **more: Any) -> list[Record]:
    sent = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event, **more}
    return DOOR.read(inbound_of({"path": DOOR.path, "json": sent, "options": options or {}}))


def message(**more: Any) -> dict[str, Any]:
    return {"type": "message", "user": "U1", "channel": "C1", "ts": "1795249500.001900", "text": "Hm", **more}


def test_good_signature() -> None:
    """What was signed with a live secret passes, JSON and form alike."""
    assert verify(signed(), HOOK)
    assert verify(signed(b"command=%2Ffeedback&text=Hi"), HOOK)


def test_two_live_secrets() -> None:
    """While secrets are rotated, either is good, and no third."""
    both = replace(HOOK, secrets=("new-" + SECRET, SECRET))

    assert verify(signed(), both)
    assert verify(signed(secret="new-" + SECRET), both)
    assert not verify(signed(secret="older"), both)
    assert not verify(signed(), replace(HOOK, secrets=()))


def test_flipped_byte() -> None:
    """No bit of the body may change."""
    good = signed()
    for place in range(len(good.body)):
        body = good.body[:place] + bytes([good.body[place] ^ 1]) + good.body[place + 1 :]
        assert not verify(replace(good, body=body), HOOK)


@pytest.mark.parametrize(
    ("off", "passes"), [(0, True), (-300, True), (300, True), (-301, False), (302, False)]
)
def test_window(off: int, passes: bool) -> None:
    """Requests of the last and next 300 seconds pass, by the time they were received."""
    at_the_second = replace(signed(at=NOW + off), received_at=NOW * 1000)

    assert verify(at_the_second, HOOK) is passes


@pytest.mark.parametrize(
    "time", ["", "abc", "1e9", "nan", "9" * 400, "9" * 5000, "-1", "12.5", "\u0661", "\xff"]
)
def test_malformed_time(time: str) -> None:
    """A time that is none is refused, also when it is signed, and never raises."""
    assert verify(signed(at=time), HOOK) is False
    assert verify(with_headers(signed(), x_slack_request_timestamp=time), HOOK) is False


@pytest.mark.parametrize(
    "signature", ["", "v0=", "v0", "v1=00", "00" * 32, "v0=" + "é" * 64, "\x00", "v0=" + "0" * 64]
)
def test_malformed_signature(signature: str) -> None:
    """A signature of any other shape is refused and never raises."""
    assert verify(with_headers(signed(), x_slack_signature=signature), HOOK) is False


@pytest.mark.parametrize("name", ["x-slack-signature", "x-slack-request-timestamp"])
def test_missing_header(name: str) -> None:
    """Without either header it is refused."""
    good = signed()

    assert verify(replace(good, headers={k: v for k, v in good.headers.items() if k != name}), HOOK) is False


def test_body_that_is_no_text() -> None:
    """Bytes that are not UTF-8 are refused, also when signed."""
    assert verify(signed(b"\xff\xfe"), HOOK) is False


def test_message_and_mention_are_one() -> None:
    """Slack sends a message that mentions the app twice, as two events: one story, one occurrence."""
    said, mention = event(message()), event(message(type="app_mention"), event_id="Ev2")

    assert said[0].incident_key == mention[0].incident_key == "T1:C1:1795249500.001900"
    assert said[0].occurrence == mention[0].occurrence == "1795249500.001900"
    assert said[0].dedupe_key != mention[0].dedupe_key


def test_retry_header_changes_nothing() -> None:
    """A retry may be the only copy that arrives: it is read like the first attempt."""
    sent = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": message()}
    request = {"path": DOOR.path, "json": sent}
    retried = {**request, "headers": {"x-slack-retry-num": "3", "x-slack-retry-reason": "http_error"}}

    assert DOOR.read(inbound_of(retried)) == DOOR.read(inbound_of(request)) != []


def test_thread_is_one_story() -> None:
    """A root, its reply and its edited root share one incident; only the reply is a note."""
    root, reply = event(message()), event(message(ts="1795249501.000100", thread_ts="1795249500.001900"))
    edit = message(text="Hm!", thread_ts="1795249500.001900")
    edited = event({"type": "message", "subtype": "message_changed", "channel": "C1", "message": edit})

    assert {record[0].incident_key for record in (root, reply, edited)} == {"T1:C1:1795249500.001900"}
    assert [record[0].state for record in (root, reply, edited)] == ["triggered", "note", "triggered"]


def test_unfurled_link_is_the_same_content() -> None:
    """When Slack only adds a preview, the record of the change equals that of the message."""
    before = event(message(channel_type="channel"))
    sent = {"subtype": "message_changed", "hidden": True, "message": message(), "previous_message": message()}
    after = event({"type": "message", "channel": "C1", "channel_type": "channel", **sent})

    assert [replace(after[0], replaceable=False)] == before


def test_deletion_takes_back_the_message() -> None:
    """A deletion names the message it takes back; without the old message `deleted_ts` does."""
    gone = {
        "type": "message",
        "subtype": "message_deleted",
        "channel": "C1",
        "deleted_ts": "1795249500.001900",
    }

    key = "T1:C1:1795249500.001900"
    assert event(gone) == [Record(text="", dedupe_key=key, incident_key=key, retracts=True)]
    reply = {**gone, "previous_message": message(thread_ts="1795249400.000100")}
    assert event(reply) == [Record(text="", comment=key, retracts=True)]
    assert event({**gone, "previous_message": message(bot_id="B1")}) == []


@pytest.mark.parametrize("bots", [None, [], ["B2"], "B2", "B12", {"B1": 1}, 7])
def test_bots_are_ignored(bots: Any) -> None:
    """A bot that the hook does not list is ignored, with and without subtype."""
    assert event(message(bot_id="B1"), {"bots": bots}) == []
    assert event(message(bot_id="B1", subtype="bot_message"), {"bots": bots}) == []


def test_allowed_bot() -> None:
    """A relay that the hook lists is heard, but never our own bot, nor what nobody said."""
    own = [{"user_id": "U9", "is_bot": True}]

    assert len(event(message(bot_id="B1"), {"bots": ["B1"]}, authorizations=own)) == 1
    assert len(event(message(bot_id="B1"), {"bots": "B0,B1"}, authorizations=own)) == 1
    assert event(message(bot_id="B1", user="U9"), {"bots": ["B1"]}, authorizations=own) == []
    assert event(message(bot_id="B1", subtype="channel_topic"), {"bots": ["B1"]}) == []


@pytest.mark.parametrize(
    "subtype", ["channel_join", "channel_topic", "message_replied", "reminder_add", "huddle_thread"]
)
def test_other_subtypes_are_ignored(subtype: str) -> None:
    """What Slack itself says in a channel is no feedback."""
    assert event(message(subtype=subtype)) == []


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast", "me_message"])
def test_spoken_subtypes_are_heard(subtype: str) -> None:
    """The subtypes that people's words come in are read."""
    assert event(message(subtype=subtype))[0].text == "Hm"


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        ("1795249500.001900", 1_795_249_500_001),
        ("1795249500.9", 1_795_249_500_900),
        ("1795249500", None),
        ("1.7e9", None),
        ("\u0661.1", None),
        ("", None),
        ("9" * 40 + ".1", None),
    ],
)
def test_time_of_a_message(ts: str, expected: int | None) -> None:
    """`ts` is cut to milliseconds as text; anything else is no time."""
    assert milliseconds(ts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<@U1|ann> <@U1>", "@ann @U1"),
        ("<#C1|general> <#C1>", "#general #C1"),
        ("<!here> <!channel> <!everyone> <!here|@here>", "@here @channel @everyone @here"),
        ("<!subteam^S1|@team> <!subteam^S1>", "@team @S1"),
        ("<!date^1^{date}^https://a.example|then>", "then"),
        (
            "<https://a.example/?a=1&amp;b=2|here> <https://a.example>",
            "here (https://a.example/?a=1&b=2) https://a.example",
        ),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("&lt;b&gt; &amp;lt; &amp;amp; &copy; &quot;", "<b> &lt; &amp; &copy; &quot;"),
        (":plum: *bold* _it_ `code`", ":plum: *bold* _it_ `code`"),
        ("a < b <", "a < b <"),
    ],
)
def test_plain_text(text: str, expected: str) -> None:
    """Markup becomes what a reader sees; the three entities are resolved once, at the end."""
    assert slack_plain(text) == expected


def rich(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(parts)}]}]


def words(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


MAIL = {"type": "link", "url": "mailto:a@b.example", "text": "a@b.example"}
TWO = {
    "type": "rich_text_list",
    "style": "ordered",
    "elements": [rich(words(w))[0] for w in ("water", "light")],
}
VIDEO = {"type": "video", "title": words("Leak"), "video_url": "https://a.example/v"}


@pytest.mark.parametrize(
    ("text", "blocks", "expected"),
    [
        ("*It* is <@U1|ann>'s", rich(words("It is "), {"type": "user", "user_id": "U1"}, words("'s")), None),
        ("1. water\n2. light", [{"type": "rich_text", "elements": [TWO]}], None),
        ("<mailto:a@b.example|a@b.example>", rich(MAIL), None),
        ("", rich(words("Only here")), "Only here"),
        ("New answer", [{"type": "markdown", "text": "It *rains* in"}], "New answer\nIt *rains* in"),
        ("Rain", [{"type": "section", "text": words("Rain in the shed")}], "Rain in the shed"),
        ("See", [VIDEO], "See\nLeak (https://a.example/v)"),
        ("a", [7, None, {"type": "section", "fields": [None, 7]}, {"elements": "x"}], "a\nx"),
    ],
)
def test_text_and_blocks(text: str, blocks: Any, expected: str | None) -> None:
    """What blocks say beside the text is read, and what they repeat of it, in another spelling, is not."""
    (record,) = event(message(text=text, blocks=blocks))

    assert record.text == (slack_plain(text) if expected is None else expected)


def form(**fields: str) -> Inbound:
    return inbound_of({"path": DOOR.path, "text": urlencode(fields)})


@pytest.mark.parametrize(
    ("text", "starts"), [("It broke", "Thanks"), ("", "Usage: /say "), ("  \n", "Usage: /say ")]
)
def test_command_is_answered_in_words(text: str, starts: str) -> None:
    """Whoever runs a command is thanked, or told how to use it when it was empty."""
    inbound = form(command="/say", text=text, trigger_id="1.2.3")
    answer = DOOR.reply(inbound, [])

    assert len(DOOR.read(inbound)) == (starts == "Thanks")
    assert answer.body["response_type"] == "ephemeral"
    assert answer.body["text"].startswith(starts)


def test_modal_is_answered_empty() -> None:
    """Slack acts on a JSON answer to a modal, so there is none, whatever was stored."""
    inbound = form(payload=json.dumps({"type": "view_submission", "view": {}}))

    assert (DOOR.reply(inbound, []).status, DOOR.reply(inbound, []).body) == (200, None)


def test_busy_is_503() -> None:
    """Slack retries on any failure, and 503 says that it is ours."""
    refused = ADAPTER.refuse(Problem(429, "rate_limited", "Slow down", headers={"Retry-After": "1"}))

    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")


def test_advice_can_be_filled_in() -> None:
    """The advice has no placeholders but those that are filled in."""
    assert ADAPTER.signed
    advice = ADAPTER.signed.advice.format(url="https://x.example/h", secret="s", hook_id="hk")

    assert "https://x.example/h" in advice


@settings(max_examples=300, deadline=None)
@given(request=mutated("slack"))
def test_any_json_anywhere(request: dict[str, Any]) -> None:
    """Whatever a payload holds, it becomes records, nothing, or is kept as unreadable; and is answered."""
    inbound = inbound_of(request)
    records = DOOR.read(inbound)

    json.dumps([(record.text, dict(record.subject), record.tags, record.dedupe_key) for record in records])
    assert all(record.unreadable or record.retracts or record.text for record in records)
    assert all(record.dedupe_key or record.comment for record in records if not record.unreadable)
    assert DOOR.reply(inbound, []).status == 200


needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no collection of recorded payloads here")


def sample(name: str) -> list[Record]:
    path = SAMPLES / name
    return DOOR.read(Inbound("POST", DOOR.path, {}, path.read_bytes(), received_at=RECEIVED_AT))


@needs_samples
def test_published_signature() -> None:
    """The signature that Slack publishes as an example verifies at its time."""
    vector = json.loads((SAMPLES / "signature_vector.json").read_text())
    headers = {
        "x-slack-request-timestamp": vector["timestamp"],
        "x-slack-signature": vector["valid_signature"],
    }
    at = int(vector["timestamp"]) * 1000
    inbound = Inbound("POST", DOOR.path, headers, vector["body"].encode(), received_at=at)

    assert verify(inbound, Hook("hk", "slack", (vector["signing_secret"],)))
    assert not verify(
        replace(inbound, received_at=at + 300_001), Hook("hk", "slack", (vector["signing_secret"],))
    )


@needs_samples
@pytest.mark.parametrize(
    "name",
    [
        "app_rate_limited.json",
        "bot_message_via_response_url.json",
        "global_shortcut.json",
        "message_classic_bot_message.json",
        "reaction_added_shared_channel.json",  # by our own bot
        "url_verification.json",
    ],
)
def test_ignored_samples(name: str) -> None:
    """What the contract ignores becomes nothing."""
    assert sample(name) == []


@needs_samples
@pytest.mark.parametrize(
    ("name", "text", "key", "at"),
    [
        ("events_valid_event_body.json", "@W111 Hi there!", "T111:C111:1595926230.009600", 1_595_926_230_009),
        ("message_channel.json", "Hello World!", "T111:C111:1596183880.004200", 1_596_183_880_004),
        (
            "message_file_share.json",
            "Hi there!\nfile.png (https://xxx.slack.com/files/U111/F111/file.png)",
            "T111:C111:1652227646.593159",
            1_652_227_646_593,
        ),
        ("message_changed.json", "updated message", "T111:C111:1665102338.901939", 1_665_102_338_901),
        ("message_shortcut.json", "@W222 test", "T111:C111:1583636382.000300", 1_583_636_382_000),
        ("message_shortcut.form.txt", "@W222 test", "T111:C111:1583636382.000300", 1_583_636_382_000),
    ],
)
def test_message_samples(name: str, text: str, key: str, at: int) -> None:
    """Messages become one record each, keyed by workspace, channel and time."""
    (record,) = sample(name)

    assert (record.text, record.incident_key) == (text, key)
    assert (record.dedupe_key or "").startswith(key)
    assert (record.title, record.type, record.state) == (
        text.removeprefix("@W111 ").split("\n")[0],  # the app's own bot
        "chat",
        "triggered",
    )
    assert (record.occurred_at, record.severity) == (at, None)
    assert record.replaceable is (name == "message_changed.json")


@needs_samples
def test_markup_sample() -> None:
    """The sample full of markup reads as the contract page says."""
    page = SHARED / "contracts" / "alert-chat-ci-sources.md"
    (record,) = sample("message_with_markup.json")

    assert f"`{record.text}`" in page.read_text()


@needs_samples
def test_other_samples() -> None:
    """A deletion, a reaction and a command."""
    (deleted,), (reaction,) = sample("message_deleted.json"), sample("events_valid_reaction_added_body.json")
    (command,), (picked,) = sample("slash_command.form.txt"), sample("message_shortcut.json")

    assert (deleted.retracts, deleted.dedupe_key) == (True, "T111:C111:1665368619.804829")
    assert (reaction.votes_for, reaction.dedupe_key) == ("T111:C111:1599529504.000400", "Ev111")
    assert (command.text, command.dedupe_key, command.author.name) == ("Hi", "111.111.xxx", "primary-owner")
    assert command.tags == ("command:/hello-world", "channel_name:random", "team_domain:test-domain")
    assert picked.subject["url"] == "https://test-test.slack.com/archives/C111/p1583636382000300"
    assert (picked.author.id, picked.author.name) == ("W111", "test-test")


@needs_samples
def test_every_sample_is_taken() -> None:
    """No sample raises, and each is answered with 200."""
    for path in sorted(SAMPLES.iterdir()):
        inbound = Inbound("POST", DOOR.path, {}, path.read_bytes(), received_at=RECEIVED_AT)
        DOOR.read(inbound)
        assert DOOR.reply(inbound, []).status == 200
