"""What is a project's own in triage: the parts of its product that weigh more, and what people taught it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


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


Areas = tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class LearntHead:
    """What a project has learnt from people, as it is kept (gateway.triage.project_head).

    `version` is of this head alone, and the same whenever it is read again.
    """

    version: str
    data: bytes = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """What is a project's own in triage: areas beside the usual ones, those of these that are off, a head."""

    areas: Areas = ()
    head: LearntHead | None = None
    off: frozenset[str] = frozenset()


Rules = ProjectRules | None  # None: nothing is


def areas_of(kept: str | None) -> Areas:
    """A project's own areas as its row keeps them."""
    if kept is None:
        return ()
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


def names_of(kept: str | None) -> frozenset[str]:
    """The usual areas that are off in a project, as its row keeps them."""
    return frozenset(json.loads(kept)) if kept else frozenset()
