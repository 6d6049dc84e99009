"""`feedback-gateway workspace`."""

from __future__ import annotations

from typing import Any

import click

from gateway.access import audit_log, callback_secrets
from gateway.cli.command import command, workspace_of
from models.database.base import writing
from models.tables.feedback import iso
from models.tables.workspace import Workspace


@click.group()
def workspace() -> None:
    """What a workspace has for all of its projects."""


@command(workspace, "callback-secret", seals=True)
@click.option("--workspace", "given", default=None, help="Workspace id [default: the first].")
@click.option("--rotate", is_flag=True, help="Make a new one; the old one signs beside it for another day.")
def callback_secret(given: str | None, rotate: bool) -> tuple[Any, str]:
    """Make the secret that callbacks of runs are signed with, printed once, or say when it was made."""
    workspace_id = workspace_of(given)
    with writing():
        known = callback_secrets.state(workspace_id)["made_at"] is not None
        secret = None if known and not rotate else callback_secrets.rotate(workspace_id)
        state = callback_secrets.state(workspace_id)
    told = {name: iso(at) for name, at in state.items()}
    made = {"workspace_id": workspace_id, "secret": secret, **told}
    if secret is None:
        return made, f"made {told['made_at']}, and not shown again: --rotate makes a new one"
    older = f"; the one before signs, too, until {told['older_until']}" if told["older_until"] else ""
    return made, f"secret {secret}\n       shown once{older}"


def budget(context: click.Context, parameter: click.Parameter, given: str) -> int | None:
    """A checked --runs-a-month."""
    if given == "any":
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise click.BadParameter("must be a whole number, or any")
    return int(given)


@command(workspace, "change")
@click.option("--workspace", "given", default=None, help="Workspace id [default: the first].")
@click.option(
    "--runs-a-month",
    "runs",
    required=True,
    callback=budget,
    help="How many runs it may start in a calendar month, UTC: a number, or any.",
)
def workspace_change(given: str | None, runs: int | None) -> tuple[Any, str]:
    """Change what a workspace may do."""
    workspace_id = workspace_of(given)
    with writing():
        Workspace.update(runs_a_month=runs).where(Workspace.id == workspace_id).execute()
        audit_log.note(
            workspace_id, audit_log.COMMAND_LINE, "workspace.changed", workspace_id, runs_a_month=runs
        )
    told = "any number of runs" if runs is None else f"{runs:,} runs"
    return {"workspace_id": workspace_id, "runs_a_month": runs}, f"{workspace_id} may start {told} a month"
