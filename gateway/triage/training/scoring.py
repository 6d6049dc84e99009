"""The measures the models are judged by. Shares and scores are 0..1, rounded to four digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, precision_recall_fscore_support

BINS = 10


def macro_f1(truth: Sequence[str], answers: Sequence[str]) -> float:
    """The mean F1 of the classes that occur in `truth`."""
    labels = sorted(set(truth))
    return round(float(f1_score(truth, answers, average="macro", labels=labels, zero_division=0)), 4)


def class_f1(truth: Sequence[str], answers: Sequence[str]) -> dict[str, float]:
    return {label: scores["f1"] for label, scores in by_class(truth, answers).items()}


def by_class(truth: Sequence[str], answers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows, precision, recall and F1 of every class that occurs in `truth`."""
    labels = sorted(set(truth))
    found = precision_recall_fscore_support(truth, answers, labels=labels, zero_division=0)
    names = ("precision", "recall", "f1")
    return {
        label: {
            "rows": int(found[3][place]),
            **{name: round(float(values[place]), 4) for name, values in zip(names, found[:3], strict=True)},
        }
        for place, label in enumerate(labels)
    }


def accuracy(truth: Sequence[str], answers: Sequence[str]) -> float:
    return round(sum(a == b for a, b in zip(truth, answers, strict=True)) / max(1, len(truth)), 4)


def reliability(right: Sequence[bool], confidence: Sequence[float]) -> list[dict[str, Any]]:
    """Per tenth of confidence that occurs: its bounds, rows, mean confidence and share of right answers."""
    hits, sure = np.asarray(right, float), np.asarray(confidence, float)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [
        {
            "from": index / BINS,
            "to": (index + 1) / BINS,
            "rows": int((bins == index).sum()),
            "confidence": round(float(sure[bins == index].mean()), 4),
            "accuracy": round(float(hits[bins == index].mean()), 4),
        }
        for index in sorted(set(bins.tolist()))
    ]


def calibration_error(right: Sequence[bool], confidence: Sequence[float]) -> float:
    """How far confidence is from accuracy, over ten equal bins (expected calibration error, Naeini 2015)."""
    bins = reliability(right, confidence)
    gaps: float = sum(row["rows"] * abs(row["accuracy"] - row["confidence"]) for row in bins)
    return round(gaps / max(1, len(right)), 4)


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
