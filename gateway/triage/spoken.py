"""Finds the phrases of the tables in a text, from the rare words in it that one of them is known by.

A text takes time by the number of its words: at each that is a key, the phrases with that key are held
against the few words around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from gateway.triage.areas import DEFAULT_AREAS
from gateway.triage import phrases as patterns
from gateway.triage.phrase_tables import Meaning, Phrase, phrases, phrases_of, table
from gateway.triage.phrases import KEYED, Words

OVER = Meaning("")
CACHED_WORDS = 20_000


class Said(NamedTuple):
    """A phrase in a text, from the first of its words to the last."""

    meaning: Meaning
    denies: bool
    first: int
    last: int


_ALL = [phrase for area in DEFAULT_AREAS for phrase in phrases_of(area.name)]
_ALL += phrases(OVER, table("guards")["settled"])


def _masks(second: bool) -> tuple[dict[str, int], dict[str, int]]:
    """The phrases by the words, and by the stems, of their keys or seconds: a bit each."""
    words: dict[str, int] = {}
    stems: dict[str, int] = {}
    for number, phrase in enumerate(_ALL):
        slot = phrase.slots[phrase.second if second else phrase.key]
        for word, known in (*((word, words) for word in slot.words), *((stem, stems) for stem in slot.stems)):
            known[word] = known.get(word, 0) | 1 << number
    return words, stems


class _Bits(dict[str, int]):
    """The phrases that a word is the key, or the second, of: a bit each, filled as words are met."""

    def __init__(self, *, second: bool) -> None:
        super().__init__()
        self._words, self._stems = _masks(second)

    def __missing__(self, word: str) -> int:
        bits = self._words.get(word, 0)
        for size in range(1, len(word) + 1):
            bits |= self._stems.get(word[:size], 0)
        if len(self) >= CACHED_WORDS:
            self.clear()
        self[word] = bits
        return bits


_KEYS, _SECONDS = _Bits(second=False), _Bits(second=True)
_ALONE = sum(1 << number for number, phrase in enumerate(_ALL) if len(phrase.slots) == 1)


def hints(word: str) -> tuple[int, int]:
    """What gateway.triage.phrases says of a word, and whether it is a key."""
    bits, made = patterns.hints(word)
    return bits | KEYED if _KEYS[word] else bits, made


def said_in(words: str) -> list[Said]:
    """The phrases in a text."""
    if not isinstance(words, Words):
        tokens: Sequence[str] = words.split()
        places = [place for place, word in enumerate(tokens) if _KEYS[word]]
    elif words.keys:
        tokens, places = words.tokens, words.keys
    else:
        return []
    known = [_KEYS[tokens[place]] for place in places]
    there = _ALONE
    if any(key & ~_ALONE for key in known):
        there = reduce(or_, map(_SECONDS.__getitem__, tokens), there)
    found = []
    for place, live in zip(places, known, strict=True):
        live &= there
        while live:
            bit = live & -live
            live ^= bit
            phrase = _ALL[bit.bit_length() - 1]
            around = phrase.around(tokens, place)
            if around is not None:
                found.append(Said(phrase.meaning, phrase.denies, *around))
    return found
