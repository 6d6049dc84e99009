"""The same words from more people weigh more: what counts as the same, and what it adds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.record import Record
from gateway.intake import repeat_reports as reach_module
from gateway.intake.repeat_reports import fingerprint
from models import Feedback
from models.tables import search_words
from models.tables.impact_reasons import STEPS, points, raised
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both

WORDS = "The invoice list stays empty"


def post(call: Call, text: str = WORDS, author: str | None = None, **more: Any) -> Any:
    body = {"text": text, "author": {"id": author}} if author else {"text": text}
    return call("POST", "/gateway/v1/feedback", json=body, **more).json


def reach(record: Any) -> int:
    (reason,) = [reason for reason in record["impact_reasons"] if reason["part"] == "reach"]
    return int(reason["points"])


@pytest.mark.parametrize(
    "text",
    [
        "the INVOICE list stays empty!!",
        "The invoice-list stays empty (3x)",
        "Thé ínvoice  list\nstays empty.",
    ],
)
def test_same_words(text: str) -> None:
    """Case, accents, marks and numbers make no difference."""
    assert fingerprint(Record(text)) == fingerprint(Record(WORDS)) is not None


@pytest.mark.parametrize(
    "record",
    [
        Record("The invoice list stays full"),
        Record("stays empty"),
        Record("404 ???"),
        Record(WORDS, type="rating"),
        Record(WORDS, type="alert"),
    ],
)
def test_not_the_same(record: Record) -> None:
    """Other words, too few words, ratings and alerts are not the same."""
    assert fingerprint(record) != fingerprint(Record(WORDS))


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_letters_are_read_as_others_are(text: str) -> None:
    """The short way for texts without accents finds the same words: for what is the same, and for search."""
    folded = text.casefold()
    assert [word.decode() for word in reach_module._words(folded)] == reach_module._WORD.findall(folded)
    assert search_words._split(text) == [
        word[: search_words.LONGEST] for word in search_words._WORD.findall(folded)
    ]


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text has a fingerprint or none."""
    assert fingerprint(Record(text)) == fingerprint(Record(text))


@given(st.integers(0, 3), st.integers(1, 50), st.integers(1, 50))
def test_more_reports_never_lower_it(before: int, fewer: int, more: int) -> None:
    """Reach grows with reports and never falls below what it was."""
    reasons = [{"part": "area", "points": 1, "why": "x"}, {"part": "reach", "points": before, "why": "y"}]
    fewer, more = sorted((fewer, more))
    low, high = raised(reasons, fewer)[1]["points"], raised(reasons, more)[1]["points"]

    assert before <= low <= high <= 3
    assert raised(reasons, more)[0] == reasons[0]


def test_reporters_count_once(call: Call) -> None:
    """Every new reporter counts, the same one again does not; a step raises the earlier records too."""
    first = post(call, author="u0")
    for _ in range(3):
        again = post(call, author="u0")
    assert reach(first) == reach(again) == 0
    second = post(call, author="u1")
    shown = call("GET", f"/gateway/v1/feedback/{first['id']}").json

    assert reach(second) == reach(shown) == 1
    assert shown["impact"] == first["impact"] + 1 == sum(part["points"] for part in shown["impact_reasons"])


def test_steps(call: Call) -> None:
    """2, 5 and 20 reporters make one, two and three points."""
    made = [reach(post(call, author=f"u{n}")) for n in range(21)]

    assert made == [points(n + 1) for n in range(21)]
    assert [n + 1 for n in range(1, 21) if made[n] > made[n - 1]] == list(STEPS)


def test_without_an_author_each_counts(call: Call) -> None:
    """Feedback that names no author counts as one reporter each."""
    assert [reach(post(call)) for _ in range(5)] == [0, 1, 1, 1, 2]


def test_old_reports_and_other_workspaces_do_not_count(call: Call, other: Tenant) -> None:
    """Only the last week of the same workspace counts."""
    post(call, author="u0", headers=other.headers)
    post(call, author="u1")
    Feedback.update(received_at=Feedback.received_at - 8 * 86_400_000).execute()

    assert reach(post(call, author="u2")) == 0


def test_overruled_impact_stays(call: Call) -> None:
    """An impact that a person set is not raised by later reports."""
    first = post(call, author="u0")
    call("PATCH", f"/gateway/v1/feedback/{first['id']}", json={"impact": 0})
    post(call, author="u1")
    shown = call("GET", f"/gateway/v1/feedback/{first['id']}").json

    assert (shown["impact"], shown["impact_origin"], reach(shown)) == (0, "corrected", 1)
