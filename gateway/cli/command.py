"""What every command shares: --json, how failures are told, which workspace is meant."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from gateway.access import encryption_key, hooks
from gateway.cli.errors import NotHere, harmless, meant
from gateway.core import mail, storage
from gateway.core.config import Config
from gateway.core.rate import Rate
from gateway.files import addresses, store
from models.database.base import first
from models.database.private_files import writing_out
from models.tables.workspace import Project, Workspace

LONGEST_NAME = 200  # characters, as in the API
FORMATS = click.Choice(["ndjson", "csv"])


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
            if opens:
                name = open_database(needs_schema)
            if seals:
                encryption_key.connect(Config.from_env())
            result, line = act(**options)
            if as_json:
                click.echo(harmless(line), err=True)
                printed(json.dumps(result))
            elif line:
                printed(harmless(line))
            elif (
                isinstance(result, dict) and result and all(value == [] for value in result.values())
            ):  # a list of nothing
                click.echo(f"no {next(iter(result))}", err=True)
            if opens and sys.stderr.isatty():  # a person may be in the wrong folder; logs have enough lines
                click.echo(f"database {name}", err=True)
            if isinstance(result, Partly):
                click.get_current_context().exit(1)

        return run

    return add


def open_database(needs_schema: bool = True, *, create: bool = False) -> str:
    """Binds the tables to the configured database and gives its name. Raises BadSetting.

    It is made only to `create` one.
    """
    config = Config.from_env()
    name = meant(config.database_url)
    storage.open_database(config, create=create, schema=needs_schema)
    hooks.connect(config.url)
    addresses.connect(config.url)
    store.connect(config)
    mail.connect(config)
    return name


def printed(text: str) -> None:
    """Writes a line to standard output. Raises OSError when it cannot."""
    with writing_out():
        click.echo(text)


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


def name_option(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A checked name of a workspace or a project."""
    if value is not None and not value.strip():
        raise click.BadParameter("must not be blank")
    return label_option(context, parameter, value)


def label_option(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A checked --name, which may be empty."""
    if value is not None and len(value) > LONGEST_NAME:
        raise click.BadParameter(f"must have at most {LONGEST_NAME} characters")
    return value


def workspace_of(given: str | None) -> str:
    """The workspace meant: the given id, or the first one made."""
    ordered = Workspace.select().order_by(Workspace.id)
    found = first(ordered.where(Workspace.id == given) if given else ordered)
    if found is None:
        raise NotHere(
            f"no workspace {given} here" if given else "nothing here yet: run `feedback-gateway init`"
        )
    return str(found["id"])


def place_of(workspace: str | None, project_id: str | None) -> tuple[str, str | None]:
    """The workspace and project meant; the project says which workspace."""
    if project_id is not None:
        found = first(Project.select().where(Project.id == project_id))
        if found is None or workspace not in (None, found["workspace"]):
            raise NotHere(f"no project {project_id} here")
        workspace = found["workspace"]
    return workspace_of(workspace), project_id
