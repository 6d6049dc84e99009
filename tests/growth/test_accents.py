"""Accents are taken off in time that grows as the text does: Python's own way sorts them by insertion."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.record import Record
from gateway.background import keywords
from gateway.intake import repeat_reports
from gateway.triage import tokenizer
from models.tables import search_words as searched
from models.tables import text_folding
from tests.conftest import ROOT

ACCENTED = st.builds(
    str.__add__,
    st.text("aéñ한①ﷺ \n", min_size=1, max_size=3),
    st.text("\u0300\u0315\u0591\u05b0\u0344", max_size=text_folding.ACCENTS // 2),
)
USES: dict[str, Callable[[str], object]] = {
    "alike": keywords.words,
    "same": lambda said: repeat_reports.fingerprint(Record(said)),
    "search": lambda said: searched.words_of({"title": "", "text": said, "language": None}),
    "query": lambda said: searched.read_query(f"a{said}"),
    "labels": tokenizer.read,
}


@given(st.lists(ACCENTED, max_size=60))
def test_same_as_python(parts: list[str]) -> None:
    """A text whose letters have as many accents as letters may is taken apart as Python does."""
    said = "".join(parts)

    assert text_folding.decomposed(said) == unicodedata.normalize("NFKD", said)


@pytest.mark.parametrize("use", USES)
def test_pieces(use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever folds a text has it taken apart by pieces of a bounded size, however many its accents are."""
    real, sizes = unicodedata.normalize, list[int]()

    def noted(form: str, said: str) -> str:
        sizes.append(len(said))
        return real(form, said)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    for length in (100, 5_000, 50_000):
        USES[use]("\u0315\u0300" * length + " a")

    assert 0 < max(sizes) <= text_folding.PIECE + text_folding.ACCENTS


def test_nobody_else_normalises() -> None:
    """The modules that see texts of strangers leave this to the one that is bounded.

    Spellings of addresses are read character by character.
    """
    users = {
        str(path.relative_to(ROOT))
        for package in ("adapters", "gateway", "models")
        for path in Path(ROOT, package).rglob("*.py")
        if "normalize(" in (source := path.read_text()) and "unicodedata" in source
    }

    assert users == {
        "gateway/files/kinds.py",  # of names that are cut before
        "models/tables/text_folding.py",
        "models/migrations/0004_reading.py",
        "models/queries/email_addresses.py",
    }


@given(
    st.lists(
        st.characters(codec=None) | st.sampled_from("a\u0301\u0327\u05b0\u05b1\u0f71ẞﬁ한İ"), max_size=600
    ).map("".join)
)
def test_where_accents_come_from(text: str) -> None:
    """Letter by letter it comes to the same, and each part is one of its letter's."""
    apart, places = text_folding.decomposed_from(text)

    assert apart == text_folding.decomposed(text)
    assert all(
        part in text_folding.decomposed(text[place]) for part, place in zip(apart, places, strict=True)
    )
