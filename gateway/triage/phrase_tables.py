"""The words that areas are known by, and what they say of harm: tables beside this module, read as phrases.

A table is a TOML file of `words/`: one for each area, with lists of phrases by language. `[names]` names the
area; any other section tells of a harm, with its `points` of severity and `why`. guards.toml says what takes
such words back. A phrase is words apart by blanks, as people write them:

    pay*                a word that begins so
    pay/buy             either word
    niet meer? in       the word before ? or none
    charged .. twice    at most five words between
    {cannot}            any phrase of that set in sets.toml
"""

from __future__ import annotations

import itertools
import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from gateway.triage.features import LANGUAGES, NEGATIONS
from gateway.triage.tokenizer import without_accents

TABLES = Path(__file__).parent / "words"
GAP = 5  # words that `..` stands for
SETS = "sets"
_SHORT = "do does did can could will wo would is are was were has have had should ca"
DENIES = NEGATIONS - {"ne", "hardly", "nauwelijks", "kaum", "ni"} | {"zero"}
DENIES |= {f"{word}n't" for word in _SHORT.split()}
NUMBER = "0"  # what every number is read as
RARE = 0.0002  # how common a word is taken to be that is not among the common ones; the commonest is 1


class Slot(NamedTuple):
    """The words that may stand at one place of a phrase, and how many others may stand before it."""

    words: frozenset[str]
    stems: tuple[str, ...]
    gap: int = 0

    def takes(self, word: str) -> bool:
        return word in self.words or word.startswith(self.stems)


class Meaning(NamedTuple):
    """What phrases tell of: an area, and of a harm its points of severity and why, else 0 and nothing.

    Without an area they take back what others tell.
    """

    area: str
    points: int = 0
    why: str = ""


class Phrase(NamedTuple):
    """A phrase of a table.

    `key` is the place of its rarest word and `second` that of the next rarest, the same where there is none:
    by these it is looked up. `denies` says that it has a negation of its own, `gaps` that other words may
    stand between its own.
    """

    meaning: Meaning
    slots: tuple[Slot, ...]
    key: int
    second: int
    denies: bool
    gaps: bool

    @property
    def reach(self) -> tuple[int, int]:
        """How many words before its key, and behind it, its second may stand."""
        one, other = sorted((self.key, self.second))
        far = sum(slot.gap + 1 for slot in self.slots[one + 1 : other + 1])
        return (far, 0) if self.second < self.key else (0, far)

    def around(self, tokens: Sequence[str], place: int) -> tuple[int, int] | None:
        """The first and last place of the phrase in a text whose word at `place` is its key."""
        if not self.gaps:
            first, last = place - self.key, place - self.key + len(self.slots) - 1
            if first < 0 or last >= len(tokens):
                return None
            for slot, word in zip(self.slots, tokens[first : last + 1], strict=True):
                if not slot.takes(word):
                    return None
            return first, last
        first = last = place
        reached = [place]
        for slot in self.slots[self.key + 1 :]:
            reached = _beside(tokens, reached, slot, slot.gap, 1)
            if not reached:
                return None
            last = reached[0]
        reached = [place]
        for number in range(self.key, 0, -1):
            reached = _beside(tokens, reached, self.slots[number - 1], self.slots[number].gap, -1)
            if not reached:
                return None
            first = reached[0]
        return first, last


def _beside(tokens: Sequence[str], places: Iterable[int], slot: Slot, gap: int, step: int) -> list[int]:
    """Where a slot's words stand behind (a step of 1) or before (-1) one of some places, the nearest first.

    At most `gap` tokens stand between, all of them words.
    """
    found: list[int] = []
    for place in places:
        for at in range(place + step, place + step * (gap + 2), step):
            if not (0 <= at < len(tokens) and tokens[at][0].isalnum()):
                break
            if slot.takes(tokens[at]) and at not in found:
                found.append(at)
    return found


@cache
def table(name: str) -> dict[str, Any]:
    """A table by the name of its file, without accents, as texts are read."""
    return tomllib.loads(without_accents((TABLES / f"{name}.toml").read_text(encoding="utf-8")).lower())


def phrases_of(area: str) -> Iterator[Phrase]:
    """The phrases of an area's table."""
    for name, section in table(area.replace(" ", "_")).items():
        meaning = Meaning(area) if name == "names" else Meaning(area, section["points"], section["why"])
        yield from phrases(meaning, section)


def phrases(meaning: Meaning, section: dict[str, Any]) -> Iterator[Phrase]:
    """The phrases of a section, in all languages."""
    for text in dict.fromkeys(itertools.chain(*(split(section[language]) for language in LANGUAGES))):
        for words in _written(text.split()):
            slots = tuple(_slots(words))
            key, *others = sorted(range(len(slots)), key=lambda number: _commonness(slots[number]))
            second = others[0] if others else key
            gaps = any(slot.gap for slot in slots)
            yield Phrase(meaning, slots, key, second, any(map(_denies, slots)), gaps)


def split(listed: str) -> list[str]:
    """The phrases of a list, which commas part."""
    return [" ".join(phrase.split()) for phrase in listed.split(",") if phrase.strip()]


def _written(words: list[str]) -> Iterator[list[str]]:
    """A phrase with its sets' phrases of several words written out; single words stay together."""
    options: list[list[list[str]]] = []
    for word in words:
        together: list[str] = []
        apart: list[list[str]] = []
        for part in word.split("/"):
            named = re.fullmatch(r"\{(\w+)\}", part)
            for choice in split(table(SETS)[named[1]]) if named else [part]:
                if choice.endswith("?"):
                    apart += [[choice[:-1]], []]
                elif " " in choice:
                    apart.append(choice.split())
                else:
                    together.append(choice)
        options.append(([["/".join(together)]] if together else []) + apart)
    for chosen in itertools.product(*options):
        yield list(itertools.chain(*chosen))


def _slots(words: Iterable[str]) -> Iterator[Slot]:
    gap = 0
    for word in words:
        if word == "..":
            gap = GAP
            continue
        yield _slot(word, gap)
        gap = 0


@cache
def _slot(word: str, gap: int) -> Slot:
    parts = word.split("/")
    stems = tuple(part[:-1] for part in parts if part.endswith("*"))
    return Slot(frozenset(part for part in parts if not part.endswith("*")), stems, gap)


def _denies(slot: Slot) -> bool:
    return not DENIES.isdisjoint(slot.words)


@cache
def _common() -> dict[str, float]:
    """How common the commonest words are, the first 1."""
    words = (TABLES / "common.txt").read_text(encoding="utf-8").split()
    return {NUMBER: 1.0} | {word: 1 / rank for rank, word in enumerate(words, 1)}


@cache
def _weights() -> list[float]:
    return list(_common().values())


@cache
def _alphabetic() -> list[tuple[str, int]]:
    """The commonest words in the order of their letters, each with its place among them."""
    return sorted((word, number) for number, word in enumerate(_common()))


def _beginning(stem: str) -> set[int]:
    """Places of the common words that begin so."""
    words = _alphabetic()
    found = set()
    for at in range(bisect_left(words, (stem,)), len(words)):
        if not words[at][0].startswith(stem):
            break
        found.add(words[at][1])
    return found


@cache  # some hundred slots stand in thousands of phrases, and every start of the program waits for them
def _commonness(slot: Slot) -> float:
    common = _common()
    stemmed = (_weights()[number] for number in sorted(set[int]().union(*map(_beginning, slot.stems))))
    return sum(common.get(word, RARE) for word in slot.words) + sum(stemmed) + RARE * len(slot.stems)
