"""What a project's people taught, on top of the models: a head of its own that moves their answers.

A head is weights of words and of character pieces, for every category and sentiment and for how much a text
sounds like those that it learnt from. Texts that do not sound like them keep the models' answer to the bit;
in others a sure model is taken for less sure. Names are kept as checksums, never as text.

    data    a line of JSON (see `write`), then the keys, sorted (uint32), and a row for each (float16)
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.core.area_rules import LearntHead
from gateway.triage import features
from gateway.triage.arrays import Floats
from gateway.triage.model import Model, Scores
from gateway.triage.tokenizer import Text

SIZES = (3, 4, 5)  # letters of a piece; the ends of a word are blanks
NEW_WORD = 2.0  # how much a word that the models never met weighs; the rarest they know weighs 1
PIECES = 1.5  # how much all pieces of a word weigh beside the word
LONGEST = 10.0  # squared weights of a text's words above which they are scaled down
FLOOR = 0.2  # the models' probabilities count as at least this in a text like the project's own
KNOWN_TOKENS = 2048  # whose rows a head remembers
HEADS = 64  # that a process has ready
TASKS = {"category": CATEGORIES, "sentiment": SENTIMENTS}
PLACES = {"category": slice(0, 5), "sentiment": slice(5, 8)}
LIKENESS, LENGTH = 8, 9  # the columns behind those of the labels
COLUMNS = 9  # that are learnt: LENGTH is of the text alone

Keys = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Strength:
    """How far a head goes: below a likeness of `low` a text is left alone, above `high` it is all its own.

    `ridge` is what a squared weight costs while it is learnt.
    """

    ridge: float
    low: float
    high: float


def word_of(token: str) -> str:
    """The word that a head knows a token by: without what an apostrophe joins to it."""
    return token.partition("'")[0] or token


def pieces(word: str) -> list[str]:
    """The character pieces of a word, each once; none for marks."""
    if not word[0].isalpha() or word.startswith("xx"):
        return []
    padded = f" {word[: features.SUBWORD_LETTERS]} "
    return list({padded[at : at + size] for size in SIZES for at in range(len(padded) - size + 1)})


def named(model: Model, token: str) -> dict[int, float]:
    """What a head sees of a token: the keys of its word and pieces, and how much each weighs."""
    if token == ".":
        return {}
    word = word_of(token)
    rarity, known = model.rarity(word)
    own = rarity if known or not word[0].isalpha() else NEW_WORD
    found = {features.key(word): own}
    parts = pieces(word)
    for part in parts:
        found[features.subword_key(part)] = PIECES * rarity / math.sqrt(len(parts))
    return found


def write(
    keys: Keys, weights: NDArray[np.float16], bias: Sequence[float], strengths: Mapping[str, Strength]
) -> bytes:
    """A head as it is kept; `strengths` has those of the questions that it answers."""
    about: dict[str, Any] = {"format": 1, "count": len(keys), "bias": [round(one, 5) for one in bias]}
    about |= {name: [one.ridge, one.low, one.high] for name, one in strengths.items()}
    order = np.argsort(keys)
    return b"%s\n%s%s" % (json.dumps(about).encode(), keys[order].tobytes(), weights[order].tobytes())


class Head:
    """A project's head, ready to move scores. Safe for threads."""

    def __init__(self, version: str, data: bytes, model: Model) -> None:
        first, _, rest = data.partition(b"\n")
        about = json.loads(first)
        self.version = version
        self.model = model
        self._keys = np.frombuffer(rest, np.uint32, about["count"])
        self._weights = np.frombuffer(rest, np.float16, offset=4 * about["count"]).reshape(-1, COLUMNS)
        self._bias = np.array(about["bias"], np.float32)
        self._strengths = {name: Strength(*about[name]) for name in TASKS if name in about}
        self._lock = threading.Lock()
        self._rows, self._known = _memory()

    def moved(self, text: Text, scores: Scores) -> Scores:
        """The scores of a text as this project's people would have them; the same for one unlike theirs."""
        outputs = self._outputs(text.tokens)[0]
        changed: dict[str, Any] = {}
        for task, share in self._shares(outputs):
            chances = scores.category if task == "category" else scores.sentiment
            changed[task] = _moved(chances, outputs[PLACES[task]], TASKS[task], share)
        return replace(scores, **changed) if changed else scores

    def added(self, text: Text) -> dict[str, dict[str, dict[str, float]]]:
        """What each token adds to the logarithm of each label's probability, by the question; of a text like
        the project's own, and for the questions that move."""
        outputs, scale = self._outputs(text.tokens)
        rows = {token: (self._row(token) * scale).tolist() for token in dict.fromkeys(text.tokens)}
        return {
            task: {
                token: {name: share * more for name, more in zip(TASKS[task], row[PLACES[task]], strict=True)}
                for token, row in rows.items()
            }
            for task, share in self._shares(outputs)
        }

    def _shares(self, outputs: Sequence[float]) -> Iterator[tuple[str, float]]:
        """The questions whose answers move, and how far these are the project's own."""
        likeness = 1 / (1 + math.exp(-max(-50.0, min(50.0, outputs[LIKENESS]))))
        for task, strength in self._strengths.items():
            share = min(1.0, (likeness - strength.low) / (strength.high - strength.low))
            if share > 0:
                yield task, share

    def _outputs(self, tokens: Sequence[str]) -> tuple[list[float], float]:
        """What the tokens of a text add up to, by column, and by what each was scaled."""
        rows, known = self._rows, self._known
        try:
            places = [known[token] for token in dict.fromkeys(tokens)]
        except KeyError:
            rows, places = self._learn(list(dict.fromkeys(tokens)))
        total = rows.take(places, axis=0).sum(axis=0)
        length = float(total[LENGTH])
        scale = math.sqrt(LONGEST / length) if length > LONGEST else 1.0
        outputs: list[float] = (total[:COLUMNS] * np.float32(scale) + self._bias).tolist()
        return outputs, scale

    def _learn(self, tokens: list[str]) -> tuple[Floats, list[int]]:
        """The rows of tokens, some of which were never met; when there are too many, begins anew."""
        with self._lock:
            if len(self._known) + len(tokens) > KNOWN_TOKENS:
                self._rows, self._known = _memory(len(tokens))
            for token in tokens:
                if token not in self._known:
                    place = len(self._known)
                    self._rows[place] = self._row(token)
                    self._known[token] = place  # last: now it is known
            return self._rows, [self._known[token] for token in tokens]

    def _row(self, token: str) -> Floats:
        seen = named(self.model, token)
        row = np.zeros(COLUMNS + 1, np.float32)
        if not seen:
            return row
        keys = np.fromiter(seen, np.uint32, len(seen))
        values = np.fromiter(seen.values(), np.float32, len(seen))
        row[LENGTH] = values[0] * values[0]  # the word's own
        if len(self._keys):
            places = self._keys.searchsorted(keys).clip(max=len(self._keys) - 1)
            there = self._keys[places] == keys
            row[:COLUMNS] = values[there] @ self._weights[places[there]].astype(np.float32)
        return row


