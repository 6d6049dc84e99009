"""Addresses that others wrote, as far as a page may lead there."""

from __future__ import annotations

from urllib.parse import urlsplit

LINKED = ("http", "https")


def link(text: str) -> str | None:
    """The text when a browser may follow it: an http or https address, and nothing else (javascript:)."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    plain = text.isprintable() and not any(mark in text for mark in ' "<>\\^`{|}')
    return text if parts.scheme in LINKED and parts.netloc and plain else None
