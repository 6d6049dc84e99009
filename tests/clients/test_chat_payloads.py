"""What chat programs are sent is read by parsers: `adaptivecards`, `discord.py`, Discord's Markdown.

Slack's is in tests/destinations/test_chat_kinds.py, as its package is at hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.destinations import found_kinds
from gateway.destinations.message import Entries, Entry, Heading, Link, Message, Quote
from tests.clients.conftest import CACHE, Driver, driving, installed, run
from tests.destinations import shown
from tests.destinations.test_chat_kinds import HOSTILE

WANTED = "discord.py==2.7.1"
READING = """
import json, sys
from discord import Embed

for line in sys.stdin:
    embed = Embed.from_dict(json.loads(line))
    print(json.dumps([len(embed), embed.to_dict()]))
"""
LINK = Link("Open the list", "https://feedback.example.test/records?status=open")
CROWDED = Message(
    "12 more" + "x" * 400,
    (Quote("\U0001f600<&>*" * 900), Entries([Entry("w" * 500, "f", LINK.url)] * 80), LINK),
    shown.AT,
)
MESSAGES = {**shown.MESSAGES, "crowded": CROWDED}


def written(name: str) -> dict[str, Any]:
    write = found_kinds.load()[name].write
    assert write is not None
    return {case: json.loads(write(message)) for case, message in MESSAGES.items()}


@pytest.fixture(name="read", scope="module")
def _read(node: Path) -> Iterator[Driver]:
    with driving(["node", node / "chat_payloads.mjs"]) as driver:
        yield driver


def test_adaptive_cards(read: Driver) -> None:
    """Microsoft's parser finds nothing wrong with a card of 1.4 and reads all of it; it tells what is."""
    for payload in written("teams").values():
        card = payload["attachments"][0]["content"]
        outcome = read(card=card).data
        assert outcome["wrong"] == []
        body, actions = outcome["read"]["body"], outcome["read"].get("actions", [])
        assert (len(body), len(actions)) == (len(card["body"]), len(card["actions"]))
        assert [block["type"] for block in body] == [block["type"] for block in card["body"]]
    unknown = {**card, "body": [{"type": "Nonsense"}]}
    assert read(card=unknown).data["wrong"] != []


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node of a tree; an emoji is text."""
    for node in tree if isinstance(tree, list) else []:
        yield {**node, "type": "text"} if node["type"] == "twemoji" else node
        yield from nodes(node.get("content"))


def test_discord_markdown(read: Driver) -> None:
    """As Discord reads it a sender's words are text: quoted, below a bold line, and the one link is ours."""
    write = found_kinds.load()["discord"].write
    assert write is not None
    for words in ("\n".join(HOSTILE), "\n".join(f"{words} {words}" for words in HOSTILE)):
        embed = json.loads(write(Message(words, (Heading("h"), Quote(words), LINK), shown.AT)))["embeds"][0]
        assert {node["type"] for node in nodes(read(markdown=embed["title"]).data)} <= {"text", "br"}
        found = list(nodes(read(markdown=embed["description"]).data))
        assert {node["type"] for node in found} == {"text", "br", "strong", "blockQuote", "link"}
        assert [node["target"] for node in found if node["type"] == "link"] == [LINK.url]
    live = {
        node["type"]
        for node in nodes(read(markdown="@everyone <@123456789012345678> http://a.test **b**").data)
    }
    assert {"everyone", "user", "url", "strong"} <= live


@pytest.mark.long
def test_discord_embeds() -> None:
    """discord.py reads each embed whole, and counts no more characters than Discord takes."""
    with installed("discord-py", WANTED) as folder:
        if folder is not None:
            run(sys.executable, "-m", "venv", folder)
            run(folder / "bin" / "pip", "install", "--disable-pip-version-check", "-q", WANTED)
    embeds = [payload["embeds"][0] for payload in written("discord").values()]
    done = subprocess.run(
        [CACHE / "discord-py" / "bin" / "python", "-c", READING],
        input="".join(json.dumps(embed) + "\n" for embed in embeds),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for embed, (length, read) in zip(embeds, lines, strict=True):
        assert length <= 6_000
        assert {**read, "timestamp": read["timestamp"][:19]} == {
            **embed,
            "flags": 0,
            "timestamp": embed["timestamp"][:19],
        }
