"""`feedback-gateway destination`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any

import click

from adapters.contract import Refused
from gateway.access import audit_log, encryption_key
from gateway.api.admin.destinations import chosen_deliveries
from gateway.api.schemas.destinations import DestinationChange, Forget, NewDestination, Replay
from gateway.cli.command import command, label_option, place_of
from gateway.cli.errors import Failure, NotHere
from gateway.cli.subscription_options import subscription_of, subscription_options
from gateway.core import outbound
from gateway.core.config import Config
from gateway.destinations import managing
from models.tables import destination as tables
from models.tables.outgoing import STATES as DELIVERY_STATES

BY = audit_log.COMMAND_LINE
LONGEST_ANSWER = 100  # characters of an answer in the log


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
@click.option("--events", default="", help="Types by comma [default: what is usual for the kind].")
@click.option(
    "--filter", "chosen", default="", help="Which records, as a list's query: category=bug&tag=vip."
)
@click.option("--header", "headers", multiple=True, callback=_headers, help="NAME:VALUE, sent along.")
@click.option("--thin", is_flag=True, help="Send ids alone.")
@click.option("--ordered", is_flag=True, help="Send one at a time, nothing before what failed.")
@subscription_options
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
    ordered: bool,
    **told: Any,
) -> tuple[Any, str]:
    """Create a destination of a KIND at URL and print its secret, if the kind signs: docs/destinations.md."""
    # with another key than the others were sealed with the worker could not open this one
    encryption_key.check()
    outbound.connect(Config.from_env())
    workspace_id, project = place_of(workspace, project_id)
    sent: dict[str, Any] = {"kind": kind, "url": url, "name": name, "filter": chosen, "thin": thin}
    sent |= {"ordered": ordered, "headers": headers} | ({"events": events.split(",")} if events else {})
    sent |= subscription_of(told)
    with _told():
        sent = NewDestination.check(sent)
        made = managing.create(workspace_id, project if project_id else None, kind, url, sent, by=BY)
    return made, _secret_of(made)


@command(destination, "list", seals=True)
def destination_list() -> tuple[Any, str]:
    """List the destinations, without their secrets."""
    found = [managing.shown(row) for row in tables.list_page(None, None)]
    lines = [f"{one['id']}  {one['kind']}  {one['state']}  {one['name'] or one['url']}" for one in found]
    return {"destinations": found}, "\n".join(map("".join, zip(lines, map(_ailing, found), strict=True)))


def _ailing(one: dict[str, Any]) -> str:
    """What a destination has not taken, behind its line; empty where all is well."""
    told = [f"{one[state]} {state}" for state in ("waiting", "held", "dead") if one[state]]
    if one["failing_since"]:
        told.insert(0, f"failing since {one['failing_since']}")
    if one["reason"]:
        told.append(one["reason"])
    return f"  ({', '.join(told)})" if told else ""


@command(destination, "change", seals=True)
@click.argument("destination_id")
@click.option("--url", default=None, help="Where to.")
@click.option("--name", default=None, callback=label_option, help="What it is for.")
@click.option("--events", default=None, help="Types by comma.")
@click.option("--filter", "chosen", default=None, help="Which records, as a list's query.")
@click.option("--header", "headers", multiple=True, callback=_headers, help="NAME:VALUE, in place of all.")
@click.option("--thin/--whole", default=None, help="Send ids alone, or the whole record.")
@click.option("--ordered/--unordered", default=None, help="Send one at a time, or two.")
@subscription_options
def destination_change(
    destination_id: str,
    url: str | None,
    name: str | None,
    events: str | None,
    chosen: str | None,
    headers: dict[str, str],
    thin: bool | None,
    ordered: bool | None,
    **told: Any,
) -> tuple[Any, str]:
    """Set what is given of a destination; the rest stays."""
    sent: dict[str, Any] = {"url": url, "name": name, "filter": chosen, "thin": thin, "ordered": ordered}
    sent |= {"events": None if events is None else events.split(","), "headers": headers or None}
    sent |= subscription_of(told)
    return _change(destination_id, {name: value for name, value in sent.items() if value is not None})


@command(destination, "pause", seals=True)
@click.argument("destination_id")
def destination_pause(destination_id: str) -> tuple[Any, str]:
    """Hold what is to be sent to a destination until it is enabled."""
    return _change(destination_id, {"state": tables.PAUSED})


@command(destination, "enable", seals=True)
@click.argument("destination_id")
def destination_enable(destination_id: str) -> tuple[Any, str]:
    """Go on sending; what was held is sent by `replay --state held`, or forgotten by `forget`."""
    return _change(destination_id, {"state": tables.ENABLED})


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


def _which(states: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options that say which deliveries are meant."""
    options = (
        click.option("--state", default=None, help=states),
        click.option("--since", default=None, help="From this time on, ISO 8601."),
        click.option("--until", default=None, help="Before this time."),
        click.option("--delivery", "delivery_id", default=None, help="This delivery alone."),
    )

    def add(act: Callable[..., Any]) -> Callable[..., Any]:
        return reduce(lambda made, option: option(made), reversed(options), act)

    return add


