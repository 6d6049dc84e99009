"""The trained models as flat arrays, and the scores of one text from them.

A model is two files: `model.npz` (arrays, loaded without pickle) and `model.json` (version, classes,
origins, scores). The arrays, n features by k outputs:

    keys      uint32 [n]     CRC-32 of the feature names, words first, then sub-words
    idf       float16 [w]    weights of the word features
    weights   int8 [n, k]    sign(v) * sqrt(|v| / scale) * 127, v the logistic regression's coefficient
    scale     float32 [k]
    signals   float32 [s, k] coefficients of features.SIGNALS
    bias      float32 [k]
    lexicon_keys, lexicon_values   uint32 [l], int8 [l] (127 is 1.0)
"""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.lexicon import Lexicon
from gateway.triage.text import Text

FORMAT = 1
SHIPPED = Path(__file__).parent / "model"
CACHED_WORDS = 20_000
BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile)

Floats = NDArray[np.float32]


class ModelError(Exception):
    """A model file that is missing, broken, or not ours."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the models say of one text: probabilities by class, in the order of `Model.classes`."""

    language: str | None
    language_probability: float
    category: list[float]
    sentiment: list[float]


def quantise(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Coefficients as int8 with one scale per column; the square root keeps small ones apart."""
    scale: Floats = np.maximum(np.abs(values).max(axis=0), 1e-9).astype(np.float32)
    codes: Floats = np.round(np.sign(values) * np.sqrt(np.abs(values) / scale) * 127)
    return codes.astype(np.int8), scale


def restore(codes: NDArray[np.int8], scale: Floats) -> Floats:
    """The coefficients that `quantise` packed, near enough."""
    ratios = codes.astype(np.float32) / 127
    result: Floats = (np.sign(ratios) * ratios * ratios * scale).astype(np.float32)
    return result


class _Cache:
    """Sub-word parts of words seen before: one row of numbers per word, written once, never changed."""

    def __init__(self, size: int, width: int) -> None:
        self.slots: dict[str, tuple[int, float]] = {}
        self.rows = np.zeros((size, width), np.float32)
        self.size = size
        self._next = count()

    def add(self, word: str, idf: float, row: Floats) -> None:
        slot = next(self._next)  # atomic, so two threads never share a slot
        if slot < self.size:
            self.rows[slot] = row
            self.slots[word] = (slot, idf * idf)


class Model:
    """One loaded model; reading it from many threads is safe."""

    def __init__(self, arrays: dict[str, NDArray[Any]], card: dict[str, Any]) -> None:
        self.card = card
        self.version: str = card["version"]
        self.classes: dict[str, list[str]] = card["classes"]
        self.temperature: dict[str, float] = card["temperature"]
        self._heads: dict[str, tuple[int, int]] = {}
        start = 0
        for name, classes in self.classes.items():
            self._heads[name] = (start, start + len(classes))
            start += len(classes)
        idf = arrays["idf"].astype(np.float32)
        weights = restore(arrays["weights"], arrays["scale"])
        # Word rows carry their IDF, and in the last column its square: the length of the text's vector.
        self._words = np.hstack([weights[: len(idf)] * idf[:, None], (idf**2)[:, None]])
        self._subwords = weights[len(idf) :]
        keys = arrays["keys"].tolist()
        self._word_rows = dict(zip(keys[: len(idf)], range(len(idf)), strict=True))
        self._subword_rows = dict(zip(keys[len(idf) :], range(len(keys) - len(idf)), strict=True))
        self._idf: list[float] = idf.tolist()
        self._unknown_idf = float(idf.max())
        self._signals = arrays["signals"]
        self._bias = arrays["bias"]
        values = (arrays["lexicon_values"].astype(np.float32) / 127).tolist()
        self.lexicon = Lexicon(dict(zip(arrays["lexicon_keys"].tolist(), values, strict=True)))
        self._cache = _Cache(CACHED_WORDS, start)

    @classmethod
    def load(cls, directory: Path = SHIPPED) -> Model:
        """The model in `directory`; raises ModelError with one clear line when it cannot be used."""
        try:
            card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
            if card.get("format") != FORMAT:
                raise ModelError(f"{directory}: not a triage model of format {FORMAT}")
            # Opened here, for numpy leaves a broken file open.
            with (directory / "model.npz").open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            _check(arrays, card)
            return cls(arrays, card)
        except ModelError:
            raise
        except FileNotFoundError as error:
            raise ModelError(f"no triage model: {error.filename} is missing") from None
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            raise ModelError(f"{directory}: broken triage model: {error}") from None

    def score(self, text: Text, language: str | None = None) -> Scores:
        """Every probability for one text; `language` overrides the detected one."""
        sparse = self._bias + self._word_part(text.tokens) + self._subword_part(text.tokens)
        spoken, certainty = language, 1.0
        if language is None:
            start, end = self._heads["language"]
            odds = softmax(sparse[start:end].tolist(), self.temperature["language"])
            certainty = max(odds)
            spoken = self.classes["language"][odds.index(certainty)]
        signals = features.signals(text, self.lexicon.valence_in(spoken))
        total: list[float] = (sparse + np.array(signals, np.float32) @ self._signals).tolist()
        start, end = self._heads["category"]
        category = softmax(total[start:end], self.temperature["category"])
        start, end = self._heads["sentiment"]
        sentiment = softmax(total[start:end], self.temperature["sentiment"])
        return Scores(spoken, certainty, category, sentiment)

    def _word_part(self, tokens: list[str]) -> Floats | float:
        find = self._word_rows.get
        found = {find(features.key(name)) for name in features.word_names(tokens)}
        found.discard(None)
        if not found:
            return 0.0
        total = self._words.take(list(found), axis=0).sum(axis=0)  # type: ignore[arg-type]
        part: Floats = total[:-1] / math.sqrt(total[-1])
        return part

    def _subword_part(self, tokens: list[str]) -> Floats | float:
        cache = self._cache
        slots, square, extra = [], 0.0, None
        for word in features.subword_words(tokens):
            found = cache.slots.get(word)
            if found is None:
                idf, row = self.subword_row(word)
                cache.add(word, idf, row)
                found = cache.slots.get(word)
                if found is None:  # the cache is full: start a new one after this text
                    extra = row if extra is None else extra + row
                    square += idf * idf
                    continue
            slots.append(found[0])
            square += found[1]
        if not square:
            return 0.0
        total = cache.rows.take(slots, axis=0).sum(axis=0)
        if extra is not None:
            total = total + extra
            self._cache = _Cache(cache.size, cache.rows.shape[1])
        part: Floats = total / math.sqrt(square)
        return part

    def subword_row(self, word: str) -> tuple[float, Floats]:
        """A word's IDF and the part of its character n-grams in every output."""
        row = self._word_rows.get(features.key(word))
        idf = self._unknown_idf if row is None else self._idf[row]
        find = self._subword_rows.get
        rows = [
            found
            for name in features.subwords(word)
            if (found := find(features.subword_key(name))) is not None
        ]
        if not rows:
            return idf, np.zeros(self._subwords.shape[1], np.float32)
        part: Floats = self._subwords.take(rows, axis=0).sum(axis=0) * (idf / math.sqrt(len(rows)))
        return idf, part


def softmax(values: list[float], temperature: float) -> list[float]:
    """Probabilities from scores; a temperature above 1 makes them less sure."""
    highest = max(values)
    powers = [math.exp((value - highest) / temperature) for value in values]
    total = sum(powers)
    return [power / total for power in powers]


def _check(arrays: dict[str, NDArray[Any]], card: dict[str, Any]) -> None:
    """Raises ModelError unless the arrays fit each other and the card."""
    outputs = sum(len(classes) for classes in card["classes"].values())
    n, words = len(arrays["keys"]), len(arrays["idf"])
    shapes = {
        "keys": (n,),
        "weights": (n, outputs),
        "scale": (outputs,),
        "signals": (len(features.SIGNALS), outputs),
        "bias": (outputs,),
        "lexicon_values": (len(arrays["lexicon_keys"]),),
    }
    wrong = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    kinds = {"keys": "uint32", "idf": "float16", "weights": "int8"}
    wrong += [name for name, kind in kinds.items() if arrays[name].dtype != kind]
    if (
        wrong
        or words > n
        or not all(np.isfinite(arrays[name]).all() for name in ("idf", "scale", "signals", "bias"))
    ):
        raise ModelError(f"broken triage model: {', '.join(wrong) or 'numbers'} do not fit")
