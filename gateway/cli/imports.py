"""`feedback-gateway import`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

import click

from gateway.cli.command import FORMATS, Partly, command, place_of, progress
from gateway.cli.errors import harmless
from gateway.core.config import Config
from gateway.core.ids import new_id
from gateway.transfer.file_import import Goal, Import, Tally, digest_of, name_of, rejected_path
from gateway.transfer.import_options import SOURCE, BadOption, fields_of, format_of, opened, source_of
from gateway.transfer.import_rows import Mapped, Row, Unreadable
from gateway.triage import active_model
from models.database.base import dumps
from models.database.private_files import writing_to
from models.tables.workspace import default_project

Given = TypeVar("Given")
Checked = TypeVar("Checked")

imports = click.Group()


def mapping(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """A checked --map: field to column."""
    return _checked(fields_of, given)


def source_name(context: click.Context, parameter: click.Parameter, name: str) -> str:
    """A checked --source."""
    return _checked(source_of, name)


def _checked(read: Callable[[Given], Checked], given: Given) -> Checked:
    try:
        return read(given)
    except BadOption as error:
        raise click.BadParameter(str(error)) from None


@command(imports, "import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", type=FORMATS, default=None, help="[default: by the file's name]")
@click.option("--map", "fields", multiple=True, callback=mapping, help="FIELD=COLUMN; may repeat.")
@click.option("--source-key", "key", default=None, help="A column that names each row: stored once for good.")
@click.option("--source", default=SOURCE, callback=source_name, help="Filed under [default: import].")
@click.option("--project", "project_id", default=None, help="For rows that name none [default: the first].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--again", is_flag=True, help="Store rows that an earlier run of this file stored.")
def import_file(
    path: Path,
    form: str | None,
    fields: dict[str, str],
    key: str | None,
    source: str,
    project_id: str | None,
    workspace: str | None,
    again: bool,
) -> tuple[Any, str]:
    """Store a file of feedback: NDJSON or CSV, of any size.

    Rows that cannot be stored go to FILE.rejected.ndjson with their line and why, and the exit code
    is 1 then. The same file again continues where it was stopped and stores nothing twice.
    """
    workspace_id, project_id = place_of(workspace, project_id)
    goal = Goal(workspace_id, project_id or default_project(workspace_id), source)
    active_model.connect(Config.from_env().model_path)
    begun = time.monotonic()
    with path.open("rb") as file:
        digest = digest_of(file)
        rows, mapped = _opened(file, form or format_of(path.name), Mapped(fields, key))
        work = Import(
            goal, mapped, name_of(digest, goal, mapped, new_id("again") if again else ""), path.name
        )
        tally, rejected = _imported(work, file, rows, path)
    told = Partly if tally.rejected else dict
    result = told(
        {
            "file": str(path),
            "workspace_id": goal.workspace_id,
            "project_id": goal.project_id,
            **vars(tally),
            "rejected_file": str(rejected) if tally.rejected else None,
            "seconds": round(time.monotonic() - begun, 1),
        }
    )
    words = f"stored {tally.stored:,}"
    if tally.earlier:
        words += f", {tally.earlier:,} by an earlier run"
    if tally.known:
        words += f", {tally.known:,} were there before"
    if tally.rejected:
        words += f", rejected {tally.rejected:,}: {rejected}"
    return result, words


def _opened(file: BinaryIO, form: str, mapped: Mapped) -> tuple[Iterator[Row], Mapped]:
    """A file's rows and how they become records. Raises UsageError for a file that has no such rows."""
    try:
        found = opened(file, form, mapped)
    except Unreadable as error:
        raise click.UsageError(harmless(str(error))) from None
    return found.rows, found.mapped


def _imported(work: Import, file: BinaryIO, rows: Iterator[Row], path: Path) -> tuple[Tally, Path]:
    """Runs an import with a progress bar; what it came to, and where rejected rows are."""
    rejected = rejected_path(path)
    rejected.unlink(missing_ok=True)
    with ExitStack() as stack:
        show = stack.enter_context(progress(os.fstat(file.fileno()).st_size))
        files: list[IO[str]] = []

        def reject(row: Row, reason: str) -> None:
            if not files:
                files.append(stack.enter_context(rejected.open("w", 1, "utf-8")))
            told = {"line": row.line, "reason": reason, "row": row.raw.decode("utf-8", "replace")}
            with writing_to(rejected):
                files[0].write(dumps(told) + "\n")

        for tally in work.run(rows, reject):
            show(file.tell(), f"{tally.stored + tally.earlier:,} stored, {tally.rejected:,} rejected")
    return work.tally, rejected
