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

    def covers(self, workspace_id: str, project_id: str, group: str | None) -> bool:
        """Whether a record of this place and group is muted by it, while it lasts."""
        here = self.row["workspace"] == workspace_id and self.row["project"] in (None, project_id)
        return here and self.group == group


def active(workspace_ids: Iterable[str], now: int) -> list[Mute]:
    """The mutes of some workspaces that last at a time (ms UTC), within the open transaction.

    The end of one that ended because more came than it is for is kept: what came may be deleted, by retention
    too, and it must not begin again.
    """
    found = [_as_of(row, now) for row in alert_mute.of_workspaces(workspace_ids)]
    for mute in found:
        if mute.ended_at not in (None, mute.row["until"]):
            alert_mute.end([mute.row["id"]], mute.ended_at)
    return [mute for mute in found if mute.ended_at is None]


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
    lasting = active([workspace_id], now)
    before = [mute for mute in lasting if mute.group == group and mute.row["project"] == project_id]
    if len(lasting) - len(before) >= MOST:
        raise invalid(Fault("group", f"A workspace has at most {MOST} muted groups"))
    alert_mute.end([mute.row["id"] for mute in before], now)
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
        mute
        for mute in active([workspace_id], now)
        if mute.group == group and project_id in (None, mute.row["project"])
    ]
    if not mine:
        return None
    alert_mute.end([mute.row["id"] for mute in mine], now)
    audit_log.note(workspace_id, by, "alerts.unmuted", mine[-1].row["id"], group=group, project_id=project_id)
    return Mute({**mine[-1].row, "ended_at": now}, mine[-1].came, now)


def _as_of(row: Mapping[str, Any], now: int, project_id: str | None = None) -> Mute:
    """A mute as it is at a time; what came is counted in its own project, or in this one of all."""
    ends = [at for at in (row["until"], row["ended_at"]) if at is not None and at <= now]
    end = min(ends, default=None)
    place = (row["workspace"], row["project"], row["alert_group"], row["created_at"])
    last = now + 1 if end is None else end
    if row["more"] is not None and end is None:
        came = alert_groups.came(*place, last, row["more"] + 1)
        if came > row["more"]:  # it ended with the one that was too many
            end = last = alert_groups.nth_of(*place, row["more"])
    shown = row["project"] or project_id
    return Mute(row, alert_groups.came(place[0], shown, place[2], place[3], last), end)
