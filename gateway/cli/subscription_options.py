"""Options that say when people at a destination are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import click

from gateway.destinations.subscription import CONTENTS, WHENS

_OPTIONS = (
    click.option("--when", type=click.Choice(WHENS), default=None, help="When people are told."),
    click.option("--window", type=int, default=None, help="Minutes between two messages of `each`."),
    click.option("--hour", type=int, default=None, help="Of `daily` and `weekly`: 0 to 23."),
    click.option("--weekday", type=int, default=None, help="Of `weekly`: 0, Monday, to 6."),
    click.option("--zone", default=None, help="Whose hours those are: Europe/Amsterdam."),
    click.option("--include-author/--no-author", default=None, help="Name authors, or leave them out."),
    click.option("--content", type=click.Choice(CONTENTS), default=None, help="What came, or the digest."),
)
NAMES = ("when", "window", "hour", "weekday", "zone", "include_author", "content")


def subscription_options(act: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options to a command."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), act)


def subscription_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the API takes for the options that were given; nothing when none was."""
    given = {name: options[name] for name in NAMES if options[name] is not None}
    return {"subscription": given} if given else {}
