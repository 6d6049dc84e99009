"""Polarity of single words, by language, kept as hashed names so that a model file holds no word list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.triage.features import LANGUAGES, Telling, key, telling

CACHED_WORDS = 20_000


class _Polarity(dict[str, Telling]):
    """What the tokens of one language tell, filled as they are met."""

    def __init__(self, values: Mapping[int, float], language: str) -> None:
        super().__init__()
        self._values = values
        self._language = language

    def __missing__(self, word: str) -> Telling:
        found = telling(word, self._values.get(Lexicon.key(self._language, word), 0.0))
        if len(self) >= CACHED_WORDS:
            self.clear()
        self[word] = found
        return found


class Lexicon:
    """Word and language -> polarity -1..1, 0 for unknown words. A language not known reads as English."""

    def __init__(self, values: Mapping[int, float]) -> None:
        self.values = dict(values)
        self._by_language = {name: _Polarity(self.values, name) for name in LANGUAGES}

    @staticmethod
    def key(language: str, word: str) -> int:
        return key(f"{language}:{word}")

    def tells(self, token: str, languages: Sequence[str]) -> int:
        """In which of `languages` a token tells anything: a bit each, the first the lowest."""
        values = (self.values.get(self.key(language, token), 0.0) for language in languages)
        return sum(1 << bit for bit, value in enumerate(values) if telling(token, value))

    def telling_in(self, language: str | None) -> Mapping[str, Telling]:
        """Polarity and kind of the tokens of one language that have any, None for the others."""
        return self._by_language[language if language in LANGUAGES else "en"]
