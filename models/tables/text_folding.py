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
