"""The command line: `feedback-gateway COMMAND`. --json prints one object on stdout, words go to stderr."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
from peewee import OperationalError

from adapters.contract import Refused
from gateway import __version__, setup
from gateway.config import BadSetting, Config
from gateway.ids import now_ms
from gateway.keys import SCOPES, create_key
from gateway.rates import Rate
from gateway.serve import serve as run_server
from gateway.triage.commands import evaluate, train, triage
from models.access import ApiKey, Project, Workspace, list_projects
from models.base import connect, first, rows
from models.migrations import migrate as run_migrations
from models.migrations import pending


class Failure(click.ClickException):
    """A command that could not do what it was asked; exit code 1."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feedback-gateway")
def main() -> None:
    """One address for every kind of feedback."""


def command(
    group: click.Group, name: str, *, needs_schema: bool = True
) -> Callable[[Callable[..., Any]], click.Command]:
    """Adds a command with --json whose function returns its result and a line for people."""

    def add(act: Callable[..., tuple[Any, str]]) -> click.Command:
        @group.command(name, help=act.__doc__)
        @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
        @functools.wraps(act)
        def run(as_json: bool, **options: Any) -> None:
            try:
                _open(needs_schema)
                result, line = act(**options)
            except BadSetting as error:
                raise Failure(str(error)) from None
            except OperationalError as error:
                raise Failure(f"database: {error}") from None
            except Refused as refused:
                raise Failure(refused.problem.message) from None
            if as_json:
                click.echo(line, err=True)
                click.echo(json.dumps(result))
            else:
                click.echo(line)

        return run

    return add


def _open(needs_schema: bool) -> None:
    connect(Config.from_env().database_url)
    if needs_schema and pending():
        raise Failure("the database is not set up: run `feedback-gateway init` or `feedback-gateway migrate`")


@command(main, "init", needs_schema=False)
@click.option("--workspace", "workspace", default=None, help="Name of the workspace [default: Default].")
@click.option("--project", "project", default=None, help="Name of its project [default: Default].")
def init(workspace: str | None, project: str | None) -> tuple[Any, str]:
    """Create what is absent: schema, workspace, project and one API key, printed once."""
    made = setup.initialise(workspace, project)
    if made["key"] is None:
        return made, f"workspace {made['workspace_id']} exists, nothing created"
    return made, f"workspace {made['workspace_id']}\nproject   {made['project_id']}\nkey       {made['key']}"


@command(main, "migrate", needs_schema=False)
def migrate() -> tuple[Any, str]:
    """Apply the migrations that are pending."""
    applied = run_migrations()
    return {"applied": applied}, f"applied: {', '.join(applied) or 'nothing, all done before'}"


@main.group()
def project() -> None:
    """Projects group a workspace's records."""


@command(project, "create")
@click.argument("name")
@click.option("--workspace", default=None, help="Workspace id [default: the first].")
def project_create(name: str, workspace: str | None) -> tuple[Any, str]:
    """Create a project."""
    workspace_id = _workspace(workspace)
    project_id = setup.create_project(workspace_id, name, now_ms())
    made = {"project_id": project_id, "workspace_id": workspace_id, "name": name}
    return made, f"project {project_id} ({name})"


@command(project, "list")
@click.option("--workspace", default=None, help="Workspace id [default: all].")
def project_list(workspace: str | None) -> tuple[Any, str]:
    """List the projects."""
    workspaces = [workspace] if workspace else [row.id for row in Workspace.select().order_by(Workspace.id)]
    shown = [
        {"project_id": row["id"], "workspace_id": row["workspace"], "name": row["name"]}
        for workspace_id in workspaces
        for row in list_projects(workspace_id)[0]
    ]
    return {"projects": shown}, "\n".join(f"{row['project_id']}  {row['name']}" for row in shown)


@main.group()
def key() -> None:
    """API keys: made once, stored only as a digest."""


