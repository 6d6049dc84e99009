"""Polarity of single words, by language, kept as hashed names so that a model file holds no word list."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.triage.features import LANGUAGES, key


class Lexicon:
    """Word and language -> polarity -1..1, 0 for unknown words. A language not known reads as English."""

    def __init__(self, values: Mapping[int, float]) -> None:
        self.values = dict(values)

    @staticmethod
    def key(language: str, word: str) -> int:
        return key(f"{language}:{word}")

    def valence(self, language: str | None, word: str) -> float:
        return self.values.get(self.key(language if language in LANGUAGES else "en", word), 0.0)

    def valence_in(self, language: str | None) -> Callable[[str], float]:
        """The polarity function of one language."""
        name = language if language in LANGUAGES else "en"
        values = self.values
        return lambda word: values.get(key(f"{name}:{word}"), 0.0)
