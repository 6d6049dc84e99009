"""Groups of alerts that people want to hear nothing of for a while; what comes meanwhile is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Fault, invalid
from gateway.access import audit_log
from gateway.core.ids import new_id
from models.database.base import serialise
from models.queries import alert_groups
from models.tables import alert_mute
from models.tables.alert_mute import MOST, TOLD

LONGEST = 90 * 86_400_000  # milliseconds that a group can be muted at a time
MOST_MORE = 1_000  # alerts to come that a group can be muted for

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mute:
    """A mute and what became of it: how many alerts came, and when it ended (ms UTC), if it has."""

    row: Mapping[str, Any]
    came: int
    ended_at: int | None

    @property
    def group(self) -> str:
        return str(self.row["alert_group"])


def lasting(workspace_ids: Iterable[str], now: int) -> list[Row]:
    """The rows of the mutes of some workspaces that last at a time (ms UTC), within the open transaction.

    The end of one that ended because more came than it is for is kept: what came may be deleted, by retention
    too, and it must not begin again.
    """
    found = []
    for row in alert_mute.of_workspaces(workspace_ids):
        ended_at = _end_of(row, now)
        if ended_at is None:
            found.append(row)
        elif ended_at != row["until"]:
            alert_mute.end([row["id"]], ended_at)
    return found


def covers(row: Mapping[str, Any], workspace_id: str, project_id: str, group: str | None) -> bool:
    """Whether a record of this place and group is muted by a mute that lasts."""
    here = row["workspace"] == workspace_id and row["project"] in (None, project_id)
    return bool(here and row["alert_group"] == group)


def known(workspace_id: str, project_id: str | None, now: int) -> dict[str, Mute]:
    """By group, the mute that lasts in a workspace, or in this project; else the last that ended lately.

    What came is counted in that project alone.
    """
    found: dict[str, Mute] = {}
    for row in alert_mute.of_workspace(workspace_id, project_id):
        mute, there = _as_of(row, now, project_id), found.get(row["alert_group"])
        if mute.ended_at is not None and mute.ended_at < now - TOLD:
            continue
        if there is None or (there.ended_at is not None and mute.ended_at is None):
            found[mute.group] = mute
    return found


def mute(
    workspace_id: str,
    project_id: str | None,
    group: str,
    now: int,
    *,
    until: int | None,
    more: int | None,
    by: str = audit_log.COMMAND_LINE,
) -> Mute | None:
    """Mutes a group within the open transaction, instead of as before; None when there is no such group.

    Without a project it is muted in all of them. `until` is milliseconds UTC, `more` how many may come.
    Raises Refused (400) where as many are muted as may be.
    """
    if alert_groups.newest_of(workspace_id, project_id, group) is None:
        return None
    serialise([("mutes", workspace_id)])
    alert_mute.forget(workspace_id, now - TOLD)
    others = lasting([workspace_id], now)
    before = [row for row in others if row["alert_group"] == group and row["project"] == project_id]
    if len(others) - len(before) >= MOST:
        raise invalid(Fault("group", f"A workspace has at most {MOST} muted groups"))
    alert_mute.end([row["id"] for row in before], now)
    row: Row = {
        "id": new_id("mute"),
        "workspace": workspace_id,
        "project": project_id,
        "alert_group": group,
        "until": until,
        "more": more,
        "key_id": by,
        "created_at": now,
        "ended_at": None,
    }
    alert_mute.add(row)
    audit_log.note(workspace_id, by, "alerts.muted", row["id"], group=group, project_id=project_id)
    return Mute(row, 0, None)


def unmute(
    workspace_id: str, project_id: str | None, group: str, now: int, by: str = audit_log.COMMAND_LINE
) -> Mute | None:
    """Has a group heard of again, within the open transaction; None when it was not muted.

    Who has one project takes back what was muted in that alone.
    """
    serialise([("mutes", workspace_id)])
    mine = [
        row
        for row in lasting([workspace_id], now)
        if row["alert_group"] == group and project_id in (None, row["project"])
    ]
    if not mine:
        return None
    alert_mute.end([row["id"] for row in mine], now)
    audit_log.note(workspace_id, by, "alerts.unmuted", mine[-1]["id"], group=group, project_id=project_id)
    return Mute({**mine[-1], "ended_at": now}, _as_of(mine[-1], now).came, now)


def _as_of(row: Mapping[str, Any], now: int, project_id: str | None = None) -> Mute:
    """A mute as it is at a time; what came is counted in its own project, or in this one of all."""
    end, shown = _end_of(row, now), row["project"] or project_id
    last = now + 1 if end is None else end
    came = alert_groups.came(row["workspace"], shown, row["alert_group"], row["created_at"], last)
    return Mute(row, came, end)


def _end_of(row: Mapping[str, Any], now: int) -> int | None:
    """When a mute ended that has ended at a time, both milliseconds UTC."""
    ends = [at for at in (row["until"], row["ended_at"]) if at is not None and at <= now]
    if ends or row["more"] is None:
        return min(ends, default=None)
    place = (row["workspace"], row["project"], row["alert_group"], row["created_at"])
    if alert_groups.came(*place, now + 1, row["more"] + 1) > row["more"]:
        return alert_groups.nth_of(*place, row["more"])  # it ended with the one that was too many
    return None
