"""The trained models as flat arrays, and the scores of one text from them.

A model is two files: `model.npz` (arrays, loaded without pickle) and `model.json` (version, classes,
origins). The arrays, n features by k outputs:

    keys      uint32 [n]     CRC-32 of the feature names, words first, then sub-words
    idf       float16 [w]    weights of the word features
    weights   int8 [n, k]    sign(v) * sqrt(|v| / scale) * 127, v the logistic regression's coefficient
    scale     float32 [k]
    signals   float32 [s, k] coefficients of features.SIGNALS
    bias      float32 [k]
    lexicon_keys, lexicon_values   uint32 [l], int8 [l] (127 is 1.0)
    issue_*   keys, idf, weights, scale and bias of the expert on issue reports

The outputs are the heads of `classes` in the card: category, sentiment, language, severity, `domain` (what
kind of text it is) and a sentiment expert for each kind of technical talk. Experts are mixed by the domain's
probabilities.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import Floats, Index, restore, unit_parts, with_length
from gateway.triage.issue_expert import IssueExpert
from gateway.triage.lexicon import Lexicon
from gateway.triage.phrases import Hints
from gateway.triage.sparse import Sparse
from gateway.triage.spoken import hints
from gateway.triage.subwords import Subwords
from gateway.triage.tokenizer import LONG_CHARS, Text
from gateway.triage.vocabulary import ROOM, Found, Numbers

FORMAT = 1
SHIPPED = Path(__file__).parent / "model"
TOGETHER = 64  # texts whose words are summed in one go
# How much likelier a sentiment is among texts of a category, chosen on public reviews that carry both labels.
LEANING = {
    "negative": {"bug": 2.0, "feature": 1.0, "question": 1.0, "praise": 0.5, "other": 1.0},
    "neutral": {"bug": 1.0, "feature": 1.4, "question": 2.0, "praise": 1.0, "other": 1.0},
    "positive": {"bug": 0.5, "feature": 1.0, "question": 0.7, "praise": 2.0, "other": 1.0},
}
LEAST_SHARE = 0.03  # of a domain, below which its expert is not asked
BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile)


class ModelError(Exception):
    """A model file that is missing, broken, or not ours."""


def arrays_path(directory: Path, card: dict[str, Any]) -> Path:
    """The file of arrays that a card belongs to: to replace the card is to replace both."""
    return directory / Path(str(card.get("arrays", "model.npz"))).name


@dataclass(slots=True)
class Scores:
    """What the models say of one text: probabilities by class; `severe` is that of a severe bug.

    `hints` tell where phrases may be said (phrases.Words).
    """

    language: str
    language_probability: float
    category: dict[str, float]
    sentiment: dict[str, float]
    domain: dict[str, float]
    severe: float
    hints: Hints


class Model:
    """One loaded model; reading it from many threads is safe."""

    def __init__(self, arrays: dict[str, NDArray[Any]], card: dict[str, Any]) -> None:
        self.card = card
        self.version: str = card["version"]
        self.classes: dict[str, list[str]] = card["classes"]
        self.temperature: dict[str, float] = card["temperature"]
        self.heads: dict[str, tuple[int, int]] = {}
        start = 0
        for name, classes in self.classes.items():
            self.heads[name] = (start, start + len(classes))
            start += len(classes)
        idf = arrays["idf"].astype(np.float32)
        table = with_length(restore(arrays["weights"][: len(idf)], arrays["scale"]), idf, ROOM)
        subwords = restore(arrays["weights"][len(idf) :], arrays["scale"])
        self._word_index = Index(arrays["keys"][: len(idf)])
        self._subwords = Subwords(subwords, Index(arrays["keys"][len(idf) :]), self._word_index, idf)
        self.rarity = self._subwords.rarity
        self._signals = arrays["signals"]
        self.bias = arrays["bias"]
        sizes = [len(classes) for classes in self.classes.values()]
        self._starts = np.array([begin for begin, _ in self.heads.values()], np.intp)
        self._head_of = np.repeat(np.arange(len(sizes)), sizes)
        self._coldness = np.repeat([1 / self.temperature[name] for name in self.heads], sizes)
        self._severe = self.heads["severity"][0] + self.classes["severity"].index("severe")
        self._moods = self._places("sentiment")
        self._experts = [
            (name, self._places(head))
            for name in self.classes["domain"]
            if (head := f"sentiment_{name}") in self.heads
        ]
        values = (arrays["lexicon_values"].astype(np.float32) / 127).tolist()
        self.lexicon = Lexicon(dict(zip(arrays["lexicon_keys"].tolist(), values, strict=True)))
        lexicon, languages = self.lexicon, self.classes["language"]
        self._sparse = Sparse(
            table,
            len(idf),
            self._word_index,
            self._subwords.rows,
            lambda token: (lexicon.tells(token, languages), *hints(token)),
        )
        self.issue = IssueExpert(arrays, card["issue_classes"])

    @classmethod
    def load(cls, directory: Path = SHIPPED) -> Model:
        """The model in `directory`; raises ModelError with one clear line when it cannot be used."""
        try:
            card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
            # Opened here, for numpy leaves a broken file open.
            with arrays_path(directory, card).open("rb") as raw:
                return cls.read(card, raw, str(directory))
        except FileNotFoundError as error:
            raise ModelError(f"no triage model: {error.filename} is missing") from None
        except BROKEN as error:
            raise ModelError(f"{directory}: broken triage model: {error}") from None

    @classmethod
    def read(cls, card: dict[str, Any], raw: BinaryIO, name: str) -> Model:
        """The model of a card and its arrays; raises ModelError, with its name, when it cannot be used."""
        try:
            if card.get("format") != FORMAT:
                raise ModelError(f"{name}: not a triage model of format {FORMAT}")
            with np.load(raw, allow_pickle=False) as file:
                arrays = {part: file[part] for part in file.files}
            _check(arrays, card)
            return cls(arrays, card)
        except BROKEN as error:
            raise ModelError(f"{name}: broken triage model: {error}") from None

    def score(self, text: Text) -> Scores:
        """Every probability for one text."""
        return self.score_all([text])[0]

    def score_all(self, texts: Sequence[Text]) -> list[Scores]:
        """The probabilities of many texts, their words summed together."""
        scores: list[Scores] = []
        for start in range(0, len(texts), TOGETHER):
            some = texts[start : start + TOGETHER]
            words, found = self._sparse.parts([text.tokens for text in some])
            scores += self._scores(some, self.bias + words, found)
        return scores

    def _scores(self, texts: Sequence[Text], words: Floats, found: Found) -> list[Scores]:
        """The probabilities of texts from the outputs of their words, one row each."""
        likeliest, sure = self._spoken(words)
        spoken = [self.classes["language"][number] for number in likeliest.tolist()]
        signals = [
            features.signals(text, self.lexicon.telling_in(language), places)
            for text, language, places in zip(texts, spoken, found.telling(likeliest), strict=True)
        ]
        hinted = found.hints()
        shares = self._softmaxes(words + np.array(signals, np.float32) @ self._signals)
        domains = [self._chances("domain", row) for row in shares]
        asked = [n for n, text in enumerate(texts) if self.reads_as_issue(text, domains[n]["issue"])]
        reports = self.issue.chances([texts[n] for n in asked]) if asked else []
        experts = dict(zip(asked, reports, strict=True))
        return [
            self._scored(*parts, experts.get(n))
            for n, parts in enumerate(zip(spoken, sure, shares, domains, hinted, strict=True))
        ]

    def _scored(
        self,
        spoken: str,
        sure: float,
        shares: list[float],
        domain: dict[str, float],
        hinted: Hints,
        expert: dict[str, float] | None,
    ) -> Scores:
        category = self._chances("category", shares)
        if expert is not None:
            issue = domain["issue"]
            share = 1.0 if issue > 0.5 else issue
            category = {name: (1 - share) * p + share * expert.get(name, 0.0) for name, p in category.items()}
        sentiment = self._mixed_sentiment(domain, category, shares)
        severe = shares[self._severe]
        return Scores(spoken, sure, category, sentiment, domain, severe, hinted)

    def _spoken(self, words: Floats) -> tuple[Numbers, list[float]]:
        """Which language each text is in, told by its words alone, and how likely it is."""
        start, end = self.heads["language"]
        outputs = words[:, start:end]
        powers = np.exp((outputs - outputs.max(axis=1, keepdims=True)) / self.temperature["language"])
        sure: list[float] = (1 / powers.sum(axis=1)).tolist()  # the highest power is one
        return outputs.argmax(axis=1), sure

    @staticmethod
    def reads_as_issue(text: Text, share: float) -> bool:
        """Whether the expert on issue reports is asked: never about one short line."""
        return share > LEAST_SHARE and (text.lines > 1 or text.raw_length > LONG_CHARS)

    def parts(self, text: Text, language: str) -> Iterator[tuple[str, Floats]]:
        """What each word, pair, sub-words of a word and signal adds to the outputs, beside the bias."""
        names = {name: name for name in features.word_names(text.tokens)}
        yield from unit_parts(self._sparse.table, self._word_index, names)
        words = {word: self._subwords.row(word) for word in features.subword_words(text.tokens)}
        length = math.sqrt(sum(float(row[-1]) for row in words.values()))
        for word, row in words.items():
            yield word, row[:-1] / length
        signals = features.signals(text, self.lexicon.telling_in(language))
        for name, value, row in zip(features.SIGNALS, signals, self._signals, strict=True):
            yield f"({name.replace('_', ' ')})", row * np.float32(value)

    def _softmaxes(self, outputs: Floats) -> list[list[float]]:
        """The probabilities of every head, in the order of the outputs, one row each."""
        powers = np.exp(outputs * self._coldness)
        sums = np.add.reduceat(powers, self._starts, axis=1)
        shares: list[list[float]] = (powers / sums.take(self._head_of, axis=1)).tolist()
        return shares

    def _places(self, head: str) -> list[int]:
        """Where the sentiments are among the outputs of a head."""
        return [self.heads[head][0] + self.classes[head].index(mood) for mood in self.classes["sentiment"]]

    def _chances(self, head: str, shares: list[float]) -> dict[str, float]:
        start, end = self.heads[head]
        return dict(zip(self.classes[head], shares[start:end], strict=True))

    def _mixed_sentiment(
        self, domain: dict[str, float], category: dict[str, float], shares: list[float]
    ) -> dict[str, float]:
        """The experts' sentiments, weighted by how likely the text is of their kind."""
        moods = self.classes["sentiment"]
        mixed = [0.0] * len(moods)
        left = 1.0
        for name, head in self._experts:
            if (share := domain[name]) > LEAST_SHARE:
                left -= share
                mixed = [chance + share * shares[place] for chance, place in zip(mixed, head, strict=True)]
        general = {mood: shares[place] for mood, place in zip(moods, self._moods, strict=True)}
        if left > 0.5:  # of technical talk its experts know better
            general = leaning(general, category)
        return {mood: chance + left * general[mood] for mood, chance in zip(moods, mixed, strict=True)}


