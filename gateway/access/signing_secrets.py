"""What is sent is signed with a secret of its receiver's, and with the one before for a day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.access.hooks import OVERLAP
from gateway.core import encryption

Kept = dict[str, Any]


def live(kept: Sequence[Kept], now: int) -> list[Kept]:
    """Those of some secrets that sign at a time (ms UTC), the newest first."""
    return [item for item in kept if item["expires_at"] is None or item["expires_at"] > now]


def sealed(secret: str) -> Kept:
    """A new secret as the table holds it."""
    return {"secret": encryption.encrypt(secret), "expires_at": None}


def rotated(kept: Sequence[Kept], secret: str, now: int) -> list[Kept]:
    """The secrets with a new one: the one before signs for another day, unless it cannot be opened."""
    older = [{**item, "expires_at": item["expires_at"] or now + OVERLAP} for item in live(kept, now)]
    return [sealed(secret), *[item for item in older if encryption.opens(item["secret"])][:1]]
