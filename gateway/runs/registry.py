"""The techniques: `ls gateway/runs/techniques/` is the list of them, nothing registers them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from gateway.runs import techniques
from gateway.runs.technique import Technique


@cache
def load() -> dict[str, Technique]:
    """Every technique by its slug, in their order."""
    names = sorted(module.name for module in iter_modules(techniques.__path__))
    found = (import_module(f"{techniques.__name__}.{name}").TECHNIQUE for name in names)
    return {technique.slug: technique for technique in found}


def find(name: str) -> Technique | None:
    """The technique with this slug or id, or None."""
    known = load()
    return known.get(name) or next((one for one in known.values() if one.id == name), None)
