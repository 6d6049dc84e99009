"""Judges a model, through the serving path, on texts it was never trained on.

Official test splits are compared as published; the tenth of every pool that training leaves alone shows
how well the model does on more of what it knows, which is always kinder than new sources are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapters.contract import Labels, Record
from gateway import triage
from gateway.triage.training import metrics
from gateway.triage.training import rows as sources
from gateway.triage.training.rows import Row, held_out

THREE = ("bug", "feature", "question")
Say = Callable[[str], None]


def evaluate(data: Path, directory: Path | None, say: Say) -> dict[str, Any]:
    """All scores of the model in `directory` (the shipped one when None) on the held-out parts of `data`."""
    triage.load(directory)
    result: dict[str, Any] = {"version": triage.version(), "category": {}, "sentiment": {}}
    say("category: NLBSE'24 official test")
    result["category"]["nlbse24_test"] = _nlbse(data)
    confidence: list[float] = []
    right: list[bool] = []
    truth: list[str] = []
    answers: list[str] = []
    for name, rows in sources.category_sets(data).items():
        rows = [row for row in rows if held_out(row)]
        say(f"category: {name}, {len(rows)} texts")
        labels = labelled(rows)
        real = [row.label for row in rows]
        found = [label.category for label in labels]
        result["category"][f"{name}_held_out"] = {
            **metrics.summary(real, found),
            "macro_f1_bug_feature_rest": metrics.macro_f1(_rest(real), _rest(found)),
        }
        truth += real
        answers += found
        confidence += [label.category_confidence for label in labels]
        right += [a == b for a, b in zip(real, found, strict=True)]
    result["category"]["held_out"] = {
        **metrics.summary(truth, answers),
        "calibration_error": metrics.calibration_error(right, confidence),
        "confusion": metrics.confusion(truth, answers),
    }
    result["sentiment"] = _sentiment(data, say)
    return result


def labelled(rows: Sequence[Row]) -> list[Labels]:
    return [triage.label(Record(text=row.text, title=row.title)) for row in rows]


def _rest(labels: Sequence[str]) -> list[str]:
    return [label if label in ("bug", "feature") else "rest" for label in labels]


def _nlbse(data: Path) -> dict[str, Any]:
    """Mean macro-F1 of the five repositories, the answer being the best of bug, feature and question."""
    rows = [row for row in sources.read(data / "cat_nlbse24.csv") if row.split == "test"]
    answers = [max(THREE, key=label.category_scores.__getitem__) for label in labelled(rows)]
    scores = {}
    for repository in sorted({row.group for row in rows}):
        chosen = [index for index, row in enumerate(rows) if row.group == repository]
        scores[repository] = metrics.macro_f1([rows[i].label for i in chosen], [answers[i] for i in chosen])
    return {
        "rows": len(rows),
        "macro_f1": round(sum(scores.values()) / len(scores), 4),
        "repositories": scores,
    }


def _sentiment(data: Path, say: Say) -> dict[str, Any]:
    result: dict[str, Any] = {}
    sets = {"senti4sd_test": [row for row in sources.read(data / "sent_senti4sd.csv") if row.split == "test"]}
    tweets = [row for row in sources.read(data / "sent_umsab.csv") if row.split == "test"]
    for language in ("en", "de", "fr", "es"):
        sets[f"umsab_{language}_test"] = [row for row in tweets if row.language == language]
    for name, rows in sources.sentiment_sets(data).items():
        sets[f"{name}_held_out"] = [row for row in rows if held_out(row)]
    for name, rows in sets.items():
        say(f"sentiment: {name}, {len(rows)} texts")
        result[name] = metrics.summary(
            [row.label for row in rows], [label.sentiment for label in labelled(rows)]
        )
    four = [result[f"umsab_{language}_test"]["macro_f1"] for language in ("en", "de", "fr", "es")]
    result["umsab_mean"] = round(sum(four) / 4, 4)
    return result


def table(result: dict[str, Any]) -> str:
    """The scores for reading."""
    lines = [f"model {result['version']}", f"{'set':40} {'rows':>6} {'accuracy':>9} {'macro-F1':>9}"]
    for task in ("category", "sentiment"):
        for name, scores in result[task].items():
            if isinstance(scores, dict):
                shown = f"{scores['accuracy']:9.3f}" if "accuracy" in scores else " " * 9
                lines.append(f"{task + ' ' + name:40} {scores['rows']:6} {shown} {scores['macro_f1']:9.3f}")
            else:
                lines.append(f"{task + ' ' + name:40} {'':6} {'':9} {scores:9.3f}")
    held = result["category"]["held_out"]
    lines.append(f"calibration error, held-out category texts: {held['calibration_error']:.3f}")
    lines.append("confusion (true: answers): " + str(held["confusion"]))
    return "\n".join(lines)
