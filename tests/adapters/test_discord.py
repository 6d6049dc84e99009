"""Discord: who sent it, what each kind of interaction becomes, and how it is answered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings

from adapters.common.plain_text import discord_plain
from adapters.contract import Hook, Inbound
from adapters.contract.record import Record, Saved
from adapters.discord import ADAPTER, sent_at, verify
from tests.adapters.mutation import mutated
from tests.adapters.test_adapters import RECEIVED_AT, STORED, inbound_of
from tests.conftest import SHARED

DOOR = ADAPTER.doors[0]
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"plum" * 8)
OTHER = Ed25519PrivateKey.from_private_bytes(b"tree" * 8)
PUBLIC, OTHER_PUBLIC = (
    PRIVATE.public_key().public_bytes_raw().hex(),
    OTHER.public_key().public_bytes_raw().hex(),
)
HOOK = Hook("hk_test", "discord", (PUBLIC,))
SAMPLES = SHARED / "samples" / "discord"
NOW = RECEIVED_AT // 1000


def signed(body: bytes = b'{"type":1}', at: Any = NOW, key: Ed25519PrivateKey = PRIVATE) -> Inbound:
    """A request as Discord signs it."""
    signature = key.sign(str(at).encode() + body).hex()
    headers = {"x-signature-timestamp": str(at), "x-signature-ed25519": signature}
    return Inbound("POST", "/hooks/discord/hk_test", headers, body, received_at=RECEIVED_AT)


def with_header(inbound: Inbound, name: str, value: str) -> Inbound:
    return replace(inbound, headers={**inbound.headers, name: value})


def sent(kind: Any, data: Any = None, **more: Any) -> Inbound:
    body = {"id": "1573615452020539399", "type": kind, "channel_id": "4", "data": data, **more}
    return inbound_of({"path": DOOR.path, "json": body})


def command(**data: Any) -> Inbound:
    return sent(2, {"type": 1, "name": "feedback", **data})


def test_good_signature() -> None:
    """What the application's key signed passes, with the public key written in either case."""
    assert verify(signed(), HOOK)
    assert verify(signed(), replace(HOOK, secrets=(PUBLIC.upper(),)))


def test_two_live_keys() -> None:
    """While keys are exchanged, either is good, also beside one that is no key; and no third."""
    both = replace(HOOK, secrets=(OTHER_PUBLIC, PUBLIC))

    assert verify(signed(), both)
    assert verify(signed(key=OTHER), both)
    assert verify(signed(), replace(HOOK, secrets=("not hex", "00" * 31, "ff" * 32, PUBLIC)))
    assert not verify(signed(key=OTHER), HOOK)
    assert not verify(signed(), replace(HOOK, secrets=()))


def test_flipped_byte() -> None:
    """No bit of the body or of the signature may change, nor may the time."""
    good = signed()
    signature = good.headers["x-signature-ed25519"]
    for place in range(len(good.body)):
        body = good.body[:place] + bytes([good.body[place] ^ 1]) + good.body[place + 1 :]
        assert verify(replace(good, body=body), HOOK) is False
    for place in range(0, len(signature), 8):
        changed = f"{signature[:place]}{int(signature[place], 16) ^ 1:x}{signature[place + 1 :]}"
        assert verify(with_header(good, "x-signature-ed25519", changed), HOOK) is False
    assert verify(with_header(good, "x-signature-timestamp", str(NOW + 1)), HOOK) is False


@pytest.mark.parametrize(
    ("off", "passes"), [(0, True), (-300, True), (300, True), (-301, False), (301, False)]
)
def test_window(off: int, passes: bool) -> None:
    """Requests of the last and next 300 seconds pass, by the time they were received."""
    assert verify(replace(signed(at=NOW + off), received_at=NOW * 1000), HOOK) is passes


@pytest.mark.parametrize(
    "time", ["", "abc", "1e9", "-1", "12.5", f" {NOW}", "9" * 400, "9" * 5000, "\u0661", "\xff"]
)
def test_malformed_time(time: str) -> None:
    """A time that is none is refused, also when it is signed."""
    assert verify(signed(at=time), HOOK) is False


@pytest.mark.parametrize(
    "signature", ["", "zz", "abc", "ab" * 10, "00" * 64, "00" * 65, "é" * 128, "\x00", " " * 128]
)
def test_malformed_signature(signature: str) -> None:
    """A signature of any other shape is refused and never raises."""
    assert verify(with_header(signed(), "x-signature-ed25519", signature), HOOK) is False


@pytest.mark.parametrize("name", ["x-signature-ed25519", "x-signature-timestamp"])
def test_missing_header(name: str) -> None:
    """Without either header it is refused."""
    good = signed()

    assert verify(replace(good, headers={k: v for k, v in good.headers.items() if k != name}), HOOK) is False


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ({"type": 1, "version": 1}, 200, {"type": 1}),
        ({"type": 0, "version": 1}, 204, None),
        ({"type": 1, "version": 1, "event": {"type": "LOBBY_MESSAGE_CREATE"}}, 204, None),
        ({"type": 3}, 200, {"type": 6}),
        ({"type": 4}, 200, {"type": 8, "data": {"choices": []}}),
    ],
)
def test_handshakes(body: dict[str, Any], status: int, answer: Any) -> None:
    """Pings and events of both settings, buttons and completions are answered and store nothing."""
    inbound = inbound_of({"path": DOOR.path, "json": body})
    reply = DOOR.reply(inbound, [])

    assert DOOR.read(inbound) == []
    assert (reply.status, reply.body, reply.content_type) == (status, answer, "application/json")


