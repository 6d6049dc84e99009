"""Whether words mean the harm that they name: not when denied, over, only feared, or about something else.

"No data was lost", "the outage is fixed", "a backup against data loss" and "I lost ten kilos" tell of no
harm. All of it is read from the few words around, and from what the text says after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from gateway.triage.clauses import TURNS
from gateway.triage.features import LANGUAGES
from gateway.triage.phrase_tables import DENIES, split, table
from gateway.triage.spoken import CACHED_WORDS, OVER, Said
from gateway.triage.tokenizer import ENDS


class Entries(NamedTuple):
    """Entries of a table that are looked for as they are: single words, and several words in a row."""

    words: frozenset[str]
    rows: tuple[str, ...]
    begins: frozenset[str]  # the first words of the rows

    @classmethod
    def of(cls, entries: Iterable[str]) -> Entries:
        listed = list(entries)
        rows = tuple(f" {entry} " for entry in listed if " " in entry)
        words = frozenset(entry for entry in listed if " " not in entry)
        return cls(words, rows, frozenset(row.split()[0] for row in rows))

    def among(self, tokens: Sequence[str]) -> bool:
        """Whether one of them is among a text's words."""
        if not self.words.isdisjoint(tokens):
            return True
        if self.begins.isdisjoint(tokens):
            return False
        spaced = f" {' '.join(tokens)} "
        return any(row in spaced for row in self.rows)


class _Parting(dict[str, bool]):
    """Whether a word parts two clauses by itself; filled as words are met."""

    def __missing__(self, word: str) -> bool:
        found = not word[0].isalnum() or word in TURNS
        if len(self) >= CACHED_WORDS:
            self.clear()
        self[word] = found
        return found


# Stand behind what they deny: "crasht niet", "ne plante jamais".
DENIES_BEFORE = frozenset({"niet", "nooit", "nicht", "nie", "pas", "plus", "jamais", "never"})
# After these a negation is of another clause: "I do not understand why my notes are gone".
_CLAUSES = "why how that believe waarom hoe dat warum wieso wie dass pourquoi comment que"
BEGINS_CLAUSE = frozenset(_CLAUSES.split())
HANGS = frozenset({"wenn", "falls", "dass"})  # begin a clause that hangs on the one before its comma
NEAR_BEFORE, NEAR_AFTER = 4, 2  # words that are asked whether they take back what they stand beside
NEAR_NAME = 6  # words before "gone" among which stands what is gone
_GUARDS = table("guards")


def _listed(section: str) -> Entries:
    return Entries.of(entry for language in LANGUAGES for entry in split(_GUARDS[section][language]))


PREVENTED, ASKED, WISHED, STILL, RETURNED, TROUBLES = map(
    _listed, ("prevented", "asked", "wished", "still", "returned", "troubles")
)
ARTICLES, ANYTHING, PLACES = map(_listed, ("articles", "anything", "places"))
VANISHED, NUISANCES, CAUSES = map(_listed, ("vanished", "nuisances", "causes"))
HOMOGRAPHS = {word: Entries.of(split(beside)) for word, beside in _GUARDS["homographs"].items()}
_AMBIGUOUS = VANISHED.words | VANISHED.begins | HOMOGRAPHS.keys()
# Words that begin what is against the words before, beside those that clauses are parted by.
TURNS_OF_TWO = frozenset({("par", "contre"), ("en", "revanche"), ("other", "hand")})
_TURNS_BEHIND = frozenset(word for _, word in TURNS_OF_TWO)
_PARTING = _Parting()
# Areas whose harm stays when a site is up again, and areas that are mended with one another.
LASTING = frozenset({"data loss", "security"})
ALIKE = (frozenset({"payment", "checkout", "billing"}), frozenset({"login", "availability"}))


def meant(
    tokens: Sequence[str], first: int, last: int, denies: bool, said: Sequence[Said], area: str = ""
) -> bool:
    """Whether the words from `first` to `last` mean what they name.

    `denies` says that a negation among them is their own ("cannot pay"), `said` are the phrases in the text,
    and `area` is where the harm is, if that is known.
    """
    before, after = _before(tokens, first), _after(tokens, last)
    if PREVENTED.among(before) or PREVENTED.among(after):
        return False
    if not DENIES.isdisjoint(before[-2:]) and BEGINS_CLAUSE.isdisjoint(before[-1:]):
        return False
    within = tokens[first : last + 1]
    if not (denies or (DENIES.isdisjoint(within) and DENIES_BEFORE.isdisjoint(after[:1]))):
        return False
    start = _clause(tokens, first, last)[0]
    asked = tokens[start:first]
    if tokens[start] in HANGS and "." in tokens[start - 1 : start]:  # "was ist, wenn": a comma, too, is "."
        asked = [*tokens[_clause(tokens, start - 2, start - 2)[0] : start - 1], *asked]
    if about_else(tokens, first, last) or ASKED.among(asked):
        return False
    return not (
        said and any(_ends(tokens, one, first, last, said, area) for one in said if one.meaning is OVER)
    )


