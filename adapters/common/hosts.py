"""Which server a delivery is of: software that people host counts from 1 on each of them."""

from __future__ import annotations

from urllib.parse import urlsplit


def host_of(*addresses: str) -> str:
    """The host of the first of these that has one; "" when none does."""
    for address in addresses:
        try:
            host = urlsplit(address).netloc.rpartition("@")[2].lower()
        except ValueError:
            continue
        if host:
            return host
    return ""
