"""Quotes of a theme: a few short passages that tell what it is about, each of somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.api.digest.as_markdown import markdown
from gateway.api.digest.blocks import Block, Heading, Link, Paragraph, Quote
from gateway.background.keywords import STEM, words
from gateway.destinations import links
from models.queries.theme_summary import closest_words
from models.tables.feedback import iso

LOOKED_AT = 100  # closest records that quotes are chosen from
LONGEST, SHORTEST = 240, 20  # characters of a quote; what is shorter is taken when there is nothing else
ALIKE = 0.5  # share of two quotes' telling words from which on one of them is enough
MOST_SENTENCES = 40  # of a text that are looked at
_ENDS = re.compile(r"(?<=[.!?…])\s+")  # of sentences in a line


@dataclass(frozen=True, slots=True)
class _Passage:
    """What might be quoted of a record, and how well it tells what the theme is about.

    `stems` are of its telling words but for those of the theme, which all have in common.
    """

    row: Mapping[str, Any]
    text: str
    stems: frozenset[str]
    value: float


def quotes(theme_id: str, terms: Sequence[str], since: int, until: int, limit: int) -> list[dict[str, Any]]:
    """Quotes from a theme's records of a period, those that tell most first.

    {id, text, source, received_at}: the record's id, and words of it that stand there so.
    """
    found = closest_words(theme_id, since, until, LOOKED_AT)
    return [
        {
            "id": one.row["id"],
            "text": one.text,
            "source": one.row["source"],
            "received_at": iso(one.row["received_at"]),
        }
        for one in _chosen([_passage(row, terms) for row in found], limit)
    ]


def as_markdown(label: str, theme_id: str, chosen: Iterable[Mapping[str, Any]]) -> str:
    """Quotes as Markdown, each with where and when it came and a link to its record."""
    return markdown(list(_blocks(label, theme_id, chosen)))


def _blocks(label: str, theme_id: str, chosen: Iterable[Mapping[str, Any]]) -> Iterator[Block]:
    yield Heading(label, 1)
    yield Paragraph([Link(links.of_theme(theme_id), links.of_theme(theme_id))])
    for one in chosen:
        yield Quote(one["text"])
        yield Paragraph(
            [f"{one['source']}, {one['received_at'][:10]}: ", Link(one["id"], links.of_record(one["id"]))]
        )


def _chosen(passages: Sequence[_Passage], limit: int) -> list[_Passage]:
    """The best passages: of different people saying it in other words first, then what else there is."""
    best = sorted((one for one in passages if one.text), key=lambda one: (-one.value, one.row["id"]))
    found: list[_Passage] = []
    for others, differing in ((True, True), (True, False), (False, True)):  # people, and words
        for one in best:
            if len(found) == limit:
                return found
            if one in found or (others and _said_by_one_of(found, one)):
                continue
            if differing and any(_share(one.stems, other.stems) >= ALIKE for other in found):
                continue
            found.append(one)
    return found


def _said_by_one_of(found: Sequence[_Passage], one: _Passage) -> bool:
    return one.row["who"] is not None and any(one.row["who"] == other.row["who"] for other in found)


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0


def _passage(row: Mapping[str, Any], terms: Sequence[str]) -> _Passage:
    text = passage(row["words"], terms)
    stems, wanted = _stems(text), frozenset(term[:STEM] for term in terms)
    told = len(stems & wanted) / (len(terms) or 1)
    short = -1.0 if len(text) < SHORTEST else 0.0
    value = row["closeness"] + told + short - len(text) / LONGEST / 4
    return _Passage(row, text, stems - wanted, value)


def passage(text: str, terms: Sequence[str]) -> str:
    """The sentences of a text, next to each other and LONGEST at most, that have most of these words.

    Of several the first and shortest; a sentence that is longer is cut.
    """
    wanted = {term[:STEM] for term in terms}
    lines = (line.strip() for line in text.splitlines())
    sentences = [sentence for line in lines for sentence in _ENDS.split(line) if sentence]
    if sum(map(len, sentences)) + len(sentences) <= LONGEST:
        return " ".join(sentences)
    some = [(sentence, _stems(sentence) & wanted) for sentence in sentences[:MOST_SENTENCES]]
    best, most = "", (-1, 0)
    for first in range(len(some)):
        longer, found = "", frozenset[str]()
        for sentence, told in some[first:]:
            if longer and len(longer) + 1 + len(sentence) > LONGEST:
                break
            longer, found = f"{longer} {sentence}".strip(), found | told
            worth = (len(found), -len(longer) if found else 0)
            if worth > most:
                best, most = longer, worth
    return best if len(best) <= LONGEST else f"{best[:LONGEST].rsplit(None, 1)[0]} …"


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:STEM] for word in words(text))


def file_name(theme_id: str) -> str:
    """What a file of a theme's quotes is called today."""
    return f"quotes-{theme_id}-{datetime.now(UTC):%Y%m%d}.md"