@pytest.mark.parametrize(
    ("saved", "starts"), [([Saved("created", STORED)], "Thanks"), ([], "There was nothing")]
)
def test_answer_only_they_see(saved: list[Saved], starts: str) -> None:
    """Whoever sends something is thanked in private, and nobody is mentioned."""
    for inbound in (command(), sent(5, {})):
        body = DOOR.reply(inbound, saved).body

        assert (body["type"], body["data"]["flags"], body["data"]["allowed_mentions"]) == (
            4,
            64,
            {"parse": []},
        )
        assert body["data"]["content"].startswith(starts)


@pytest.mark.parametrize("kind", [True, 1.0, "1", None, [], 6, -1])
def test_type_is_a_whole_number(kind: Any) -> None:
    """Anything but a known number is kept as unreadable."""
    (record,) = DOOR.read(sent(kind))

    assert record.unreadable


def test_same_message_reported_twice() -> None:
    """The key of a reported message is its own, whoever reports it and in whichever interaction."""
    message = {"content": "Hm", "author": {"id": "7"}}
    data = {"type": 3, "name": "Report", "target_id": "9", "resolved": {"messages": {"9": message}}}
    one = DOOR.read(sent(2, data, guild_id="3", member={"user": {"id": "1"}}))
    two = DOOR.read(sent(2, data, guild_id="3", member={"user": {"id": "2"}}, id="2"))

    assert one[0].dedupe_key == two[0].dedupe_key == "3:4:9"
    assert (one[0].author.id, one[0].subject["reporter_id"], two[0].subject["reporter_id"]) == ("7", "1", "2")


@pytest.mark.parametrize(
    ("snowflake", "expected"),
    [
        ("0", 1_420_070_400_000),
        ("175928847299117063", 1_462_015_105_796),
        ("", None),
        ("x", None),
        ("1" * 30, None),
    ],
)
def test_time_in_an_id(snowflake: str, expected: int | None) -> None:
    """An id carries the milliseconds since 2015; the second is the one Discord explains it with."""
    assert sent_at(snowflake) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<@1> <@!1> <@2> <@&3> <#4>", "@ann @ann @2 @3 #4"),
        ("</feedback:5> </feedback bug:5>", "/feedback /feedback bug"),
        ("<:plum:6> <a:plum:6>", ":plum: :plum:"),
        ("<t:0> <t:0:R> <t:-86400:d>", "1970-01-01 00:00 UTC 1970-01-01 00:00 UTC 1969-12-31 00:00 UTC"),
        ("<id:browse> <id:linked-roles:7>", "#browse #linked-roles"),
        ("a < b > c, <b>, <@x>, <t:x>, **bold**, &lt;", "a < b > c, <b>, <@x>, <t:x>, **bold**, &lt;"),
        ("<t:999999999999>", "<t:999999999999>"),
    ],
)
def test_plain_text(text: str, expected: str) -> None:
    """Markup becomes what a reader sees; what is no markup stays."""
    assert discord_plain(text, {"1": "ann"}) == expected


def test_advice_can_be_filled_in() -> None:
    """The advice has no placeholders but those that are filled in."""
    assert ADAPTER.signed
    assert "https://x.example/h" in ADAPTER.signed.advice.format(
        url="https://x.example/h", secret="s", hook_id="hk"
    )


@settings(max_examples=300, deadline=None)
@given(request=mutated("discord"))
def test_any_json_anywhere(request: dict[str, Any]) -> None:
    """Whatever a payload holds, it becomes records, nothing, or is kept as unreadable; and is answered."""
    inbound = inbound_of(request)
    records = DOOR.read(inbound)

    json.dumps([(record.text, dict(record.subject), record.tags, record.dedupe_key) for record in records])
    assert all(record.unreadable or (record.text and record.title) for record in records)
    assert DOOR.reply(inbound, []).status in (200, 204)


needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no collection of recorded payloads here")


def sample(name: str) -> list[Record]:
    inbound = Inbound("POST", DOOR.path, {}, (SAMPLES / f"{name}.json").read_bytes(), received_at=RECEIVED_AT)
    return DOOR.read(inbound)


@needs_samples
@pytest.mark.parametrize(
    "name", ["ping_interaction", "message_component_string_select", "webhook_event_application_authorized"]
)
def test_ignored_samples(name: str) -> None:
    """What the contract ignores becomes nothing."""
    assert sample(name) == []


@needs_samples
def test_command_samples() -> None:
    """A slash command and a reported message: words, address, author and the times in their ids."""
    (slash,), (message,) = sample("application_command_slash"), sample("application_command_message")

    assert (slash.title, slash.text) == ("/cardsearch The Gitrog Monster", "The Gitrog Monster")
    assert slash.subject["url"] == "https://discord.com/channels/290926798626357999/645027906669510667"
    assert (slash.author.name, slash.occurred_at) == ("Mason", 1_607_469_484_500)
    assert (slash.type, slash.severity, slash.state, slash.incident_key) == ("chat", None, None, None)
    assert (message.title, message.author.name) == ("some message", "ian")
    assert message.subject["url"].endswith("/772904309264089089/772908445358620702/867793854505943041")
    assert message.dedupe_key == "772904309264089089:772908445358620702:867793854505943041"
    assert message.occurred_at == 1_626_968_577_744


@needs_samples
def test_modal_sample() -> None:
    """A modal whose choice sits in a label."""
    (modal,) = sample("modal_submit_string_select")

    assert (modal.title, modal.text, modal.tags) == (
        "bug_modal / butterfly",
        "butterfly",
        ("custom_id:bug_modal",),
    )


@needs_samples
def test_every_sample_is_taken() -> None:
    """No sample raises, and each is answered."""
    for path in sorted(SAMPLES.iterdir()):
        inbound = Inbound("POST", DOOR.path, {}, path.read_bytes(), received_at=RECEIVED_AT)
        DOOR.read(inbound)
        assert DOOR.reply(inbound, []).status in (200, 204)