def leaning(sentiment: dict[str, float], category: dict[str, float]) -> dict[str, float]:
    """Sentiment with the odds that come with a category: what is told as a fact may still be a complaint."""
    odds = {
        mood: chance * sum(map(mul, category.values(), map(LEANING[mood].__getitem__, category)))
        for mood, chance in sentiment.items()
    }
    total = sum(odds.values())
    return {mood: value / total for mood, value in odds.items()}


def _check(arrays: dict[str, NDArray[Any]], card: dict[str, Any]) -> None:
    """Raises ModelError unless the arrays fit each other and the card."""
    outputs = sum(len(classes) for classes in card["classes"].values())
    n, words = len(arrays["keys"]), len(arrays["idf"])
    shapes = {
        "keys": (n,),
        "weights": (n, outputs),
        "scale": (outputs,),
        "signals": (len(features.SIGNALS), outputs),
        "bias": (outputs,),
        "lexicon_values": (len(arrays["lexicon_keys"]),),
    }
    issues, answers = len(arrays["issue_keys"]), len(card["issue_classes"])
    shapes |= {
        "issue_idf": (issues,),
        "issue_weights": (issues, answers),
        "issue_scale": (answers,),
        "issue_bias": (answers,),
    }
    wrong = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    kinds = {"keys": "uint32", "idf": "float16", "weights": "int8"}
    wrong += [name for name, kind in kinds.items() if arrays[name].dtype != kind]
    if (
        wrong
        or words > n
        or not all(np.isfinite(arrays[name]).all() for name in ("idf", "scale", "signals", "bias"))
    ):
        raise ModelError(f"broken triage model: {', '.join(wrong) or 'numbers'} do not fit")
