"""Patterns are searched for only where they can begin, and are found wherever a plain search finds them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.triage.areas import DEFAULT_AREAS
from gateway.triage.phrases import HINTED, Hints, Phrases, Words, beginnings, hints, whole_words
from gateway.triage.severity_words import EVERYONE, MANY, SEVERE, STRONG
from gateway.triage.tokenizer import read
from gateway.triage.training.seeds import scenes, sentences

AREAS = [whole_words(area.words) for area in DEFAULT_AREAS if area.words]
ALL = [phrases for _, _, phrases in SEVERE] + [STRONG, EVERYONE, MANY, *AREAS]


def words_with_hints(words: list[str], known: Callable[[str], tuple[int, int]] = hints) -> Words:
    given = list(map(known, words))
    patterns = min((count for _, count in given), default=0)
    return Words.of(words, Hints([(n, bits) for n, (bits, _) in enumerate(given) if bits], patterns))


def words_of(text: str) -> Words:
    return words_with_hints(read(text).tokens)


def test_no_match_is_missed() -> None:
    """In ten thousand sentences every match of every pattern begins with a word that can begin it."""
    texts = [text for *_, text in (*scenes(4), *sentences(150))]
    found = 0
    for words in map(words_of, texts):
        for phrases in ALL:
            plain = phrases.said(str(words))
            found += bool(plain)
            assert phrases.said(words) == plain
    assert found > 500


@pytest.mark.parametrize(
    "pattern",
    [
        r"a(?:b|c)*d?e",
        r"(?:is|are) (?:very )?down",
        r"can(?:not|'t| not|t)",
        r"[xy]z|log ?in\w*",
        r"(?:no|all)(?: \w+){0,2} one|a{2}b+",
        r"(ab|cd) e",
        r"(?i:ab)c",
        r"\bx|a.c|^d|e$",
        r"",
        r"|a",
    ],
)
@given(st.lists(st.text("abcdelnoxyzis'tvrywgu", min_size=1, max_size=6), max_size=6))
def test_any_pattern_of_a_project_is_safe(pattern: str, words: list[str]) -> None:
    phrases = Phrases(pattern)
    text = " ".join(words)
    found = re.search(rf" (?:{pattern})(?!\w)", " " + text)
    assert phrases.said(words_with_hints(words)) == (found[0].strip() if found else "")


@pytest.mark.parametrize("made", [0, HINTED])
def test_a_pattern_made_after_a_word_was_met_is_searched_for(made: int) -> None:
    """A word gives no hints on it, nor on one that comes after too many others."""
    given = hints("crash")
    for number in range(made):
        Phrases(f"other{number}")
    late = Phrases("crash")
    assert late.said(words_with_hints(["a", "crash"], lambda word: given)) == "crash"
    assert late.said(words_with_hints(["a", "crash"])) == "crash"


def test_beginnings_are_words_or_their_first_letters() -> None:
    assert beginnings("crash\\w*") == {"crash", "crash "}
    assert beginnings("(?:is|are) down|hung") == {"is ", "are ", "hung "}
    assert beginnings("(?P<odd>x)") == {""}
