"""`feedback-gateway alerts`: what is on fire, by rule or name."""

from __future__ import annotations

import re
from typing import Any

import click

from adapters.contract import Refused
from gateway.access import alert_mutes
from gateway.access.audit_log import COMMAND_LINE
from gateway.api.alert_groups import document, groups_of, lasting
from gateway.api.query_parameters import moment_of
from gateway.cli.command import command, place_of
from gateway.cli.errors import Failure, NotHere
from gateway.core.ids import now_ms
from models.database.base import writing

_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}  # milliseconds
_project = click.option("--project", "project_id", default=None, help="Only this project.")
_workspace = click.option("--workspace", default=None, help="Workspace id [default: the first].")


@click.group()
def alerts() -> None:
    """What is on fire: alerts counted by rule or name."""


@command(alerts, "list")
@_project
@_workspace
def alerts_list(project_id: str | None, workspace: str | None) -> tuple[Any, str]:
    """List the groups of alerts, the worst first."""
    found, told = groups_of(*place_of(workspace, project_id), now_ms())
    return {"groups": found, **{name: told[name] for name in ("firing", "resolved", "complete")}}, "\n".join(
        map(_line, found)
    )


@command(alerts, "mute")
@click.argument("group")
@click.option("--until", default=None, help="A time such as 2026-05-04T09:00:00Z, or for how long: 1h, 7d.")
@click.option("--more", type=click.IntRange(1, alert_mutes.MOST_MORE), help="Until so many more have come.")
@_project
@_workspace
def alerts_mute(
    group: str, until: str | None, more: int | None, project_id: str | None, workspace: str | None
) -> tuple[Any, str]:
    """Have people told nothing of a group for a while, such as alertmanager:DiskFull."""
    if until is None and more is None:
        raise click.UsageError("give --until or --more")
    place, now = place_of(workspace, project_id), now_ms()
    try:
        ends = None if until is None else lasting(_moment(until, now), now)
        with writing():
            made = alert_mutes.mute(*place, group, now, until=ends, more=more)
    except Refused as refused:
        faults = refused.problem.faults
        raise Failure("; ".join(f"{fault.field}: {fault.message}" for fault in faults)) from None
    return _answered(made, group), f"muted {group}"


@command(alerts, "unmute")
@click.argument("group")
@_project
@_workspace
def alerts_unmute(group: str, project_id: str | None, workspace: str | None) -> tuple[Any, str]:
    """Have people told of a group again."""
    place = place_of(workspace, project_id)
    with writing():
        ended = alert_mutes.unmute(*place, group, now_ms())
    told = _answered(ended, group)
    return told, f"unmuted {group}: {told['came']} came meanwhile"


def _moment(text: str, now: int) -> int:
    """A time that is given as such, or as how long from now, in ms UTC. Raises click.BadParameter."""
    if told := re.fullmatch(r"(\d{1,5})([mhdw])", text, re.ASCII):
        return now + int(told[1]) * _UNITS[told[2]]
    try:
        return moment_of(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, or how long: 1h, 7d", param_hint="--until") from None


def _answered(mute: alert_mutes.Mute | None, group: str) -> dict[str, Any]:
    if mute is None:
        raise NotHere(f"no group {group} here, or it is not muted")
    return document(mute, {COMMAND_LINE: COMMAND_LINE})


def _line(one: dict[str, Any]) -> str:
    muted = one["muted"] is not None and one["muted"]["ended_at"] is None
    severity = "-" if one["severity"] is None else one["severity"]
    told = f"severity {severity}  {one['firing']} firing  {one['resolved']} resolved by themselves"
    return f"{one['group']}  {told}{'  muted' if muted else ''}"
