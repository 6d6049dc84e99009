"""`feedback-gateway key`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from gateway.access.api_keys import SCOPES, create_key, find, list_keys, revoke, rotate
from gateway.cli.command import command, label_option, place_of, rate_option
from gateway.cli.errors import NotHere
from gateway.core.config import Config
from gateway.core.ids import now_ms
from models.database.base import writing


@click.group()
def key() -> None:
    """API keys: made once, stored only as a digest."""


@command(key, "create")
@click.option("--project", "project_id", default=None, help="Only for this project [default: the workspace].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--name", default="", callback=label_option, help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="May repeat [default: ingest, read]."
)
@click.option("--rate-limit", callback=rate_option, default=None, help="Such as 600/minute.")
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
    workspace_id, project_id = place_of(workspace, project_id)
    chosen = list(dict.fromkeys(scopes)) or ["ingest", "read"]
    expires_at = None if expires is None else now_ms() + int(timedelta(days=expires).total_seconds() * 1000)
    with writing():
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
    shown = list_keys()
    lines = [
        f"{row['key_id']}  {row['prefix']}…  {','.join(row['scopes'])}  {row['name']}"
        f"{'  (revoked)' if row['revoked_at'] else ''}"
        for row in shown
    ]
    return {"keys": shown}, "\n".join(lines)


@command(key, "revoke")
@click.argument("key_id")
def key_revoke(key_id: str) -> tuple[Any, str]:
    """End a key; every process refuses it within 3 seconds."""
    with writing():
        row = find(key_id)
        if row is None:
            raise NotHere(f"no key {key_id} here")
        ended = revoke(row)
    return {"key_id": key_id, "revoked_at": ended["revoked_at"]}, f"revoked {key_id}"


@command(key, "rotate")
@click.argument("key_id")
@click.option("--overlap", type=click.IntRange(0, 720), default=24, help="Hours the old key still works.")
def key_rotate(key_id: str, overlap: int) -> tuple[Any, str]:
    """Replace a key by a new one that may do the same; the old one works for a while."""
    with writing():
        row = find(key_id)
        if row is None or row["revoked_at"] is not None:
            raise NotHere(f"no living key {key_id} here")
        new_id, text, ends = rotate(row, overlap=overlap * 3600 * 1000)
    made = {"key_id": new_id, "key": text, "replaces": key_id, "replaced_expires_at": ends}
    return (
        made,
        f"{new_id}\n{text}\nKeep it: it cannot be shown again. {key_id} works for {overlap} hours more.",
    )
