"""The dialects. `ls adapters/` is the list of them; `load()` finds them, nothing registers them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from adapters.contract import Adapter


def load() -> dict[str, Adapter]:
    """Every adapter by name. A module that breaks stops the start: a silent 404 would lose feedback."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.ispkg)
    return {name: import_module(f"adapters.{name}").ADAPTER for name in names}
