"""Trains the models and writes them as arrays: the same data and seed give the same files."""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn

from gateway.triage import features
from gateway.triage.lexicon import Lexicon
from gateway.triage.model import FORMAT, quantise
from gateway.triage.text import read as read_text
from gateway.triage.training import rows as sources
from gateway.triage.training.pipeline import Features, Sample, fit_linear
from gateway.triage.training.rows import Row, held_out
from gateway.triage.training.translation import LANGUAGES as TRANSLATED
from gateway.triage.training.translation import Translator

RELEASE = "2026.11"
SEED_WEIGHT = 1.2
QUESTIONS = ("category", "sentiment", "language")
POLARITY = Path(__file__).parent / "polarity"
Say = Callable[[str], None]


@dataclass
class Pools:
    """The texts each question is learnt from."""

    category: list[Row]
    sentiment: list[Row]
    language: list[Row]


@dataclass
class Trained:
    """The fitted pipeline, before it is written as arrays."""

    features: Features
    heads: dict[str, Any]
    temperature: dict[str, float]
    lexicon: Lexicon


def sample(row: Row) -> Sample:
    return Sample(read_text(row.text), row.language)


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


def read_pools(data: Path, say: Say, leave_out: Iterable[str] = ()) -> Pools:
    """The training texts of every question; `leave_out` names sets to do without."""
    out = set(leave_out)
    translators = {name: Translator(data / "lexicon_en_xx.csv", name) for name in TRANSLATED}
    seeds = list(sources.seed_rows(SEED_WEIGHT, 700))
    sets = {**sources.category_sets(data), **sources.weak_category_sets(data)}
    category = [row for name, rows in sets.items() if name not in out for row in rows]
    category = sources.training_part(sources.distinct(category))
    category += translated(category, translators, 0.6)
    category += _weighted(sources.read(data / "cat_templates_nl.csv"), "templates_nl", 0.4)
    category += [row for row, _ in seeds]
    sets = sources.sentiment_sets(data)
    sentiment = [row for name, rows in sets.items() if name not in out for row in rows]
    sentiment = sources.training_part(sources.distinct(sentiment))
    plain = list(sentiment)
    sentiment += translated(sentiment, translators, 0.35)
    sentiment += [replace(row, label=mood) for row, mood in seeds]
    # Translated texts keep English words that were not in the list: they would teach that English is French.
    language = [replace(row, label=row.language, weight=1.0) for row in (*plain, *(row for row, _ in seeds))]
    language = _balanced(language, 9000)
    say(f"texts: category {len(category)}, sentiment {len(sentiment)}, language {len(language)}")
    return Pools(category, sentiment, language)


def _weighted(rows: Iterable[Row], source: str, weight: float) -> list[Row]:
    return [replace(row, source=source, weight=weight) for row in rows]


def _balanced(rows: list[Row], most: int) -> list[Row]:
    """At most `most` rows of each language, drawn evenly."""
    dice = random.Random(5)
    chosen: list[Row] = []
    for language in features.LANGUAGES:
        same = [row for row in rows if row.language == language]
        chosen += same if len(same) <= most else dice.sample(same, most)
    return chosen


def translated(rows: list[Row], translators: dict[str, Translator], share: float) -> list[Row]:
    """Word-by-word copies of `share` of the short English rows, in every language."""
    dice = random.Random(11)
    short = [row for row in rows if row.language == "en" and len(row.text) < 220]
    copies: list[Row] = []
    for language, translator in translators.items():
        chosen = dice.sample(short, int(len(short) * share))
        copies += [
            replace(row, text=translator.translate(row.text, dice), language=language) for row in chosen
        ]
    return copies


