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
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import Floats, Index, misfits, restore, unit_parts, with_length
from gateway.triage.issue_expert import IssueExpert
from gateway.triage.lexicon import Lexicon
from gateway.triage.phrases import Hints
from gateway.triage.sentiment_experts import LEAST_SHARE, SentimentExperts, Shares
from gateway.triage.sparse import Sparse, Sums
from gateway.triage.spoken import hints
from gateway.triage.subwords import Subwords
from gateway.triage.tokenizer import LONG_CHARS, Text
from gateway.triage.vocabulary import ROOM, Part

FORMAT = 1
SHIPPED = Path(__file__).parent / "model"
TOGETHER = 64  # texts whose words are summed in one go
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


class Outputs(NamedTuple):
    """What the heads say of some texts: their languages, how sure these are, and all probabilities."""

    texts: Sequence[Text]
    spoken: list[str]
    sure: list[float]
    shares: Shares
    sums: Sums


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
        self._issue = self.classes["domain"].index("issue")
        self._sentiments = SentimentExperts(self.classes, self.heads)
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
            if wrong := misfits(arrays, card):
                raise ModelError(f"broken triage model: {', '.join(wrong)} do not fit")
            return cls(arrays, card)
        except BROKEN as error:
            raise ModelError(f"{name}: broken triage model: {error}") from None

    def score(self, text: Text) -> Scores:
        """Every probability for one text."""
        return self.score_all([text])[0]

    def score_all(self, texts: Sequence[Text]) -> list[Scores]:
        """The probabilities of many texts, the words of TOGETHER at a time summed together."""
        some = (texts[start : start + TOGETHER] for start in range(0, len(texts), TOGETHER))
        return [scores for these in some for scores in self.scores(self.outputs(these))]

    def outputs(self, texts: Sequence[Text]) -> Outputs:
        """What the heads say of texts whose words are summed together, before any expert is asked."""
        return self._outputs(texts, self._sparse.sums([text.tokens for text in texts]))

    def outputs_of_parts(self, whole: Outputs, texts: Sequence[Text], parts: Sequence[Part]) -> Outputs:
        """The same of texts that are parts of others; nothing is looked up again."""
        return self._outputs(texts, whole.sums.of_parts(parts))

    def _outputs(self, texts: Sequence[Text], sums: Sums) -> Outputs:
        words = sums.rows + self.bias
        likeliest, sure = self._spoken(words)
        spoken = [self.classes["language"][number] for number in likeliest]
        signals = map(
            features.signals, texts, map(self.lexicon.telling_in, spoken), sums.found.telling(likeliest)
        )
        numbers = np.fromiter(chain.from_iterable(signals), np.float32, len(texts) * len(features.SIGNALS))
        shares = self._softmaxes(words + numbers.reshape(len(texts), -1) @ self._signals)
        return Outputs(texts, spoken, sure, shares, sums)

    def chances(self, outputs: Outputs, head: str, names: Sequence[str]) -> list[list[float]]:
        """The probabilities of some classes of a head, one row a text; far cheaper than all scores."""
        places = [self.heads[head][0] + self.classes[head].index(name) for name in names]
        rows: list[list[float]] = outputs.shares.take(places, axis=1).tolist()
        return rows

    def scores(self, outputs: Outputs) -> list[Scores]:
        """Every probability for all of these texts."""
        shares = outputs.shares
        category, sentiment, domain = self._mixed(outputs.texts, shares)
        return [
            Scores(
                spoken,
                sure,
                dict(zip(self.classes["category"], of_category, strict=True)),
                dict(zip(self.classes["sentiment"], of_sentiment, strict=True)),
                dict(zip(self.classes["domain"], of_domain, strict=True)),
                severe,
                hints,
            )
            for spoken, sure, of_category, of_sentiment, of_domain, severe, hints in zip(
                outputs.spoken,
                outputs.sure,
                category.tolist(),
                sentiment.tolist(),
                domain.tolist(),
                shares[:, self._severe].tolist(),
                outputs.sums.found.hints(),
                strict=True,
            )
        ]

    def readings(
        self, outputs: Outputs, only: Sequence[int]
    ) -> list[tuple[dict[str, float], dict[str, float]]]:
        """The probabilities of category and sentiment for some of these texts."""
        texts = [outputs.texts[n] for n in only]
        category, sentiment, _ = self._mixed(texts, outputs.shares.take(only, axis=0))
        return [
            (
                dict(zip(self.classes["category"], of_category, strict=True)),
                dict(zip(self.classes["sentiment"], of_sentiment, strict=True)),
            )
            for of_category, of_sentiment in zip(category.tolist(), sentiment.tolist(), strict=True)
        ]

    def _mixed(self, texts: Sequence[Text], shares: Shares) -> tuple[Shares, Shares, Shares]:
        """Category, sentiment and domain of texts, the experts asked."""
        category, domain = self._of("category", shares), self._of("domain", shares)
        issue = domain[:, self._issue].tolist()
        asked = [n for n, share in enumerate(issue) if self.reads_as_issue(texts[n], share)]
        if asked:
            category = category.copy()
            reports = self.issue.chances([texts[n] for n in asked])
            for n, report in zip(asked, reports, strict=True):
                share = 1.0 if issue[n] > 0.5 else issue[n]
                told = [report.get(name, 0.0) for name in self.classes["category"]]
                category[n] = (1 - share) * category[n] + share * np.array(told)
        return category, self._sentiments.mixed(domain, category, shares), domain

    def _spoken(self, words: Floats) -> tuple[list[int], list[float]]:
        """Which language each text is in, told by its words alone, and how likely it is."""
        start, end = self.heads["language"]
        outputs = words[:, start:end]
        highest = np.maximum.reduce(outputs, axis=1, keepdims=True)
        powers = np.exp((outputs - highest) / self.temperature["language"])
        sure: list[float] = (1 / np.add.reduce(powers, axis=1)).tolist()  # the highest power is one
        likeliest: list[int] = outputs.argmax(axis=1).tolist()
        return likeliest, sure

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
            yield features.SIGNAL + name, row * np.float32(value)

    def _softmaxes(self, outputs: Floats) -> Shares:
        """The probabilities of every head, in the order of the outputs, one row each."""
        powers = np.exp(outputs * self._coldness)
        sums = np.add.reduceat(powers, self._starts, axis=1)
        shares: Shares = powers / sums.take(self._head_of, axis=1)
        return shares

    def _of(self, head: str, shares: Shares) -> Shares:
        start, end = self.heads[head]
        return shares[:, start:end]
