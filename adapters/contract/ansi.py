"""Control sequences of terminals, which colour the words that tools send."""

from __future__ import annotations

import re

# Control sequences of terminals (ECMA-48), also cut ones: colours and cursors, titles and links, the others.
ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+(?:[@-~]|\Z)|\x1b[\]PX^_][^\x07\x1b\x9c]{0,1000}+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[()*+][0-9A-Z]|\x1b[=>78]|\x1b|\x9b"
)


def without_ansi(words: str) -> str:
    """Words without what colours them in a terminal, and without other control sequences."""
    return ANSI.sub("", words) if "\x1b" in words or "\x9b" in words else words
