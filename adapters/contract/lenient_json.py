"""JSON that a template broke, mended: for a person who replays what could not be read.

Monitoring tools and chat bots fill words into a JSON text without escaping them. What that breaks is
a line break or an unescaped quote within a string, a backslash, and a comma behind the last item.
Only these are mended, and nothing is guessed of what is missing. It takes time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_OUTSIDE = re.compile(r'[^",]+')
_SPACE = r"[ \t\r\n]*+"
_LAST_COMMA = re.compile(rf",{_SPACE}[}}\]]")
# What may follow the quote that ends a name, a value of an object, and an item of an array.
_KEY = rf'"(?:[^"\\\n]|\\.){{0,200}}"{_SPACE}:'
_NAME_END = re.compile(rf"{_SPACE}:")
_VALUE_END = re.compile(rf"{_SPACE}(?:\Z|\}}{_SPACE}(?:[,}}\]]|\Z)|,{_SPACE}(?:{_KEY}|\}}))")
_ITEM_END = re.compile(rf'{_SPACE}(?:\Z|\]{_SPACE}(?:[,}}\]]|\Z)|,{_SPACE}(?:["{{\[\]0-9tfn-]))')
Ends = Callable[[str, int], re.Match[str] | None]
_BRACKETS = re.compile(r"[{}\[\]:]")


def mended(body: bytes) -> bytes:
    """The text with what a template broke put right; the very same bytes when nothing was."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body
    whole = "".join(_parts(text))
    return body if whole == text else whole.encode()


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    open_: list[str] = []  # the brackets that we are in
    at, named = 0, False
    while at < len(text):
        if text[at] == ",":
            parts.append("" if _LAST_COMMA.match(text, at) else ",")
            at, named = at + 1, False
        elif text[at] == '"':
            within = open_[-1] if open_ else ""
            ends = _ITEM_END.match if within != "{" else _VALUE_END.match if named else _NAME_END.match
            at = _string(text, at + 1, ends, parts)
        else:
            found = _OUTSIDE.match(text, at)
            assert found is not None
            parts.append(found[0])
            at = found.end()
            for mark in _BRACKETS.findall(found[0]):
                if mark in "{[":
                    open_.append(mark)
                    named = False
                elif mark == ":":
                    named = True
                elif open_:
                    open_.pop()
                    named = True
    return parts


def _string(text: str, at: int, ends: Ends, parts: list[str]) -> int:
    """Puts a string right from behind its first quote on; returns where it ends."""
    parts.append('"')
    while at < len(text):
        if found := _PLAIN.match(text, at) or _ESCAPE.match(text, at):
            parts.append(found[0])
            at = found.end()
        elif text[at] == '"':
            at += 1
            if ends(text, at):
                parts.append('"')
                return at
            parts.append('\\"')
        else:  # a lone backslash, or a character that must be escaped
            parts.append("\\\\" if text[at] == "\\" else f"\\u{ord(text[at]):04x}")
            at += 1
    return at
