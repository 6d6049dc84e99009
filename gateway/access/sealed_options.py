"""Options of hooks that are secrets: kept encrypted, and never shown again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gateway.core import encryption

HIDDEN = "********"  # stands for one that is kept; given back, it changes nothing


def sealed(names: Collection[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are kept: those of these names encrypted."""
    return {
        name: encryption.encrypt(str(value)) if name in names else value for name, value in options.items()
    }


def hidden(names: Collection[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Kept options as they are shown."""
    return {name: HIDDEN if name in names else value for name, value in options.items()}


def changed(names: Collection[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given options that say something: a hidden one stays as it is."""
    return {name: value for name, value in options.items() if not (name in names and value == HIDDEN)}
