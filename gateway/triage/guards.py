"""Whether words mean the harm that they name: not when denied, over, only feared, or about something else.

"No data was lost", "the outage is fixed", "a backup against data loss" and "I lost ten kilos" tell of no
harm. All of it is read from the few words around, and from what the text says after them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.triage.features import LANGUAGES
from gateway.triage.phrase_tables import DENIES, split, table
from gateway.triage.spoken import OVER, Said

# Stand behind what they deny: "crasht niet", "ne plante jamais".
DENIES_BEFORE = frozenset("niet nooit nicht nie pas plus jamais never".split())
# After these a negation is of another clause: "I do not understand why my notes are gone".
BEGINS_CLAUSE = frozenset("why how that believe waarom hoe dat warum wieso wie dass pourquoi comment que".split())
NEAR_BEFORE, NEAR_AFTER = 4, 2  # words that are asked whether they take back what they stand beside
_GUARDS = table("guards")
PREVENTED = frozenset(word for language in LANGUAGES for word in split(_GUARDS["prevented"][language]))
HOMOGRAPHS = {word: frozenset(split(beside)) for word, beside in _GUARDS["homographs"].items()}


def meant(tokens: Sequence[str], first: int, last: int, denies: bool, said: Sequence[Said]) -> bool:
    """Whether the words from `first` to `last` mean what they name.

    `denies` says that a negation among them is their own ("cannot pay"), `said` are the phrases in the text.
    """
    before, after = _before(tokens, first, NEAR_BEFORE), _after(tokens, last, NEAR_AFTER)
    if not PREVENTED.isdisjoint(before) or not PREVENTED.isdisjoint(after):
        return False
    if BEGINS_CLAUSE.isdisjoint(before[-1:]) and any(map(_denies, before[-2:])):
        return False
    within = tokens[first : last + 1]
    if not denies and (any(map(_denies, within)) or not DENIES_BEFORE.isdisjoint(after[:1])):
        return False
    return not (about_else(tokens, first, last) or _over(tokens, first, said))


def about_else(tokens: Sequence[str], first: int, last: int) -> bool:
    """Whether what stands beside a word in the text gives it another meaning."""
    beside = [HOMOGRAPHS[word] for word in tokens[first : last + 1] if word in HOMOGRAPHS]
    return bool(beside) and not frozenset().union(*beside).isdisjoint(tokens)


def _over(tokens: Sequence[str], first: int, said: Sequence[Said]) -> bool:
    """Whether the text says later, or in the same sentence, that it is over."""
    for one in said:
        if one.meaning is OVER and (one.first > first or _same_sentence(tokens, one.last, first)):
            asked = "?" in tokens[one.last + 1 : one.last + 2]
            if not asked and not any(map(_denies, _before(tokens, one.first, 2))):
                return True
    return False


def _same_sentence(tokens: Sequence[str], end: int, start: int) -> bool:
    return all(_is_word(word) for word in tokens[end:start])


def _denies(word: str) -> bool:
    return word in DENIES or word.endswith("n't")


def _is_word(token: str) -> bool:
    return token[0].isalnum()


def _before(tokens: Sequence[str], first: int, most: int) -> Sequence[str]:
    """At most so many words before a place, back to the last stop."""
    start = first
    while start > max(0, first - most) and _is_word(tokens[start - 1]):
        start -= 1
    return tokens[start:first]


def _after(tokens: Sequence[str], last: int, most: int) -> Sequence[str]:
    """At most so many words behind a place, up to the next stop."""
    end = last + 1
    while end < min(len(tokens), last + 1 + most) and _is_word(tokens[end]):
        end += 1
    return tokens[last + 1 : end]
