"""What chat programs are shown: payloads as they stand, within limits, and nothing that a sender injects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from slack_sdk.models.blocks import Block

from gateway.core.outbound import Forbidden
from gateway.destinations import found_kinds, message_text
from gateway.destinations.message import Entries, Entry, Facts, Heading, Link, Message, Paragraph, Part, Quote
from tests.destinations import shown

HOSTILE = (
    *("<!channel>", "<!here|x>", "<@U0123>", "<#C0123>", "<http://evil.test|safe>", "&lt;!channel&gt;"),
    *("@everyone", "@here", "@channel", "@all", "<at>Ada</at>", "~town-square", "#tag"),
    *("<@123456789012345678>", "<@&123456789012345678>", "<:x:123456789012345678>", "<t:1618953630:R>"),
    *(
        "[x](http://evil.test)",
        "![x](https://evil.test/a.png)",
        "<javascript:alert(1)>",
        "[x]: http://evil.test",
    ),
    *(
        "http://evil.test",
        "HTTPS://EVIL.TEST",
        "www.evil.test",
        "evil.test",
        "ada@evil.test",
        "mailto:a@b.test",
    ),
    *(
        "**bold**",
        "_it_",
        "~~gone~~",
        "`code`",
        "```\nx\n```",
        "||spoiler||",
        "# h",
        "> q",
        "- a",
        "1. a",
        "---",
    ),
    *(
        "===",
        "    code",
        "\t| a | b |\n|---|---|",
        "<b>x</b>",
        "\\",
        "\\*",
        "\r\n",
        "\n\n\n",
        "\u2028",
        "\u202egpj",
    ),
    *(
        "\u2066x\u2069",
        "\0",
        "\x1b[31m",
        "\ud800",
        "\udfff\ud800",
        "\U0001f600",
        "é",
        "𝕏",
        "\ufeff",
        "'",
        '"',
        "%",
    ),
)
# What must be in no payload, whatever a sender wrote; its own address is of another host.
LIVE = re.compile(
    r"<!|<@|<#|<at>|@(everyone|here|channel|all)|evil\.(?=\w\w)|://evil|www\.|\]\(http[^)]*evil|mailto:|javascript:"
    r"|[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]",
    re.IGNORECASE,
)
OWN = "https://feedback.example.test/records/fb_1"


def length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def texts(value: Any) -> Iterator[str]:
    """Every string of a payload."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def slack_fits(body: str) -> None:
    sent = json.loads(body)
    blocks = Block.parse_all(sent["blocks"])
    assert len(blocks) == len(sent["blocks"]) <= 50
    for block in blocks:
        block.validate_json()
    assert 1 <= length(sent["text"]) <= 3_000
    for block in sent["blocks"]:
        said = [block["text"]] if "text" in block else block["elements"]
        said = [one.get("text", one) if one["type"] == "button" else one for one in said]
        assert {one["type"] for one in said} == {"plain_text"}
        most = 150 if block["type"] == "header" else 3_000
        assert all(1 <= length(one["text"]) <= most and not re.search("[<>]", one["text"]) for one in said)


def mattermost_fits(body: str) -> None:
    assert len(body) <= 7_900
    (shown_one,) = json.loads(body)["attachments"]
    is_inert(shown_one["text"])


def discord_fits(body: str) -> None:
    sent = json.loads(body)
    assert sent["allowed_mentions"] == {"parse": []}
    (embed,) = sent["embeds"]
    assert 1 <= length(embed["title"]) <= 256 and length(embed["description"]) <= 4_096
    assert length(embed["title"] + embed["description"]) <= 6_000
    is_inert(embed["title"])
    is_inert(embed["description"])


def teams_fits(body: str) -> None:
    assert len(body.encode()) <= 20_000
    ((card,),) = [[one["content"] for one in json.loads(body)["attachments"]]]
    blocks = [inner for block in card["body"] for inner in block.get("items", [block])]
    assert {block["type"] for block in blocks} == {"RichTextBlock"}  # whose runs are no Markdown


def ntfy_fits(body: str) -> None:
    sent = json.loads(body)
    assert 1 <= len(sent["message"].encode()) <= 4_096 and 1 <= len(sent["title"].encode()) <= 1_000
    assert "markdown" not in sent and 1 <= sent["priority"] <= 5


