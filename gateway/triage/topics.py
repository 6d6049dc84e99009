"""Which of a project's own topics a text is about, as its people describe and show them.

A ridge regression of words and character pieces (those of gateway.triage.project_head) on the topics: name
and description of each are an example of it, and so is every record that people gave it. What a text scores
is turned into a confidence by a curve that was fitted on texts of tests/alike/two_languages.txt, for projects
of 3 to 20 topics with up to seven examples each (`python -m benchmarks.topics --fit`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gateway.triage.arrays import Floats
from gateway.triage.model import Model
from gateway.triage.project_head import named
from gateway.triage.tokenizer import read

LEAST = 0.6  # confidence below which no topic is given
_PLACES = 8192  # that words and pieces share
_RIDGE = 1.0
_DESCRIBED = 4.0  # examples that a name and description weigh as much as
_SCORE, _MARGIN, _EXAMPLES, _BIAS = 3.99, 2.47, -1.25, 8.51  # of the curve
_MOST = 10  # examples of a topic behind which scores do not grow


@dataclass(frozen=True, slots=True)
class Given:
    """A text, and the id of the topic that people gave it; None where they said that it is none of them."""

    text: str
    topic: str | None


class Scored(NamedTuple):
    """The best topic of a text, its score and that of the second best, and how many examples it has."""

    topic: str
    score: float
    second: float
    examples: int

    @property
    def confidence(self) -> float:
        """How sure the best one is, from 0 to 1."""
        if self.score <= 0:
            return 0.0
        margin = (self.score - self.second) / self.score
        shown = math.log1p(min(self.examples, _MOST))
        odds = _SCORE * math.log(self.score) + _MARGIN * margin + _EXAMPLES * shown + _BIAS
        return round(1 / (1 + math.exp(-odds)), 4)


class Sorter:
    """Knows the topics of a project. Safe for threads."""

    def __init__(self, model: Model, topics: Sequence[str], weights: Floats, examples: Sequence[int]) -> None:
        self._model, self._topics, self._weights, self._examples = model, topics, weights, examples

    @classmethod
    def learnt(cls, model: Model, topics: Mapping[str, tuple[str, str]], said: Sequence[Given]) -> Sorter:
        """One that has learnt topics, by id their names and descriptions, and what people said of texts."""
        ids = list(topics)
        known = [one for one in said if one.topic is None or one.topic in topics]
        texts = ["\n".join(words) for words in topics.values()] + [one.text for one in known]
        wanted = np.zeros((len(texts), len(ids)), np.float32)
        examples = [0] * len(ids)
        for at, topic in enumerate([*ids, *(one.topic for one in known)]):
            if topic is not None:
                place = ids.index(topic)
                wanted[at, place] = 1
                examples[place] += at >= len(ids)
        vectors = np.stack([_vector(model, text) for text in texts])
        weight = np.array([_DESCRIBED] * len(ids) + [1] * len(known), np.float32)
        alike = vectors @ vectors.T + np.diag(_RIDGE / weight)
        weights: Floats = vectors.T @ np.linalg.solve(alike, wanted)
        return cls(model, ids, weights, examples)

    def scored(self, text: str) -> Scored:
        """What a text scores."""
        scores = _vector(self._model, text) @ self._weights
        best = int(scores.argmax())
        second = max((float(one) for at, one in enumerate(scores) if at != best), default=0.0)
        return Scored(self._topics[best], float(scores[best]), max(0.0, second), self._examples[best])

    def sort(self, text: str) -> tuple[str | None, float | None]:
        """The topic of a text and how sure that is, from LEAST to 1; None and None for none."""
        one = self.scored(text)
        confidence = one.confidence
        return (one.topic, confidence) if confidence >= LEAST else (None, None)


def _vector(model: Model, text: str) -> Floats:
    """A text by its words and pieces, of length 1; all zeros when it has none."""
    seen: dict[int, float] = {}
    for token in dict.fromkeys(read(text).tokens):
        for key, weight in named(model, token).items():
            seen[key] = seen.get(key, 0.0) + weight
    keys = np.fromiter(seen, np.int64, len(seen))
    values = np.fromiter(seen.values(), np.float32, len(seen))
    signs = np.where(keys >> 16 & 1, 1, -1)  # so that those that share a place do not add up
    vector = np.bincount(keys % _PLACES, values * signs, _PLACES).astype(np.float32)
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
