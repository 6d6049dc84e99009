"""`feedback-gateway hook`."""

from __future__ import annotations

import json
from typing import Any

import click

import adapters
from adapters.contract import Adapter
from adapters.contract.strict_json import InvalidJSON, parse
from gateway.access import encryption_key, hooks
from gateway.api.admin import hook_deliveries
from gateway.cli.command import command, label_option, place_of, rate_option
from gateway.cli.errors import Failure, NotHere
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.core.program import typed
from models.database.base import writing
from models.tables.hook import find_hook


@click.group()
def hook() -> None:
    """Addresses for senders that sign instead of showing a key."""


def _options(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE pairs; a value that is JSON is read as such."""
    given: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text}: must look like NAME=VALUE")
        try:
            given[name] = json.loads(value)
        except json.JSONDecodeError:
            given[name] = value
    return given


@command(hook, "create", seals=True)
@click.argument("source")
@click.option(
    "--project", "project_id", default=None, help="Where its records land [default: the default one]."
)
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--name", default="", callback=label_option, help="What the hook is for.")
@click.option("--secret", default=None, help="What the sender signs with [default: made anew].")
@click.option("--unsigned", is_flag=True, help="For a sender that cannot sign: the address is the secret.")
@click.option("--rate-limit", callback=rate_option, default=None, help="Such as 600/minute.")
@click.option(
    "--option", "options", multiple=True, callback=_options, help="NAME=VALUE, see the source's page."
)
@click.option(
    "--map", "mapping", type=click.File("rb"), default=None, help="JSON file of expressions, for generic."
)
def hook_create(
    source: str,
    project_id: str | None,
    workspace: str | None,
    name: str,
    secret: str | None,
    unsigned: bool,
    rate_limit: str | None,
    options: dict[str, Any],
    mapping: Any,
) -> tuple[Any, str]:
    """Create a hook for SOURCE and print what to paste where at the vendor."""
    adapter = _kind(source)
    _with_map(options, mapping)
    # with another key than the others were sealed with the server could not open this one
    encryption_key.check()
    workspace_id, project_id = place_of(workspace, project_id)
    try:
        with writing():
            made = hooks.create_hook(
                adapter,
                workspace_id,
                project_id,
                secret=secret,
                unsigned=unsigned,
                name=name,
                rate_limit=rate_limit,
                options=options,
            )
    except hooks.HookError as error:
        raise Failure(_told_of(error)) from None
    return made, _told(made)


@command(hook, "list")
def hook_list() -> tuple[Any, str]:
    """List the hooks, without their secrets."""
    found = hook_deliveries.with_deliveries(hooks.list_hooks(), now_ms())
    return {"hooks": found}, "\n".join(map(_line, found))


@command(hook, "rotate", seals=True)
@click.argument("hook_id")
@click.option("--secret", default=None, help="What the sender will sign with [default: made anew].")
def hook_rotate(hook_id: str, secret: str | None) -> tuple[Any, str]:
    """Give a hook a new secret; the old one works for another day."""
    row = find_hook(hook_id)
    if row is None:
        raise NotHere(f"no hook {hook_id} here")
    try:
        with writing():
            made = hooks.rotate_hook(adapters.load()[row["source"]], hook_id, secret)
    except hooks.HookError as error:
        raise Failure(_told_of(error)) from None
    return made, _told(made)


@command(hook, "change")
@click.argument("hook_id")
@click.option(
    "--option", "options", multiple=True, callback=_options, help="NAME=VALUE; NAME=null takes it away."
)
@click.option(
    "--map", "mapping", type=click.File("rb"), default=None, help="JSON file of expressions, for generic."
)
def hook_change(hook_id: str, options: dict[str, Any], mapping: Any) -> tuple[Any, str]:
    """Give a hook other options; what it has in quarantine can be replayed with them."""
    _with_map(options, mapping)
    if not options:
        raise click.UsageError("give --option or --map")
    if find_hook(hook_id) is None:
        raise NotHere(f"no hook {hook_id} here")
    try:
        with writing():
            changed = hooks.change_hook(hook_id, options)
    except hooks.HookError as error:
        raise Failure(_told_of(error)) from None
    return changed, f"changed {hook_id}: {', '.join(options)}"


@command(hook, "delete")
@click.argument("hook_id")
def hook_delete(hook_id: str) -> tuple[Any, str]:
    """End a hook; what came through it stays."""
    if find_hook(hook_id) is None:
        raise NotHere(f"no hook {hook_id} here")
    with writing():
        hooks.delete_hook(hook_id)
    return {"hook_id": hook_id, "deleted": True}, f"deleted {hook_id}"


def _line(row: dict[str, Any]) -> str:
    """A hook in a line, with what came through it in 24 hours."""
    came = f"{row['deliveries_24h']} in 24 h"
    came += "".join(
        f", {row[f'{name}_24h']} {name}" for name in ("failed", "quarantined") if row[f"{name}_24h"]
    )
    came += ", silent" if row["silent_since"] else ""
    return f"{row['hook_id']}  {row['source']}  {row['name']}  ({came})"


def _told_of(error: hooks.HookError) -> str:
    """What is wrong, by the command's options: `options.map.text` is --map's."""
    lines = []
    for fault in error.faults:
        name, _, rest = fault.field.removeprefix("options.").partition(".")
        given = f"--option {name}" if fault.field.startswith("options.") and name != "map" else f"--{name}"
        lines.append(": ".join(filter(None, (given, rest, fault.message))))
    return "; ".join(lines)


def _kind(source: str) -> Adapter:
    known = hooks.kinds(adapters.load())
    if source not in known:
        raise click.BadParameter(f"{source}: must be one of {', '.join(sorted(known))}", param_hint="SOURCE")
    return known[source]


def _with_map(options: dict[str, Any], mapping: Any) -> None:
    """Adds what the file given as --map holds. Raises Failure."""
    if mapping is None:
        return
    try:
        options["map"] = parse(mapping.read())
    except InvalidJSON as error:
        raise Failure(f"--map: {mapping.name}: {str(error).removeprefix('body ')}") from None


def _told(made: dict[str, Any]) -> str:
    facts = [f"{name:8}{made[name]}" for name in ("hook_id", "url", "dsn", "secret") if made.get(name)]
    kept = ["", "Keep the secret: it cannot be shown again."] if made["secret"] else []
    if not Config.from_env().public_url:
        kept.append("Senders elsewhere need GATEWAY_PUBLIC_URL: the address above is that of GATEWAY_BIND.")
    return "\n".join([*facts, "", typed(made["advice"]), *kept])
