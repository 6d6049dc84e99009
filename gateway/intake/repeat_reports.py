"""How many say the same: what makes two pieces of feedback the same. What that adds is in impact_reasons."""

from __future__ import annotations

import hashlib
import re

from adapters.contract.record import Record
from models.tables.text_folding import folded

WINDOW = 7 * 86_400_000  # milliseconds within which reports count together
LEAST_WORDS = 3  # fewer words than these are said about anything

_WORD = re.compile(r"[^\W\d_]{2,}")
# Plain text with blanks instead of other signs has the same words at its blanks, in a third of the time.
_PLAIN = bytes(code if chr(code).isalpha() and code < 128 else ord(" ") for code in range(256))


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
