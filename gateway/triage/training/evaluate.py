"""Judges a model, through the serving path, on texts it was never trained on.

Official test splits are compared as published; the tenth of every pool that training leaves alone shows
how well the model does on more of what it knows, which is always kinder than new sources are.

The result is plain JSON of names and numbers, no texts:

    version, data                  of the model; digests of the files it was judged on
    refitted                       the model whose recipe was fitted again without a set or fold
    category, sentiment            scores by set; `held_out` pools the sets: classes, confusion, calibration
    language, severity             the same of the pooled sets
    languages                      category and sentiment scores by the language of the texts
    kinds                          shares of right answers by kind of error
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.contract.record import Record
from gateway import triage
from gateway.triage import clauses
from gateway.triage.features import LANGUAGES
from gateway.triage.model import SHIPPED, Model
from gateway.triage.tokenizer import read as read_text
from gateway.triage.training import error_kinds, protocols, scoring
from gateway.triage.training.heldout import REST, TWEETS, HeldOut, held_out_sets
from gateway.triage.training.model_file import digests
from gateway.triage.training.rows import Row

THREE = ("bug", "feature", "question")
LEAST_ROWS = 10  # of a language, to give it a score
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of one text: the labels as served, and how sure it is of each."""

    category: str
    category_confidence: float
    best_of_three: str
    sentiment: str
    sentiment_confidence: float
    language: str
    severity: str


@dataclass
class Pooled:
    """Truth, answers and confidence over several sets."""

    truth: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)

    def add(self, truth: Sequence[str], answers: Sequence[str], confidence: Sequence[float] = ()) -> None:
        self.truth += truth
        self.answers += answers
        self.confidence += confidence

    def scores(self) -> dict[str, Any]:
        """Summary, scores by class, confusion and, of answers with a confidence, its calibration."""
        result = scoring.summary(self.truth, self.answers)
        result["classes"] = scoring.by_class(self.truth, self.answers)
        if self.confidence:
            right = [a == b for a, b in zip(self.truth, self.answers, strict=True)]
            result["calibration_error"] = scoring.calibration_error(right, self.confidence)
            result["reliability"] = scoring.reliability(right, self.confidence)
        return {**result, "confusion": scoring.confusion(self.truth, self.answers)}


def evaluate(data: Sequence[Path], directory: Path | None, say: Say, jobs: int = 0) -> dict[str, Any]:
    """All scores of the model in `directory` (the shipped one when None) on the held-out parts of `data`.

    Directories of `data` with text files are tables of kinds of error, the others and files labelled sets.
    With `jobs`, so many processes also fit models of their own (see protocols): minutes of work. Raises
    ModelError, and FileNotFoundError or KeyError for data that cannot be used.
    """
    triage.load(directory or SHIPPED)
    model = Model.load(directory or SHIPPED)
    sets: list[HeldOut] = []
    kinds = {kind: found for path in data for kind, found in error_kinds.scores(path).items()}
    data = [path for path in data if not error_kinds.tables(path)]
    for path in data:
        found, remark = held_out_sets(path, model.card["data"])
        sets += found
        if remark:
            say(remark)
    result: dict[str, Any] = {
        "version": model.version,
        "data": {name: digest for path in data if path.is_dir() for name, digest in digests(path).items()},
        **scores_of(sets, model, say),
        **({"kinds": kinds} if kinds else {}),
    }
    if jobs:
        left_out, folds = protocols.refitted(data[0], say, jobs)
        result["category"]["leave_one_set_out"] = left_out
        result["sentiment"]["official_folds"] = folds
        result["refitted"] = model.version
    return result


