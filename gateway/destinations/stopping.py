"""The end of mail to a destination: one click of whoever has the address, or of their program (RFC 8058)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from gateway.core import encryption
from gateway.destinations import managing
from gateway.files import addresses
from models.tables import destination

PATH = "/unsubscribe/destinations"
BY = "unsubscribe"  # who acts in the audit trail
_PURPOSE = "destination mail"


def url_of(destination_id: str, address: str) -> str:
    """Where mail to a destination ends, while that has this address; "" where we have no https one."""
    signature = addresses.signature(_PURPOSE, destination_id, _digest(address))
    found = addresses.absolute(f"{PATH}/{destination_id}/{signature}")
    return found if found.startswith("https://") else ""


def proven(destination_id: str, sent: str) -> dict[str, Any] | None:
    """The destination that a link ends mail to; None for a link that was not made here for its address."""
    row = destination.find(None, None, destination_id)
    if row is None or not encryption.opens(row["url"]):
        return None
    address = encryption.decrypt(row["url"])
    return row if addresses.is_right(sent, _PURPOSE, destination_id, _digest(address)) else None


def stop(row: Mapping[str, Any]) -> None:
    """Pauses a destination, which an admin can enable again; to say it again changes nothing."""
    if row["state"] == destination.ENABLED:
        managing.change(row, {"state": destination.PAUSED}, by=BY)


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()
