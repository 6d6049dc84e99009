"""The kinds of destinations: `ls gateway/destinations/by_kind/` is the list, nothing registers them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from gateway.destinations import by_kind
from gateway.destinations.kind import Kind


@cache
def load() -> dict[str, Kind]:
    """Every kind by its name, in their order."""
    names = sorted(module.name for module in iter_modules(by_kind.__path__))
    found = (import_module(f"{by_kind.__name__}.{name}").KIND for name in names)
    return {kind.name: kind for kind in found}
