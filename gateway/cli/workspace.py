"""`feedback-gateway workspace`."""

from __future__ import annotations

from typing import Any

import click

from gateway.access import callback_secrets
from gateway.cli.command import command, workspace_of
from models.database.base import writing
from models.tables.feedback import iso


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
        return made, f"made {told['made_at']} and shown once; --rotate makes a new one"
    older = f"; the one before signs, too, until {told['older_until']}" if told["older_until"] else ""
    return made, f"secret {secret}\n       shown once{older}"
