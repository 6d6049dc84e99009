"""What the shipped model says of real sentences."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.contract.record import CATEGORIES, Record
from gateway import triage
from gateway.triage.tokenizer import HEAD_CHARS, TAIL_CHARS, read

# Sums of floats differ in their last digits with their order.
LOOSE = ("category_scores", "category_confidence", "sentiment_score", "impact_reasons")
FIXTURES = Path(__file__).parent / "fixtures"


def sentences(name: str = "sentences.csv") -> list[dict[str, str]]:
    with (FIXTURES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_nine_in_ten_sentences_get_their_category() -> None:
    """Sixty sentences, English and Dutch, of all five categories: at least nine in ten are right."""
    rows = sentences()
    wrong = [
        row["text"] for row in rows if triage.label(Record(text=row["text"])).category != row["category"]
    ]
    assert {row["category"] for row in rows} == set(CATEGORIES) and len(rows) >= 60
    assert len(wrong) <= len(rows) // 10, wrong


def test_nine_in_ten_sentences_get_their_sentiment() -> None:
    rows = sentences()
    wrong = [
        row["text"] for row in rows if triage.label(Record(text=row["text"])).sentiment != row["sentiment"]
    ]
    assert len(wrong) <= len(rows) // 10, wrong


def test_languages_are_told_apart() -> None:
    rows = sentences()
    wrong = [
        row["text"] for row in rows if triage.label(Record(text=row["text"])).language != row["language"]
    ]
    assert len(wrong) <= len(rows) // 20, wrong


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_other_languages_are_mostly_right(language: str) -> None:
    """Twelve sentences each: at least nine get their category, ten their language."""
    rows = [row for row in sentences("more_languages.csv") if row["language"] == language]
    labels = [triage.label(Record(text=row["text"])) for row in rows]
    assert sum(found.category == row["category"] for found, row in zip(labels, rows, strict=True)) >= 9
    assert sum(found.language == language for found in labels) >= 10


@pytest.mark.parametrize(
    "text", ["De login knop werkt niet op mobiel", "Inloggen lukt niet op mijn telefoon, de knop doet niets"]
)
def test_a_broken_login_on_the_login_page_weighs_eight(text: str) -> None:
    """Severity 3 (it does not work), sentiment 2 (negative), reach 0 (once), area 3 (login)."""
    labels = triage.label(Record(text=text, subject={"page": "/login"}))
    assert (labels.category, labels.sentiment, labels.language) == ("bug", "negative", "nl")
    assert [reason.points for reason in labels.impact_reasons] == [3, 2, 0, 3]
    assert labels.impact == 8


def test_an_unrelated_sentence_on_the_login_page_weighs_less() -> None:
    """The page alone makes no bug: only the area counts."""
    labels = triage.label(Record(text="Wij zijn verhuisd naar Groningen", subject={"page": "/login"}))
    assert labels.category == "other"
    assert labels.impact <= 4


def test_what_the_sender_declares_wins() -> None:
    record = Record(
        text="The app crashes",
        category="praise",
        sentiment="positive",
        sentiment_score=0.9,
        severity=0,
        language="pt",
    )
    labels = triage.label(record)
    assert (labels.category, labels.category_origin, labels.category_confidence) == (
        "praise",
        "declared",
        1.0,
    )
    assert (labels.sentiment, labels.sentiment_origin, labels.sentiment_score) == (
        "positive",
        "declared",
        0.9,
    )
    assert labels.sentiment_confidence == 1.0
    assert labels.language == "pt"
    assert labels.impact == 0


def test_a_declared_kind_tips_the_scales() -> None:
    """A word of the sender's own taxonomy weighs, but words that say otherwise can still win."""
    text = "the export of the report"
    plain = triage.label(Record(text=text)).category_scores["feature"]
    assert triage.label(Record(text=text, kind="feature_request")).category_scores["feature"] > plain


@pytest.mark.parametrize(
    "text", ["", "   ", "???", ":(", "😡😡", "https://example.org/a/b?c=1", "0 0 0", "\x00", "\ud800"]
)
def test_texts_without_words_get_low_confidence(text: str) -> None:
    assert triage.label(Record(text=text)).sentiment_confidence < 0.6
    labels = triage.label(Record(text=text))
    assert labels.category_confidence < 0.5
    assert labels.language is None


