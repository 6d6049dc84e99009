"""`feedback-gateway destination`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from adapters.contract import Refused
from gateway.access import audit_log, encryption_key
from gateway.api.query_parameters import moment_of
from gateway.api.schemas.destinations import NewDestination, Replay
from gateway.cli.command import command, label_option, place_of
from gateway.cli.errors import Failure, NotHere
from gateway.core import outbound
from gateway.core.config import Config
from gateway.destinations import managing
from models.tables import destination as tables

BY = audit_log.COMMAND_LINE


@click.group()
def destination() -> None:
    """Destinations are told of changes: an address of yours that is sent each of them, signed."""


def _headers(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """NAME:VALUE pairs."""
    given = {}
    for text in values:
        name, colon, value = text.partition(":")
        if not colon:
            raise click.BadParameter(f"{text}: must look like NAME:VALUE")
        given[name.strip()] = value.strip()
    return given


@command(destination, "create", seals=True)
@click.argument("kind")
@click.argument("url")
@click.option("--project", "project_id", default=None, help="Whose changes it is told [default: of all].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--name", default="", callback=label_option, help="What it is for.")
@click.option("--events", default="", help="Types by comma [default: feedback.created].")
@click.option(
    "--filter", "chosen", default="", help="Which records, as a list's query: category=bug&tag=vip."
)
@click.option("--header", "headers", multiple=True, callback=_headers, help="NAME:VALUE, sent along.")
@click.option("--thin", is_flag=True, help="Send ids alone.")
def destination_create(
    kind: str,
    url: str,
    project_id: str | None,
    workspace: str | None,
    name: str,
    events: str,
    chosen: str,
    headers: dict[str, str],
    thin: bool,
) -> tuple[Any, str]:
    """Create a destination of a KIND at URL and print its secret, if the kind signs: docs/destinations.md."""
    # with another key than the others were sealed with the worker could not open this one
    encryption_key.check()
    outbound.connect(Config.from_env())
    workspace_id, project = place_of(workspace, project_id)
    sent: dict[str, Any] = {"kind": kind, "url": url, "name": name, "filter": chosen, "thin": thin}
    sent |= {"headers": headers} | ({"events": events.split(",")} if events else {})
    with _told():
        sent = NewDestination.check(sent)
        made = managing.create(workspace_id, project if project_id else None, kind, url, sent, by=BY)
    return made, _secret_of(made)


@command(destination, "list", seals=True)
def destination_list() -> tuple[Any, str]:
    """List the destinations, without their secrets."""
    found = [managing.shown(row) for row in tables.list_page(None, None)]
    lines = [f"{one['id']}  {one['kind']}  {one['state']}  {one['name'] or one['url']}" for one in found]
    return {"destinations": found}, "\n".join(lines)


@command(destination, "test")
@click.argument("destination_id")
def destination_test(destination_id: str) -> tuple[Any, str]:
    """Have a destination.test sent, the whole way that changes go; the worker does it."""
    managing.test(_found(destination_id))
    return {"destination_id": destination_id, "queued": 1}, "queued a destination.test"


@command(destination, "rotate", seals=True)
@click.argument("destination_id")
def destination_rotate(destination_id: str) -> tuple[Any, str]:
    """Give a destination a new secret; the old one signs for another day, too."""
    made = managing.rotate(_found(destination_id), by=BY)
    return made, _secret_of(made)


@command(destination, "replay")
@click.argument("destination_id")
@click.option("--state", default=None, help="sent, held or dead [default: dead].")
@click.option("--since", default=None, help="From this time on, ISO 8601.")
@click.option("--until", default=None, help="Before this time.")
@click.option("--delivery", "delivery_id", default=None, help="This delivery alone.")
def destination_replay(
    destination_id: str, state: str | None, since: str | None, until: str | None, delivery_id: str | None
) -> tuple[Any, str]:
    """Send deliveries anew, each with the id it had; the worker does it."""
    row = _found(destination_id)
    given = {"state": state, "since": since, "until": until, "delivery_id": delivery_id}
    with _told():
        sent = Replay.check({name: value for name, value in given.items() if value is not None})
    times: dict[str, Any] = {name: moment_of(sent[name]) for name in ("since", "until") if name in sent}
    queued = managing.replay(row, by=BY, **{**sent, **times})
    return {"destination_id": destination_id, "queued": queued}, f"queued {queued}"


@command(destination, "delete")
@click.argument("destination_id")
def destination_delete(destination_id: str) -> tuple[Any, str]:
    """End a destination with its deliveries."""
    managing.delete(_found(destination_id), by=BY)
    return {"destination_id": destination_id, "deleted": True}, f"deleted {destination_id}"


def _found(destination_id: str) -> dict[str, Any]:
    row = tables.find(None, None, destination_id)
    if row is None:
        raise NotHere(f"no destination {destination_id} here")
    return row


@contextmanager
def _told() -> Iterator[None]:
    """Says in a line what is refused."""
    try:
        yield
    except Refused as refused:
        faults = (f"{fault.field}: {fault.message}" for fault in refused.problem.faults)
        raise Failure("; ".join(faults)) from None


def _secret_of(made: dict[str, Any]) -> str:
    facts = [f"{name:8}{made[name]}" for name in ("id", "url", "secret") if made[name]]
    kept = ["", "Keep the secret: it cannot be shown again."] if made["secret"] else []
    return "\n".join([*facts, *kept])
