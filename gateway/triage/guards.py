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
DENIES_BEFORE = frozenset({"niet", "nooit", "nicht", "nie", "pas", "plus", "jamais", "never"})
# After these a negation is of another clause: "I do not understand why my notes are gone".
_CLAUSES = "why how that believe waarom hoe dat warum wieso wie dass pourquoi comment que"
BEGINS_CLAUSE = frozenset(_CLAUSES.split())
NEAR_BEFORE, NEAR_AFTER = 4, 2  # words that are asked whether they take back what they stand beside
ENDS = ".!?"  # how tokens begin that end a sentence
_GUARDS = table("guards")
PREVENTED = frozenset(word for language in LANGUAGES for word in split(_GUARDS["prevented"][language]))
HOMOGRAPHS = {word: frozenset(split(beside)) for word, beside in _GUARDS["homographs"].items()}


def meant(tokens: Sequence[str], first: int, last: int, denies: bool, said: Sequence[Said]) -> bool:
    """Whether the words from `first` to `last` mean what they name.

    `denies` says that a negation among them is their own ("cannot pay"), `said` are the phrases in the text.
    """
    before, after = _before(tokens, first), _after(tokens, last)
    if not (PREVENTED.isdisjoint(before) and PREVENTED.isdisjoint(after)):
        return False
    if not DENIES.isdisjoint(before[-2:]) and BEGINS_CLAUSE.isdisjoint(before[-1:]):
        return False
    within = tokens[first : last + 1]
    if not (denies or (DENIES.isdisjoint(within) and DENIES_BEFORE.isdisjoint(after[:1]))):
        return False
    if not HOMOGRAPHS.keys().isdisjoint(within) and about_else(tokens, first, last):
        return False
    return not (said and _over(tokens, first, said))


def about_else(tokens: Sequence[str], first: int, last: int) -> bool:
    """Whether what stands in the same sentence gives a word another meaning."""
    beside = [HOMOGRAPHS[word] for word in tokens[first : last + 1] if word in HOMOGRAPHS]
    return bool(beside) and not frozenset().union(*beside).isdisjoint(_sentence(tokens, first, last))


def _sentence(tokens: Sequence[str], first: int, last: int) -> Sequence[str]:
    start = next((at + 1 for at in range(first - 1, -1, -1) if tokens[at][0] in ENDS), 0)
    end = next((at for at in range(last + 1, len(tokens)) if tokens[at][0] in ENDS), len(tokens))
    return tokens[start:end]


def _over(tokens: Sequence[str], first: int, said: Sequence[Said]) -> bool:
    """Whether the text says later, or in the same sentence, that it is over."""
    for one in said:
        if one.meaning is OVER and (one.first > first or _same_sentence(tokens, one.last, first)):
            asked = "?" in tokens[one.last + 1 : one.last + 2]
            if not asked and DENIES.isdisjoint(_before(tokens, one.first)[-2:]):
                return True
    return False


def _same_sentence(tokens: Sequence[str], end: int, start: int) -> bool:
    return all(word[0].isalnum() for word in tokens[end:start])


def _before(tokens: Sequence[str], first: int) -> Sequence[str]:
    """The few words before a place, back to the last stop."""
    start, least = first, max(0, first - NEAR_BEFORE)
    while start > least and tokens[start - 1][0].isalnum():
        start -= 1
    return tokens[start:first]


def _after(tokens: Sequence[str], last: int) -> Sequence[str]:
    """The few words behind a place, up to the next stop."""
    end, most = last + 1, min(len(tokens), last + 1 + NEAR_AFTER)
    while end < most and tokens[end][0].isalnum():
        end += 1
    return tokens[last + 1 : end]
