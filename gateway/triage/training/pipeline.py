"""The scikit-learn pipeline that is trained: features of texts, and one linear model per question.

Serving (gateway.triage.model) computes the same from arrays, many times faster per text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from gateway.triage import features
from gateway.triage.lexicon import Lexicon
from gateway.triage.tokenizer import Text

SIGNAL_SCALE = 1.0
SUBWORD_SCALE = 1.0
LEAST_SCALE = 0.15


@dataclass(frozen=True, slots=True)
class Sample:
    """One text as the pipeline takes it: read once, its language known."""

    text: Text
    language: str | None


@lru_cache(maxsize=400_000)
def _key(name: str) -> int:
    return features.key(name)


def _word_keys(sample: Sample) -> list[int]:
    return [_key(name) for name in features.word_names(sample.text.tokens)]


def _title_keys(sample: Sample) -> list[int]:
    return [_key(name) for name in features.title_names(sample.text)]


def _body_keys(sample: Sample) -> list[int]:
    return [_key(name) for name in features.body_names(sample.text)]


ANALYSERS = {"all": _word_keys, "title": _title_keys, "body": _body_keys}


def _subword_words(sample: Sample) -> list[str]:
    return features.subword_words(sample.text.tokens)


class Words(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Sets of words, pairs and negated words as TF-IDF vectors of unit length; the vocabulary is hashed."""

    def __init__(self, min_df: int = 3, max_features: int = 110_000, part: str = "all") -> None:
        self.min_df = min_df
        self.max_features = max_features
        self.part = part

    def fit(self, samples: Sequence[Sample], y: object = None) -> Words:
        self.counts_ = CountVectorizer(
            analyzer=ANALYSERS[self.part],
            binary=True,
            min_df=self.min_df,
            max_features=self.max_features,
            dtype=np.float32,
        )
        self.tfidf_ = TfidfTransformer().fit(self.counts_.fit_transform(samples))
        self.keys_ = np.fromiter(self.counts_.vocabulary_, np.int64, len(self.counts_.vocabulary_))
        self.keys_[list(self.counts_.vocabulary_.values())] = self.keys_.copy()
        self.idf_ = self.tfidf_.idf_.astype(np.float32)
        return self

    def transform(self, samples: Sequence[Sample]) -> Any:
        return self.tfidf_.transform(self.counts_.transform(samples)).astype(np.float32)


