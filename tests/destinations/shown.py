"""What people are shown: messages of each shape, and the payloads that each kind makes of them.

    python -m tests.destinations.shown

writes the payloads in tests/destinations/payloads/ anew.
"""

from __future__ import annotations

import json
from typing import Any

from gateway.destinations import found_kinds
from gateway.destinations.kind import Kind
from gateway.destinations.message import Entries, Entry, Facts, Heading, Link, Message, Paragraph, Quote
from tests.conftest import ROOT

FOLDER = ROOT / "tests/destinations/payloads"
AT = 1_796_076_000_000
RECORD = Message(
    "New: bug, impact 12: The export button does nothing",
    (
        Quote("The export button does nothing.\n\nI pressed it *twice* & it stays grey, see a_b_c <3"),
        Facts([("sentiment", "negative"), ("status", "open"), ("source", "web form")]),
        Link("Open the record", "https://feedback.example.test/records/fb_1"),
    ),
    AT,
    "fb_1",
    impact=12,
)
RESOLVED = Message(
    "Status changed: bug, impact 12: The export button does nothing",
    (Quote("The export button does nothing"), Quote("Mended in 4.2, told her")),
    AT,
    "fb_1",
    is_over=True,
    impact=12,
)
DIGEST = Message(
    "Feedback of the week: 31 records, 12 more than the week before",
    (
        Heading("What grows"),
        Entries(
            [
                Entry("Export", "9 people, 2 the week before", "https://feedback.example.test/themes/th_1"),
                Entry("Slow on phones", "4 people"),
            ]
        ),
        Heading("What fails"),
        Paragraph("Nothing."),
        Link("Open the digest", "https://feedback.example.test/digest?days=7"),
    ),
    AT,
)
MESSAGES = {"record": RECORD, "resolved": RESOLVED, "digest": DIGEST}


def chats() -> dict[str, Kind]:
    """The kinds whose payload is JSON that a program shows to people."""
    return {name: kind for name, kind in found_kinds.load().items() if kind.write and name != "email"}


def payloads(kind: Kind) -> dict[str, Any]:
    assert kind.write is not None
    return {name: json.loads(kind.write(message)) for name, message in MESSAGES.items()}


if __name__ == "__main__":
    for name, kind in chats().items():
        text = json.dumps(payloads(kind), indent=2, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text.replace("\u200b", "\\u200b") + "\n")
