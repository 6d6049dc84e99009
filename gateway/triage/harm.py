"""What the tables' phrases say in one text: the gravest harm that is meant, and the areas that are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.triage.guards import about_else, meant
from gateway.triage.phrases import Words
from gateway.triage.spoken import Said, said_in


class Heard(NamedTuple):
    """What the tables' phrases say in one text.

    `harm` is the gravest that is meant, as its area, points, why and words; `denied` says that one is
    named and not meant; `named` gives the words by the areas that they name.
    """

    said: Sequence[Said]
    harm: tuple[str, int, str, str] | None
    denied: bool
    named: dict[str, str]


_NOTHING = Heard((), None, False, {})


def hear(words: str) -> Heard:
    """What the tables' phrases say in a text."""
    said = said_in(words)
    if not said:
        return _NOTHING
    tokens, harm, denied, named = tokens_of(words), None, False, {}
    for one in said:
        area, points, why = one.meaning
        if points and (harm is None or points > harm[1]):
            if meant(tokens, one.first, one.last, one.denies, said, area):
                harm = area, points, why, " ".join(tokens[one.first : one.last + 1])
            else:
                denied = True
        elif area and not points and area not in named and not about_else(tokens, one.first, one.last):
            named[area] = " ".join(tokens[one.first : one.last + 1])
    return Heard(said, harm, denied, named)


def tokens_of(words: str) -> Sequence[str]:
    """The words of a text, each by itself."""
    return words.tokens if isinstance(words, Words) else words.split()