@pytest.mark.parametrize("text", ["Не работает кнопка входа", "登录按钮不起作用", "زر تسجيل الدخول لا يعمل"])
def test_other_scripts_get_low_confidence(text: str) -> None:
    labels = triage.label(Record(text=text))
    assert labels.category_confidence < 0.5
    assert labels.language in (None, "zh")


@pytest.mark.parametrize(
    ("text", "category", "sentiment"),
    [("werkt niet", "bug", "negative"), ("love it", "praise", "positive"), ("how?", "question", "neutral")],
)
def test_two_words_can_be_enough(text: str, category: str, sentiment: str) -> None:
    labels = triage.label(Record(text=text))
    assert (labels.category, labels.sentiment) == (category, sentiment)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "the app crashes " * 60_000,
        "  at com.a.B(B.java:1)\n" * 5_000,
        "```\n" * 200_000,
        "😡" * 300_000,
        "/a" * 500_000,
        "[![](" * 200_000,
        "\n" * 1_000_000,
        "a'" * 500_000,
        "Ünïcödé " * 120_000,
    ],
)
def test_huge_texts_are_labelled_from_head_and_tail(text: str) -> None:
    """However long a text is, no more is read of it than of its first and last few thousand characters."""
    head, tail = text[:HEAD_CHARS], text[-TAIL_CHARS:]
    assert triage.label(Record(text=text)).category in CATEGORIES
    assert read(text).tokens == read(f"{head}\n{tail}").tokens


def test_a_stack_trace_alone_is_a_bug() -> None:
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/srv/app/views.py", line 12, in save\n'
        "    store(order)\n"
        "ValueError: amount must be positive\n"
    )
    labels = triage.label(Record(text=trace))
    assert labels.category == "bug"
    assert labels.impact_reasons[0].points == 3


@pytest.mark.parametrize(
    ("text", "category", "sentiment"),
    [
        ("Hoi, since the update werkt de login helemaal niet meer, please fix", "bug", "negative"),
        ("Super app, danke euch! Works perfectly", "praise", "positive"),
        ("Bonjour, how do I change mon mot de passe?", "question", "neutral"),
    ],
)
def test_mixed_languages_are_understood(text: str, category: str, sentiment: str) -> None:
    labels = triage.label(Record(text=text))
    assert (labels.category, labels.sentiment) == (category, sentiment)


def test_many_records_get_the_labels_of_each() -> None:
    """Declared categories, ratings, empty texts, other scripts and long reports among them."""
    records = [Record(text=row["text"], subject={"page": "/checkout"}) for row in sentences()] + [
        Record(text=""),
        Record(text="登录按钮不起作用"),
        Record(text="The app crashes", category="praise", severity=4),
        Record(type="rating", text="", subject={"value": 1, "property": "stars"}),
        Record(title="Export fails", text="## Steps\n1. open\n2. export\n" * 40),
    ]
    many = triage.label_all([(record, None) for record in records])
    for one, together in zip(map(triage.label, records), many, strict=True):
        assert replace(one, **dict.fromkeys(LOOSE)) == replace(together, **dict.fromkeys(LOOSE))
        assert one.category_scores == pytest.approx(together.category_scores, abs=1e-3)
        assert one.sentiment_score == pytest.approx(together.sentiment_score, abs=1e-3)
    assert triage.label_all([]) == []


def test_the_title_is_read_with_the_text_once() -> None:
    apart = Record(title="Login is broken", text="nothing happens")
    together = Record(title="Login is broken", text="Login is broken\nnothing happens")
    assert triage.label(apart) == triage.label(together)


def test_probabilities_sum_to_one() -> None:
    scores = triage.label(Record(text="please add a dark mode")).category_scores
    assert set(scores) == set(CATEGORIES)
    assert sum(scores.values()) == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize(
    ("record", "sure"),
    [
        (Record(text="fine", sentiment="positive"), 1.0),
        (Record(text="fine", sentiment_score=-0.4), 1.0),
        (Record(text="fine", type="rating", subject={"value": 2, "property": "stars"}), 1.0),
        (Record(text="The export is empty and I hate it"), None),
    ],
)
def test_how_sure_the_sentiment_is(record: Record, sure: float | None) -> None:
    """1 where the sender says it, else what the model says, the less the fewer words there are."""
    labels = triage.label(record)
    assert 1 / 3 <= labels.sentiment_confidence <= 1
    if sure is not None:
        assert labels.sentiment_confidence == sure
    few, many = (
        triage.label(Record(text=text)).sentiment_confidence for text in ("terrible", "terrible " * 3)
    )
    assert few < many
