"""Tags as `name:value`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def tags(**values: Any) -> tuple[str, ...]:
    """`name:value` for each value that is a text and not empty."""
    return tags_of(values.items())


def tags_of(
    pairs: Iterable[tuple[str, Any]], *, longest: int | None = None, most: int | None = None
) -> tuple[str, ...]:
    """`name:value` for each pair of a name and a text, neither of them empty, once each.

    Cut to `longest` characters; of more than `most` tags the first are kept.
    """
    words = (
        f"{name}:{value}"[:longest] for name, value in pairs if name and isinstance(value, str) and value
    )
    return tuple(dict.fromkeys(words))[:most]
