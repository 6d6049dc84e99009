"""Texts of messages as people's programs can show them: harmless, cut where it is seen, as one plain text.

Whatever a message says may have a sender's words in it. `inert` has no program make a link or a mention of
them by itself; each kind escapes what its program's own markup has beside that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from gateway.destinations.message import Entries, Entry, Facts, Heading, Link, Message, Paragraph, Part, Quote

LENGTHS = (3_000, 1_000, 300, 100)  # characters of each text, ever less until the whole fits
LONGEST_URL = 2_000  # characters
CUT = "…"
RED, BLUE, GREEN = 0xC62828, 0x37629F, 0x2E7D32
URGENT = 10  # an impact from here on is red
BREAK = "\u200b"  # zero width space
# Controls, and what turns the direction of a text around.
_UNSHOWN = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_NEWLINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BLANK = re.compile(r"\n[ \t]*(?=\n[ \t]*\n)")
# What programs make links and mentions of: schemes, www, domains, addresses, mentions, channels and tags.
_LIVE = re.compile(
    r"://|[@<]|[~#](?=\w)|\](?=\()|(?<=\w)\.(?=[^\W\d_]{2})|(?<=\d)\.(?=\d{1,3}\.\d)"
    r"|\b(?:www\d{0,3}\.|(?:mailto|tel|sms|xmpp|data|javascript):)",
    re.IGNORECASE,
)
_WEB = re.compile(rf"https?://[!#-;=?-\[\]_a-z~]{{1,{LONGEST_URL - 8}}}", re.IGNORECASE)

Made = TypeVar("Made")


def clean(text: str) -> str:
    """A text without controls, marks of direction and lone surrogates; of blank lines one is left."""
    plain = text.encode("utf-8", "replace").decode()
    return _BLANK.sub("", _UNSHOWN.sub("", _NEWLINES.sub("\n", plain))).strip()


def inert(text: str) -> str:
    """A clean text in which nothing becomes a link or a mention: they are broken where nobody sees it."""
    return _LIVE.sub(lambda found: found[0][0] + BREAK + found[0][1:], clean(text))


def in_one_line(text: str) -> str:
    return " ".join(clean(text).split())


def utf16(text: str) -> int:
    """The length of a text as JavaScript counts it: never less than what others count."""
    return len(text.encode("utf-16-le")) // 2


def octets(text: str) -> int:
    """The length of a text in bytes."""
    return len(text.encode())


def cut(
    text: str, most: int, escape: Callable[[str], str] = inert, size: Callable[[str], int] = utf16
) -> str:
    """A text escaped, of a size of `most` at most. One that is cut ends in `…`."""
    text = clean(text)
    if size(whole := escape(text)) <= most:
        return whole
    fits, too_much = 0, min(len(text), most) + 1
    while too_much - fits > 1:
        middle = (fits + too_much) // 2
        if size(escape(text[:middle])) <= most - size(CUT):
            fits = middle
        else:
            too_much = middle
    return escape(text[:fits]) + CUT


def web_url(url: str) -> str:
    """A URL that can be linked to, "" for anything else."""
    return url if _WEB.fullmatch(url) else ""


def links_of(message: Message) -> list[Link]:
    return [part for part in message.parts if isinstance(part, Link) and web_url(part.url)]


def facts_of(facts: Facts) -> str:
    """Facts in a line."""
    return " · ".join(f"{in_one_line(name)}: {in_one_line(value)}" for name, value in facts.pairs)


def entry_of(entry: Entry) -> str:
    """An entry in a line, without its address."""
    return " · ".join(filter(None, (in_one_line(entry.text), in_one_line(entry.facts))))


def color_of(message: Message) -> int:
    """A color that says how things are, as 0xRRGGBB."""
    return GREEN if message.is_over else RED if message.impact >= URGENT else BLUE


def plain_text(message: Message, most: int) -> str:
    """What a message says below its subject, each text cut at `most` characters, with its own links."""
    return "\n".join(filter(None, (_plain(part, most) for part in message.parts)))


def fitted(message: Message, made: Callable[[Message, int], Made], fits: Callable[[Made], bool]) -> Made:
    """What `made` makes of as much of a message as fits: its texts cut ever shorter, then ever fewer parts.

    `made` takes a message and the length of each text. What is left out is said; links stay.
    """
    for most in LENGTHS:
        if fits(whole := made(message, most)):
            return whole
    links = links_of(message)[:1]
    parts = [*_single([part for part in message.parts if not isinstance(part, Link)])]
    for kept in range(len(parts) - 1, -1, -1):
        said = Paragraph(f"{len(parts) - kept} more did not fit in here.")
        less = made(replace(message, parts=(*parts[:kept], said, *links)), LENGTHS[-1])
        if fits(less):
            return less
    raise ValueError("not even its subject fits")


def _single(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts, lists in entries of their own."""
    for part in parts:
        if isinstance(part, Entries):
            yield from (Entries((entry,)) for entry in part.entries)
        else:
            yield part


def _plain(part: Part, most: int) -> str:
    match part:
        case Heading(text):
            return f"\n{cut(in_one_line(text), most)}"
        case Paragraph(text):
            return cut(text, most)
        case Quote(text):
            return "\n".join(f"> {line}" for line in cut(text, most).split("\n")) if clean(text) else ""
        case Facts():
            return cut(facts_of(part), most)
        case Entries(entries):
            return "\n".join(f"• {cut(entry_of(entry), most)}" for entry in entries)
        case Link(label, url):
            return f"{cut(in_one_line(label), most)}: {url}" if web_url(url) else ""
