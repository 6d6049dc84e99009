"""Addresses of files for whoever has no key: signed, and good for some days."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from gateway.core import encryption
from gateway.core.ids import now_ms
from models.tables.asset import path_of

VALID = 7 * 86_400  # seconds

_public_url = ""


def connect(public_url: str) -> None:
    """Sets the address that this gateway is known by."""
    global _public_url
    _public_url = public_url


def absolute(path: str) -> str:
    """The whole address of a path of this gateway."""
    return _public_url + path


def signed_url(asset: Mapping[str, Any], seconds: int = VALID) -> str:
    """Where anybody can have the bytes of an asset for so many seconds, as soon as they are here."""
    expires = now_ms() // 1000 + seconds
    return absolute(f"{path_of(asset)}?exp={expires}&sig={_signature(asset['id'], str(expires))}")


def is_signed(asset_id: str, expires: str, signature: str) -> bool:
    """Whether an address with these was made here and still holds."""
    right = _signature(asset_id, expires)
    same = hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace"))
    return same and int(expires) >= now_ms() // 1000


def _signature(asset_id: str, expires: str) -> str:
    key = encryption.key_for("file address").encode()
    return hmac.new(key, f"{asset_id}.{expires}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
