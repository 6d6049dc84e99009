"""Serving from arrays gives the answers of the scikit-learn pipeline that was trained."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.triage.features import SIGNALS
from gateway.triage.lexicon import Lexicon
from gateway.triage.model import Model, Scores
from gateway.triage.sentiment_experts import LEAST_SHARE, leaning, odds
from gateway.triage.tokenizer import read
from gateway.triage.training.model_file import export
from gateway.triage.training.pipeline import Features, IssueFeatures, Linear, Sample
from gateway.triage.training.pools import EXPERTS
from gateway.triage.training.seeds import sentences
from gateway.triage.training.train import Trained

ENOUGH = 0.995
NEAR = 0.005
TEXTS = 5000


@pytest.fixture(scope="module")
def trained() -> Trained:
    """A pipeline fitted on the project's own sentences, with invented domains and severities."""
    seeds = [row for row in sentences(120) if row[0] in ("en", "nl")]
    samples = [Sample(read(text), language) for language, _, _, text in seeds]
    lexicon = Lexicon({Lexicon.key("en", "great"): 0.8, Lexicon.key("nl", "fijn"): 0.6})
    everything = Features(lexicon).fit(samples)
    matrix = everything.transform(samples)
    ones = [1.0] * len(seeds)
    domains = [("general", "issue", *EXPERTS)[len(text) % 6] for _, _, _, text in seeds]
    moods = [mood for _, _, mood, _ in seeds]
    answers: dict[str, list[str]] = {
        "category": [category for _, category, _, _ in seeds],
        "sentiment": moods,
        "language": [language for language, _, _, _ in seeds],
        "severity": ["severe" if len(text) % 2 else "minor" for _, _, _, text in seeds],
        "domain": domains,
        **{f"sentiment_{name}": moods[index:] + moods[:index] for index, name in enumerate(EXPERTS)},
    }
    heads = {}
    for name, labels in answers.items():
        plain = name == "language"
        seen = matrix[:, : -len(SIGNALS)] if plain else matrix
        heads[name] = Linear(2.0, dense=0 if plain else len(SIGNALS)).fit(seen, labels, ones)
    chosen = [row for row in seeds if row[1] in ("bug", "feature", "question")]
    issues = [Sample(read(f"{text}\n{text} {text}"), "en") for _, _, _, text in chosen]
    issue_features = IssueFeatures().fit(issues)
    labels = [category for _, category, _, _ in chosen]
    issue = Linear(3.0).fit(issue_features.transform(issues), labels, [1.0] * len(chosen))
    temperature = dict.fromkeys(heads, 1.3)
    return Trained(everything, heads, issue_features, issue, temperature, lexicon)