def _rate(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return value if value is None else str(Rate.parse(value) and value.strip())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@command(key, "create")
@click.option("--project", "project_id", default=None, help="Only for this project [default: the workspace].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--name", default="", help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="May repeat [default: ingest, read]."
)
@click.option("--rate-limit", callback=_rate, default=None, help="Such as 600/minute.")
@click.option("--expires", type=click.IntRange(1, 36500), default=None, help="Days until it ends.")
def key_create(
    project_id: str | None,
    workspace: str | None,
    name: str,
    scopes: tuple[str, ...],
    rate_limit: str | None,
    expires: int | None,
) -> tuple[Any, str]:
    """Create an API key and print it, once."""
    if project_id is not None:
        found = first(Project.select().where(Project.id == project_id))
        if found is None or workspace not in (None, found["workspace"]):
            raise Failure(f"no project {project_id} here")
        workspace = found["workspace"]
    workspace_id = _workspace(workspace)
    chosen = list(dict.fromkeys(scopes)) or ["ingest", "read"]
    expires_at = None if expires is None else now_ms() + int(timedelta(days=expires).total_seconds() * 1000)
    key_id, text = create_key(
        workspace_id, project_id, name=name, scopes=chosen, rate_limit=rate_limit, expires_at=expires_at
    )
    made = {
        "key_id": key_id,
        "key": text,
        "project_id": project_id,
        "workspace_id": workspace_id,
        "scopes": chosen,
        "rate_limit": rate_limit or Config.from_env().rate_limit,
    }
    return made, f"{key_id}\n{text}\nKeep it: it cannot be shown again."


@command(key, "list")
def key_list() -> tuple[Any, str]:
    """List the keys, without their text."""
    kept = (
        "prefix",
        "name",
        "scopes",
        "rate_limit",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    shown = [
        {
            "key_id": row["id"],
            "workspace_id": row["workspace"],
            "project_id": row["project"],
            **{name: row[name] for name in kept},
        }
        for row in rows(ApiKey.select().order_by(ApiKey.id))
    ]
    lines = [
        f"{row['key_id']}  {row['prefix']}…  {','.join(row['scopes'])}  {row['name']}"
        f"{'  (revoked)' if row['revoked_at'] else ''}"
        for row in shown
    ]
    return {"keys": shown}, "\n".join(lines)


@command(key, "revoke")
@click.argument("key_id")
def key_revoke(key_id: str) -> tuple[Any, str]:
    """End a key; every process refuses it within five seconds."""
    now = now_ms()
    ApiKey.update(revoked_at=now).where((ApiKey.id == key_id) & ApiKey.revoked_at.is_null()).execute()
    row = ApiKey.get_or_none(ApiKey.id == key_id)
    if row is None:
        raise Failure(f"no key {key_id} here")
    return {"key_id": key_id, "revoked_at": row.revoked_at}, f"revoked {key_id}"


@main.command()
@click.option("--bind", default=None, help="HOST:PORT [default: GATEWAY_BIND or 127.0.0.1:8000].")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes [default: 2].")
@click.option("--threads", type=click.IntRange(1), default=None, help="Threads per process [default: 16].")
def serve(bind: str | None, workers: int | None, threads: int | None) -> None:
    """Run the gateway; SIGTERM lets requests finish and then stops."""
    given = {"GATEWAY_BIND": bind, "GATEWAY_WORKERS": workers, "GATEWAY_THREADS": threads}
    try:
        run_server({name: str(value) for name, value in given.items() if value is not None})
    except (BadSetting, OperationalError) as error:
        raise Failure(str(error)) from None


def _workspace(given: str | None) -> str:
    """The workspace meant: the given id, or the first one made."""
    ordered = Workspace.select().order_by(Workspace.id)
    found = first(ordered.where(Workspace.id == given) if given else ordered)
    if found is None:
        raise Failure(
            f"no workspace {given} here" if given else "nothing here yet: run `feedback-gateway init`"
        )
    return str(found["id"])


for _command in (triage, train, evaluate):
    main.add_command(_command)

if __name__ == "__main__":
    main()
