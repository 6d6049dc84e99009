"""The dialects. `ls adapters/` is the list of them; `load()` finds them, nothing registers them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from adapters.contract import Adapter

_NOT_DIALECTS = {
    *(
        "alerts",
        "ansi",
        "charsets",
        "contract",
        "discord_words",
        "envelopes",
        "expressions",
        "foreign",
        "forms",
    ),
    *("large_envelopes", "lenient_json", "markup", "members", "options", "payload", "places", "record"),
    *("sentry_dialog", "sentry_events", "sentry_store", "sentry_words", "sns_messages"),
    *("severities", "shapes", "signatures", "slack_words", "strict_json", "tags", "text", "times"),
}


def load() -> dict[str, Adapter]:
    """Every adapter by name. A module that breaks stops the start: a silent 404 would lose feedback."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name not in _NOT_DIALECTS)
    return {name: import_module(f"adapters.{name}").ADAPTER for name in names}
