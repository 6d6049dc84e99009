"""Escapes in a text, and what they stand for: JSON's, percent signs, and HTML's."""

from __future__ import annotations

import html
import re

LEVELS = 4  # of escapes within escapes
ESCAPE = re.compile(
    r"%(?:[0-7][0-9a-f]|c[2-9a-f]%[89ab][0-9a-f]|d[0-9a-f]%[89ab][0-9a-f]"
    r"|e[0-9a-f](?:%[89ab][0-9a-f]){2}|f[0-4](?:%[89ab][0-9a-f]){3})"
    r"|\\u(?:d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|[0-9a-f]{4})|\\x[0-9a-f]{2}|\\[nrtbf\"/\\]"
    r"|&(?:#[0-9]{1,8}|#x[0-9a-f]{1,8}|[a-z][a-z0-9]{1,31});",
    re.IGNORECASE,
)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def meant(escape: str) -> str:
    """The character that an escape stands for; itself when it stands for none."""
    if escape[0] == "%":
        data = bytes.fromhex(escape.replace("%", ""))
        try:
            return data.decode()
        except UnicodeDecodeError:
            return escape
    if escape[0] == "&":
        char = html.unescape(escape)
        return char if len(char) <= 2 else escape
    kind = escape[1].lower()
    if kind in "ux" and len(escape) > 2:
        numbers = [int(part, 16) for part in re.split(r"\\[ux]", escape, flags=re.IGNORECASE)[1:]]
        if len(numbers) == 2:
            return chr(0x10000 + ((numbers[0] - 0xD800) << 10) + (numbers[1] - 0xDC00))
        return escape if 0xD800 <= numbers[0] < 0xE000 else chr(numbers[0])
    return _LETTERS.get(escape[1], escape if escape[1].isalpha() else escape[1])


def unescaped(text: str) -> str:
    """A text with its escapes read."""
    for _ in range(LEVELS):
        text = ESCAPE.sub(lambda found: meant(found[0]), text)
    return text
