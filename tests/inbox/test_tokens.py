"""Colours, sizes of text, spaces and radii are said once, in style/tokens.css; everything else names them."""

from __future__ import annotations

import re

import pytest

from gateway.inbox import static_files

STYLE = static_files.STATIC / "style"
TOKENS = (STYLE / "tokens.css").read_text()
PARTS = sorted(path.name for path in STYLE.glob("*.css") if path.name != "tokens.css")
DECLARED = re.compile(r"(?<![\w-])([a-z-]+)\s*:\s*([^;{}]+)[;}]")
LENGTH = re.compile(r"(?<![\w.#-])-?(?:\d*\.)?\d+(?:px|rem|pt|ch)\b")
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color|light-dark)\(")
NAMED = re.compile(
    r"(?<![\w-])(?:black|white|red|green|blue|orange|yellow|gr[ae]y|silver|navy|purple)(?![\w-])"
)
SPACES = re.compile(
    r"(?:margin|padding|gap|row-gap|column-gap)(?:-(?:top|right|bottom|left|block|inline)\w*)?"
)


def faults(css: str) -> list[str]:
    """What a style says by itself that has a token."""
    found = []
    for name, value in DECLARED.findall(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        sized = name in ("font", "font-size") or (name.startswith("border") and name.endswith("radius"))
        if (
            COLOUR.search(value)
            or NAMED.search(value)
            or ((sized or SPACES.fullmatch(name)) and LENGTH.search(value))
        ):
            found.append(f"{name}: {value}")
    return found


@pytest.mark.parametrize("part", PARTS)
def test_only_tokens_say_colours_and_sizes(part: str) -> None:
    """No other file has a colour, a size of text, a space or a radius of its own; what it names is there."""
    css = (STYLE / part).read_text()
    assert faults(css) == []
    assert set(re.findall(r"var\((--[\w-]+)", css)) <= set(re.findall(r"(--[\w-]+):", TOKENS + css))


@pytest.mark.parametrize(
    "rule",
    [
        "a { color: #fff; }",
        "a { background: rgb(1 2 3); }",
        "a { border: 1px solid red }",
        "a { font-size: .9rem; }",
        "a { font: 13px/1.2 serif; }",
        "a { padding: 0 3px; }",
        "a { margin-left: 1rem }",
        "@media (max-width: 48rem) { a { gap: 2rem; } }",
        "a { border-radius: 4px; }",
    ],
)
def test_what_has_a_token_is_found(rule: str) -> None:
    """The check sees each kind of value, wherever it stands."""
    assert faults(rule)


def test_there_are_few_tokens() -> None:
    """Four sizes of text and eight spaces; each colour is for light and for dark."""
    assert re.findall(r"--(small|text|large|huge): ", TOKENS) == ["small", "text", "large", "huge"]
    assert re.findall(r"--space-(\d): ", TOKENS) == list("12345678")
    named = dict(re.findall(r"(--[\w-]+): ([^;]+);", TOKENS))
    plain = {name for name, value in named.items() if value.startswith("#")}
    assert plain == {"--veil", "--on-main"}
