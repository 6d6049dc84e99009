"""Praise, talk and questions whose clauses are read apart."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.record import Record
from gateway import triage
from gateway.triage.clauses import clauses, score
from gateway.triage.model import Model
from gateway.triage.sentiment_experts import of_experts
from gateway.triage.tokenizer import ENDS, read
from tests.triage.test_kinds import LEAST, table


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Lovely app, but the export is empty", ["lovely app .", "but the export is empty"]),
        ("The map is white. Any idea?", ["the map is white .", "any idea ?"]),
        ("Mooie site maar de zoekbalk doet niets", ["mooie site", "maar de zoekbalk doet niets"]),
        ("Wow. But it is slow", ["wow . but it is slow"]),
        ("It works :)", ["it works xxsmile :)"]),
        ("...", ["."]),
        ("", [""]),
    ],
)
def test_clauses_end_at_stops_and_before_words_that_turn(text: str, parts: list[str]) -> None:
    tokens = read(text).tokens
    assert [" ".join(tokens[part]) for part in clauses(tokens)] == parts


@given(st.text(alphabet="ab .,;:!?)(3<'\n") | st.text())
def test_every_token_that_ends_a_sentence_is_known(text: str) -> None:
    assert {token for token in read(text).tokens if token[0] in ".!?"} <= ENDS


@pytest.mark.parametrize(
    ("text", "category", "sentiment"),
    [
        ("Such a lovely shop, but it crashes whenever I check out.", "bug", "negative"),
        ("Heel blij met de dienst, maar de app crasht sinds gisteren.", "bug", "negative"),
        ("Sehr schöne App! Bitte noch einen Kalender einbauen.", "feature", "positive"),
        ("La pantalla se queda en blanco al pagar. ¿Qué hago?", "bug", "negative"),
        ("Lovely app, and such friendly people.", "praise", "positive"),
        ("We moved to a new office. How do I change the address?", "question", "neutral"),
    ],
)
def test_what_can_be_acted_on_wins(text: str, category: str, sentiment: str) -> None:
    label = triage.label(Record(text=text))
    assert (label.category, label.sentiment) == (category, sentiment)
    assert label.category_confidence == max(label.category_scores.values())


def test_one_by_one_or_together_the_answer_is_the_same() -> None:
    records = [
        Record(text=text)
        for text in ("Great, but it crashes. Thanks!", "Nice app. Please add tags.", "ok", "", "Hello?")
    ]
    together = triage.label_all([(record, None) for record in records])
    assert [one.category for one in together] == [triage.label(record).category for record in records]


def test_comments_of_experts_keep_the_sentiment_of_the_whole() -> None:
    """A clause gives them its category alone; other texts take its sentiment, too."""
    model = Model.load()
    kinds = chain.from_iterable(map(table, LEAST))
    kept, moods = 0, 0
    for words in (row[-1] for row in kinds):
        whole, read_apart = model.score(read(words)), score(model, read(words))
        if of_experts(whole.domain):
            kept += 1
            assert read_apart.sentiment == pytest.approx(whole.sentiment, abs=1e-6), words
        else:
            moods += read_apart.sentiment != pytest.approx(whole.sentiment, abs=1e-3)
    assert kept > 20 and moods > 10, (kept, moods)
