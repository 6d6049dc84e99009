"""From raw words to tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.triage.tokenizer import _ASCII_TOKEN, _TOKEN, _token, _words, read

LETTERS = st.sampled_from("abc'.,:;=-)(|<3!?1 2/@#\t\n\u00a0\u2028éß登👍😡_")


@given(st.lists(LETTERS | st.characters()).map("".join))
def test_tokens_do_not_reach_over_blanks(text: str) -> None:
    """A text cut at its blanks has the tokens of the whole."""
    text = text.lower()
    found = (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text)
    whole = " ".join(map(_token, found))
    while ". ." in whole:
        whole = whole.replace(". .", ".")
    assert " ".join(_words(text)) == whole


def test_only_stops_and_traces_are_said_once() -> None:
    """Several in a row say nothing more; words may come twice, and a first line ends apart from the next."""
    assert _words("no no . .. ! ! xxtrace xxtrace\nxxtrace .") == ["no", "no", ".", "!", "!", "xxtrace", "."]
    assert read("a.\n.b").tokens == ["a", ".", ".", ".", "b"]
    assert read("\n.").tokens == ["."]


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("<p>The <b>pay</b> button is <i>dead</i></p>", "The pay button is dead"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("I can&#39;t pay &amp; can&rsquo;t leave", "I can't pay & can't leave"),
        ("&lt;p&gt;grey map&lt;/p&gt;", "grey map"),
        ("caf&eacute;&nbsp;closed<br/>today", "café closed\ntoday"),
        ("<span style='x'>red</span> text", "red text"),
        ("<!-- a remark --><p>said</p>", "said"),
    ],
)
def test_html_is_read_as_its_text(marked: str, plain: str) -> None:
    assert read(marked).tokens == read(plain).tokens


@pytest.mark.parametrize(
    "text",
    ["List<String> is empty", "a < b and c > d", "put <name> here", "R&D is slow", "x &foo y", "<3 it"],
)
def test_what_only_looks_like_html_stays(text: str) -> None:
    assert read(text).full == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "Menu closes **Steps** open the page, then wait **Expected** it stays open and visible",
        "Menu closes ### Steps open the page, then wait for it ### Expected it stays open",
        "Menu closes Steps to reproduce open the page and wait Expected behavior it stays open",
    ],
)
def test_headings_inside_a_line_begin_one(text: str) -> None:
    """A report whose lines were joined on their way is read as the report that it was."""
    assert read(text).lines == 3
