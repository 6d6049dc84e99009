"""Changes in the words that people are told them with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.destinations.kind import Change
from gateway.destinations.message import Entries, Entry, Facts, Link, Message, Paragraph, Part, Quote
from models.tables import outbox
from models.tables.notification import REOPENED, RESOLVED

LONGEST_SUBJECT, LONGEST_QUOTE, LONGEST_ENTRY = 120, 1_500, 240  # characters
DONE = ("resolved", "ignored")
_SAID = {
    outbox.CREATED: "New",
    outbox.UPDATED: "Changed",
    outbox.RELABELLED: "Relabelled",
    outbox.STATUS_CHANGED: "Status changed",
    RESOLVED: "Resolved",
    REOPENED: "Reopened",
    outbox.TAGGED: "Tagged",
    outbox.NOTED: "Note",
    outbox.ASSIGNED: "Assigned",
    outbox.SNOOZED: "Snoozed",
    outbox.WOKEN: "Awake again",
    outbox.REPLIED: "The author was answered",
    outbox.MERGED: "Merged",
    outbox.UNMERGED: "Taken apart",
    outbox.RETRACTED: "Retracted",
    outbox.DELETED: "Deleted",
    outbox.ERASED: "Erased",
    outbox.HELD: "A delivery is held in quarantine",
    outbox.COMPLETED: "A run has ended",
    outbox.FAILED: "A run failed",
    outbox.EXPIRING: "A key ends soon",
    outbox.SPIKE: "Spike",
    outbox.SILENT: "Silent",
    outbox.DISABLED: "A destination was disabled",
    outbox.TEST: "This is a test",
}


def of_change(change: Change, *, include_author: bool = False) -> Message:
    """One change as a message of its own; who wrote the record is left out unless asked for."""
    data, said = change.data, _said(change)
    link = (Link("Open the record", change.url),) if change.url else ()
    if "text" not in data:
        words = Paragraph(f"{said}: {', '.join(str(value) for value in data.values() if value)}")
        return Message(said, (words, *link), change.at, data.get("id", ""))
    subject = _cut(f"{said}: {data['category']}, impact {data['impact']}: {_line(data)}", LONGEST_SUBJECT)
    parts: list[Part] = [Quote(_cut(data["text"], LONGEST_QUOTE)), Facts(_facts(data, include_author))]
    if note := change.more.get("note"):
        parts.append(Quote(_cut(note, LONGEST_QUOTE)))
    is_over = data["status"] in DONE
    return Message(subject, (*parts, *link), change.at, data["id"], is_over, data["impact"])


def of_many(
    changes: Sequence[Change],
    counts: Mapping[str, int],
    url: str,
    at: int,
    *,
    follows: bool,
    include_author: bool = False,
) -> Message:
    """Records told together: `changes` are the most important, `counts` how many there are of each type.

    `url` is the list of all. `follows` says that they came after a message of a moment ago.
    """
    total = sum(counts.values())
    impact = max((change.data.get("impact", 0) for change in changes), default=0)
    what = ", ".join(f"{count:,} {_word(type_).lower()}" for type_, count in counts.items())
    subject = f"{total:,} {'more' if follows else 'records'}: {what}"
    if total == len(changes) and (
        kinds := Counter(filter(None, (one.data.get("category") for one in changes)))
    ):
        subject += f" ({', '.join(f'{count:,} {name}' for name, count in kinds.most_common())})"
    parts: list[Part] = [Entries([_entry(change, include_author) for change in changes])]
    if total > len(changes):
        parts.append(Paragraph(f"These are the {len(changes)} of the highest impact."))
    parts.append(Link("Open the list", url))
    if impact:
        worst = next(change for change in changes if change.data.get("impact", 0) == impact)
        subject += f"; impact up to {impact}: {_line(worst.data)}"
    return Message(_cut(subject, LONGEST_SUBJECT), tuple(parts), at, impact=impact)


def of_spike(alarm: Change, changes: Sequence[Change], url: str, *, include_author: bool = False) -> Message:
    """Far more than usual came in an hour: how many, against which numbers, and the highest of them."""
    data = alarm.data
    subject = f"Spike: {data['count']:,} in an hour, usual {data['usual']:g}"
    before = ", ".join(f"{count:,}" for count in data["before"])
    why = f"In the same hour of the {len(data['before'])} weeks before it was {before}, the newest first."
    parts: list[Part] = [Paragraph(why)]
    if data["filter"]:
        parts.append(Facts([("filter", data["filter"])]))
    parts.append(Entries([_entry(change, include_author) for change in changes]))
    impact = max((change.data.get("impact", 0) for change in changes), default=0)
    return Message(subject, (*parts, Link("Open the list", url)), alarm.at, impact=impact)


def of_silence(alarm: Change) -> Message:
    """A hook that usually sends is quiet: for how long, and how long it was at most."""
    data = alarm.data
    name = data["name"] or data["hook_id"]
    quiet, usual = (_lasting(data[length]) for length in ("quiet_seconds", "usual_seconds"))
    why = f"Nothing has come for {quiet}. In four weeks it was not quiet for longer than {usual}, but once."
    parts = (Paragraph(why), Facts([("source", data["source"]), ("last heard", data["last_heard_at"])]))
    return Message(
        _cut(f"Silent: {name}: nothing for {quiet}", LONGEST_SUBJECT),
        (*parts, Link("Open the hook", alarm.url)),
        alarm.at,
    )


def _lasting(seconds: int) -> str:
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := seconds // length) >= 2 or name == "minute":
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise AssertionError("minutes are last")


def _entry(change: Change, include_author: bool) -> Entry:
    data = change.data
    if "text" not in data:
        return Entry(data["id"], _said(change), change.url)
    about = [_said(change), data["category"], f"impact {data['impact']}"]
    about += [value for _, value in _facts(data, include_author)]
    return Entry(_cut(_line(data), LONGEST_ENTRY), ", ".join(about), change.url)


def _said(change: Change) -> str:
    if change.type == RESOLVED and change.data.get("status") == "ignored":
        return "Ignored"
    return _word(change.type)


def _word(type_: str) -> str:
    return _SAID.get(type_) or type_.rpartition(".")[2].replace("_", " ").capitalize()


def _facts(data: Mapping[str, Any], include_author: bool) -> list[tuple[str, str]]:
    shown = {"sentiment": data["sentiment"], "status": data["status"], "source": data["source"]}
    if include_author:
        author = data["author"]
        shown["author"] = " ".join(filter(None, (author["name"], author["email"]))) or author["id"]
    return [(name, str(value)) for name, value in shown.items() if value]


def _line(data: Mapping[str, Any]) -> str:
    """A record's words on one line."""
    return " ".join((data.get("title") or data["text"]).split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
