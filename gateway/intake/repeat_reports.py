"""How many say the same: what makes two pieces of feedback the same, and what that adds to their impact."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapters.contract.record import Record
from models.tables.text_folding import folded

STEPS = (2, 5, 20)  # distinct reporters that make one, two and three points
WINDOW = 7 * 86_400_000  # milliseconds within which reports count together
LEAST_WORDS = 3  # fewer words than these are said about anything

_WORD = re.compile(r"[^\W\d_]{2,}")
# Plain text with blanks instead of other signs has the same words at its blanks, in a third of the time.
_PLAIN = bytes(code if chr(code).isalpha() and code < 128 else ord(" ") for code in range(256))


def points(reports: int) -> int:
    """0..3 points of reach for so many reports."""
    return sum(reports >= step for step in STEPS)


def reach_of(reasons: Iterable[Mapping[str, Any]]) -> int:
    """The points of reach among impact reasons; as many as there can be when they have no such part."""
    return next((int(reason["points"]) for reason in reasons if reason["part"] == "reach"), len(STEPS))


def fingerprint(record: Record) -> str | None:
    """A digest of the words, the same for texts that differ only in case, accents, marks and numbers.

    None for what is no message (ratings, alerts) and for texts too short to be about one thing.
    """
    if record.type not in ("message", "chat", "correction"):
        return None
    words = _words(folded(f"{record.title} {record.text}"[:10_000]))
    if len(words) < LEAST_WORDS:
        return None
    return hashlib.blake2b(b" ".join(words), digest_size=16).hexdigest()


def _words(said: str) -> list[bytes]:
    if said.isascii():
        return [word for word in said.encode().translate(_PLAIN).split() if len(word) > 1]
    return [word.encode("utf-8", "replace") for word in _WORD.findall(said)]


def raised(
    reasons: Sequence[Mapping[str, Any]], reports: int, why: str = "reported at least {} times"
) -> list[dict[str, Any]]:
    """Impact reasons with at least the points that so many reports give reach; never fewer than before.

    `why` is told where it rises, with the step that was met.
    """
    least = points(reports)
    met = max((step for step in STEPS if reports >= step), default=1)
    return [
        {**reason, "points": least, "why": why.format(met)}
        if reason["part"] == "reach" and reason["points"] < least
        else dict(reason)
        for reason in reasons
    ]
