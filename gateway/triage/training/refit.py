"""Moves a finished model towards what people overruled, without the texts that it was made from.

A logistic regression whose prior is the model itself: the weights may differ from the old ones by as
little as the corrections need (least squared difference), while sentences of the project's own writing
keep the old answers as their targets ("Learning without forgetting", Li and Hoiem 2016). Only the words
and pairs of words of the corrected texts get other weights, rare ones before common ones; sub-words,
signals and the expert on long issue reports stay as they are, and words the model never met stay unknown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from gateway.triage import features
from gateway.triage.arrays import Index, quantise, restore
from gateway.triage.model import Model, arrays_path
from gateway.triage.tokenizer import Text
from gateway.triage.tokenizer import read as read_text
from gateway.triage.training.corrections import Correction, of_task
from gateway.triage.training.model_file import RELEASE, write_model

RARITY = 2  # power of the IDF with which rare words move more easily than common ones
OTHER_EXPERT = 0.5  # share of the expert on issue reports above which a text is not ours to move
LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Task:
    """One question: the heads that answer it, and the one whose classes they share."""

    name: str
    heads: tuple[str, ...]


def tasks(model: Model) -> list[Task]:
    """Category, and sentiment with all its experts: they are moved alike, since any may be asked."""
    moods = tuple(name for name in model.classes if name.startswith("sentiment"))
    return [Task("category", ("category",)), Task("sentiment", moods)]


def refit(
    base: Path, given: Sequence[Correction], steady: Sequence[str], out: Path, stiffness: float
) -> dict[str, Any]:
    """Writes the model of `base`, moved by the corrections, below `out`; gives its card.

    `steady` are texts whose answers should stay; `stiffness` is what a squared difference of weights costs,
    so that more of it moves fewer texts. Raises ModelError for a base that cannot be used.
    """
    model = Model.load(base)
    card = json.loads((base / "model.json").read_text(encoding="utf-8"))
    with np.load(arrays_path(base, card), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    vectors = Vectors(arrays)
    weights = restore(arrays["weights"], arrays["scale"])
    for task in tasks(model):
        change = _change(model, vectors, task, of_task(given, task.name), steady, stiffness)
        for head in task.heads:
            start, end = model.heads[head]
            weights[change.rows, start:end] += change.values * model.temperature[head]
            columns = slice(start, end)
            arrays["weights"][:, columns], arrays["scale"][columns] = quantise(weights[:, columns])
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    card |= {"version": f"{RELEASE}-{digest.hexdigest()[:8]}"}
    card |= {"refit": {"of": model.version}}
    write_model(out, arrays, card)
    return dict(card)


@dataclass(frozen=True, slots=True)
class Change:
    """What is added to the weights: `values` is rows by classes."""

    rows: Any
    values: Any


def _change(
    model: Model,
    vectors: Vectors,
    task: Task,
    given: Sequence[Correction],
    steady: Sequence[str],
    stiffness: float,
) -> Change:
    """The smallest change of weights that gives the corrected texts their labels and keeps the rest."""
    names = model.classes[task.heads[0]]
    ours = [(read_text(one.text), one.label(task.name)) for one in given]
    ours = [(text, label) for text, label in ours if not _of_another(model, task, text)]
    texts = [text for text, _ in ours] + [read_text(text) for text in steady]
    matrix = vectors.matrix(texts)
    rows = np.unique(matrix[: len(ours)].indices)
    if not len(rows):
        return Change(rows, np.zeros((0, len(names)), np.float32))
    chances = [_chances(model, task, text) for text in texts]
    before = np.array([[chance[name] for name in names] for chance in chances])
    targets = before.copy()
    for place, (_, label) in enumerate(ours):
        targets[place] = [float(name == label) for name in names]
    ease = (vectors.idf[rows] / vectors.idf.max()).astype(np.float64) ** RARITY
    seen = matrix[:, rows].astype(np.float64) @ sp.diags(ease)
    scores = np.log(np.maximum(before, LEAST))

    def loss(flat: Any) -> tuple[float, Any]:
        change = flat.reshape(len(rows), len(names))
        moved = scores + seen @ change
        moved -= moved.max(axis=1, keepdims=True)
        moved -= np.log(np.exp(moved).sum(axis=1, keepdims=True))
        slope = seen.T @ (np.exp(moved) - targets) + stiffness * change
        return float(stiffness / 2 * (flat @ flat) - (targets * moved).sum()), slope.ravel()

    found = minimize(loss, np.zeros(len(rows) * len(names)), jac=True, method="L-BFGS-B")
    change = found.x.reshape(len(rows), len(names)) * ease[:, None]
    return Change(rows, change.astype(np.float32))


def _chances(model: Model, task: Task, text: Text) -> dict[str, float]:
    scores = model.score(text)
    return scores.category if task.name == "category" else scores.sentiment


def _of_another(model: Model, task: Task, text: Text) -> bool:
    """Whether the expert on issue reports answers for this text."""
    share = model.score(text).domain["issue"]
    return task.name == "category" and share > OTHER_EXPERT and model.reads_as_issue(text, share)


class Vectors:
    """Texts as rows over the words of a model, as long as the model makes them, rare words standing out.

    Sub-words and common words would carry what was said of one text to half of its language.
    """

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.idf = arrays["idf"].astype(np.float32)
        self._index = Index(arrays["keys"][: len(self.idf)])

    def matrix(self, texts: Sequence[Text]) -> Any:
        """A sparse matrix, texts by words."""
        found = [self._index.rows(features.word_keys(text.tokens)) for text in texts]
        bounds = np.cumsum([0, *map(len, found)])
        values = np.concatenate([self._unit(rows) for rows in found])
        return sp.csr_matrix((values, np.concatenate(found), bounds), shape=(len(texts), len(self.idf)))

    def _unit(self, rows: Any) -> Any:
        """The values that the weights of these words are multiplied with in a text of just them."""
        idf = self.idf[rows]
        return idf / max(float(np.sqrt(idf @ idf)), LEAST)
