"""Tokens that know where they stand: the same tokens, each at its place in the text as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.triage.located import Located
from gateway.triage.tokenizer import Text, read

# What the tokenizer changes, cuts or replaces, and what it might stumble over.
PIECES = """
<p>caf&eacute;</p> &amp; &#39; &nbsp; <br> <!--c--> ![x](y) <img src=x> </b> `a` ```x``` ~~~q~~~
https://x.nl/a?b=c
www.x.y /usr/lib/x @jan 0xdeadbeef12 a1b2c3d4e5 don't d’accord Café nooooo İstanbul Strauß ﬁn 한국어
ありがとう 👍 😡 :( :) <3 !!? ... 5,000 ###_Steps xxurl not_x ^ - e\u0301\u0327 \u05b0\u05b1a\u0301
\u2028 \u00a0 \u200b word Not
"""
WHOLE = (
    *PIECES.split(),
    "\n  at foo.bar(Foo.java:12)\n",
    " ### Steps to reproduce ",
    " Expected behavior ",
    "\ud800",
    "é" * 300 + "\u0301" * 400,
    "lorem ipsum dolor " * 40,
    "x" * 300,
    "# a\n",
)
TEXTS = st.lists(
    st.sampled_from(WHOLE) | st.sampled_from(" \n.,'!?abZ:;()<>&`~/\\") | st.characters(codec=None),
    max_size=40,
).map("".join)


def placed(text: Text) -> list[Located]:
    return [token for token in text.tokens if isinstance(token, Located) and token.span]


@given(TEXTS)
def test_a_located_text_is_read_as_any_other(raw: str) -> None:
    """The same tokens and numbers come of it, whatever it holds."""
    plain, located = read(raw), read(Located.of(raw))
    for name in Text.__slots__:
        assert getattr(plain, name) == getattr(located, name), name
    assert plain.report() == located.report()


@given(TEXTS)
def test_tokens_stand_where_they_say(raw: str) -> None:
    """In order, and each token is what is read at its place, unless markup or an accent stands there too."""
    end = 0
    for token in placed(read(Located.of(raw))):
        span = token.span
        assert span and 0 <= span[0] < span[1] <= len(raw)
        assert span[0] >= end or token.startswith(("xx", ":", ";", "=", "<")) or not token.isascii()
        written = raw[span[0] : span[1]]
        if token.isalpha() and not token.startswith("xx") and written.isalpha() and written.isascii():
            assert read(written).tokens == [token]
        end = span[0]


@pytest.mark.parametrize(
    ("raw", "token", "written"),
    [
        ("Le CAFÉ ferme", "cafe", "CAFÉ"),
        ("nooooo way", "noo", "nooooo"),
        ("L’écran", "l'ecran", "L’écran"),
        ("see https://example.test/A!", "xxurl", "https://example.test/A!"),
        ("<p>one</p><p>two</p>", "two", "two"),
        ("caf&eacute; shut", "cafe", "caf&eacute;"),
        ("b\n  at a.B.c(D.java:1)\nend", "xxtrace", "  at a.B.c(D.java:1)"),
        ("run `rm -r`", "xxinline", "`rm -r`"),
        ("ﬁne text", "fine", "ﬁne"),
        ("bad :-( day", ":-(", ":-("),
        ("bad :-( day", "xxsad", ":-("),
        ("good 👍", "👍", "👍"),
        ("commit a1b2c3d4e5 broke", "xxhex", "a1b2c3d4e5"),
    ],
)
def test_where_a_token_stands(raw: str, token: str, written: str) -> None:
    (span,) = [found.span for found in placed(read(Located.of(raw))) if found == token]
    assert span and raw[slice(*span)] == written


def test_what_was_put_in_stands_nowhere() -> None:
    """The break between head and tail of a long text is nobody's."""
    raw = "word " * 700 + "end " * 200
    text = read(Located.of(raw))
    assert all(raw[slice(*token.span)] in ("word", "end") for token in placed(text) if token.span)
    assert Located.of("ab").named("").span is None and (Located.of("a") + "b").span is None
