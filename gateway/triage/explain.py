"""Why a text got its labels: the words and signals that weighed most, for and against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gateway.triage.arrays import Floats
from gateway.triage.model import Model, Scores
from gateway.triage.tokenizer import Text

MOST_PARTS = 8
SMALLEST = 0.01


@dataclass(frozen=True, slots=True)
class Weight:
    """One word, pair of words or signal; positive weights speak for the label, negative ones against it."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What decided category and sentiment, the heaviest first, and which expert was asked."""

    category: tuple[Weight, ...]
    category_by: str
    sentiment: tuple[Weight, ...]
    sentiment_by: str


def explain(model: Model, text: Text, scores: Scores, category: str, sentiment: str) -> Explanation:
    """The weights behind `category` and `sentiment`, against the mean of the other classes' weights."""
    by = max(scores.domain, key=scores.domain.__getitem__)
    issue = by == "issue" and model.reads_as_issue(text, scores.domain["issue"])
    mood = f"sentiment_{by}" if f"sentiment_{by}" in model.classes else "sentiment"
    parts = list(model.parts(text, scores.language))
    if issue and category in model.issue.classes:
        classes, found = model.issue.classes, list(model.issue.parts(text))
        why = _weights(found, 0, classes, category)
    else:
        issue = False
        why = _weights(parts, model.heads["category"][0], model.classes["category"], category)
    return Explanation(
        category=why,
        category_by="issue" if issue else "general",
        sentiment=_weights(parts, model.heads[mood][0], model.classes[mood], sentiment),
        sentiment_by=by if mood != "sentiment" else "general",
    )


def _weights(
    parts: Iterable[tuple[str, Floats]], start: int, classes: list[str], label: str
) -> tuple[Weight, ...]:
    """The heaviest parts for or against `label`; sub-words count with their word."""
    total: dict[str, float] = {}
    chosen = classes.index(label)
    for name, outputs in parts:
        values = outputs[start : start + len(classes)]
        against = (float(np.sum(values)) - float(values[chosen])) / (len(classes) - 1)
        total[name] = total.get(name, 0.0) + float(values[chosen]) - against
    heaviest = sorted(total.items(), key=lambda part: -abs(part[1]))[:MOST_PARTS]
    return tuple(Weight(name, round(weight, 3)) for name, weight in heaviest if abs(weight) >= SMALLEST)
