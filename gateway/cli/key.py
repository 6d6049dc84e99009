"""`feedback-gateway key`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from gateway.cli.common import Failure, command, place_of, rate_option
from gateway.config import Config
from gateway.ids import now_ms
from gateway.keys import SCOPES, create_key
from models.access import ApiKey
from models.base import rows


@click.group()
def key() -> None:
    """API keys: made once, stored only as a digest."""


@command(key, "create")
@click.option("--project", "project_id", default=None, help="Only for this project [default: the workspace].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--name", default="", help="What the key is for.")
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
