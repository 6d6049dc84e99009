"""What people are told, whatever the program they read it in: a subject and parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A line above what follows."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words of the gateway's own."""

    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a sender's: never read as markup, mention or link by the program that shows them."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, such as ("impact", "12")."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One of several things in a list: its words, what is known of it, and where to read it (or "")."""

    text: str
    facts: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entries:
    """Several of a kind."""

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Link:
    """Where to go on; shown as a button where there are any."""

    label: str
    url: str


Part = Heading | Paragraph | Quote | Facts | Entries | Link


@dataclass(frozen=True, slots=True)
class Message:
    """What is told at once. `subject` is one line; `at` is milliseconds UTC.

    Messages of the same `thread` are about the same thing: a later one changes or follows the first. "" is a
    thread of its own. `is_over` says that the thread ends: the story is resolved. `impact` is the greatest of
    what it tells of, 0 to 14.
    """

    subject: str
    parts: tuple[Part, ...]
    at: int
    thread: str = ""
    is_over: bool = False
    impact: int = 0
