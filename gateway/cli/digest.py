"""`feedback-gateway digest`: a period in words and numbers."""

from __future__ import annotations

from typing import Any

import click

from gateway.api.digest.composition import FORMATS
from gateway.api.digest.composition import digest as written
from gateway.api.digest.figures import figures
from gateway.api.digest.period import BadPeriod, period_of, zone_of
from gateway.cli.command import command, place_of
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.core.languages import LANGUAGES
from models.tables.feedback import iso

digest = click.Group()


@command(digest, "digest")
@click.option(
    "--period", default="week", show_default=True, help="day, week, month or 2026-11-01..2026-11-30."
)
@click.option("--format", "form", type=click.Choice([*FORMATS]), default="md", show_default=True)
@click.option("--zone", default="UTC", show_default=True, help="Whose days: Europe/Amsterdam.")
@click.option("--language", type=click.Choice([*LANGUAGES]), default="en", show_default=True)
@click.option("--project", "project_id", default=None, help="Only this project [default: the workspace].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
def print_digest(
    period: str, form: str, zone: str, language: str, project_id: str | None, workspace: str | None
) -> tuple[Any, str]:
    """Tell what came in over a period in words and numbers, as Markdown or as HTML for an e-mail."""
    place = place_of(workspace, project_id)
    try:
        named = zone_of(zone)
    except BadPeriod as error:
        raise click.UsageError(f"--zone: {error}") from None
    try:
        when = period_of(period, named, now_ms())
    except BadPeriod as error:
        raise click.UsageError(f"--period: {error}") from None
    text = written(figures(*place, when), form, language, Config.from_env().url)
    told = {"since": iso(when.since), "until": iso(when.until), "zone": zone, "format": form}
    if click.get_current_context().params["as_json"]:
        return {**told, "text": text}, f"digest from {told['since']} until {told['until']}"
    return told, text.rstrip("\n")
