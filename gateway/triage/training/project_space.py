"""Texts of a project as a head sees them, and the regressions in that space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from gateway.triage.model import Model, Scores
from gateway.triage.project_head import (
    COLUMNS,
    FLOOR,
    LIKENESS,
    LONGEST,
    PLACES,
    TASKS,
    Strength,
    named,
    write,
)
from gateway.triage.tokenizer import Text

BIAS = 0.3  # what stands for the bias among the values, so that it is held back, too
LIKENESS_RIDGE = 0.03
OWN_SHARE = 3.0  # what all texts of the project weigh against all others, in likeness
MOST_KEYS = 7000  # of a head: 22 bytes each
LEAST_CHANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text and what people say of it; `weight` is how much that counts."""

    text: Text
    scores: Scores
    labels: dict[str, str]
    weight: float


class Space:
    """Texts of a project, and others, by what a head sees of them."""

    def __init__(self, model: Model, own: Sequence[Text], others: Sequence[Text]) -> None:
        self._names: dict[int, int] = {}
        self._seen: dict[str, dict[int, float]] = {}
        self.model = model
        self.own = len(own)
        rows = [self._row(text) for text in (*own, *others)]
        width = len(self._names)
        matrix = sp.csr_matrix(
            (
                np.concatenate([values for _, values in rows]),
                np.concatenate([places for places, _ in rows]),
                np.cumsum([0, *(len(places) for places, _ in rows)]),
            ),
            shape=(len(rows), width),
        )
        self.matrix = sp.hstack([matrix, np.full((len(rows), 1), BIAS)]).tocsr()
        self._inner = self._basis(self.matrix[: self.own])
        self._all = self._basis(self.matrix)

    def _row(self, text: Text) -> tuple[Any, Any]:
        seen: dict[int, float] = {}
        length = 0.0
        for token in dict.fromkeys(text.tokens):
            known = self._seen.get(token)
            if known is None:
                known = self._seen[token] = named(self.model, token)
            if known:
                length += next(iter(known.values())) ** 2
            for key, value in known.items():
                seen[key] = seen.get(key, 0.0) + value
        scale = (LONGEST / length) ** 0.5 if length > LONGEST else 1.0
        places = [self._names.setdefault(key, len(self._names)) for key in sorted(seen)]
        return np.array(places, np.intp), np.array([seen[key] * scale for key in sorted(seen)], np.float64)

    @staticmethod
    def _basis(matrix: Any) -> tuple[Any, Any]:
        """Coordinates of the rows in as many dimensions as there are rows, and the way back to weights.

        A ridge regression has its solution in the space of its texts, which are far fewer than its words.
        """
        values, vectors = np.linalg.eigh((matrix @ matrix.T).toarray())
        kept = values > 1e-6
        roots = np.sqrt(values[kept])
        return vectors[:, kept] * roots, vectors[:, kept] / roots

    def fit(self, given: Sequence[Lesson], task: str, shown: Iterable[int], ridge: float) -> Any:
        """The weights, names by labels, that give the shown texts their labels on top of the models."""
        names = TASKS[task]
        places = [place for place in shown if task in given[place].labels]
        start = np.zeros((len(places), len(names)))
        targets = np.zeros_like(start)
        for row, place in enumerate(places):
            scores = given[place].scores
            chances = scores.category if task == "category" else scores.sentiment
            start[row] = [chances[name] for name in names]
            targets[row, names.index(given[place].labels[task])] = 1.0
        offset = np.log(np.maximum(start, FLOOR))
        weights = np.array([given[place].weight for place in places])
        each = targets.T @ weights
        balance = (weights.sum() / (np.count_nonzero(each) * np.maximum(each, LEAST_CHANCE))) ** 0.5
        weights = (weights * (targets @ balance))[:, None]
        seen, back = self._inner[0][places], self._inner[1]

        def loss(flat: Any) -> tuple[float, Any]:
            change = flat.reshape(-1, len(names))
            outputs = offset + seen @ change
            outputs -= outputs.max(axis=1, keepdims=True)
            outputs -= np.log(np.exp(outputs).sum(axis=1, keepdims=True))
            slope = seen.T @ ((np.exp(outputs) - targets) * weights) + ridge * change
            return float(ridge / 2 * (flat @ flat) - (weights * targets * outputs).sum()), slope.ravel()

        found = minimize(loss, np.zeros(seen.shape[1] * len(names)), jac=True, method="L-BFGS-B")
        return self.matrix[: self.own].T @ (back @ found.x.reshape(-1, len(names)))

    def likeness(self, shown: Iterable[int]) -> Any:
        """The weights that tell the shown texts of the project from the others."""
        own = list(shown)
        rows = [*own, *range(self.own, self.matrix.shape[0])]
        is_own = np.arange(len(rows)) < len(own)
        weights = np.where(is_own, 1.0, len(own) / max(1, len(rows) - len(own)) / OWN_SHARE)
        seen, back = self._all[0][rows], self._all[1]

        def loss(change: Any) -> tuple[float, Any]:
            outputs = seen @ change
            missed = weights * (np.logaddexp(0, outputs) - is_own * outputs)
            slope = seen.T @ (weights * (1 / (1 + np.exp(-outputs)) - is_own)) + LIKENESS_RIDGE * change
            return float(LIKENESS_RIDGE / 2 * (change @ change) + missed.sum()), slope

        found = minimize(loss, np.zeros(seen.shape[1]), jac=True, method="L-BFGS-B")
        return self.matrix.T @ (back @ found.x)

    def head(self, outputs: dict[str, Any], likeness: Any, strengths: dict[str, Strength]) -> bytes:
        """A head of these weights, its smallest ones left out."""
        table = np.zeros((self.matrix.shape[1], COLUMNS))
        for task, weights in outputs.items():
            table[:, PLACES[task]] = weights
        table[:, LIKENESS] = likeness
        words, bias = table[:-1], table[-1] * BIAS
        kept = np.sort(np.argsort(-np.abs(words).max(axis=1), kind="stable")[:MOST_KEYS])
        keys = np.fromiter(self._names, np.uint32, len(self._names))
        return write(keys[kept], words[kept].astype(np.float16), bias.tolist(), strengths)
