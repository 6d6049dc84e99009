"""Topics by words: what is given, how surely, and that nothing odd is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from benchmarks.topics import asked, english_and_dutch
from gateway import triage
from gateway.triage.topics import LEAST, Given, Scored, Sorter

TOPICS = {"top_1": ("Invoices", "VAT and what is due"), "top_2": ("Signing in", "passwords, two factors")}
SAID = [Given("the password is refused", "top_2"), Given("a heron in the pond", None), Given("x", "top_gone")]


@pytest.fixture(name="sorter", scope="module")
def _sorter() -> Sorter:
    triage.load()
    return Sorter.learnt(triage.in_use(), TOPICS, SAID)


@given(some.text(max_size=200))
def test_any_text(sorter: Sorter, text: str) -> None:
    """A topic with a confidence that is enough, or neither."""
    topic, confidence = sorter.sort(text)
    assert (topic is None) == (confidence is None)
    assert topic is None or (topic in TOPICS and confidence is not None and LEAST <= confidence <= 1)


@pytest.mark.parametrize("text", ["", " ", "...", "🙂", "\0", "https://example.test/", "\u3042\u3044"])
def test_nothing_to_go_by(sorter: Sorter, text: str) -> None:
    """Marks, faces, addresses and scripts that no topic has are about none."""
    assert sorter.sort(text) == (None, None)


def test_what_people_said_decides(sorter: Sorter) -> None:
    """An example of a topic is given it; one of none, or of a topic that is gone, is given none."""
    assert sorter.sort("the password is refused")[0] == "top_2"
    assert sorter.sort("a heron in the pond") == (None, None)
    assert sorter.sort("x") == (None, None)


def test_an_example_of_none_outweighs_a_name() -> None:
    """What sounds like a topic and was said to be none is not given it."""
    text = "invoices of the museum"
    triage.load()
    before = Sorter.learnt(triage.in_use(), TOPICS, [])
    after = Sorter.learnt(triage.in_use(), TOPICS, [Given(text, None)] * 4)
    assert before.sort(text)[0] == "top_1"
    assert after.scored(text).confidence < before.scored(text).confidence


def test_confidence_follows_the_score() -> None:
    """A larger score is surer, a second topic nearly as good less sure, and no score is nothing."""
    scores = [Scored("t", score / 100, 0.0, 3).confidence for score in range(-5, 101)]
    assert scores == sorted(scores)
    assert (scores[0], scores[-1]) == (0.0, pytest.approx(1.0, abs=0.01))
    assert Scored("t", 0.2, 0.19, 3).confidence < Scored("t", 0.2, 0.0, 3).confidence


@pytest.mark.parametrize("examples", [0, 3])
def test_most_are_right(examples: int) -> None:
    """Of a project's texts most get the right topic, hardly one another, and few that are about none."""
    triage.load()
    answers = [one for seed in range(3) for one in asked(*english_and_dutch(), 10, examples, seed)]
    ours = [one for one in answers if one.wanted is not None]
    apart = [one for one in answers if one.wanted is None]
    assert sum(one.given == one.wanted for one in ours) >= 0.75 * len(ours)
    assert sum(one.given not in (one.wanted, None) for one in ours) <= 0.05 * len(ours)
    assert sum(one.given is not None for one in apart) <= 0.15 * len(apart)
