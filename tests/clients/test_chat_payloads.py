"""What chat programs are sent is read by parsers of theirs: npm `adaptivecards`, and `discord.py`.

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
from gateway.destinations.message import Entries, Entry, Link, Message, Quote
from tests.clients.conftest import CACHE, Driver, driving, installed, run
from tests.destinations import shown

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


@pytest.fixture(name="cards", scope="module")
def _cards(node: Path) -> Iterator[Driver]:
    with driving(["node", node / "cards.mjs"]) as driver:
        yield driver


def test_adaptive_cards(cards: Driver) -> None:
    """Microsoft's parser finds nothing wrong with a card of 1.4 and reads all of it; it tells what is."""
    for payload in written("teams").values():
        card = payload["attachments"][0]["content"]
        outcome = cards(card=card).data
        assert outcome["wrong"] == []
        body, actions = outcome["read"]["body"], outcome["read"].get("actions", [])
        assert (len(body), len(actions)) == (len(card["body"]), len(card["actions"]))
        assert [block["type"] for block in body] == [block["type"] for block in card["body"]]
    unknown = {**card, "body": [{"type": "Nonsense"}]}
    assert cards(card=unknown).data["wrong"] != []


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
