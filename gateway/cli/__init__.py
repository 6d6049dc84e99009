"""The command line: `feedback-gateway COMMAND`. --json prints one object on stdout, words go to stderr."""

from __future__ import annotations

from typing import Any

import click

import adapters
from gateway import __version__
from gateway.access import bootstrap, hooks, users
from gateway.cli.alerts import alerts
from gateway.cli.assigning import assigning
from gateway.cli.author import authors
from gateway.cli.command import command, name_option, open_database
from gateway.cli.copying import copying
from gateway.cli.destination import destination
from gateway.cli.digest import digest
from gateway.cli.errors import Commands, Failure, NotHere, meant
from gateway.cli.exports import exports
from gateway.cli.hook import hook
from gateway.cli.imports import imports
from gateway.cli.key import key
from gateway.cli.mail import mail
from gateway.cli.merge import merges
from gateway.cli.project import project
from gateway.cli.read import reads
from gateway.cli.retention import retention
from gateway.cli.retriage import retriage
from gateway.cli.run import run, technique
from gateway.cli.topic import topic
from gateway.cli.triage import evaluate, train, triage
from gateway.cli.user import link_url, user
from gateway.cli.view import view
from gateway.cli.workspace import workspace as of_workspace
from gateway.core import storage
from gateway.core.config import Config
from gateway.intake.replay import replay as replay_one
from gateway.server.gunicorn_app import serve as run_server
from gateway.triage import active_model
from models.intake.commit import Gone
from models.migrations import migrate as run_migrations
from models.migrations import waiting
from models.tables import quarantine


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feedback-gateway")
def main() -> None:
    """One address for every kind of feedback."""


@command(main, "init", opens=False)
@click.option(
    "--workspace",
    "workspace",
    default=None,
    callback=name_option,
    help="Name of the workspace [default: Default].",
)
@click.option(
    "--project", "project", default=None, callback=name_option, help="Name of its project [default: Default]."
)
def init(workspace: str | None, project: str | None) -> tuple[Any, str]:
    """Create what is absent: schema, workspace, project and one API key, printed once; a link to the inbox.

    Only this command makes a database. The link makes the first admin. It works once, for a day; while
    nobody is admin, each call prints another one, and the earlier one ends.
    """
    name = open_database(False, create=True)
    new = waiting().all
    for line in storage.close_files(Config.from_env()):
        click.echo(f"Warning: {line}", err=True)
    made = bootstrap.initialise(workspace, project)
    token = users.first_link(made["workspace_id"])
    made["link"] = token and link_url(token)
    made["database"] = name
    lines = [
        f"database  {name}\n          "
        + ("is new and empty; to use another one, set GATEWAY_DATABASE_URL" if new else "was there before"),
        f"workspace {made['workspace_id']}",
    ]
    if made["key"] is None:
        lines[1] += " exists, nothing created"
    else:
        lines += [f"project   {made['project_id']}", f"key       {made['key']}"]
    if token:
        earlier = "" if made["key"] else "; earlier links have ended"
        lines.append(f"inbox     {made['link']}")
        lines.append(f"          sets the admin's password: works once, for 24 hours{earlier}")
    return made, "\n".join(lines)


@command(main, "migrate", needs_schema=False)
def migrate() -> tuple[Any, str]:
    """Apply the migrations that are pending."""
    applied = run_migrations()
    return {"applied": applied}, f"applied: {', '.join(applied) or 'nothing, all done before'}"


@command(main, "replay")
@click.argument("quarantine_id", required=False)
@click.option("--source", default=None, help="Everything held from this source.")
@click.option("--lenient", is_flag=True, help="Mend JSON that a template broke.")
def replay(quarantine_id: str | None, source: str | None, lenient: bool) -> tuple[Any, str]:
    """Send what is held in quarantine through today's adapters: one by its id, or a whole source."""
    if (quarantine_id is None) == (source is None):
        raise click.UsageError("give an id or --source")
    dialects = adapters.load()
    if quarantine_id is not None:
        row = quarantine.one(quarantine_id)
        if row is None:
            raise NotHere(f"nothing held as {quarantine_id}")
        held = [row]
    else:
        known = hooks.kinds(dialects)
        if source not in {*known, *dialects}:
            raise click.UsageError(f"--source: must be one of {', '.join(sorted(known))}")
        held = quarantine.held(None, source=known[source].name if source in known else source)
    active_model.connect(Config.from_env().model_path)
    results = []
    for row in reversed(held):
        try:
            outcome = replay_one(dialects[row["source"]], row, lenient=lenient)
        except Gone:  # somebody discarded it meanwhile
            continue
        held_still = isinstance(outcome, str)
        ids = [] if isinstance(outcome, str) else outcome
        results.append({"id": row["id"], "reason": outcome if held_still else None, "feedback_ids": ids})
    done = sum(result["reason"] is None for result in results)
    if quarantine_id is not None and not results:
        raise NotHere(f"nothing held as {quarantine_id}")
    if quarantine_id is not None and not done:
        raise Failure(f"{quarantine_id}: {results[0]['reason']}")
    kept = [f"{result['id']}: {result['reason']}" for result in results if result["reason"] is not None]
    return {"results": results}, "\n".join([*kept, f"replayed {done} of {len(results)}"])


@main.command()
@click.option("--bind", default=None, help="HOST:PORT [default: GATEWAY_BIND or 127.0.0.1:8000].")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes [default: 2].")
@click.option("--threads", type=click.IntRange(1), default=None, help="Threads per process [default: 16].")
def serve(bind: str | None, workers: int | None, threads: int | None) -> None:
    """Run the gateway; SIGTERM lets requests finish and then stops."""
    given = {"GATEWAY_BIND": bind, "GATEWAY_WORKERS": workers, "GATEWAY_THREADS": threads}
    meant(Config.from_env().database_url)
    run_server({name: str(value) for name, value in given.items() if value is not None})


@main.command()
def worker() -> None:
    """Do background work until SIGTERM: themes, topics, retention and more. `serve` starts one by itself."""
    from gateway.background import scheduler  # its queue imports gevent where that is installed

    config = Config.from_env()
    meant(config.database_url)
    scheduler.run(config)


for _command in (
    of_workspace,
    project,
    topic,
    technique,
    run,
    key,
    hook,
    alerts,
    destination,
    mail,
    user,
    view,
    *assigning.commands.values(),
    *imports.commands.values(),
    *exports.commands.values(),
    *reads.commands.values(),
    *merges.commands.values(),
    *authors.commands.values(),
    *copying.commands.values(),
    *retention.commands.values(),
    *retriage.commands.values(),
    *digest.commands.values(),
    triage,
    train,
    evaluate,
):
    main.add_command(_command)
