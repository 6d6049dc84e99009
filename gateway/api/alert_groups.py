"""/gateway/v1/alert-groups: what is on fire, counted by rule or name; a group is acknowledged or muted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.common.times import milliseconds
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access import alert_mutes, audit_log
from gateway.access.alert_mutes import LONGEST, Mute
from gateway.access.caller import Caller
from gateway.api import feedback_change, pagination, query_parameters
from gateway.api.feedback_bulk import Meant, in_turns
from gateway.api.schemas.alert_groups import NewMute, OfGroup
from gateway.core import concurrency
from models.database.base import writing
from models.intake.story_state import state_of
from models.queries import alert_groups
from models.queries.actor_names import called
from models.queries.feedback_query import Filter
from models.tables.alert_group import NUMBERED, pattern
from models.tables.feedback import iso

HOUR, DAY = 3_600_000, 86_400_000  # milliseconds
HOURS = 24
# What names the machine that an alert is of: tags, and names in a subject; the first that is there counts.
_HOST_TAGS = ("instance:", "host:", "hostname:", "node:", "pod:", "server_name:", "device:")
_HOSTS = ("hostname", "host", "entity", "scope", "entities")

Row = Mapping[str, Any]


@dataclass(slots=True)
class Group:
    """Alerts that are alike, counted. Times are milliseconds UTC; `newest` is a row."""

    name: str
    firing: int = 0
    acknowledged: int = 0
    resolved: int = 0
    severity: int | None = None
    first: int | None = None
    last: int | None = None
    newest: Row | None = None
    hosts: set[str] = field(default_factory=set)
    by_hour: list[int] = field(default_factory=lambda: [0] * HOURS)

    def begin(self, row: Row, now: int) -> None:
        """Counts an alert that is not over."""
        self.firing += 1
        self.acknowledged += row["status"] == "acknowledged"
        if (severity := _severity(row)) is not None:
            self.severity = max(severity, self.severity or 0)
        self.hosts |= _hosts(row)
        self._see(row, now)

    def end(self, row: Row, now: int, since: int) -> None:
        """Counts an alert that its sender has told to be over, if that was since a time."""
        self.resolved += row["updated_at"] >= since
        self._see(row, now)

    def _see(self, row: Row, now: int) -> None:
        began, seen = row["first_seen_at"], row["last_seen_at"]
        self.first = began if self.first is None else min(self.first, began)
        self.last = seen if self.last is None else max(self.last, seen)
        if self.newest is None or row["received_at"] > self.newest["received_at"]:
            self.newest = row
        if 0 <= (hours := (now - row["received_at"]) // HOUR) < HOURS:
            self.by_hour[HOURS - 1 - hours] += 1


def list_groups(caller: Caller, inbound: Inbound) -> Reply:
    """What is firing, or ended by itself within a day: the worst first, what is muted last.

    Of very many the newest are counted. Raises Refused (400).
    """
    limit, after = pagination.asked(inbound, "since")
    faults: list[Fault] = []
    now = inbound.received_at
    since = query_parameters.moment(inbound, "since", faults)
    if faults:
        raise invalid(*faults)
    data, told = groups_of(caller.workspace_id, caller.project_id, now, since)
    names = [one["group"] for one in data]
    start = names.index(after) + 1 if after in names else 0
    return Reply(200, {**pagination.page(data[start : start + limit + 1], limit, "group"), **told})


def groups_of(
    workspace_id: str, project_id: str | None, now: int, since: int | None = None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The groups of a workspace, or of a project of it, in their order, and what is told of all of them.

    Ends that were told `since` then are counted, of the last day; times are milliseconds UTC.
    """
    where = workspace_id, project_id
    open_now, complete = alert_groups.standing(*where)
    over, all_over = alert_groups.ended(*where, now - DAY)
    over = [row for row in over if _by_itself(row)]
    since = now - DAY if since is None else since
    found = _counted(open_now, over, now, since)
    mutes = alert_mutes.known(*where, now)
    for group, mute in mutes.items():
        if mute.ended_at is None:
            found.setdefault(group, Group(group))
    ordered = sorted(found.values(), key=lambda one: _rank(one, mutes.get(one.name)))
    who = called(workspace_id, [mute.row["key_id"] for mute in mutes.values()])
    data = [_shown(one, mutes.get(one.name), who) for one in ordered]
    changed = max((row["updated_at"] for row in (*open_now, *over)), default=None)
    told = {
        "firing": len(open_now),
        "resolved": sum(row["updated_at"] >= since for row in over),
        "groups": len(found),
        "changed_at": iso(changed),
        "complete": complete and all_over,
    }
    return data, told


def mute_group(caller: Caller, inbound: Inbound) -> Reply:
    """Has people told nothing of a group until a time, or until more have come. Raises Refused (400, 404)."""
    sent, now = NewMute.of(inbound), inbound.received_at
    until, more = sent.get("until"), sent.get("more")
    if until is None and more is None:
        raise invalid(Fault("body", "Must have one of until, more"))
    ends = None if until is None else lasting(milliseconds(until), now)
    with writing():
        made = alert_mutes.mute(
            caller.workspace_id,
            caller.project_id,
            sent["group"],
            now,
            until=ends,
            more=None if more is None else int(more),
            by=caller.key_id,
        )
    return _answered(caller, made)


