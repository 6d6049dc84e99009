"""What is neutral differs by the kind of talk: the sentiments of experts, mixed by what kind a text is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]  # probabilities, a row for each text

LEAST_SHARE = 0.03  # of a domain, below which its expert is not asked
# How much likelier a sentiment is among texts of a category, chosen on public reviews that carry both labels.
LEANING = {
    "negative": {"bug": 2.0, "feature": 1.0, "question": 1.0, "praise": 0.5, "other": 1.0},
    "neutral": {"bug": 1.0, "feature": 1.4, "question": 2.0, "praise": 1.0, "other": 1.0},
    "positive": {"bug": 0.5, "feature": 1.0, "question": 0.7, "praise": 2.0, "other": 1.0},
}


class SentimentExperts:
    """The general sentiment and those of the domains that have a head of their own, of many texts at once."""

    def __init__(self, classes: Mapping[str, Sequence[str]], heads: Mapping[str, tuple[int, int]]) -> None:
        """`classes` are those of every head, `heads` the first and last of its outputs."""
        moods, domains = classes["sentiment"], classes["domain"]
        experts = [name for name in domains if f"sentiment_{name}" in heads]
        self._domains = list(map(domains.index, experts))
        self._general = slice(*heads["sentiment"])
        self._experts = [
            [heads[head][0] + classes[head].index(mood) for mood in moods]
            for head in (f"sentiment_{name}" for name in experts)
        ]
        self._odds = odds(moods, classes["category"])

    def mixed(self, domain: Shares, category: Shares, outputs: Shares) -> Shares:
        """The sentiments of texts, weighted by how likely each is of which domain."""
        asked = domain[:, self._domains]
        asked = np.where(asked > LEAST_SHARE, asked, 0.0)
        left = 1.0 - np.add.reduce(asked, axis=1, keepdims=True)
        general = outputs[:, self._general]
        # Of technical talk its experts know better than the category.
        general = np.where(left > 0.5, leaning(general, category, self._odds), general)
        mixed: Shares = np.add.reduce(asked[:, :, None] * outputs[:, self._experts], axis=1) + left * general
        return mixed


def of_experts(domain: Mapping[str, float]) -> bool:
    """Whether a text is likely of a kind of talk whose sentiment has an expert of its own."""
    return domain["general"] + domain["issue"] < 0.5


def odds(moods: Sequence[str], categories: Sequence[str]) -> Shares:
    """LEANING as an array: a row for each category, a column for each sentiment."""
    return np.array([[LEANING[mood][name] for mood in moods] for name in categories])


def leaning(sentiment: Shares, category: Shares, odds: Shares) -> Shares:
    """Sentiments with the odds that come with a category: what is told as a fact may still be a complaint."""
    leant: Shares = sentiment * np.add.reduce(category[:, :, None] * odds, axis=1)
    leant /= np.add.reduce(leant, axis=1, keepdims=True)
    return leant