def train(data: Path, say: Say, leave_out: Iterable[str] = ()) -> Trained:
    """Fits features and heads on the training parts of `data`."""
    lexicon = read_lexicon(data)
    pools = read_pools(data, say, leave_out)
    samples = {
        name: [sample(row) for row in getattr(pools, name)] for name in ("category", "sentiment", "language")
    }
    say("features")
    everything = Features(lexicon).fit(samples["category"] + samples["sentiment"])
    heads: dict[str, Any] = {}
    for name, c in (("category", 8.0), ("sentiment", 3.0), ("language", 4.0)):
        texts: list[Row] = getattr(pools, name)
        matrix = everything.transform(samples[name])
        if name == "language":  # the language picks the lexicon, so it cannot depend on it
            matrix = matrix[:, : -len(features.SIGNALS)]
        say(f"{name}: {matrix.shape[0]} texts, {matrix.nnz} numbers")
        heads[name] = fit_linear(matrix, [row.label for row in texts], [row.weight for row in texts], c)
    say("calibration")
    temperature = {"language": 1.0}
    held = {
        "category": _distinct_held_out(sources.category_sets(data), leave_out),
        "sentiment": _distinct_held_out(sources.sentiment_sets(data), leave_out),
    }
    for name, texts in held.items():
        matrix = everything.transform([sample(row) for row in texts])
        weights = [row.weight for row in texts]
        temperature[name] = fit_temperature(heads[name], matrix, [row.label for row in texts], weights)
    return Trained(everything, heads, temperature, lexicon)


def _distinct_held_out(sets: dict[str, list[Row]], leave_out: Iterable[str]) -> list[Row]:
    out = set(leave_out)
    return sources.distinct(
        row for name, rows in sets.items() if name not in out for row in rows if held_out(row)
    )


def fit_temperature(head: Any, matrix: Any, labels: list[str], weights: list[float]) -> float:
    """The temperature that makes the probabilities of unseen texts truest: least log loss, 0.6 to 3."""
    scores = head.decision_function(matrix)
    truth = np.searchsorted(head.classes_, labels)
    shares = np.asarray(weights) / np.sum(weights)

    def loss(temperature: float) -> float:
        scaled = scores / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chances = scaled[np.arange(len(truth)), truth] - np.log(np.exp(scaled).sum(axis=1))
        return -float(shares @ chances)

    return float(min((round(0.6 + 0.05 * step, 2) for step in range(49)), key=loss))


def export(trained: Trained, out: Path, digests: dict[str, str]) -> dict[str, Any]:
    """Writes model.npz and model.json below `out`; gives the card back."""
    words, subwords = trained.features.words_, trained.features.subwords_
    coefficients, biases = [], []
    for name, head in trained.heads.items():
        coefficient = head.coef_.astype(np.float32).T
        if name == "language":
            coefficient = np.vstack(
                [coefficient, np.zeros((len(features.SIGNALS), coefficient.shape[1]), np.float32)]
            )
        coefficients.append(coefficient)
        biases.append(head.intercept_.astype(np.float32))
    table = np.hstack(coefficients)
    sparse, signals = table[: -len(features.SIGNALS)], table[-len(features.SIGNALS) :]
    codes, scale = quantise(sparse)
    # Features in the order of their keys compress better and are the same whatever the order of reading.
    lexicon = sorted(trained.lexicon.values.items())
    keys = np.concatenate([words.keys_, subwords.keys_]).astype(np.uint32)
    order = np.concatenate([np.argsort(words.keys_), len(words.keys_) + np.argsort(subwords.keys_)])
    arrays = {
        "keys": keys[order],
        "idf": words.idf_[order[: len(words.keys_)]].astype(np.float16),
        "weights": codes[order],
        "scale": scale,
        "signals": signals,
        "bias": np.concatenate(biases),
        "lexicon_keys": np.array([name for name, _ in lexicon], np.uint32),
        "lexicon_values": np.array([round(value * 127) for _, value in lexicon], np.int8),
    }
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    card = {
        "format": FORMAT,
        "version": f"{RELEASE}-{digest.hexdigest()[:8]}",
        "classes": {name: [str(label) for label in head.classes_] for name, head in trained.heads.items()},
        "temperature": trained.temperature,
        "features": {"words": len(words.keys_), "subwords": len(subwords.keys_), "lexicon": len(lexicon)},
        "libraries": {
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "data": digests,
    }
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "model.npz", allow_pickle=False, **arrays)
    write_card(card, out)
    return card


def write_card(card: dict[str, Any], out: Path) -> None:
    (out / "model.json").write_text(json.dumps(card, indent=2, sort_keys=False) + "\n", encoding="utf-8")


def digests(data: Path) -> dict[str, str]:
    """SHA-256 of every CSV file of the data directory, shortened to 16 digits."""
    files = sorted(data.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no CSV files in {data}")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}