class Subwords(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each word as the unit vector of its character n-grams, words weighted by their IDF.

    The score of a text is then a weighted sum over its words, so serving can keep each word's part.
    """

    def __init__(
        self, words: Words, min_words: int = 3, min_texts: int = 8, max_features: int = 130_000
    ) -> None:
        self.words = words
        self.min_words = min_words
        self.min_texts = min_texts
        self.max_features = max_features

    def fit(self, samples: Sequence[Sample], y: object = None) -> Subwords:
        self.unknown_idf_ = float(self.words.idf_.max())
        self._idf: dict[int, float] = dict(
            zip(self.words.keys_.tolist(), self.words.idf_.tolist(), strict=True)
        )
        counts = CountVectorizer(analyzer=_subword_words, binary=True, dtype=np.int32)
        texts_per_word = np.asarray(counts.fit_transform(samples).sum(axis=0)).ravel()
        words = counts.get_feature_names_out()
        grams = CountVectorizer(
            analyzer=features.subwords, binary=True, min_df=self.min_words, dtype=np.int32
        )
        found = grams.fit_transform(words)
        texts = found.T @ texts_per_word
        order = np.argsort(-texts, kind="stable")
        order = np.sort(order[: self.max_features][texts[order[: self.max_features]] >= self.min_texts])
        names = grams.get_feature_names_out()[order]
        self.vocabulary_ = {str(name): position for position, name in enumerate(names)}
        self.keys_ = np.array([features.subword_key(str(name)) for name in names], np.int64)
        return self

    def idf(self, word: str) -> float:
        return self._idf.get(_key(word), self.unknown_idf_)

    def transform(self, samples: Sequence[Sample]) -> Any:
        counts = CountVectorizer(analyzer=_subword_words, binary=True, dtype=np.float32)
        try:
            texts = counts.fit_transform(samples)
        except ValueError:  # not one word in all the texts
            return sp.csr_matrix((len(samples), len(self.vocabulary_)), dtype=np.float32)
        words = counts.get_feature_names_out()
        grams = CountVectorizer(
            analyzer=features.subwords, vocabulary=self.vocabulary_, binary=True, dtype=np.float32
        )
        parts = grams.transform(words)
        known = np.asarray(parts.sum(axis=1)).ravel()
        idf = np.array([self.idf(word) for word in words], np.float32)
        length = np.sqrt(np.asarray(texts.multiply(idf[None, :] ** 2).sum(axis=1)).ravel())
        scaled = sp.diags(idf / np.sqrt(np.maximum(known, 1.0))) @ parts
        return (sp.diags(1 / np.maximum(length, 1e-9)) @ (texts @ scaled)).tocsr().astype(np.float32)


class Signals(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The numbers beside the words (features.SIGNALS), polarity by the lexicon of the text's language."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon

    def fit(self, samples: Sequence[Sample], y: object = None) -> Signals:
        return self

    def transform(self, samples: Sequence[Sample]) -> Any:
        rows = [features.signals(s.text, self.lexicon.telling_in(s.language)) for s in samples]
        return sp.csr_matrix(
            np.array(rows, np.float32).reshape(len(rows), len(features.SIGNALS)) * SIGNAL_SCALE
        )


class Features(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Words, sub-words and signals side by side."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon

    def fit(self, samples: Sequence[Sample], y: object = None) -> Features:
        self.words_ = Words().fit(samples)
        self.subwords_ = Subwords(self.words_).fit(samples)
        self.signals_ = Signals(self.lexicon)
        return self

    def transform(self, samples: Sequence[Sample]) -> Any:
        blocks = [self.words_.transform(samples), self.subwords_.transform(samples) * SUBWORD_SCALE]
        return sp.hstack([*blocks, self.signals_.transform(samples)], format="csr")


class IssueFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """First line and rest of an issue report apart, each as a unit vector of its words."""

    def fit(self, samples: Sequence[Sample], y: object = None) -> IssueFeatures:
        self.titles_ = Words(1, 40_000, "title").fit(samples)
        self.bodies_ = Words(2, 60_000, "body").fit(samples)
        return self

    def transform(self, samples: Sequence[Sample]) -> Any:
        return sp.hstack([self.titles_.transform(samples), self.bodies_.transform(samples)], format="csr")


class Linear:
    """A logistic regression on features that are scaled by how much their presence says of the classes.

    The scale (Wang and Manning 2012, "Baselines and bigrams") is a constant per feature, so scaled features
    and plain coefficients give the same as plain features and scaled coefficients: serving needs only those.
    """

    def __init__(self, c: float, balanced: bool = True, dense: int = 0) -> None:
        self.c = c
        self.balanced = balanced
        self.dense = dense  # how many columns at the end are numbers, not words

    def fit(self, matrix: Any, labels: Sequence[str], weights: Sequence[float]) -> Linear:
        y = np.asarray(labels)
        w = np.asarray(weights, np.float64)
        if self.balanced:  # all classes weigh the same together
            _, inverse = np.unique(y, return_inverse=True)
            totals = np.bincount(inverse, w)
            w = w * (totals.mean() / totals)[inverse]
        self.scale = informativeness(matrix, y, w, self.dense)
        self.model = LogisticRegression(C=self.c, max_iter=300, tol=2e-3)
        self.model.fit(matrix @ sp.diags(self.scale), y, sample_weight=w)
        return self

    @property
    def classes_(self) -> Any:
        return self.model.classes_

    @property
    def coef_(self) -> Any:
        """One row per class, also when there are two."""
        coef = self.model.coef_ * self.scale
        return np.vstack([-coef / 2, coef / 2]) if len(self.classes_) == 2 else coef

    @property
    def intercept_(self) -> Any:
        bias = self.model.intercept_
        return np.array([-bias[0] / 2, bias[0] / 2]) if len(self.classes_) == 2 else bias

    def decision_function(self, matrix: Any) -> Any:
        return matrix @ self.coef_.T + self.intercept_


def informativeness(matrix: Any, y: Any, w: Any, dense: int) -> Any:
    """One factor per feature, 1 on average: a floor, and the largest log-count ratio of any class."""
    present = (matrix[:, : matrix.shape[1] - dense] > 0).astype(np.float32)
    every = np.asarray(present.T @ w) + 2.0
    ratios = np.zeros(present.shape[1])
    for label in np.unique(y):
        inside = np.asarray(present.T @ np.where(y == label, w, 0.0)) + 1.0
        outside = every - inside
        ratios = np.maximum(ratios, np.abs(np.log((inside / inside.sum()) / (outside / outside.sum()))))
    scale = LEAST_SCALE + (1 - LEAST_SCALE) * ratios / ratios.mean()
    return np.concatenate([scale, np.ones(dense)])
