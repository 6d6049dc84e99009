"""Scores that need models of their own: one set left out, or one official fold.

The shipped model has learnt from these sets, so its score on them says nothing; the same recipe is fitted
again without the part that is then scored.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from gateway.triage.features import SIGNALS
from gateway.triage.training import rows as sources
from gateway.triage.training import scoring
from gateway.triage.training.pipeline import Features, Linear
from gateway.triage.training.pools import DOMAINS, TECHNICAL, domain_row, expert_rows, read_pools
from gateway.triage.training.rows import Row
from gateway.triage.training.train import HEADS, fit_head, fit_linear, read_lexicon, samples

REVIEW_SETS = ("maalej", "scalabrino_rq1", "vu_appstore", "gplay8000")
FOLDED = {"se_github": "github", "se_jira": "jira"}
HALVES = (slice(0, None, 2), slice(1, None, 2))  # of the folds, for two processes
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """Labels of the same texts, as people and as a model say."""

    truth: list[str]
    found: list[str]


def refitted(data: Path, say: Say, jobs: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scores of `leave_one_set_out` and of `official_folds`, fitted by so many processes."""
    if jobs == 1:
        return leave_one_set_out(data, say), official_folds(data, say)
    with ProcessPoolExecutor(jobs, get_context("spawn"), threadpool_limits, (1,)) as pool:
        halves = [pool.submit(_some_folds, data, say, half) for half in HALVES]  # first, they take longest
        sets = {name: pool.submit(without, name, data, say) for name in REVIEW_SETS}
        folds = _folds_scored([half.result() for half in halves])
        return _with_mean({name: found.result() for name, found in sets.items()}), folds


def leave_one_set_out(data: Path, say: Say) -> dict[str, Any]:
    """Category of app reviews, bug, feature or rest: each set scored by a model that never saw it."""
    return _with_mean({name: without(name, data, say) for name in REVIEW_SETS})


def _with_mean(result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "mean": round(float(np.mean([scores["macro_f1"] for scores in result.values()])), 4)}


def without(name: str, data: Path, say: Say) -> dict[str, Any]:
    """The scores of one review set by the recipe without it."""
    say(f"without {name}")
    pools = read_pools(data, [name])
    everything = Features(read_lexicon(data)).fit(samples(pools.train["category"] + pools.train["sentiment"]))
    head = fit_head("category", everything, pools, say)
    rows = sources.category_sets(data)[name]
    answers = head.classes_[head.decision_function(everything.transform(samples(rows))).argmax(axis=1)]
    scores = scoring.summary(three([row.label for row in rows]), three(answers))
    say(f"  without {name}: macro-F1 {scores['macro_f1']}")
    return scores


def three(labels: Any) -> list[str]:
    """Categories as bug, feature and rest."""
    return [label if label in ("bug", "feature") else "rest" for label in labels]


def official_folds(data: Path, say: Say) -> dict[str, Any]:
    """Sentiment of GitHub and Jira comments in their ten published folds.

    The general model is fitted without both sets, experts and domains without the fold that is scored.
    What a category says about the general model's sentiment is left out: that model has little share here.
    """
    return _folds_scored([_some_folds(data, say)])


def _folds_scored(parts: list[dict[str, Answers]]) -> dict[str, Any]:
    """The scores of each set over the folds of all parts."""
    return {
        name: scoring.summary(
            [label for part in parts for label in part[name].truth],
            [label for part in parts for label in part[name].found],
        )
        for name in FOLDED
    }


def _some_folds(data: Path, say: Say, chosen: slice = slice(None)) -> dict[str, Answers]:
    """Truth and answers of the `chosen` folds, by set."""
    lexicon = read_lexicon(data)
    pools = read_pools(data)
    say("features")
    everything = Features(lexicon).fit(samples(pools.train["category"] + pools.train["sentiment"]))
    pools.train["sentiment"] = [row for row in pools.train["sentiment"] if row.source not in FOLDED]
    general = fit_head("sentiment", everything, pools, say)
    tweets = fit_head("sentiment_tweet", everything, pools, say)
    sets = {name: sources.sentiment_sets(data)[name] for name in FOLDED}
    steady = [row for row in pools.train["sentiment"] if DOMAINS.get(row.source) in TECHNICAL]
    steady = [row for row in steady if row.language == "en"]  # not the translated copies
    elsewhere = [row for row in pools.train["domain"] if row.source not in FOLDED]
    folds = sorted({row.split for rows in sets.values() for row in rows})[chosen]
    bank = _Bank(everything, [*steady, *elsewhere, *(row for rows in sets.values() for row in rows)])
    answers = {name: Answers([], []) for name in sets}
    for fold in folds:
        say(f"fold {fold}")
        seen = [row for rows in sets.values() for row in rows if row.split != fold]
        technical = steady + seen
        heads = {name: bank.fit(f"sentiment_{name}", expert_rows(technical, name)) for name in TECHNICAL}
        heads["tweet"] = tweets
        domains = bank.fit("domain", elsewhere + [domain_row(row) for row in seen])
        for name, rows in sets.items():
            asked = [row for row in rows if row.split == fold]
            answers[name].truth.extend(row.label for row in asked)
            answers[name].found.extend(_mixed(bank.matrix(asked), domains, general, heads))
    return answers


class _Bank:
    """The features of rows, computed once for all folds."""

    def __init__(self, everything: Features, rows: list[Row]) -> None:
        different = list({(row.text, row.language): row for row in rows}.values())
        self._at = {(row.text, row.language): index for index, row in enumerate(different)}
        self._matrix = everything.transform(samples(different))

    def matrix(self, rows: list[Row]) -> Any:
        return self._matrix[[self._at[row.text, row.language] for row in rows]]

    def fit(self, name: str, rows: list[Row]) -> Linear:
        return fit_linear(HEADS[name], self.matrix(rows), rows, len(SIGNALS))


def _mixed(matrix: Any, domains: Any, general: Any, experts: dict[str, Any]) -> list[str]:
    """Each row's likeliest sentiment, the experts weighted by their domains."""
    shares = dict(zip(domains.classes_, _chances(domains, matrix).T, strict=True))
    total = sum(shares[name][:, None] * _chances(head, matrix) for name, head in experts.items())
    left = 1 - sum(shares[name] for name in experts)
    total = total + left[:, None] * _chances(general, matrix)
    return [str(label) for label in general.classes_[total.argmax(axis=1)]]


def _chances(head: Any, matrix: Any) -> Any:
    scores = head.decision_function(matrix)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
