"""Identifiers: a prefix that says what it is, and a ULID that sorts by time."""

from __future__ import annotations

import time

from ulid import ULID


def new_id(prefix: str) -> str:
    """A fresh id such as `fb_01J9Z3...`; within one process ids only ever grow, also within a millisecond."""
    return f"{prefix}_{new_ulid()}"


def new_ulid() -> str:
    """The part of an id after its prefix."""
    return str(ULID())


def now_ms() -> int:
    """The time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
