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
from gateway.triage.training import metrics, protocols
from gateway.triage.training import rows as sources
from gateway.triage.training.rows import Row, held_out

THREE = ("bug", "feature", "question")
Say = Callable[[str], None]


def evaluate(data: Path, directory: Path | None, say: Say, refit: bool = False) -> dict[str, Any]:
    """All scores of the model in `directory` (the shipped one when None) on the held-out parts of `data`.

    `refit` adds the scores that need models of their own (see protocols): minutes of work.
    """
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
            "macro_f1_bug_feature_rest": metrics.macro_f1(protocols.three(real), protocols.three(found)),
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
    if refit:
        result["category"]["leave_one_set_out"] = protocols.leave_one_set_out(data, say)
        result["sentiment"]["official_folds"] = protocols.official_folds(data, say)
    return result


def labelled(rows: Sequence[Row]) -> list[Labels]:
    return [triage.label(Record(text=row.text, title=row.title)) for row in rows]


def _nlbse(data: Path) -> dict[str, Any]:
    """Mean macro-F1 of the five repositories, the answer being the best of bug, feature and question."""
    rows = [row for row in sources.read(data / "cat_nlbse24.csv") if row.split == "test"]
    answers = [max(THREE, key=label.category_scores.__getitem__) for label in labelled(rows)]
    scores = {}
    for repository in sorted({row.repository for row in rows}):
        chosen = [index for index, row in enumerate(rows) if row.repository == repository]
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
        if any(held_out(row) for row in rows):
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
    lines = [f"model {result['version']}", f"{'set':52} {'rows':>6} {'accuracy':>9} {'macro-F1':>9}"]
    for task in ("category", "sentiment"):
        lines += _lines(task, result[task])
    held = result["category"]["held_out"]
    lines.append(f"calibration error, held-out category texts: {held['calibration_error']:.3f}")
    for real, answers in held["confusion"].items():
        lines.append(
            f"  {real:9} answered " + ", ".join(f"{name} {count}" for name, count in answers.items())
        )
    return "\n".join(lines)


def _lines(name: str, scores: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, found in scores.items():
        if isinstance(found, float):
            lines.append(f"{name + ' ' + key:52} {'':6} {'':9} {found:9.3f}")
        elif "macro_f1" in found:
            shown = f"{found['accuracy']:9.3f}" if "accuracy" in found else " " * 9
            lines.append(f"{name + ' ' + key:52} {found['rows']:6} {shown} {found['macro_f1']:9.3f}")
        else:
            lines += _lines(f"{name} {key}", found)
    return lines
