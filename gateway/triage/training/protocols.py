"""Scores that need models of their own: one set left out, or one official fold.

The shipped model has learnt from these sets, so its score on them says nothing; the same recipe is fitted
again without the part that is then scored.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gateway.triage.features import SIGNALS
from gateway.triage.training import metrics
from gateway.triage.training import rows as sources
from gateway.triage.training.pipeline import Features, Linear
from gateway.triage.training.pools import DOMAINS, TECHNICAL, domain_row, expert_rows, read_pools
from gateway.triage.training.rows import Row
from gateway.triage.training.train import HEADS, fit_head, fit_linear, read_lexicon, samples

REVIEW_SETS = ("maalej", "scalabrino_rq1", "vu_appstore", "gplay8000")
FOLDED = {"se_github": "github", "se_jira": "jira"}
Say = Callable[[str], None]


def leave_one_set_out(data: Path, say: Say) -> dict[str, Any]:
    """Category of app reviews, bug, feature or rest: each set scored by a model that never saw it."""
    result: dict[str, Any] = {}
    lexicon = read_lexicon(data)
    for name in REVIEW_SETS:
        say(f"without {name}")
        pools = read_pools(data, [name])
        everything = Features(lexicon).fit(samples(pools.train["category"] + pools.train["sentiment"]))
        head = fit_head("category", everything, pools, say)
        rows = sources.category_sets(data)[name]
        answers = head.classes_[head.decision_function(everything.transform(samples(rows))).argmax(axis=1)]
        truth, found = three([row.label for row in rows]), three(answers)
        result[name] = metrics.summary(truth, found)
        say(f"  macro-F1 {result[name]['macro_f1']}")
    result["mean"] = round(float(np.mean([result[name]["macro_f1"] for name in REVIEW_SETS])), 4)
    return result


def three(labels: Any) -> list[str]:
    """Categories as bug, feature and rest."""
    return [label if label in ("bug", "feature") else "rest" for label in labels]


def official_folds(data: Path, say: Say) -> dict[str, Any]:
    """Sentiment of GitHub and Jira comments in their ten published folds.

    The general model is fitted without both sets, experts and domains without the fold that is scored.
    """
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
    folds = sorted({row.split for rows in sets.values() for row in rows})
    bank = _Bank(everything, [*steady, *elsewhere, *(row for rows in sets.values() for row in rows)])
    truth: dict[str, list[str]] = {name: [] for name in sets}
    answers: dict[str, list[str]] = {name: [] for name in sets}
    for fold in folds:
        say(f"fold {fold}")
        seen = {name: [row for row in rows if row.split != fold] for name, rows in sets.items()}
        asked = {name: [row for row in rows if row.split == fold] for name, rows in sets.items()}
        technical = steady + [row for rows in seen.values() for row in rows]
        heads = {name: bank.fit(f"sentiment_{name}", expert_rows(technical, name)) for name in TECHNICAL}
        heads["tweet"] = tweets
        known = [domain_row(row) for rows in seen.values() for row in rows]
        domains = bank.fit("domain", elsewhere + known)
        for name, rows in asked.items():
            truth[name] += [row.label for row in rows]
            answers[name] += _mixed(bank.matrix(rows), domains, general, heads)
    return {name: metrics.summary(truth[name], answers[name]) for name in sets}


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
