"""A digest as people are told it: what matters of a period, on one screen of whatever program they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from gateway.api.digest import blocks
from gateway.api.digest.blocks import Block, Said
from gateway.api.digest.composition import summary
from gateway.api.digest.figures import Figures, figures
from gateway.api.digest.period import period_of
from gateway.destinations import links, subscription
from gateway.destinations.message import Entries, Entry, Facts, Heading, Link, Message, Paragraph, Part, Quote


def of_subscription(one: Mapping[str, Any], now: int) -> tuple[Message, list[str]] | None:
    """The digest of a destination's last day or week, and the ids of the records whose words are in it.

    None when nothing happened.
    """
    found = subscription.of(one)
    length = "day" if found.when == subscription.DAILY else "week"
    told = figures(one["workspace_id"], one["project_id"], period_of(length, ZoneInfo(found.zone), now))
    if not told.has_news:
        return None
    quoted = [
        *told.open,
        *told.resolved,
        *told.unsure,
        *(row for one in told.themes for row in one["quotes"]),
    ]
    return of_digest(told, links.of_inbox()), sorted({row["id"] for row in quoted})


def of_digest(figures: Figures, url: str, language: str = "en") -> Message:
    """The digest of some figures as a message; `url` is where the inbox is.

    Figures.has_news says whether it is worth one: where nothing happened, nothing need be sent.
    """
    title, told = summary(figures, language, url)
    total = next(_words(block.parts) for block in told[1:] if isinstance(block, blocks.Paragraph))
    parts = tuple(part for block in told for part in _parts(block))
    return Message(f"{title}: {total.rstrip('.')}", parts, figures.period.until)


def _parts(block: Block) -> Iterator[Part]:
    if isinstance(block, blocks.Heading):
        yield Heading(block.text)
    elif isinstance(block, blocks.Quote):
        yield Quote(block.words)
    elif isinstance(block, blocks.Items):
        yield Entries([_entry(*item) for item in block.items])
    elif isinstance(block, blocks.Grid):
        yield Facts([(_words(line[:1]), _value([*map(_word, line[1:])])) for line in block.lines])
    else:
        [*rest] = (part for part in block.parts if not isinstance(part, blocks.Link))
        if rest:
            yield Paragraph(_words(block.parts))
        else:
            yield from (Link(_word(part), part.url) for part in block.parts if isinstance(part, blocks.Link))


def _entry(first: Sequence[blocks.Part], second: Sequence[blocks.Part]) -> Entry:
    """What it is called, with the words in it, and apart from that what is known of it."""
    links = [part for part in first if isinstance(part, blocks.Link)]
    if not isinstance(first[0], blocks.Link):
        return Entry(_words(first), url=links[0].url if links else "")
    more = f" \N{EN DASH} {_words(second)}" if second else ""
    return Entry(f"{_word(first[0])}{more}", _words(first[1:]).strip(" ()"), first[0].url)


def _value(cells: Sequence[str]) -> str:
    """A count, what it was before and its trend: the last of these behind it."""
    return f"{cells[0]} ({cells[-1]})" if len(cells) > 1 and cells[-1] else "".join(cells[:1])


def _words(parts: Sequence[blocks.Part]) -> str:
    return "".join(map(_word, parts)).strip()


def _word(part: blocks.Part) -> str:
    if isinstance(part, blocks.Link):
        return _word(part.text)
    return part.text if isinstance(part, Said) else part
