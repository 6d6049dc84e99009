"""Changes in the words that people are told them with."""

from __future__ import annotations

from typing import Any

from gateway.destinations.kind import Change
from gateway.destinations.message import Facts, Link, Message, Paragraph, Part, Quote
from models.tables import outbox

LONGEST_SUBJECT, LONGEST_QUOTE = 120, 1_500  # characters
DONE = ("resolved", "ignored")
_SAID = {
    outbox.CREATED: "New",
    outbox.UPDATED: "Changed",
    outbox.RELABELLED: "Relabelled",
    outbox.STATUS_CHANGED: "Status changed",
    outbox.TAGGED: "Tagged",
    outbox.NOTED: "Note",
    outbox.REPLIED: "The author was answered",
    outbox.RETRACTED: "Retracted",
    outbox.DELETED: "Deleted",
    outbox.ERASED: "Erased",
    outbox.DISABLED: "A destination was disabled",
    outbox.TEST: "This is a test",
}


def of_change(change: Change) -> Message:
    """One change as a message of its own."""
    data, said = change.data, _SAID.get(change.type, change.type)
    if "text" not in data:
        return Message(said, (Paragraph(f"{said}: {', '.join(map(str, data.values()))}"),), change.at)
    words = " ".join((data["subject"] or data["text"]).split())
    subject = f"{said}: {data['category']}, impact {data['impact_score']}: {words}"[:LONGEST_SUBJECT]
    parts: list[Part] = [Quote(data["text"][:LONGEST_QUOTE]), Facts(_facts(data))]
    if note := change.more.get("note"):
        parts.append(Quote(note[:LONGEST_QUOTE]))
    if change.url:
        parts.append(Link("Open the record", change.url))
    return Message(subject, tuple(parts), change.at, data["id"], is_over=data["status"] in DONE)


def _facts(data: Any) -> list[tuple[str, str]]:
    shown = {"sentiment": data["sentiment"], "status": data["status"], "source": data["source"]}
    return [(name, str(value)) for name, value in shown.items() if value]
