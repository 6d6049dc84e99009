"""What every command shares: --json, how failures are told, which workspace is meant."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from peewee import OperationalError

from adapters.contract import Refused
from gateway import hooks, sealed
from gateway.config import BadSetting, Config
from gateway.rates import Rate
from models.access import Project, Workspace
from models.base import connect, first
from models.migrations import ahead, pending

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PARTS = re.compile(rf"{_COLOUR.pattern}|.", re.DOTALL)
FORMATS = click.Choice(["ndjson", "csv"])


class Failure(click.ClickException):
    """A command that could not do what it was asked; exit code 1."""

    def format_message(self) -> str:
        return harmless(self.message)


class Partly(dict[str, Any]):
    """The result of a command that did some of what it was asked: it is printed, and the exit code is 1."""


def command(
    group: click.Group, name: str, *, needs_schema: bool = True, opens: bool = True, seals: bool = False
) -> Callable[[Callable[..., Any]], click.Command]:
    """Adds a command with --json whose function returns its result and a line for people.

    It acts on the configured database, unless it `opens` none, and has the key with which it `seals` secrets.
    """

    def add(act: Callable[..., tuple[Any, str]]) -> click.Command:
        @group.command(name, help=act.__doc__)
        @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
        @functools.wraps(act)
        def run(as_json: bool, **options: Any) -> None:
            try:
                if opens:
                    open_database(needs_schema)
                if seals:
                    sealed.connect(Config.from_env())
                result, line = act(**options)
            except BadSetting as error:
                raise Failure(str(error)) from None
            except OperationalError as error:
                raise Failure(f"database: {error}") from None
            except Refused as refused:
                raise Failure(refused.problem.message) from None
            if as_json:
                click.echo(harmless(line), err=True)
                click.echo(json.dumps(result))
            elif line:
                click.echo(harmless(line))
            if isinstance(result, Partly):
                click.get_current_context().exit(1)

        return run

    return add


def harmless(text: str) -> str:
    """A text without what would steer a terminal: names and reasons hold what strangers wrote.

    Lines and the colours of our own tables stay.
    """
    return "".join(
        part if part in "\n\t" or _COLOUR.fullmatch(part) or part.isprintable() else "\ufffd"
        for part in _PARTS.findall(text)
    )


def open_database(needs_schema: bool) -> None:
    """Binds the tables to the configured database. Raises Failure when it has no schema, or a newer one."""
    config = Config.from_env()
    connect(config.database_url)
    hooks.connect(config.url)
    if told := ahead():
        raise Failure(told)
    if needs_schema and pending():
        raise Failure("the database is not set up: run `feedback-gateway init` or `feedback-gateway migrate`")


@contextmanager
def progress(total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar on stderr, when that is a terminal: show(done, words)."""
    from rich.console import Console  # only here: serving needs none of it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.percentage:3.0f}%"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("", total=total, told="")
        yield lambda done, told: bar.update(task, completed=done, told=told)


def rate_option(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A checked --rate-limit."""
    try:
        return value if value is None else str(Rate.parse(value) and value.strip())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def workspace_of(given: str | None) -> str:
    """The workspace meant: the given id, or the first one made."""
    ordered = Workspace.select().order_by(Workspace.id)
    found = first(ordered.where(Workspace.id == given) if given else ordered)
    if found is None:
        raise Failure(
            f"no workspace {given} here" if given else "nothing here yet: run `feedback-gateway init`"
        )
    return str(found["id"])


def place_of(workspace: str | None, project_id: str | None) -> tuple[str, str | None]:
    """The workspace and project meant; the project says which workspace."""
    if project_id is not None:
        found = first(Project.select().where(Project.id == project_id))
        if found is None or workspace not in (None, found["workspace"]):
            raise Failure(f"no project {project_id} here")
        workspace = found["workspace"]
    return workspace_of(workspace), project_id


def format_of(path: Path) -> str:
    """The format that a file's name tells."""
    return "csv" if path.suffix.lower() in (".csv", ".tsv") else "ndjson"