def about_else(tokens: Sequence[str], first: int, last: int) -> bool:
    """Whether what stands in the same sentence gives a word another meaning."""
    within = tokens[first : last + 1]
    if _AMBIGUOUS.isdisjoint(within):  # as of most
        return False
    if not HOMOGRAPHS.keys().isdisjoint(within):
        sentence = _sentence(tokens, first, last)
        if any(HOMOGRAPHS[word].among(sentence) for word in within if word in HOMOGRAPHS):
            return True
    return VANISHED.among(within) and _good_riddance(tokens, _clause(tokens, first, last)[0], last)


def _good_riddance(tokens: Sequence[str], start: int, last: int) -> bool:
    """Whether what is gone is a nuisance, which is not named as the cause: "because of a bug all is gone"."""
    for place in range(max(start, last - NEAR_NAME), last + 1):
        nuisance = tokens[place] in NUISANCES.words or tokens[place] in TROUBLES.words
        if nuisance and CAUSES.words.isdisjoint(tokens[max(start, place - 3) : place]):
            return True
    return False


def _sentence(tokens: Sequence[str], first: int, last: int) -> Sequence[str]:
    start = next((at + 1 for at in range(first - 1, -1, -1) if tokens[at] in ENDS), 0)
    end = next((at for at in range(last + 1, len(tokens)) if tokens[at] in ENDS), len(tokens))
    return tokens[start:end]


def _ends(tokens: Sequence[str], over: Said, first: int, last: int, said: Sequence[Said], area: str) -> bool:
    """Whether a phrase that something is over says so of the harm from `first` to `last`."""
    start, end = _clause(tokens, over.first, over.last)
    before = tokens[start : over.first]
    if "?" in tokens[end : end + 1] or WISHED.among(before):
        return False
    phrase = tokens[over.first : over.last + 1]
    if not (DENIES.isdisjoint(before[-2:]) and DENIES.isdisjoint(phrase)):
        return False
    if RETURNED.among(phrase) and TROUBLES.among(before):
        return False
    begins, ends = _clause(tokens, first, last)
    if over.first <= first and (begins >= end or STILL.among(tokens[over.last + 1 : last + 3])):
        return False
    mended = {
        one.meaning.area
        for one in said
        if (start <= one.first and one.last < over.first) or (over.last < one.first and one.last < end)
    } - {""}
    harmed = {one.meaning.area for one in said if begins <= one.first and one.last < ends} - {""} | {area}
    if mended and harmed != {""}:
        alike = mended.union(*(some for some in ALIKE if not some.isdisjoint(mended)))
        return not alike.isdisjoint({area} if area in LASTING else harmed)
    return _of_it(
        tokens[start : over.last + 1], tokens[:start] if start > last else tokens[first : last + 1], area
    )


def _of_it(over: Sequence[str], harm: Sequence[str], area: str) -> bool:
    """Whether what is over, by the words for it, can be the harm: only a thing by another name is not."""
    named = [
        name for article, name in pairwise(over) if article in ARTICLES.words and name not in ARTICLES.words
    ]
    if not named or ANYTHING.among(over) or TROUBLES.among(over):
        return True
    if not frozenset(named).isdisjoint(harm):
        return True
    return area not in LASTING and PLACES.among(named)


def _clause(tokens: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """The places where the clause of some words begins and ends: at marks, and at words that turn."""
    start, end = first, last + 1
    while start > 0 and not _parts(tokens, start - 1):
        start -= 1
    while end < len(tokens) and not _parts(tokens, end):
        end += 1
    return start, end


def _parts(tokens: Sequence[str], place: int) -> bool:
    """Whether a place parts two clauses."""
    word = tokens[place]
    return _PARTING[word] or (word in _TURNS_BEHIND and (*tokens[place - 1 : place], word) in TURNS_OF_TWO)


def _before(tokens: Sequence[str], first: int) -> Sequence[str]:
    """The few words before a place, back to where their clause begins."""
    start, least = first, max(0, first - NEAR_BEFORE)
    while start > least and not _parts(tokens, start - 1):
        start -= 1
    return tokens[start:first]


def _after(tokens: Sequence[str], last: int) -> Sequence[str]:
    """The few words behind a place, up to the next stop."""
    end, most = last + 1, min(len(tokens), last + 1 + NEAR_AFTER)
    while end < most and tokens[end][0].isalnum():
        end += 1
    return tokens[last + 1 : end]
