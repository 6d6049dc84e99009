"""Word-by-word translation of English training texts, for languages without labelled texts.

The word list (lexicon_en_xx.csv of the data directory) is used in training only. The result is no good
language, but has the words a category hangs on; the models need no more.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator
from pathlib import Path

LANGUAGES = ("nl", "de", "fr", "es")
LEAST_SCORE = 0.12
MOST_WORDS = 80
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[^\w\s]")
_ENDINGS = ("'s", "s", "es", "ed", "d", "ing", "ly")


class Translator:
    """English to one language, word by word, alternatives drawn by their scores."""

    def __init__(self, lexicon: Path, language: str) -> None:
        self._words: dict[str, tuple[list[str], list[float]]] = {}
        with lexicon.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                words = [word for word in row[language].split("|") if word]
                if not words:
                    continue
                scores = row[f"{language}_score"].split("|")
                manual = scores[0] == "manual"
                numbers = [1.0] if manual else [float(score) for score in scores]
                if numbers[0] > LEAST_SCORE:
                    self._words[row["en"]] = (words[: len(numbers)], numbers)

    def translate(self, text: str, dice: random.Random) -> str:
        """The first MOST_WORDS tokens of `text`, known words replaced."""
        out = []
        for word in _TOKEN.findall(text.lower().replace("’", "'"))[:MOST_WORDS]:
            found = next((self._words[form] for form in _forms(word) if form in self._words), None)
            out.append(dice.choices(*found)[0] if found else word)
        return " ".join(out)


def _forms(word: str) -> Iterator[str]:
    yield word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            yield word[: -len(ending)]
            if ending in ("ed", "ing"):
                yield word[: -len(ending)] + "e"
