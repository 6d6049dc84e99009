"""The words of a text that tell what it is about, for texts that are compared with each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from models.tables.text_folding import folded

STEM = 5  # letters of a word that count where it is compared what texts are about
LONGEST = 4_000  # characters that are read; what matters is said before
# What stands before an @ is read from where it begins: tried at each letter, it takes the square of the time.
_ADDRESS = re.compile(
    r"https?://\S+|www\.\S+|(?<![^\s`@])[^\s`@]++@\S+|```.*?(?:```|\Z)|<[^>\s][^>]{0,200}>", re.S
)
_WORD = re.compile(r"(?:\b(?:[cdjlmnst]|qu)')?([^\W\d_]+(?:[-'][^\W\d_]+)*)")  # without a French article


def _plain(text: str) -> str:
    """Lower case, without accents, one kind of apostrophe."""
    return folded(text.replace("’", "'"))


def _listed(name: str) -> frozenset[str]:
    """The words of a list beside this module, as words of texts are read."""
    return frozenset(
        _plain(Path(__file__).with_name(name).read_text(encoding="utf-8")).replace("'", "").split()
    )


# Words that any text may have, in five languages, and those people greet and sign with.
_STOP = _listed("stopwords.txt")
# And those that say how often, when or what happened, but not what a text is about. Words that are compared
# letter by letter keep them: what says the same in other numbers says nearly the same.
_ABOUT_NOTHING = _listed("topic_stopwords.txt")


def words_of(title: str, text: str) -> list[str]:
    """The telling words of a record, folded, in reading order; the title's only when the text lacks it."""
    head = title.rstrip("…")
    said = text if text.startswith(head) else f"{title}\n{text}"
    return words(said)


def topical(words: Iterable[str]) -> list[str]:
    """Those of the telling words that say what a text is about."""
    return [word for word in words if word not in _ABOUT_NOTHING]


def words(text: str) -> list[str]:
    """Lower-case words without accents, addresses, code, numbers and stop words, in reading order."""
    found = (
        word.replace("'", "").replace("-", "")
        for word in _WORD.findall(_plain(_ADDRESS.sub(" ", text[:LONGEST])))
    )
    return [word[:40] for word in found if len(word) > 1 and word not in _STOP]