def apprise_fits(body: str) -> None:
    sent = json.loads(body)
    assert 1 <= length(sent["body"]) <= 4_000 and 1 <= length(sent["title"]) <= 250
    assert sent["type"] in ("info", "success", "warning")


FITS: dict[str, Callable[[str], None]] = {
    "slack": slack_fits,
    "mattermost": mattermost_fits,
    "discord": discord_fits,
    "teams": teams_fits,
    "ntfy": ntfy_fits,
    "apprise": apprise_fits,
}
OURS = {"paragraph_open", "paragraph_close", "blockquote_open", "blockquote_close", "inline"}
OURS |= {"bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"}
INLINE = {"text", "text_special", "softbreak", "strong_open", "strong_close"}


def is_inert(markdown: str) -> None:
    """As Markdown it has the structure that we give it, bold lines of ours, and no link but to us."""
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        assert token.type in OURS, (token.type, markdown)
        for inner in token.children or ():
            if inner.type == "link_open":
                assert inner.attrs["href"] == OWN, markdown
            else:
                assert inner.type in {*INLINE, "link_close"}, (inner.type, markdown)


hostile = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), max_size=6).map("".join)
PARTS: tuple[st.SearchStrategy[Part], ...] = (
    st.builds(Heading, hostile),
    st.builds(Paragraph, hostile),
    st.builds(Quote, hostile),
    st.builds(Facts, st.lists(st.tuples(hostile, hostile), max_size=3)),
    st.builds(Entries, st.lists(st.builds(Entry, hostile, hostile, st.sampled_from(["", OWN])), max_size=3)),
    st.builds(Link, hostile, st.sampled_from([OWN, "", "javascript:alert(1)", "https://a b.test/)"])),
)


def is_safe(name: str, message: Message) -> str:
    """The payload of a kind, which is as it has to be."""
    write = found_kinds.load()[name].write
    assert write is not None
    body = write(message)
    for text in texts(json.loads(body)):
        assert not LIVE.search(text), text
    FITS[name](body)
    return body


def test_every_kind_is_tried() -> None:
    """What is tried here are all kinds that write for people in JSON."""
    assert set(shown.chats()) == set(FITS)


@pytest.mark.parametrize("name", FITS)
def test_payloads(name: str) -> None:
    """A record, one that is resolved and a digest look as in tests/destinations/payloads."""
    wanted = json.loads((shown.FOLDER / f"{name}.json").read_text())
    assert shown.payloads(found_kinds.load()[name]) == wanted, "run python -m tests.destinations.shown"


@settings(max_examples=25, deadline=None)
@given(subject=hostile, parts=st.lists(st.one_of(PARTS), max_size=5))
def test_nothing_is_injected(subject: str, parts: list[Part]) -> None:
    """A sender's words are mention, link or markup nowhere, and every payload is within its limits."""
    for name in FITS:
        is_safe(name, Message(subject, tuple(parts), shown.AT, "fb_1"))


@pytest.mark.long
@settings(max_examples=1_000, deadline=None)
@given(subject=hostile, parts=st.lists(st.one_of(PARTS), max_size=8))
def test_nothing_is_injected_at_length(subject: str, parts: list[Part]) -> None:
    """The same of many more."""
    for name in FITS:
        is_safe(name, Message(subject, tuple(parts), shown.AT, "fb_1"))


LONG = ("<&>*_`" * 17_000, *(some * 4_000 for some in ("\U0001f600", "a\n")))


@pytest.mark.parametrize("name", FITS)
def test_what_is_too_long(name: str) -> None:
    """Texts of 100 kB are cut where it is seen, what does not fit is said to be left out; the link stays."""
    write = found_kinds.load()[name].write
    assert write is not None
    link = Link("Open the record", OWN)
    for text in LONG:
        is_safe(name, Message(text, (Quote(text), Facts([(text, text)]), link), shown.AT))
    body = write(Message("s", (Quote("w" * 100_000), link), shown.AT))
    assert "…" in body and OWN in body
    many = Entries([Entry(f"{number} {'w' * 400}", "f", OWN) for number in range(90)])
    crowded = Message("s", (many, link), shown.AT)
    body = is_safe(name, crowded)
    assert "more did not fit" in body and "Open the record" in body


