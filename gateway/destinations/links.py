"""Addresses at which people read what they are told of."""

from __future__ import annotations

from gateway.core.config import Config

_url = ""


def connect(config: Config) -> None:
    """Sets the address of the inbox."""
    global _url
    _url = config.url.rstrip("/")


def of_inbox() -> str:
    """What all pages begin with."""
    return _url


def of_record(feedback_id: str) -> str:
    """The page of a record."""
    return f"{_url}/records/{feedback_id}"


def of_list(filter_: str) -> str:
    """The list of what a filter means."""
    return f"{_url}/inbox" + (f"?{filter_.removeprefix('?')}" if filter_ else "")


def of_theme(theme_id: str) -> str:
    """The page of a theme."""
    return f"{_url}/themes/{theme_id}"


def of_hook(hook_id: str) -> str:
    """The page of a hook."""
    return f"{_url}/settings/hooks/{hook_id}"