def with_refitted(result: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """`result` with the scores of models fitted again from an `earlier` one, which name their recipe.

    Raises KeyError when that has none.
    """
    for task, name in (("category", "leave_one_set_out"), ("sentiment", "official_folds")):
        result[task][name] = earlier[task][name]
    return result | {"refitted": earlier["refitted"]}


def scores_of(sets: Sequence[HeldOut], model: Model, say: Say) -> dict[str, Any]:
    """The scores of the model in use, which is `model`, on `sets`."""
    result: dict[str, Any] = {"category": {}, "sentiment": {}, "severity": {}}
    pools = {name: Pooled() for name in ("category", "sentiment", "language", "severity")}
    languages: dict[str, dict[str, Pooled]] = {"category": {}, "sentiment": {}}
    known_answers: dict[tuple[str, str], Answer] = {}
    for one in sets:
        say(f"{one.task}: {one.name}, {len(one.rows)} texts")
        answers = answered(one.rows, model, known_answers)
        truth = [row.label for row in one.rows]
        found = [str(getattr(answer, one.task)) for answer in answers]
        if one.name == "nlbse24_test":
            result["category"][one.name] = _best_of_three(one.rows, answers)
            continue
        result[one.task][one.name] = _scores(one.task, truth, found)
        if REST in truth:
            continue
        if one.task == "severity":
            pools["severity"].add(truth, found)
            continue
        sure = [float(getattr(answer, f"{one.task}_confidence")) for answer in answers]
        pools[one.task].add(truth, found, sure)
        for place, row in enumerate(one.rows):
            by_language = languages[one.task].setdefault(row.language or "-", Pooled())
            by_language.add(truth[place : place + 1], found[place : place + 1])
        spoken = [(row.language, a.language) for row, a in zip(one.rows, answers, strict=True)]
        known = [pair for pair in spoken if pair[0] in LANGUAGES]
        pools["language"].add([real for real, _ in known], [answer for _, answer in known])
    if all(f"umsab_{name}_test" in result["sentiment"] for name in TWEETS):
        four = [result["sentiment"][f"umsab_{name}_test"]["macro_f1"] for name in TWEETS]
        result["sentiment"]["umsab_mean"] = round(sum(four) / len(four), 4)
    for task, pool in pools.items():
        if pool.truth:
            result.setdefault(task, {})["held_out"] = pool.scores()
    result["languages"] = {
        task: {
            name: scoring.summary(pool.truth, pool.answers)
            for name, pool in sorted(found.items())
            if len(pool.truth) >= LEAST_ROWS
        }
        for task, found in languages.items()
    }
    return result


def answered(rows: Sequence[Row], model: Model, known: dict[tuple[str, str], Answer]) -> list[Answer]:
    """The answers to the words of `rows` by the model in use, which is `model`: labels tell less.

    `known` are answers given before, by title and text; new ones are added.
    """
    answers = []
    for row in rows:
        if (row.title, row.text) not in known:  # texts with several labels are in several sets
            record = Record(text=row.text, title=row.title)
            label = triage.label(record)
            scores = clauses.score(model, read_text(triage.words_of(record)))
            known[row.title, row.text] = Answer(
                label.category,
                label.category_confidence,
                max(THREE, key=label.category_scores.__getitem__),
                label.sentiment,
                label.sentiment_confidence,
                label.language or "-",
                "severe" if scores.severe > 0.5 else "minor",
            )
        answers.append(known[row.title, row.text])
    return answers


def _scores(task: str, truth: list[str], found: list[str]) -> dict[str, Any]:
    """The scores of one set; of categories also as bug, feature and rest."""
    three = protocols.three(truth), protocols.three(found)
    if REST in truth:
        return scoring.summary(*three)
    scores = scoring.summary(truth, found)
    return scores | ({"macro_f1_bug_feature_rest": scoring.macro_f1(*three)} if task == "category" else {})


def _best_of_three(rows: Sequence[Row], answers: Sequence[Answer]) -> dict[str, Any]:
    """NLBSE'24: mean macro-F1 of the repositories, the answer being the best of bug, feature and question."""
    truth, found = [row.label for row in rows], [answer.best_of_three for answer in answers]
    scores = {}
    for repository in sorted({row.repository for row in rows}):
        chosen = [index for index, row in enumerate(rows) if row.repository == repository]
        scores[repository] = scoring.macro_f1([truth[i] for i in chosen], [found[i] for i in chosen])
    return {
        **scoring.summary(truth, found),
        "macro_f1": round(sum(scores.values()) / len(scores), 4),
        "repositories": scores,
        "confusion": scoring.confusion(truth, found),
    }
