"""The measures the models are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

BINS = 10


def macro_f1(truth: Sequence[str], answers: Sequence[str]) -> float:
    """The mean F1 of the classes that occur in `truth`."""
    labels = sorted(set(truth))
    return round(float(f1_score(truth, answers, average="macro", labels=labels, zero_division=0)), 4)


def class_f1(truth: Sequence[str], answers: Sequence[str]) -> dict[str, float]:
    labels = sorted(set(truth))
    scores = f1_score(truth, answers, average=None, labels=labels, zero_division=0)
    return {label: round(float(score), 4) for label, score in zip(labels, scores, strict=True)}


def accuracy(truth: Sequence[str], answers: Sequence[str]) -> float:
    return round(sum(a == b for a, b in zip(truth, answers, strict=True)) / max(1, len(truth)), 4)


def calibration_error(right: Sequence[bool], confidence: Sequence[float]) -> float:
    """How far confidence is from accuracy, over ten equal bins (expected calibration error, Naeini 2015)."""
    hits, sure = np.asarray(right, float), np.asarray(confidence, float)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = 0.0
    for index in range(BINS):
        inside = bins == index
        if inside.any():
            error += float(inside.mean()) * abs(float(hits[inside].mean()) - float(sure[inside].mean()))
    return round(error, 4)


def confusion(truth: Sequence[str], answers: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts by true label, then by answer."""
    table: dict[str, dict[str, int]] = {}
    for real, answer in zip(truth, answers, strict=True):
        row = table.setdefault(real, {})
        row[answer] = row.get(answer, 0) + 1
    return {label: dict(sorted(table[label].items())) for label in sorted(table)}


def summary(truth: Sequence[str], answers: Sequence[str]) -> dict[str, Any]:
    return {
        "rows": len(truth),
        "accuracy": accuracy(truth, answers),
        "macro_f1": macro_f1(truth, answers),
        "f1": class_f1(truth, answers),
    }
