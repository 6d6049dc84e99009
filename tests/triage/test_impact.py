"""Impact is a sum of four parts that say why, and more of anything never lowers it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.record import CATEGORIES, SENTIMENTS, Category, Reason, Record, Sentiment
from gateway import triage
from gateway.core.area_rules import ProjectRules
from gateway.triage import impact

TEXTS = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        ["werkt niet", "the app crashes", "iedereen wordt uitgelogd!!", "terrible checkout", "bedankt"]
    ),
)
ORDER = {"positive": 0, "neutral": 1, "negative": 2}


@given(
    text=TEXTS, page=st.sampled_from([None, "/login", "/checkout", "/help"]), reports=st.integers(1, 10_000)
)
def test_the_parts_sum_to_the_impact(text: str, page: str | None, reports: int) -> None:
    labels = triage.label(Record(text=text, subject={"page": page} if page else {}), reports=reports)
    parts = [reason.part for reason in labels.impact_reasons]
    assert parts == ["severity", "sentiment", "reach", "area"]
    assert sum(reason.points for reason in labels.impact_reasons) == labels.impact
    assert 0 <= labels.impact <= 14
    assert all(
        0 <= reason.points <= most for reason, most in zip(labels.impact_reasons, (5, 3, 3, 3), strict=True)
    )
    assert all(reason.why for reason in labels.impact_reasons)


@given(text=TEXTS, low=st.integers(0, 5), high=st.integers(0, 5))
def test_more_severe_is_never_less(text: str, low: int, high: int) -> None:
    low, high = sorted((low, high))
    assert _impact(text, severity=low) <= _impact(text, severity=high)


@given(text=TEXTS, one=st.sampled_from(SENTIMENTS), other=st.sampled_from(SENTIMENTS))
def test_more_negative_is_never_less(text: str, one: str, other: str) -> None:
    milder, harsher = sorted((one, other), key=lambda name: ORDER[name])
    assert _impact(text, sentiment=milder) <= _impact(text, sentiment=harsher)


@given(words=TEXTS, one=st.floats(-1, 1), other=st.floats(-1, 1), sentiment=st.sampled_from(SENTIMENTS))
def test_a_lower_score_is_never_less(words: str, one: float, other: float, sentiment: Sentiment) -> None:
    low, high = sorted((one, other))
    assert impact.mood(sentiment, high, words).points <= impact.mood(sentiment, low, words).points


@given(text=TEXTS, one=st.integers(1, 10_000), other=st.integers(1, 10_000))
def test_more_reports_are_never_less(text: str, one: int, other: int) -> None:
    few, many = sorted((one, other))
    record = Record(text=text)
    assert triage.label(record, reports=few).impact <= triage.label(record, reports=many).impact


@given(text=TEXTS, one=st.integers(0, 3), other=st.integers(0, 3))
def test_a_hotter_area_is_never_less(text: str, one: int, other: int) -> None:
    cold, hot = sorted((one, other))
    record = Record(text=text, subject={"page": "/x/y"})
    rules = [
        ProjectRules((triage.Area("x", points, prefixes=("/x",), words="app"),)) for points in (cold, hot)
    ]
    assert triage.label(record, rules=rules[0]).impact <= triage.label(record, rules=rules[1]).impact


def _impact(text: str, **declared: object) -> int:
    return triage.label(Record(text=text, **declared)).impact  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "tags", "text", "points", "name"),
    [
        ({"page": "/login"}, (), "x", 3, "login"),
        ({"page": "/login/reset?next=1"}, (), "x", 3, "login"),
        ({"page": "/nl/login"}, (), "x", 3, "login"),
        ({"url": "https://shop.example/checkout#pay"}, (), "x", 3, "checkout"),
        ({"page": "/loginsights"}, (), "x", 0, "no area"),
        ({"page": "/blog/login"}, (), "x", 0, "no area"),
        ({"page": ["/login"]}, (), "x", 0, "no area"),
        ({"product": "Billing"}, (), "x", 2, "billing"),
        ({}, ("area:payments",), "x", 3, "payment"),
        ({}, (), "my payment was refused", 2, "payment"),
        ({}, (), "all my data is gone", 2, "data loss"),
        ({}, (), "nothing in particular", 0, "no area"),
    ],
)
def test_where_it_is_weighs(
    subject: dict[str, object], tags: tuple[str, ...], text: str, points: int, name: str
) -> None:
    """Pages count by whole segments, a language folder is skipped, words count one point less."""
    reason = impact.area(Record(text=text, subject=subject, tags=tags), text)
    assert (reason.points, reason.why.startswith(name)) == (points, True)


@pytest.mark.parametrize(
    ("reports", "text", "points"),
    [
        (1, "x", 0),
        (2, "x", 1),
        (5, "x", 2),
        (20, "x", 3),
        (1, "iedereen heeft dit", 2),
        (1, "several users", 1),
    ],
)
def test_how_many_are_hit_weighs(reports: int, text: str, points: int) -> None:
    assert impact.reach(reports, text).points == points


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("the site is down", 5),
        ("the app crashes", 4),
        ("the button does not work", 3),
        ("typo in the footer", 1),
        ("the list shows old rows", 2),
    ],
)
def test_how_bad_a_bug_is_weighs(text: str, points: int) -> None:
    assert impact.severity(Record(text=text), "bug", text).points == points


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_declared_severity_wins_whatever_the_category(category: Category) -> None:
    assert impact.severity(Record(text="x", severity=5), category, "x") == Reason(
        "severity", 5, "the sender says severity 5 of 5"
    )
