"""Polarity of single words, by language, kept as hashed names so that a model file holds no word list."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.triage.features import LANGUAGES, key

CACHED_WORDS = 20_000


class _Polarity(dict[str, float]):
    """Polarity by word of one language, filled as words are met."""

    def __init__(self, values: Mapping[int, float], language: str) -> None:
        super().__init__()
        self._values = values
        self._language = language

    def __missing__(self, word: str) -> float:
        value = self._values.get(Lexicon.key(self._language, word), 0.0)
        if len(self) < CACHED_WORDS:
            self[word] = value
        return value


class Lexicon:
    """Word and language -> polarity -1..1, 0 for unknown words. A language not known reads as English."""

    def __init__(self, values: Mapping[int, float]) -> None:
        self.values = dict(values)
        self._by_language = {name: _Polarity(self.values, name) for name in LANGUAGES}

    @staticmethod
    def key(language: str, word: str) -> int:
        return key(f"{language}:{word}")

    def valence_in(self, language: str | None) -> Mapping[str, float]:
        """The polarity of each word in one language."""
        return self._by_language[language if language in LANGUAGES else "en"]
