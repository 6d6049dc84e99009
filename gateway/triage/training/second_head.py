"""Fits the linear layer of the second reader (gateway.triage.second_reader) to training texts.

The encoder takes some 40 ms a text, so it reads a fixed sample of the training texts and none of their
translated copies, for it knows the languages by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from gateway.triage.second_reader import Encode, Layer, beginning
from gateway.triage.training import rows as sources
from gateway.triage.training.pools import mood_row
from gateway.triage.training.rows import Row

REVIEWS, WEAK, ISSUES, MOODS = 500, 250, 200, 120  # texts of each set that are read
SENTENCES, WORDINGS = 120, 3  # of each group of the project's own patterns, and of each scene
TOGETHER = 32  # texts that are read at a time
STRENGTH = 0.001  # of the fit, chosen on sentences that are not learnt from


def second_rows(data: Path, leave_out: Iterable[str] = ()) -> dict[str, list[Row]]:
    """The texts of each question; `leave_out` names sets to do without."""
    out = set(leave_out)
    # Without those of the kinds of error, of which there are too many to be read in minutes.
    seeds = [pair for pair in sources.seed_rows(SENTENCES, WORDINGS) if pair[0].source == "seeds"]
    category = [row for row, _ in seeds]
    for most, sets in ((REVIEWS, sources.category_sets(data)), (WEAK, sources.weak_category_sets(data))):
        category += _sample(sets, most, out)
    category += sources.some(sources.issue_rows(data), ISSUES)
    moods = [mood_row(row, mood) for row, mood in seeds]
    return {"category": category, "sentiment": moods + _sample(sources.sentiment_sets(data), MOODS, out)}


def _sample(sets: dict[str, list[Row]], most: int, out: set[str]) -> list[Row]:
    """So many rows of each set's training part."""
    parts = (sources.training_part(sources.distinct(rows)) for name, rows in sets.items() if name not in out)
    return [row for part in parts for row in sources.some(part, most)]


def fit(rows: dict[str, list[Row]], encode: Encode) -> Layer:
    """The layer that answers these rows best. Each text is read once, whatever it is asked."""
    texts = list(dict.fromkeys(beginning(row.text) for some in rows.values() for row in some))
    encoded = [encode(texts[at : at + TOGETHER]) for at in range(0, len(texts), TOGETHER)]
    vectors = dict(zip(texts, np.concatenate(encoded), strict=True))
    parts = {
        name: _fitted([vectors[beginning(row.text)] for row in some], some) for name, some in rows.items()
    }
    classes = {name: [str(label) for label in head.classes_] for name, head in parts.items()}
    weights = np.hstack([head.coef_.T for head in parts.values()]).astype(np.float32)
    bias = np.concatenate([head.intercept_ for head in parts.values()]).astype(np.float32)
    return Layer(classes, weights, bias)


def _fitted(vectors: Sequence[Any], rows: Sequence[Row]) -> LogisticRegression:
    """A logistic regression on numbers of one scale, which its weights then undo; classes weigh the same."""
    matrix, labels = np.array(vectors, np.float64), [row.label for row in rows]
    middle, scale = matrix.mean(axis=0), 1 / np.maximum(matrix.std(axis=0), 1e-6)
    weights = np.array([row.weight for row in rows])
    _, inverse = np.unique(labels, return_inverse=True)
    totals = np.bincount(inverse, weights)
    head = LogisticRegression(C=STRENGTH, max_iter=300)
    head.fit((matrix - middle) * scale, labels, sample_weight=weights * (totals.mean() / totals)[inverse])
    head.coef_ = head.coef_ * scale
    head.intercept_ = head.intercept_ - head.coef_ @ middle
    return head