def lasting(until: int, now: int) -> int:
    """Until when a group is muted (ms UTC). Raises Refused (400) for what is over or too far away."""
    if not now < until <= now + LONGEST:
        raise invalid(Fault("until", f"Must be to come, and within {LONGEST // DAY} days"))
    return until


def unmute_group(caller: Caller, inbound: Inbound) -> Reply:
    """Has people told of a group again. Raises Refused (400, 404)."""
    sent = OfGroup.of(inbound)
    with writing():
        ended = alert_mutes.unmute(
            caller.workspace_id, caller.project_id, sent["group"], inbound.received_at, caller.key_id
        )
    return _answered(caller, ended)


def acknowledge_group(caller: Caller, inbound: Inbound) -> Reply:
    """Acknowledges the open alerts of a group, some at a time. Raises Refused (400, 404)."""
    group, at = OfGroup.of(inbound)["group"], inbound.received_at
    if alert_groups.newest_of(caller.workspace_id, caller.project_id, group) is None:
        raise _unknown()
    meant = Meant(caller, chosen=Filter(alert_group=group, status=("open",), until=at + 1))

    def act(rows: list[dict[str, Any]]) -> int:
        change, request_id = {"status": "acknowledged"}, inbound.request_id
        made = feedback_change.apply(rows, change, caller=caller, at=at, request_id=request_id)
        return sum(map(bool, made))

    with concurrency.long(caller.workspace_id):
        _matched, done = in_turns(meant, act)
    with writing():
        audit_log.note(caller.workspace_id, caller.key_id, "alerts.acknowledged", group, alerts=done)
    return Reply(200, {"group": group, "acknowledged": done})


def document(mute: Mute, who: Mapping[str, str]) -> dict[str, Any]:
    """A mute as the API shows it; `who` has names by id."""
    row = mute.row
    return {
        "group": mute.group,
        "project_id": row["project"],
        "until": iso(row["until"]),
        "more": row["more"],
        "came": mute.came,
        "by": who.get(row["key_id"], row["key_id"]),
        "at": iso(row["created_at"]),
        "ended_at": iso(mute.ended_at),
    }


def _answered(caller: Caller, mute: Mute | None) -> Reply:
    if mute is None:
        raise _unknown()
    return Reply(200, document(mute, called(caller.workspace_id, [mute.row["key_id"]])))


def _unknown() -> Refused:
    return Refused(Problem(404, "not_found", "No such alert group."))


def _counted(open_now: Sequence[Row], over: Sequence[Row], now: int, since: int) -> dict[str, Group]:
    found: dict[str, Group] = {}
    for row in open_now:
        name = row["alert_group"]
        found.setdefault(name, Group(name)).begin(row, now)
    for row in over:
        name = row["alert_group"]
        found.setdefault(name, Group(name)).end(row, now, since)
    return found


def _rank(one: Group, mute: Mute | None) -> tuple[Any, ...]:
    """Where a group stands: what is muted last, then by severity, how many are firing and when last."""
    muted, severity = mute is not None and mute.ended_at is None, one.severity or 0
    return muted, not one.firing, -severity, -one.firing, -(one.last or 0), one.name


def _shown(one: Group, mute: Mute | None, who: Mapping[str, str]) -> dict[str, Any]:
    source, _colon, name = one.name.partition(":")
    if name.startswith(NUMBERED) and one.newest is not None:
        name = pattern(one.newest["title"])
    return {
        "group": one.name,
        "name": name,
        "source": source,
        **{field: getattr(one, field) for field in ("severity", "firing", "acknowledged", "resolved")},
        "hosts": len(one.hosts),
        "first_seen_at": iso(one.first),
        "last_seen_at": iso(one.last),
        "by_hour": one.by_hour,
        "newest": one.newest and one.newest["id"],
        "muted": None if mute is None else document(mute, who),
    }


def _by_itself(row: Row) -> bool:
    """Whether it was its sender who said that an alert is over."""
    return bool(row["state_key"]) and state_of(row["state_key"]) == "resolved"


def _severity(row: Row) -> int | None:
    reasons = orjson.loads(row["impact_reasons"])
    return next((reason["points"] for reason in reasons if reason["part"] == "severity"), None)


def _hosts(row: Row) -> set[str]:
    """The machines that an alert is of, as far as it says so."""
    tags = orjson.loads(row["tags"])
    for before in _HOST_TAGS:
        if named := {tag for tag in tags if tag.startswith(before)}:
            return named
    subject = orjson.loads(row["subject"])
    for name in _HOSTS:
        value = subject.get(name)
        if isinstance(value, str) and value:
            return {value}
        if isinstance(value, list) and value:
            return {item for item in value if isinstance(item, str)}
    return set()
