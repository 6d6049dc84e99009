"""Query parameters, checked: each bad one is named, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Collection

from adapters.contract import Fault, Inbound
from adapters.times import milliseconds


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
    text = inbound.query.get(name)
    if text is None:
        return None
    if re.fullmatch(r"\d{1,6}", text, re.ASCII) and least <= int(text) <= most:
        return int(text)
    faults.append(Fault(name, f"Must be a whole number from {least} to {most}"))
    return None


def share(inbound: Inbound, name: str, faults: list[Fault]) -> float | None:
    """A number from 0 to 1, or None when it is not given."""
    text = inbound.query.get(name)
    if text is None:
        return None
    if re.fullmatch(r"0(\.\d{1,6})?|1(\.0{1,6})?|\.\d{1,6}", text, re.ASCII):
        return float(text)
    faults.append(Fault(name, "Must be a number from 0 to 1"))
    return None


def moment(inbound: Inbound, name: str, faults: list[Fault]) -> int | None:
    """A time in milliseconds UTC, or None when it is not given."""
    text = inbound.query.get(name)
    if text is None:
        return None
    try:
        return milliseconds(text)
    except (ValueError, OverflowError):
        faults.append(Fault(name, "Must be an ISO 8601 time such as 2026-04-09T10:30:00Z"))
        return None
