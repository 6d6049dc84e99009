"""Fits the models: the same data and seed give the same model."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gateway.triage.features import SIGNALS
from gateway.triage.lexicon import Lexicon
from gateway.triage.tokenizer import read as read_text
from gateway.triage.training.pipeline import Features, IssueFeatures, Linear, Sample
from gateway.triage.training.pools import Pools, read_pools
from gateway.triage.training.rows import Row

POLARITY = Path(__file__).parent / "polarity"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Head:
    """How one question is learnt: strength of the fit, classes of equal weight or not, signals or not."""

    c: float
    balanced: bool = True
    signals: bool = True


HEADS = {
    "category": Head(1.0),
    "sentiment": Head(2.0),
    "language": Head(2.0, signals=False),  # the language picks the lexicon, so it cannot depend on it
    "severity": Head(1.0),
    "domain": Head(2.0, balanced=False),
    "sentiment_so": Head(4.0, balanced=False),
    "sentiment_github": Head(3.0, balanced=False),
    "sentiment_jira": Head(1.0),
    "sentiment_tweet": Head(1.0),
}
ISSUE = Head(3.0, balanced=False)


@dataclass(frozen=True)
class Trained:
    """The fitted pipeline, before it is written as arrays."""

    features: Features
    heads: dict[str, Linear]
    issue_features: IssueFeatures
    issue: Linear
    temperature: dict[str, float]
    lexicon: Lexicon


def sample(row: Row) -> Sample:
    return Sample(read_text(row.text), row.language)


def samples(rows: Iterable[Row]) -> list[Sample]:
    return [sample(row) for row in rows]


def read_lexicon(data: Path) -> Lexicon:
    """English polarity from VADER and AFINN, other languages from the project's own lists."""
    values: dict[int, float] = {}
    with (data / "lexicon_valence.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            tokens = read_text(row["term"]).tokens
            if row["lang"] == "en" and len(tokens) == 1 and tokens[0][0].isalpha():
                values.setdefault(Lexicon.key("en", tokens[0]), float(row["valence"]))
    for path in sorted(POLARITY.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                value, _, words = line.partition(": ")
                values |= {Lexicon.key(path.stem, word): float(value) for word in words.split()}
    return Lexicon(values)


def train(
    data: Path,
    say: Say,
    leave_out: Iterable[str] = (),
    more: Mapping[str, list[Row]] | None = None,
    like: Trained | None = None,
) -> Trained:
    """Fits features and every head on the training parts of `data`.

    `more` are rows to learn besides, by question ("issue" for the expert on issue reports). With `like`,
    fitted on the same data, only the questions of `more` are fitted again.
    """
    more = more or {}
    lexicon = read_lexicon(data)
    pools = read_pools(data, leave_out)
    for name, rows in more.items():
        (pools.issues if name == "issue" else pools.train[name]).extend(rows)
    if like is None:
        say("features")
        everything = Features(lexicon).fit(samples(pools.train["category"] + pools.train["sentiment"]))
        issue_features = IssueFeatures().fit(samples(pools.issues))
    else:
        everything, issue_features = like.features, like.issue_features
    heads = {
        name: fit_head(name, everything, pools, say) if like is None or more.get(name) else like.heads[name]
        for name in HEADS
    }
    issue = fit_linear(ISSUE, issue_features.transform(samples(pools.issues)), pools.issues)
    say("calibration")
    temperature = dict.fromkeys(("language", "domain", "sentiment_so"), 1.0)
    for name, held in pools.held.items():
        temperature[name] = fit_temperature(heads[name], everything.transform(samples(held)), held)
    return Trained(everything, heads, issue_features, issue, temperature, lexicon)


def fit_head(name: str, everything: Features, pools: Pools, say: Say) -> Linear:
    rows = pools.train[name]
    say(f"{name}: {len(rows)} texts")
    matrix = everything.transform(samples(rows))
    head = HEADS[name]
    return fit_linear(head, matrix if head.signals else matrix[:, : -len(SIGNALS)], rows, len(SIGNALS))


def fit_linear(head: Head, matrix: Any, rows: list[Row], dense: int = 0) -> Linear:
    model = Linear(head.c, head.balanced, dense if head.signals else 0)
    return model.fit(matrix, [row.label for row in rows], [row.weight for row in rows])


def fit_temperature(head: Linear, matrix: Any, rows: list[Row]) -> float:
    """The temperature that makes the probabilities of unseen texts truest: least log loss, 0.6 to 3."""
    scores = head.decision_function(matrix)
    truth = np.searchsorted(head.classes_, [row.label for row in rows])
    shares = np.array([row.weight for row in rows])
    shares = shares / shares.sum()

    def loss(temperature: float) -> float:
        scaled = scores / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chances = scaled[np.arange(len(truth)), truth] - np.log(np.exp(scaled).sum(axis=1))
        return -float(shares @ chances)

    return float(min((round(0.6 + 0.05 * step, 2) for step in range(49)), key=loss))
