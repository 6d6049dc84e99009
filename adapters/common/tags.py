"""Tags as `name:value`, and marks of secrecy, which are one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from adapters.contract.record import Record

CONFIDENTIAL, PRIVATE, INTERNAL = "confidential", "private", "internal"
SECRET = tuple(f"visibility:{word}" for word in (CONFIDENTIAL, PRIVATE, INTERNAL))  # the tags that say so


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


def marked(records: Iterable[Record], visibility: str) -> list[Record]:
    """The records with who may see them, when that is not everybody.

    `confidential` (marked so itself), `private` (from a private place) or `internal` (for a whole
    organisation) is the subject's `visibility`, and a tag `visibility:...` to filter by. Of a remark that
    fewer may see than its story it is the record's `secrecy` instead.
    """
    if not visibility:
        return list(records)
    return [
        replace(
            record,
            subject={**record.subject, "visibility": visibility},
            tags=(*record.tags, f"visibility:{visibility}"),
        )
        if not record.retracts and record.votes_for is None
        else record
        for record in records
    ]
