"""What a text is made of, whatever it becomes: headings, paragraphs, tables and lists.

Words of others are Said, and everything is escaped by the one who writes it (as_markdown, as_html): no block
has markup in it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_JOINERS = "\u200c\u200d"
MOST_SAID = 240  # characters of what somebody said


@dataclass(frozen=True, slots=True)
class Said:
    """Words of whoever sent them, on one line and cut."""

    words: str
    most: int = MOST_SAID

    @property
    def text(self) -> str:
        """The words without what would steer a page: signs that are not seen, and turns of direction."""
        known = self.words[: 8 * self.most]  # a long text costs no more
        line = " ".join("".join(map(_seen, known)).split())
        whole = len(line) <= self.most and len(known) == len(self.words)
        return line if whole else f"{line[: self.most].rstrip()}…"


@dataclass(frozen=True, slots=True)
class Link:
    """An address of ours with its words."""

    text: Said | str
    url: str


Part = str | Said | Link


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `level` 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words in a row."""

    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Items:
    """A list, each item of which is words in a row, and perhaps a second line."""

    items: Sequence[tuple[Sequence[Part], Sequence[Part]]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; all columns but the first are numbers. Without names of columns all are words."""

    columns: Sequence[str]
    lines: Sequence[Sequence[Part]]


@dataclass(frozen=True, slots=True)
class Quote:
    """What somebody said, in its lines."""

    words: str

    @property
    def lines(self) -> list[str]:
        """Its lines without what would steer a page; several empty ones are one."""
        lines = [Said(line, len(line)).text for line in self.words.splitlines()]
        return [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]


Block = Heading | Paragraph | Items | Grid | Quote


def _seen(char: str) -> str:
    """A sign, or what stands for one that is not seen; joiners of words and of faces stay."""
    kind = unicodedata.category(char)
    if kind[0] in "CZ" and char not in _JOINERS:
        return "" if kind == "Cf" else " "
    return char
