"""Query parameters, checked: each bad one is named, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

from adapters.common.times import milliseconds
from adapters.contract import Fault, Inbound

Value = TypeVar("Value")


def unknown(inbound: Inbound, names: Collection[str]) -> list[Fault]:
    """A fault for every parameter that is none of `names`."""
    return [Fault(name, "Unknown parameter") for name in inbound.query if name not in names]


def word(inbound: Inbound, name: str, words: Collection[str], faults: list[Fault]) -> str | None:
    """One of these words, or None when it is not given."""
    text = inbound.query.get(name)
    if text is not None and text not in words:
        faults.append(Fault(name, f"Must be one of {', '.join(words)}"))
    return text


def whole(inbound: Inbound, name: str, least: int, most: int, faults: list[Fault]) -> int | None:
    """A whole number from `least` to `most`, or None when it is not given."""
    return _given(inbound, name, partial(whole_of, least=least, most=most), faults)


def share(inbound: Inbound, name: str, faults: list[Fault]) -> float | None:
    """A number from 0 to 1, or None when it is not given."""
    return _given(inbound, name, share_of, faults)


def moment(inbound: Inbound, name: str, faults: list[Fault]) -> int | None:
    """A time in milliseconds UTC, or None when it is not given."""
    return _given(inbound, name, moment_of, faults)


def whole_of(text: str, least: int, most: int) -> int:
    """A text as a whole number. Raises ValueError, whose text is for whoever sent it; so do the next two."""
    if re.fullmatch(r"\d{1,6}", text, re.ASCII) and least <= int(text) <= most:
        return int(text)
    raise ValueError(f"Must be a whole number from {least} to {most}")


def share_of(text: str) -> float:
    """A text as a number from 0 to 1."""
    if re.fullmatch(r"0(\.\d{1,6})?|1(\.0{1,6})?|\.\d{1,6}", text, re.ASCII):
        return float(text)
    raise ValueError("Must be a number from 0 to 1")


def moment_of(text: str) -> int:
    """A text as milliseconds UTC."""
    try:
        return milliseconds(text)
    except (ValueError, OverflowError):
        raise ValueError("Must be an ISO 8601 time such as 2026-04-09T10:30:00Z") from None


def _given(inbound: Inbound, name: str, read: Callable[[str], Value], faults: list[Fault]) -> Value | None:
    text = inbound.query.get(name)
    try:
        return None if text is None else read(text)
    except ValueError as error:
        faults.append(Fault(name, str(error)))
        return None
