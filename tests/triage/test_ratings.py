"""Ratings without words are read on the scale they seem to have."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.contract.record import Record
from gateway import triage
from gateway.triage.ratings import rating


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (0, -1.0),
        (1, 1.0),
        (0.5, 0.0),
        (-0.6, -0.6),
        (3, 0.0),
        (5, 1.0),
        (2, -0.5),
        (10, 1.0),
        (6, 0.2),
        (90, 0.8),
        ("4", 0.5),
        ([1], 1.0),
        (True, 1.0),
        ("good", None),
        (["good", "fast"], None),
        (10**400, None),
        (float("nan"), None),
        (None, None),
        ({"a": 1}, None),
    ],
)
def test_the_smallest_common_scale_is_taken(value: Any, score: float | None) -> None:
    found = rating(Record(text="x", type="rating", subject={"property": "score", "value": value}))
    assert found == (None if score is None else pytest.approx(score))


@pytest.mark.parametrize(("value", "score"), [(10, 1.0), (9, 0.6), (8, 0.2), (6, -0.6), (0, -1.0)])
def test_promoter_scores_have_a_scale_of_their_own(value: int, score: float) -> None:
    record = Record(text="x", type="rating", subject={"property": "NPS", "value": value})
    assert rating(record) == pytest.approx(score)


def test_other_types_are_no_ratings() -> None:
    assert rating(Record(text="x", type="message", subject={"value": 5})) is None


@pytest.mark.parametrize(
    ("value", "category", "sentiment"), [(5, "praise", "positive"), (1.5, "bug", "negative")]
)
def test_stars_are_labelled(value: float, category: str, sentiment: str) -> None:
    labels = triage.label(
        Record(text=f"rating: {value}", type="rating", subject={"property": "rating", "value": value})
    )
    assert (labels.category, labels.sentiment) == (category, sentiment)


def test_a_declared_meaning_wins_over_the_number() -> None:
    record = Record(
        text="rating: 1", type="rating", subject={"value": 1}, sentiment="negative", category="bug"
    )
    labels = triage.label(record)
    assert (labels.category, labels.sentiment, labels.sentiment_origin) == ("bug", "negative", "declared")
