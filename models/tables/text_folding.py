"""Text folding: case and accents taken off, so that texts and words compare."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

PIECE = 256  # characters that are taken apart at once
ACCENTS = 32  # of one letter that stay with it; Unicode's stream-safe texts have 30 at most (UAX 15)

_MARKS = re.compile("[\u0300-\u036f]")  # accents, apart from their letters


def folded(text: str) -> str:
    """A text without case and accents."""
    text = text.casefold()
    return text if text.isascii() else _MARKS.sub("", decomposed(text))


def decomposed(text: str) -> str:
    """A text with each letter and its accents apart (Unicode's NFKD), in time that grows as the text does.

    Python sorts the accents of a letter by insertion, whose time grows with the square of their number.
    Accents beyond those of any real letter are therefore sorted by pieces.
    """
    if len(text) <= PIECE:
        return unicodedata.normalize("NFKD", text)
    return "".join(unicodedata.normalize("NFKD", text[piece]) for piece in pieces(text))


def composed(text: str) -> str:
    """A text with each letter and its accents together (Unicode's NFC), in time as for the above."""
    return "".join(unicodedata.normalize("NFC", text[piece]) for piece in pieces(text))


def pieces(text: str) -> Iterator[slice]:
    """The parts of a text that are taken apart by themselves: a letter and its accents stay together."""
    at, length = 0, len(text)
    while at < length:
        end = min(at + PIECE, length)
        last = min(end + ACCENTS, length)
        while end < last and unicodedata.combining(text[end]):
            end += 1
        yield slice(at, end)
        at = end


def decomposed_from(text: str) -> tuple[str, list[int]]:
    """A text decomposed, and from which of its places each letter and accent of it comes."""
    parts, places = list[str](), list[int]()
    for piece in pieces(text):
        apart = [
            (mark, place)
            for place, letter in enumerate(text[piece], piece.start)
            for mark in unicodedata.normalize("NFKD", letter)
        ]
        keys, letter = list[tuple[int, int]](), 0
        for at, (mark, _) in enumerate(apart):  # the accents of a letter are put in order by their class
            kind = unicodedata.combining(mark)
            letter = letter if kind else at
            keys.append((letter, kind))
        order = sorted(range(len(apart)), key=keys.__getitem__)
        parts += [apart[at][0] for at in order]
        places += [apart[at][1] for at in order]
    return "".join(parts), places