def test_a_text_is_cut_whole() -> None:
    """What is cut has no half of an escape, and fits exactly when it can."""
    assert message_text.cut("ab", 2) == "ab" and message_text.cut("abc", 2) == "a…"
    assert message_text.cut("<<<", 7, lambda text: text.replace("<", "&lt;")) == "&lt;…"
    assert message_text.cut("€€€", 6, size=message_text.octets) == "€…"


FLOW = "powerautomate/automations/direct/workflows/0a1b/triggers/manual/paths/invoke?api-version=1&sig=a-_"
GOOD = {
    "slack": (
        "https://hooks.slack.com/services/T0123/B0123/abcDEF",
        "https://slack.com/api/chat.postMessage?channel=C0123456789",
    ),
    "mattermost": (
        "https://chat.example.com/hooks/abcdefghijklmnopqrstuvwx12",
        "https://example.com:8443/mattermost/hooks/abcdefghijklmnopqrstuvwx12",
    ),
    "teams": (
        f"https://default0a.1b.environment.api.powerplatform.com:443/{FLOW}",
        "https://prod-12.westeurope.logic.azure.com:443/workflows/0a/triggers/manual/paths/invoke?sv=1.0&sig=a",
    ),
    "discord": (
        f"https://discord.com/api/webhooks/123456789012345678/{'a-_1' * 17}",
        f"https://ptb.discord.com/api/v10/webhooks/123456789012345/{'a' * 68}?thread_id=123456789012345678",
    ),
    "ntfy": ("https://ntfy.sh/my_topic-1", "https://push.example.com:8443/topic"),
    "apprise": ("gotifys://push.example.com/aBcDeFgHiJkLmNo", "json://localhost:8080/path"),
}
BAD = {
    "slack": (
        ("https://hooks.slack.com/triggers/T1/2/abc", "incoming webhook"),
        ("https://slack.com/api/chat.postMessage", "channel="),
        ("https://hooks.slack.com.evil.test/services/T/B/x", "https://hooks.slack.com/services"),
    ),
    "mattermost": (
        ("https://chat.example.com/api/v4/posts", "Incoming Webhooks"),
        ("https://u:p@chat.example.com/hooks/abcdefghijklmnopqrstuvwx12", "user name"),
        ("http://chat.example.com/hooks/abcdefghijklmnopqrstuvwx12", "GATEWAY_OUTBOUND_ALLOW"),
    ),
    "teams": (
        (
            "https://contoso.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d",
            "has ended: in the channel's menu",
        ),
        ("https://outlook.office.com/webhook/a@b/IncomingWebhook/c/d", "Workflows"),
        ("https://teams.microsoft.com/l/channel/19", "Workflows"),
        (f"https://api.powerplatform.com.evil.test/{FLOW}", "Workflows"),
    ),
    "discord": (
        (f"https://discord.com/api/webhooks/123456789012345678/{'a' * 68}/slack", "without /slack"),
        ("https://discord.com/channels/1/2", "Integrations"),
        (f"https://discord.com.evil.test/api/webhooks/123456789012345678/{'a' * 68}", "discord.com/api"),
    ),
    "ntfy": (
        ("https://ntfy.sh/", "https://ntfy.sh/TOPIC"),
        ("https://ntfy.sh/topic/json", "without anything"),
        ("https://127.0.0.1/topic", "GATEWAY_OUTBOUND_ALLOW"),
    ),
    "apprise": (("nonsense", "appriseit.com"), ("nonsense://x", "appriseit.com")),
}


@pytest.mark.parametrize("name", FITS)
def test_addresses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind takes addresses of its own shape that may be sent to, and says of others what to give."""
    monkeypatch.setattr("gateway.core.outbound.addresses_of", lambda rules, target, patience: [])
    monkeypatch.setattr("gateway.core.outbound._unguarded", True)
    check = found_kinds.load()[name].check
    for url in GOOD[name]:
        check(url)
    for url, said in BAD[name]:
        with pytest.raises(Forbidden) as refused:
            check(url)
        assert said in str(refused.value), (url, refused.value)
