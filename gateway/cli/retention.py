"""`feedback-gateway retention`: what projects keep for a time only, and its removal at once."""

from __future__ import annotations

from typing import Any

import click

from gateway.background import retention as rules
from gateway.cli.command import command, workspace_of
from models.queries.retention import projects
from models.tables.feedback import iso

retention = click.Group()


@command(retention, "retention")
@click.option("--workspace", default=None, help="Workspace id [default: all].")
@click.option("--apply", "now", is_flag=True, help="Remove it now; the worker does within an hour.")
def show_retention(workspace: str | None, now: bool) -> tuple[Any, str]:
    """Show what projects keep no longer than a number of days, and how much is older than that."""
    shown = [
        {
            "project_id": row["id"],
            "workspace_id": row["workspace"],
            "name": row["name"],
            "retention_days": row["retention_days"],
            "payload_retention_days": row["payload_retention_days"],
            "retention_starts_at": iso(row["retention_from"]),
            ("removed" if now else "due"): (rules.remove if now else rules.count)(row),
        }
        for row in projects(workspace and workspace_of(workspace))
    ]
    lines = [_line(row, row["removed"] if now else row["due"], "removed" if now else "due") for row in shown]
    return {"projects": shown}, "\n".join(lines) or "every project keeps everything for good"


def _line(row: dict[str, Any], counts: dict[str, int], word: str) -> str:
    days = {"records": row["retention_days"], "payloads": row["payload_retention_days"]}
    kept = ", ".join(f"{name} {'for good' if n is None else f'{n} days'}" for name, n in days.items())
    told = ", ".join(f"{name} {number}" for name, number in counts.items())
    since = f" from {row['retention_starts_at']} on" if row["retention_starts_at"] else ""
    return f"{row['project_id']}  {row['name']}: keeps {kept}{since}; {word}: {told}"
