"""Finds the phrases of the tables in a text, from the rare words in it that one of them is known by.

A text takes time by the number of its words: at each that is a key, the phrases with that key are held
against the few words around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.triage import phrases as patterns
from gateway.triage.areas import DEFAULT_AREAS
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


class Key(NamedTuple):
    """The phrases that a word is the key of: those of one word, those by their second, and others.

    A second stands at most `before` words before the key, or `after` behind it.
    """

    alone: tuple[Phrase, ...]
    seconds: Mapping[str, tuple[Phrase, ...]]
    others: tuple[Phrase, ...]
    before: int
    after: int


class _Keys(dict[str, Key | None]):
    """The key that a word is, None for most; filled as words are met."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, list[Phrase]] = {}
        for phrase in _ALL:
            slot = phrase.slots[phrase.key]
            for name in (*slot.words, *(f"{stem}*" for stem in slot.stems)):
                self._known.setdefault(name, []).append(phrase)
        self._made: dict[tuple[str, ...], Key] = {}

    def __missing__(self, word: str) -> Key | None:
        stems = (f"{word[:size]}*" for size in range(1, len(word) + 1))
        names = tuple(name for name in (word, *stems) if name in self._known)
        found = self._key(names) if names else None
        if len(self) >= CACHED_WORDS:
            self.clear()
        self[word] = found
        return found

    def _key(self, names: tuple[str, ...]) -> Key:
        """One key for all words that are known by the same names."""
        if names not in self._made:
            some = [phrase for name in names for phrase in self._known[name]]
            seconds: dict[str, tuple[Phrase, ...]] = {}
            for phrase in some:
                for word in phrase.slots[phrase.second].words:
                    seconds[word] = (*seconds.get(word, ()), phrase)
            stemmed = tuple(phrase for phrase in some if phrase.slots[phrase.second].stems)
            reaches = [phrase.reach for phrase in some]
            alone = tuple(phrase for phrase in some if len(phrase.slots) == 1)
            apart = {
                word: tuple(phrase for phrase in these if phrase not in alone and phrase not in stemmed)
                for word, these in seconds.items()
            }
            self._made[names] = Key(
                alone,
                {word: these for word, these in apart.items() if these},
                tuple(phrase for phrase in stemmed if phrase not in alone),
                max(before for before, _ in reaches),
                max(after for _, after in reaches),
            )
        return self._made[names]


_KEYS = _Keys()


def hints(word: str) -> tuple[int, int]:
    """What gateway.triage.phrases says of a word, and whether it is a key."""
    bits, made = patterns.hints(word)
    return bits | KEYED if _KEYS[word] else bits, made


def said_in(words: str) -> list[Said]:
    """The phrases in a text."""
    if isinstance(words, Words):
        tokens, places = words.tokens, words.keys
    else:
        tokens, places = words.split(), list(range(len(words.split())))
    found = []
    for place in places:
        key = _KEYS[tokens[place]]
        if key is None:
            continue
        alone, seconds, others, before, after = key
        for phrase in alone:
            found.append(Said(phrase.meaning, phrase.denies, place, place))
        if seconds:
            near = tokens[place - before if place > before else 0 : place + after + 1]
            if not seconds.keys().isdisjoint(near):
                for word in dict.fromkeys(near):
                    others += seconds.get(word, ())
        for phrase in others:
            around = phrase.around(tokens, place)
            if around is not None:
                found.append(Said(phrase.meaning, phrase.denies, *around))
    return found
