"""`feedback-gateway hook`."""

from __future__ import annotations

import json
from typing import Any

import click

import adapters
from adapters.contract import Adapter
from adapters.generic import check_map
from adapters.strict_json import InvalidJSON, parse
from gateway import hooks, sealed
from gateway.cli.common import command, place_of, rate_option
from gateway.cli.failing import Failure, NotHere
from gateway.config import Config
from models.base import writing
from models.hook import find_hook


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
@click.option("--name", default="", help="What the hook is for.")
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
    sealed.check()  # with another key than the others were sealed with the server could not open this one
    workspace_id, project_id = place_of(workspace, project_id)
    if mapping is not None:
        options["map"] = _mapping(mapping)
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
        raise Failure(_in_options(error)) from None
    return made, _told(made)


@command(hook, "list")
def hook_list() -> tuple[Any, str]:
    """List the hooks, without their secrets."""
    found = hooks.list_hooks()
    return {"hooks": found}, "\n".join(f"{row['hook_id']}  {row['source']}  {row['name']}" for row in found)


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
        raise Failure(_in_options(error)) from None
    return made, _told(made)


@command(hook, "delete")
@click.argument("hook_id")
def hook_delete(hook_id: str) -> tuple[Any, str]:
    """End a hook; what came through it stays."""
    if find_hook(hook_id) is None:
        raise NotHere(f"no hook {hook_id} here")
    with writing():
        hooks.delete_hook(hook_id)
    return {"hook_id": hook_id, "deleted": True}, f"deleted {hook_id}"


def _in_options(error: hooks.HookError) -> str:
    return f"{error} (--{error.field})"


def _kind(source: str) -> Adapter:
    known = hooks.kinds(adapters.load())
    if source not in known:
        raise click.BadParameter(f"{source}: must be one of {', '.join(sorted(known))}", param_hint="SOURCE")
    return known[source]


def _mapping(file: Any) -> dict[str, Any]:
    try:
        mapping = parse(file.read())
        faults = check_map(mapping)
    except InvalidJSON as error:
        raise Failure(f"--map: {error}") from None
    if faults:
        raise Failure("; ".join(f"--map: {fault.field}: {fault.message}" for fault in faults))
    return dict(mapping)


def _told(made: dict[str, Any]) -> str:
    facts = [f"{name:8}{made[name]}" for name in ("hook_id", "url", "dsn", "secret") if made.get(name)]
    kept = ["", "Keep the secret: it cannot be shown again."] if made["secret"] else []
    if not Config.from_env().public_url:
        kept.append("Senders elsewhere need GATEWAY_PUBLIC_URL: the address above is that of GATEWAY_BIND.")
    return "\n".join([*facts, "", made["advice"], *kept])