@command(destination, "replay")
@click.argument("destination_id")
@_which("waiting, sent, held or dead [default: dead]; what is waiting is sent now.")
def destination_replay(destination_id: str, **chosen: str | None) -> tuple[Any, str]:
    """Send deliveries anew, each with the id it had; the worker does it."""
    row = _found(destination_id)
    with _told():
        queued = managing.replay(row, by=BY, **chosen_deliveries(Replay, _given(chosen)))
    return {"destination_id": destination_id, "queued": queued}, f"queued {queued}"


@command(destination, "forget")
@click.argument("destination_id")
@_which("waiting, held or dead [default: held].")
def destination_forget(destination_id: str, **chosen: str | None) -> tuple[Any, str]:
    """Delete deliveries that were not taken."""
    row = _found(destination_id)
    with _told():
        forgotten = managing.forget(row, by=BY, **chosen_deliveries(Forget, _given(chosen)))
    return {"destination_id": destination_id, "forgotten": forgotten}, f"forgot {forgotten}"


@command(destination, "log")
@click.argument("destination_id")
@click.option("--state", type=click.Choice(DELIVERY_STATES), default=None, help="Those in this state.")
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many.")
def destination_log(destination_id: str, state: str | None, limit: int) -> tuple[Any, str]:
    """List a destination's deliveries, the newest first, with the answer to each attempt."""
    found = managing.deliveries(_found(destination_id), state=state, limit=limit)
    return {"deliveries": found}, "\n".join(line for one in found for line in _log_lines(one))


@command(destination, "delete")
@click.argument("destination_id")
def destination_delete(destination_id: str) -> tuple[Any, str]:
    """End a destination with its deliveries."""
    managing.delete(_found(destination_id), by=BY)
    return {"destination_id": destination_id, "deleted": True}, f"deleted {destination_id}"


def _change(destination_id: str, sent: dict[str, Any]) -> tuple[Any, str]:
    if not sent:
        raise click.UsageError("give what to change, such as --url")
    outbound.connect(Config.from_env())
    row = _found(destination_id)
    with _told():
        changed = managing.shown(managing.change(row, DestinationChange.check(sent), by=BY))
    return changed, f"changed {destination_id}: {', '.join(sent)}"


def _given(options: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}


def _log_lines(one: Mapping[str, Any]) -> Iterator[str]:
    yield "  ".join(one[name] or "" for name in ("id", "created_at", "state", "type", "feedback_id")).rstrip()
    for item in one["attempts"]:
        answer = f"{item['status'] or ''} {item['why'] or ''} {item['answer'][:LONGEST_ANSWER]}"
        yield f"  {item['n']}. {item['at']}  {item['ms']} ms  {' '.join(answer.split())}"


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