def _memory(least: int = 0) -> tuple[Floats, dict[str, int]]:
    return np.zeros((max(KNOWN_TOKENS, least), COLUMNS + 1), np.float32), {}


def _moved(
    chances: dict[str, float], added: Sequence[float], names: Sequence[str], share: float
) -> dict[str, float]:
    """Probabilities with what a head adds to their logarithms, as far as a text is like its own."""
    values = [
        (1 - share) * math.log(max(chance, 1e-9)) + share * (math.log(max(chance, FLOOR)) + more)
        for chance, more in zip(map(chances.__getitem__, names), added, strict=True)
    ]
    highest = max(values)
    powers = [math.exp(value - highest) for value in values]
    total = sum(powers)
    found = dict(zip(names, (power / total for power in powers), strict=True))
    return {name: found[name] for name in chances}  # in the order of the models


def moved(model: Model, text: Text, scores: Scores, head: LearntHead) -> tuple[Scores, str]:
    """The scores of a text of a project that has learnt this, and the version of what gave them."""
    told = _ready(head, model).moved(text, scores)
    return told, model.version if told is scores else f"{model.version}+{head.version}"


def added(model: Model, text: Text, head: LearntHead) -> dict[str, dict[str, dict[str, float]]]:
    """What each token of a text adds that a project has learnt, as `Head.added` says."""
    return _ready(head, model).added(text)


def forget() -> None:
    """Lets go of every head that is ready, as when another model is used."""
    _heads.clear()


_heads: dict[str, Head] = {}


def _ready(head: LearntHead, model: Model) -> Head:
    found = _heads.get(head.version)
    if found is None or found.model is not model:
        if len(_heads) >= HEADS:
            _heads.clear()  # threads that read meanwhile have theirs
        found = _heads[head.version] = Head(head.version, head.data, model)
    return found
