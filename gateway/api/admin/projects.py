"""/gateway/v1/projects: groups of a workspace's records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.access.projects import create_project as store_project
from gateway.api import pagination
from gateway.api.admin.request_schemas import NewProject, ProjectChange, RetentionPreview, unknown
from gateway.background import retention
from gateway.triage.areas import DEFAULT_AREAS
from models.database.base import dumps, first, serialise, writing
from models.queries.retention import of_project
from models.tables import job
from models.tables.feedback import iso
from models.tables.workspace import Project, Workspace, areas_of, list_projects, projects_after

USUAL = tuple(area.name for area in DEFAULT_AREAS)
MOST_AREAS = 20_000  # characters of all areas of a workspace as JSON: they cost who is read beside it, too
MOST_COUNTED = 100_000  # records that are looked at for a preview


def list_all(caller: Caller, inbound: Inbound) -> Reply:
    """The workspace's projects, the oldest first."""
    limit, after = pagination.asked(inbound)
    found = projects_after(caller.workspace_id, after or "", limit + 1, only=caller.project_id)
    default = _default(caller)
    return pagination.answer([_document(row, default) for row in found], limit, "project_id")


def show_project(caller: Caller, inbound: Inbound) -> Reply:
    """One project. Raises Refused (404)."""
    return Reply(200, _document(_found(caller, inbound.params["project_id"]), _default(caller)))


def create_project(caller: Caller, inbound: Inbound) -> Reply:
    """A new project. Raises Refused: 400, 403 for a key of one project."""
    sent = NewProject.of(inbound)
    if caller.project_id is not None:
        raise Refused(Problem(403, "forbidden", "A key of one project makes no others."))
    with writing():
        project_id = store_project(
            caller.workspace_id, sent["name"].strip(), inbound.received_at, origin="api", by=caller.key_id
        )
    return Reply(201, _document(_found(caller, project_id), _default(caller)))


def change_project(caller: Caller, inbound: Inbound) -> Reply:
    """Another name, repository, retention, areas of its own, or usual areas that are off.

    Without areas, null, it has the usual ones, all of them on unless some are named. More days to keep
    things hold at once, fewer after a day. Raises Refused (400, 404).
    """
    sent = dict(ProjectChange.of(inbound))
    if "name" in sent:
        sent["name"] = sent["name"].strip()
    if sent.get("areas") is not None:
        sent["areas"] = [{**rule, "points": int(rule["points"])} for rule in sent["areas"]]
    if "areas" in sent and sent["areas"] is None:
        sent.setdefault("usual_areas_off", [])
    if "usual_areas_off" in sent:
        sent["usual_areas_off"] = [name for name in USUAL if name in sent["usual_areas_off"]] or None
    for name in retention.DAYS:
        if sent.get(name) is not None:
            sent[name] = int(sent[name])
    with writing():
        row = _found(caller, inbound.params["project_id"])
        changed = {name: value for name, value in sent.items() if row[name] != value}
        if changed.get("areas"):
            _check_room(caller.workspace_id, {row["id"]: dumps(changed["areas"])})
        days = {name: changed[name] for name in retention.DAYS if name in changed}
        columns = {**changed, **(retention.changed(row, days, inbound.received_at) if days else {})}
        if changed:
            Project.update(**columns).where(Project.id == row["id"]).execute()
            changes = {name: {"from": row[name], "to": value} for name, value in changed.items()}
            audit_log.note(caller.workspace_id, caller.key_id, "project.changed", row["id"], changes=changes)
        if days:
            job.hurry(retention.NAME)
    return Reply(200, _document({**row, **sent, **columns}, _default(caller)))


def preview_retention(caller: Caller, inbound: Inbound) -> Reply:
    """How much is older than so many days; days that are not named are those of the project.

    Of more than MOST_COUNTED records only so many are counted. Raises Refused (400, 404).
    """
    sent = {name: days and int(days) for name, days in RetentionPreview.of(inbound).items()}
    row = _found(caller, inbound.params["project_id"])
    asked = {**row, **sent, "retention_from": None, "retention_before": None}
    told = {**{name: asked[name] for name in retention.DAYS}, **retention.count(asked, MOST_COUNTED)}
    return Reply(200, {**told, **_totals(row), "grace_ends_at": iso(inbound.received_at + retention.GRACE)})


def _totals(row: dict[str, Any]) -> dict[str, Any]:
    total, oldest = of_project(row, MOST_COUNTED)
    return {"total": total, "oldest_at": iso(oldest)}


def _check_room(workspace_id: str, new: Mapping[str, str]) -> None:
    """Raises Refused (400) unless a workspace has room for these areas, within the open transaction."""
    serialise([("areas", workspace_id)])
    kept = {**areas_of(workspace_id), **new}
    if sum(len(text or "") for text in kept.values()) > MOST_AREAS:
        message = f"Those of all projects must have at most {MOST_AREAS} characters together, as JSON"
        raise invalid(Fault("areas", message))


def _found(caller: Caller, project_id: str) -> dict[str, Any]:
    allowed = caller.project_id in (None, project_id)
    found = list_projects(caller.workspace_id, only=project_id)[0] if allowed else []
    if not found:
        raise unknown("project")
    return found[0]


def usual(off: Collection[str] | None) -> dict[str, Any]:
    """The usual areas as they are told, with those that are off."""
    names = [name for name in USUAL if name in (off or ())]
    told = [{"name": one.name, "points": one.points, "on": one.name not in names} for one in DEFAULT_AREAS]
    return {"usual_areas_off": names, "usual_areas": told}


def _default(caller: Caller) -> str | None:
    row = first(Workspace.select().where(Workspace.id == caller.workspace_id))
    return row["default_project_id"] if row else None


def _document(row: Mapping[str, Any], default: str | None) -> dict[str, Any]:
    return {
        "project_id": row["id"],
        "workspace_id": row["workspace"],
        "name": row["name"],
        "areas": row["areas"],
        **usual(row["usual_areas_off"]),
        "repository": row["repository"],
        **{name: row[name] for name in retention.DAYS},
        "retention_starts_at": iso(row["retention_from"]),
        "retention_before": row["retention_before"],
        "default": row["id"] == default,
        "created_at": iso(row["created_at"]),
        "last_received_at": iso(row["last_modified"]),
    }
