"""The parts of a product that weigh more: what a rule says, and how a project's own rules are kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Area:
    """One part of a product: `points` 0..3 when one of its marks is met.

    `prefixes` are beginnings of a page or of a URL's path, `names` are products and tags. `phrases` are
    words as people write them and `words` a regular expression on folded lower-case words; words
    alone count one point less, for they may be mentioned in passing.
    """

    name: str
    points: int
    prefixes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    words: str = ""
    phrases: tuple[str, ...] = ()


Rules = tuple[Area, ...] | None  # None: triage's own


@lru_cache(maxsize=256)
def rules_of(kept: str | None) -> Rules:
    """A project's rules as its row keeps them; None when it has none of its own.

    The same for all who ask, since every key that is remembered has those of its workspace.
    """
    if kept is None:
        return None
    return tuple(
        Area(
            rule["name"],
            rule["points"],
            tuple(page.lower() for page in rule["pages"]),
            tuple(name.lower() for name in rule["names"]),
            phrases=tuple(rule["phrases"]),
        )
        for rule in json.loads(kept)
    )
