"""From raw words to tokens."""

from __future__ import annotations

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
