"""`feedback-gateway run` and `feedback-gateway technique`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from gateway.access.audit_log import COMMAND_LINE
from gateway.cli.command import Partly, command, place_of, progress, workspace_of
from gateway.cli.errors import Failure, NotHere
from gateway.runs import lifecycle, registry
from gateway.runs.technique import MOST_INPUT, Technique
from models.database.base import rest, writing
from models.tables import run as tables
from models.tables.feedback import iso

LOOK = 0.5  # seconds between two looks at a run that somebody waits for
TIMES = ("created_at", "started_at", "completed_at")
SHOWN = ("workspace_id", "project_id", "technique", "status", "progress", "error_code", "error_message")

_of = click.option("--workspace", default=None, help="Workspace id [default: the first].")


@click.group()
def technique() -> None:
    """Techniques are the long jobs that can be started as runs."""


@command(technique, "list", opens=False)
def technique_list() -> tuple[Any, str]:
    """List the techniques: what each does and its inputs; those in brackets may be left out."""
    known = registry.load().values()
    shown = [
        {
            "technique_id": one.id,
            "slug": one.slug,
            "name": one.name,
            "description": one.description,
            "scope": one.scope,
            "inputs": [{"id": each.id, "optional": each.optional} for each in one.inputs],
            "outputs": [each.id for each in one.outputs],
        }
        for one in known
    ]
    return {"techniques": shown}, "\n".join(
        f"{one.slug:<16} {_inputs(one)}\n{'':<16} {one.description}" for one in known
    )


@click.group()
def run() -> None:
    """Runs are long jobs that the background worker does."""


@command(run, "list", seals=True)
@_of
@click.option("--status", type=click.Choice(tables.STATUSES), default=None, help="Only these.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, help="At most so many [default: 20].")
def run_list(workspace: str | None, status: str | None, limit: int) -> tuple[Any, str]:
    """List the newest runs."""
    found = tables.list_page(workspace_of(workspace), status=status, limit=limit)
    return {"runs": [_document(row) for row in found]}, "\n".join(map(_line, found))


@command(run, "show", seals=True)
@click.argument("run_id")
def run_show(run_id: str) -> tuple[Any, str]:
    """Show a run; the addresses of its files are good for a week after it has ended."""
    row = _found(run_id)
    return _told(row)


@command(run, "start", seals=True)
@click.argument("slug", metavar="TECHNIQUE")
@click.option("--input", "pairs", multiple=True, metavar="ID=TEXT", help="An input; may repeat.")
@click.option("--project", "project_id", default=None, help="Only this project [default: the workspace].")
@_of
@click.option("--wait", is_flag=True, help="Show its progress until it has ended; exit 1 when it failed.")
def run_start(
    slug: str, pairs: tuple[str, ...], project_id: str | None, workspace: str | None, wait: bool
) -> tuple[Any, str]:
    """Start a run, which the background worker does; `technique list` has what can be run."""
    workspace_id, project_id = place_of(workspace, project_id)
    found = registry.find(slug)
    if found is None:
        raise NotHere(f"no technique {slug}: they are {', '.join(registry.load())}")
    inputs = _checked(found, pairs, workspace_id, project_id)
    try:
        with writing():
            row, _ = lifecycle.start(found, inputs, workspace_id, COMMAND_LINE, project_id=project_id)
    except lifecycle.Spent as spent:
        raise Failure(str(spent)) from None
    if wait:
        row = _waited(str(row["id"]))
    return _told(row)


@command(run, "cancel")
@click.argument("run_id")
def run_cancel(run_id: str) -> tuple[Any, str]:
    """End a run that has not ended; what it has written stays."""
    row = _found(run_id)
    if not lifecycle.cancel(row["workspace_id"], run_id, COMMAND_LINE):
        raise Failure(f"{run_id} has ended before: {row['status']}")
    return {"run_id": run_id, "status": "failed"}, f"{run_id} is cancelled"


def _checked(
    found: Technique, pairs: tuple[str, ...], workspace_id: str, project_id: str | None
) -> dict[str, str]:
    """Inputs by their ids. Raises UsageError for those that the technique does not take."""
    inputs: dict[str, str] = {}
    known = {one.id for one in found.inputs}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in known:
            raise click.UsageError(f"--input {pair}: must be ID=TEXT, and the ids are {_inputs(found)}")
        if name in inputs or len(text) > MOST_INPUT:
            wrong = "given twice" if name in inputs else f"longer than {MOST_INPUT} characters"
            raise click.UsageError(f"--input {name}: is {wrong}")
        inputs[name] = text
    missing = [one for one in found.inputs if not one.optional and one.id not in inputs]
    if missing:
        said = (f"give --input {one.id}=TEXT: {one.description}" for one in missing)
        raise click.UsageError("\n".join(said))
    if faults := found.check(inputs, workspace_id, project_id):
        raise click.UsageError("; ".join(f"--input {one.field}: {one.message}" for one in faults))
    return inputs


def _waited(run_id: str) -> dict[str, Any]:
    """The run once it has ended."""
    with progress(100) as show:
        while True:
            row = _found(run_id)
            show(row["progress"], row["status"])
            if row["status"] not in tables.OPEN:
                return row
            rest()
            time.sleep(LOOK)


def _found(run_id: str) -> dict[str, Any]:
    row = tables.find(None, run_id)
    if row is None:
        raise NotHere(f"no run {run_id} here")
    return row


def _told(row: Mapping[str, Any]) -> tuple[Any, str]:
    """A run as a result; one that failed ends the command with 1."""
    shown = _document(row)
    lines = [_line(row), *(f"{one['id']:<10} {one['url']}" for one in shown["outputs"])]
    if row["error_code"]:
        lines.append(f"{row['error_code']}: {row['error_message']}")
    return (Partly if row["error_code"] else dict)(shown), "\n".join(lines)


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    outputs = [{**one, "url": lifecycle.address_of(row, one)} for one in row["outputs"] or ()]
    times = {name: iso(row[name]) for name in TIMES}
    shown = {"run_id": row["id"], **{name: row[name] for name in SHOWN}, **times}
    return {**shown, "inputs": row["inputs"], "created_by": row["created_by"], "outputs": outputs}


def _line(row: Mapping[str, Any]) -> str:
    how_far = f"{row['status']:<9} {row['progress']:>3}%"
    return f"{row['id']}  {row['technique']:<16} {how_far}  {iso(row['created_at'])}"


def _inputs(found: Technique) -> str:
    return " ".join(f"[{one.id}]" if one.optional else one.id for one in found.inputs)