@pytest.fixture(scope="module")
def model(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Model:
    directory: Path = tmp_path_factory.mktemp("model")
    export(trained, directory, {})
    return Model.load(directory)


@pytest.fixture(scope="module", params=[1_500, pytest.param(TEXTS, marks=pytest.mark.long)])
def texts(request: pytest.FixtureRequest) -> list[str]:
    """Sentences the pipeline was not fitted on: halves of two put together, misspelt, some as reports."""
    dice = random.Random(3)
    seeds = [text for _, _, _, text in sentences(300)]
    made = []
    for number in range(request.param):
        one, other = dice.choice(seeds).split(), dice.choice(seeds).split()
        words = one[: len(one) // 2 + 1] + other[len(other) // 2 :]
        spot = dice.randrange(len(words))
        words[spot] = words[spot][::-1] if number % 3 == 0 else words[spot]
        made.append(" ".join(words) + ("\n" + " ".join(other) if number % 5 == 0 else ""))
    return made


def chances(head: Linear, matrix: Any, temperature: float) -> Any:
    scores = head.decision_function(matrix) / temperature
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_serving_answers_as_the_trained_pipeline(trained: Trained, model: Model, texts: list[str]) -> None:
    """Category, sentiment and language: at least 99.5 % equal, probabilities near."""
    read_texts = [read(text) for text in texts]
    served: list[Scores] = [model.score(text) for text in read_texts]
    samples = [Sample(text, scores.language) for text, scores in zip(read_texts, served, strict=True)]
    matrix = trained.features.transform(samples)
    heads = {
        name: chances(head, matrix[:, : -len(SIGNALS)] if name == "language" else matrix, 1.3)
        for name, head in trained.heads.items()
    }
    domains = dict(zip(trained.heads["domain"].classes_, heads["domain"].T, strict=True))
    experts = {name: np.where(domains[name] > LEAST_SHARE, domains[name], 0) for name in EXPERTS}
    mood = sum(share[:, None] * heads[f"sentiment_{name}"] for name, share in experts.items())
    issue = chances(trained.issue, trained.issue_features.transform(samples), 1.0)
    share = domains["issue"] * [
        model.reads_as_issue(t, d) for t, d in zip(read_texts, domains["issue"], strict=True)
    ]
    share = np.where(share > 0.5, 1.0, share)
    category = (1 - share)[:, None] * heads["category"]
    for column, name in enumerate(trained.issue.classes_):
        category[:, list(trained.heads["category"].classes_).index(name)] += share * issue[:, column]
    moods = [str(name) for name in trained.heads["sentiment"].classes_]
    by_category = odds(moods, [str(name) for name in trained.heads["category"].classes_])
    general = leaning(heads["sentiment"], category, by_category)
    left = (1 - sum(experts.values()))[:, None]
    mood += left * np.where(left > 0.5, general, heads["sentiment"])

    assert _equal(category, trained.heads["category"].classes_, [s.category for s in served])
    assert _equal(mood, trained.heads["sentiment"].classes_, [s.sentiment for s in served])
    names = [str(name) for name in trained.heads["domain"].classes_]
    domain = np.array([[scores.domain[name] for name in names] for scores in served])
    assert np.abs(domain - heads["domain"]).mean() < NEAR  # of invented domains the likeliest is chance
    spoken = trained.heads["language"].classes_[heads["language"].argmax(axis=1)]
    assert np.mean(spoken == [s.language for s in served]) >= ENOUGH


def _equal(expected: Any, classes: Any, served: list[dict[str, float]]) -> bool:
    found = np.array([[scores[str(name)] for name in classes] for scores in served])
    assert np.abs(found - expected).mean() < NEAR
    return bool(np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) >= ENOUGH)


def test_the_parts_of_an_explanation_sum_to_the_outputs(model: Model) -> None:
    """Bias and the parts of every word, sub-word and signal give the class probabilities back."""
    text = read("de knop werkt niet op mijn telefoon, jammer :(")
    scores = model.score(text)
    total = model.bias + sum(outputs for _, outputs in model.parts(text, scores.language))
    start, end = model.heads["domain"]
    powers = np.exp(total[start:end] / 1.3)
    expected = dict(zip(model.classes["domain"], (powers / powers.sum()).tolist(), strict=True))
    assert scores.domain == pytest.approx(expected, abs=1e-4)


def test_the_same_sentences_give_the_same_model(trained: Trained, tmp_path: Path) -> None:
    one, other = export(trained, tmp_path / "a", {}), export(trained, tmp_path / "b", {})
    assert one["version"] == other["version"]
    assert (tmp_path / "a/model.npz").read_bytes() == (tmp_path / "b/model.npz").read_bytes()


def test_many_texts_at_once_get_the_answers_of_one(model: Model, texts: list[str]) -> None:
    """The sums are taken in another order, so the probabilities may differ in the last digits."""
    some = [read(text) for text in ["", "???", *texts[:500], "x" * 5000, "the app crashes. " * 300]]
    for one, together in zip(map(model.score, some), model.score_all(some), strict=True):
        assert one.language == together.language
        assert one.severe == pytest.approx(together.severe, abs=1e-4)
        for head in ("category", "sentiment", "domain"):
            assert getattr(one, head) == pytest.approx(getattr(together, head), abs=1e-4)
