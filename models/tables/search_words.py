"""The words of a record as they are searched: stemmed, in one text column, the same on every database.

The column reads like ` cannot log in =cannot `: first the stems in their order, then, after an
equals sign, the words whose stem is another text. Searching is looking for pieces of that text,
which any database can do; the indexes of models.queries.full_text only say where to look.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from Stemmer import Stemmer

from models.tables.text_folding import folded

STEMMED = {"en": "english", "nl": "dutch"}  # other languages are searched as they are written
UNKNOWN = "en"  # how a text is stemmed whose language nobody knows
READ = 20_000  # characters of a text that are searched
MOST = 3_000  # words of a text that are searched
LONGEST = 40  # characters of a word that count
CACHED = 20_000  # words of a language whose stems are remembered
TERMS = 20  # terms of a query

# Scripts that write no spaces are read sign by sign.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u9fff\uac00-\ud7af]+"
)
# Plain text with blanks instead of marks has the same words at its blanks, in a third of the time.
_PLAIN = bytes(code if chr(code).isalnum() and code < 128 else ord(" ") for code in range(256))
_local = threading.local()
_TERM = re.compile(r'(-?)(?:"([^"]*)"|([^\s"]+))')


@dataclass(frozen=True, slots=True)
class Term:
    """What a record must have, or with `excluded` must not: one of these runs of words.

    `runs` are the words as each language stems them; with `prefix` the only one is how a word begins.
    """

    runs: tuple[tuple[str, ...], ...]
    excluded: bool = False
    prefix: bool = False

    def pieces(self) -> list[str]:
        """The texts of which one is in the column of a record that has it."""
        if self.prefix:
            return [f" {mark}{self.runs[0][0]}" for mark in ("", "=")]
        return [f" {' '.join(run)} " for run in self.runs]


@dataclass(frozen=True, slots=True)
class Query:
    """A search: every term of it."""

    terms: tuple[Term, ...]

    @property
    def positive(self) -> bool:
        """Whether it says what must be there, and not only what must not."""
        return not all(term.excluded for term in self.terms)


def words_of(row: Mapping[str, Any]) -> str:
    """The column for a record, from its title, text and language."""
    title, text = row["title"], row["text"]
    said = text if text.startswith(title.rstrip("…")) else f"{title}\n{text}"
    found = _split(said[:READ])[:MOST]
    language = STEMMED.get(row["language"] or UNKNOWN)
    if not found:
        return ""
    if not language:
        return f" {' '.join(found)} "
    stems = [*map(_stems[language].__getitem__, found)]
    whole = dict.fromkeys(word for word, stem in zip(found, stems, strict=True) if word != stem)
    return f" {' ='.join((' '.join(stems), *whole))} "


def read_query(text: str) -> Query:
    """A search as people write it: words (all of them), "a phrase", -without, begin*.

    Raises ValueError when it says nothing to search for, or too much.
    """
    terms = [_term(*parts) for parts in _TERM.findall(text)]
    found = tuple(dict.fromkeys(term for term in terms if term is not None))
    if not found:
        raise ValueError("Must have a word to search for")
    if len(found) > TERMS:
        raise ValueError(f"Must have at most {TERMS} words")
    return Query(found)


def _term(minus: str, phrase: str, word: str) -> Term | None:
    """One term, or None for signs without a word. Raises ValueError."""
    found = _split(phrase or word)
    if not found:
        return None
    if word.endswith("*"):
        if len(found) > 1 or len(found[0]) < 2:
            raise ValueError("Must have at least two letters of one word before *")
        return Term(((found[0],),), bool(minus), prefix=True)
    stemmed = (_stemmer(name).stemWords(found) for name in STEMMED.values())
    return Term(tuple(dict.fromkeys(map(tuple, (found, *stemmed)))), bool(minus))


def _split(text: str) -> list[str]:
    """A text's words, without case and accents."""
    text = folded(text)
    plain = text.isascii()
    found = text.encode().translate(_PLAIN).decode().split() if plain else _WORD.findall(text)
    if max(map(len, found), default=0) > LONGEST:
        found = [word[:LONGEST] for word in found]
    return found


class _Stems(dict[str, str]):
    """The stems of words met so far: most words of a text have been, and asking the stemmer takes longer."""

    def __init__(self, language: str) -> None:
        self._language = language

    def __missing__(self, word: str) -> str:
        if len(self) >= CACHED:
            self.clear()
        stem: str = _stemmer(self._language).stemWord(word)
        # A word that is its own stem is one object, and not two that lie far apart.
        stem = word if stem == word else stem
        self[word] = stem
        return stem


_stems = {language: _Stems(language) for language in STEMMED.values()}


def _stemmer(language: str) -> Any:
    """This thread's stemmer: one must not be used by two at a time."""
    if (known := getattr(_local, language, None)) is None:
        known = Stemmer(language)
        setattr(_local, language, known)
    return known
