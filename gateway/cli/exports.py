"""`feedback-gateway export`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from adapters.common.times import milliseconds
from adapters.contract import Refused
from gateway.api import filters
from gateway.cli.command import command, place_of
from gateway.core.config import Config
from gateway.destinations import links
from gateway.transfer.file_export import BOM, SHOWN_AS, documents, lines
from gateway.transfer.import_options import format_of
from models.database.private_files import writing_out, writing_to
from models.queries.feedback_query import Filter
from models.queries.ordering import SORTS

exports = click.Group()


def moment(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """A checked --since or --until, in milliseconds UTC."""
    try:
        return None if text is None else milliseconds(text)
    except (ValueError, OverflowError):
        raise click.BadParameter("must be an ISO 8601 time such as 2026-04-09T10:30:00Z") from None


def chosen_by(context: click.Context, parameter: click.Parameter, text: str | None) -> Filter:
    """A checked --filter."""
    try:
        return filters.parse(text or "")
    except Refused as refused:
        raise click.BadParameter(refused.problem.message) from None


@command(exports, "export")
@click.option(
    "--format",
    "form",
    type=click.Choice([*SHOWN_AS]),
    default=None,
    help="[default: by the file's name, or ndjson]",
)
@click.option(
    "--sort", type=click.Choice([*SORTS]), default=None, help="An order of the list [default: oldest first]."
)
@click.option("--project", "project_id", default=None, help="Only this project [default: the workspace].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--filter", "chosen", callback=chosen_by, help="What the list takes: 'source=orq&tag=vip'.")
@click.option("--since", callback=moment, default=None, help="Received at this time or later (ISO 8601).")
@click.option("--until", callback=moment, default=None, help="Received before this time.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: stdout]")
@click.option("--bom", is_flag=True, help="Begin a CSV with a byte order mark, as Excel likes it.")
def export_file(
    form: str | None,
    sort: str | None,
    project_id: str | None,
    workspace: str | None,
    chosen: Filter,
    since: int | None,
    until: int | None,
    output: Path | None,
    bom: bool,
) -> tuple[Any, str]:
    """Write every record, oldest first or in another order of the list, to stdout or a file."""
    if click.get_current_context().params["as_json"] and output is None:
        raise click.UsageError("--json needs -o FILE: the records go to stdout")
    form = form or (_format_of(output) if output else "ndjson")
    if bom and form != "csv":
        raise click.UsageError("--bom is for CSV")
    workspace_id, project_id = place_of(workspace, project_id)
    chosen = replace(chosen, since=since or chosen.since, until=until or chosen.until)
    links.connect(Config.from_env())
    found = documents(workspace_id, project_id, chosen, sort=sort)
    count = -1 if form == "csv" else 0  # a header is no record
    with _written(output) as file:
        if bom:
            file.write(BOM)
        for line in lines(found, form, address=links.of_record):
            file.write(line.encode("utf-8", "replace"))
            count += 1
    if output is None:
        click.echo(f"exported {count:,} records", err=True)
        return {}, ""
    return {"file": str(output), "format": form, "records": count}, f"exported {count:,} records to {output}"


def _format_of(path: Path) -> str:
    return "md" if path.suffix.lower() == ".md" else format_of(path.name)


@contextmanager
def _written(path: Path | None) -> Iterator[BinaryIO]:
    """A file that is there only when it is whole, or standard output. Raises OSError that names it."""
    if path is None:
        with writing_out():
            yield sys.stdout.buffer
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with writing_to(path), part.open("wb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)  # of one that failed: it would keep its room on a full disk
