"""Keys of one server among several: software that people host counts from 1 on each of them."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from adapters.contract.record import Record

ANY = "any"  # the server of what does not name one (models.intake.servers)


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


def of_server(record: Record, server: str) -> Record:
    """A record with keys of its server, "" for the vendor's own.

    A story that was told under the keys without it goes on (models.intake.servers).
    """
    if not server:
        return record

    def key(plain: str | None) -> str | None:
        return f"{server}:{plain}" if plain else None

    return replace(
        record,
        server=server,
        dedupe_key=key(record.dedupe_key),
        incident_key=key(record.incident_key),
        votes_for=key(record.votes_for),
        comment=key(record.comment),
    )
