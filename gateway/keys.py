"""API keys: how they look, how they are made, and how they are kept (never as text)."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Sequence

from gateway.ids import new_id, now_ms
from models.access import ApiKey

SCOPES = ("ingest", "read", "triage", "admin")
PREFIX = "sk_live_"

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM = 34  # base62 characters, over 200 bits
_CHECK = 6  # base62 characters hold a CRC-32
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")


def make_key() -> str:
    """A fresh key: `sk_live_`, 34 random characters, and 6 that are a checksum of the rest."""
    text = PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM))
    return text + _checksum(text)


def is_well_formed(key: str) -> bool:
    """Whether a key could be one of ours: a typo or a foreign key is told without asking the database."""
    return _SHAPE.fullmatch(key) is not None and _checksum(key[:-_CHECK]) == key[-_CHECK:]


def digest(key: str) -> str:
    """How a key is stored: SHA-256 in hex. A fast hash suffices, since a key has 200 random bits."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def create_key(
    workspace_id: str,
    project_id: str | None = None,
    *,
    name: str = "",
    scopes: Sequence[str] = ("ingest", "read"),
    rate_limit: str | None = None,
    expires_at: int | None = None,
) -> tuple[str, str]:
    """Stores a new key and returns its id and its text, which exists nowhere else from then on."""
    key, key_id = make_key(), new_id("key")
    ApiKey.create(
        id=key_id,
        workspace=workspace_id,
        project=project_id,
        digest=digest(key),
        prefix=key[: len(PREFIX) + 4],
        name=name,
        scopes=list(scopes),
        rate_limit=rate_limit,
        created_at=now_ms(),
        expires_at=expires_at,
    )
    return key_id, key


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
