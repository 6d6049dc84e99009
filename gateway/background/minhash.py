"""How alike two texts are, and the keys under which alike ones are found without comparing all.

Alike is the Jaccard similarity of the four-letter pieces of their telling words: neither the order of
words nor numbers count, and a typo costs little. The keys are MinHash bands: two texts share one with a
probability of 1 - (1 - s^3)^12 for a similarity of s. `python -m benchmarks.similar` compares this with
other ways.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

ALIKE = 0.5  # from here on two texts say the same
BANDS, ROWS = 12, 3
LEAST_WORDS = 3  # fewer telling words than these are said about anything
_PIECE = 4

# Never others, and from no library's generator, since the keys are stored.
_NUMBERS = np.frombuffer(hashlib.shake_128(b"feedback-gateway").digest(16 * BANDS * ROWS), dtype="<u8")
_FACTORS, _OFFSETS = _NUMBERS[: BANDS * ROWS] | np.uint64(1), _NUMBERS[BANDS * ROWS :]


def pieces(words: Iterable[str]) -> frozenset[str]:
    """The four-letter pieces of words, their ends marked by blanks."""
    found = set[str]()
    for word in set(words):
        ended = f" {word} "
        found.update(ended[at : at + _PIECE] for at in range(max(1, len(ended) - _PIECE + 1)))
    return frozenset(found)


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """0..1: the share of pieces that both have."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def keys(workspace_id: str, words: Sequence[str]) -> list[int]:
    """The keys (64 bits, signed) of a text within its workspace; none for one with too few words."""
    if len(set(words)) < LEAST_WORDS:
        return []
    hashed = np.array([zlib.crc32(piece.encode()) for piece in pieces(words)], dtype=np.uint64)
    least = ((hashed[:, None] * _FACTORS + _OFFSETS) >> np.uint64(32)).min(axis=0).astype("<u4")
    rows = least.reshape(BANDS, ROWS)
    salt = workspace_id.encode()[:64]
    return [
        int.from_bytes(
            hashlib.blake2b(row.tobytes(), digest_size=8, key=salt, person=bytes([number])).digest(),
            "little",
            signed=True,
        )
        for number, row in enumerate(rows)
    ]
