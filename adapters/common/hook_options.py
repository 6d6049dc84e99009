"""Options of hooks: what an admin may choose for one address, and how a value of each is read.

A reader takes a value as it was given, JSON, and returns what is kept, or raises InvalidOption.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.contract import Fault, Reader

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # a header's name, RFC 9110
LONGEST = 1_000  # characters of a word, and words of a list


class InvalidOption(ValueError):
    """A value that no hook can have; each fault has its path below the option, "" for itself."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def access_token(value: Any) -> str:
    """A token of a vendor's API: it is sent in a header."""
    if not isinstance(value, str) or not re.fullmatch("[!-~]{8,255}", value):
        raise wrong("Must be a token: 8 to 255 ASCII characters without blanks")
    return value


def read_options(known: Mapping[str, Reader], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the options that were given. Raises InvalidOption with every bad one by name."""
    kept, faults = {}, []
    for name, value in given.items():
        try:
            if name not in known:
                raise wrong(f"Unknown option; known here: {', '.join(known) or 'none'}")
            kept[name] = known[name](value)
        except InvalidOption as error:
            faults += [Fault(f"{name}.{one.field}".rstrip("."), one.message) for one in error.faults]
    if faults:
        raise InvalidOption(*faults)
    return kept


def wrong(message: str) -> InvalidOption:
    """The refusal of a value as a whole."""
    return InvalidOption(Fault("", message))


def flag(value: Any) -> bool:
    """`true` or `false`."""
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise wrong("Must be true or false")
    return value


def header(value: Any) -> str:
    """The name of a header."""
    if not isinstance(value, str) or not TOKEN.fullmatch(value):
        raise wrong("Must be the name of a header")
    return value


def word(value: Any) -> str:
    """A text."""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise wrong(f"Must be a text of at most {LONGEST} characters")
    return value


def words(value: Any) -> list[str]:
    """A list of words: an array, or a text with commas. An empty array is a list of none."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or len(value) > LONGEST:
        raise wrong("Must be words with commas between them, or an array of texts")
    found = [word(one).strip() for one in value]
    if "" in found:
        raise wrong("Must have no empty word")
    return found
