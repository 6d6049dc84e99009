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
_DOWNLOAD = "file address"  # what the signatures of addresses are for

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
    return absolute(f"{path_of(asset)}?exp={expires}&sig={signature(_DOWNLOAD, asset['id'], str(expires))}")


def is_signed(asset_id: str, expires: str, sent: str) -> bool:
    """Whether an address with these was made here and still holds."""
    return is_right(sent, _DOWNLOAD, asset_id, expires) and int(expires) >= now_ms() // 1000


def is_right(sent: str, purpose: str, asset_id: str, expires: str) -> bool:
    """Whether a signature was made here, of exactly these."""
    right = signature(purpose, asset_id, expires)
    return hmac.compare_digest(right.encode(), sent.encode("utf-8", "replace"))


def signature(purpose: str, asset_id: str, expires: str) -> str:
    """What proves that the gateway lets somebody without a key do something with an asset until then."""
    key = encryption.key_for(purpose).encode()
    return hmac.new(key, f"{asset_id}.{expires}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
