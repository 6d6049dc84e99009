"""Views: queries of the list under a name, a person's own or shared by a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Fault, Problem, Refused, invalid
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.core.ids import new_id
from models.database.base import serialise
from models.tables import saved_view
from models.tables.feedback import iso
from models.tables.user import SavedView, views_of

MOST_OWN, MOST_SHARED = 20, 50
LONGEST_NAME, LONGEST_QUERY = 40, 2_000  # characters
SHARING = {"triage", "admin"}  # scopes of which one is needed to share, or to change what is shared

Row = dict[str, Any]


def create(caller: Caller, sent: Mapping[str, Any], now: int) -> Row:
    """Stores a new view within the open transaction. Raises Refused (400, 403)."""
    shared = sent["shared"]
    if not shared and caller.person is None:
        raise invalid(Fault("shared", "Must be true: only people have views of their own"))
    row: Row = {
        "id": new_id("view"),
        "user": caller.person,
        "name": _name(sent["name"]),
        "query": sent["query"],
        "created_at": now,
        "shared_in": None,
        "position": None,
    }
    row |= _shared(caller, sent) if shared else _own(caller)
    SavedView.insert(row).execute()
    if shared:
        _note(caller, "view.shared", row)
    return row


def change(caller: Caller, row: Row, sent: Mapping[str, Any]) -> Row:
    """Gives a view that the caller sees other fields, within the open transaction.

    Raises Refused (400, 403).
    """
    was, shared = row["shared_in"] is not None, sent.get("shared", row["shared_in"] is not None)
    if was:
        _may_share(caller)
    new: Row = {name: sent[name] for name in ("query",) if name in sent}
    if "name" in sent:
        new["name"] = _name(sent["name"])
    if shared and not was:
        new |= _shared(caller, sent)
    elif was and not shared:
        if row["user"] is None or row["user"] != caller.person:
            raise invalid(Fault("shared", "Only who made it can take it back"))
        new |= _own(caller)
    elif shared and "position" in sent:
        new["position"] = sent["position"]
    if new:
        SavedView.update(new).where(SavedView.id == row["id"]).execute()
    row = {**row, **new}
    if was or shared:
        _note(caller, "view.changed" if was and shared else "view.shared" if shared else "view.unshared", row)
    return row


def delete(caller: Caller, row: Row) -> None:
    """Deletes a view that the caller sees, within the open transaction. Raises Refused (403)."""
    if row["shared_in"] is not None:
        _may_share(caller)
        _note(caller, "view.deleted", row)
    SavedView.delete().where(SavedView.id == row["id"]).execute()


def document(row: Mapping[str, Any]) -> Row:
    """A view as the API shows it."""
    return {
        "view_id": row["id"],
        "name": row["name"],
        "query": row["query"],
        "shared": row["shared_in"] is not None,
        "position": row["position"],
        "owner": row["user"],
        "created_at": iso(row["created_at"]),
    }


def _shared(caller: Caller, sent: Mapping[str, Any]) -> Row:
    _may_share(caller)
    serialise([("views", caller.workspace_id)])
    there = saved_view.shared_in(caller.workspace_id)
    if len(there) >= MOST_SHARED:
        raise invalid(Fault("shared", f"A workspace shares at most {MOST_SHARED} views"))
    last = max((view["position"] or 0 for view in there), default=-1) + 1
    position = sent.get("position")
    return {"shared_in": caller.workspace_id, "position": last if position is None else position}


def _own(caller: Caller) -> Row:
    assert caller.person is not None
    if len(views_of(caller.person)) >= MOST_OWN:
        raise invalid(Fault("name", f"A person has at most {MOST_OWN} views"))
    return {"shared_in": None, "position": None}


def _may_share(caller: Caller) -> None:
    if caller.project_id is not None:
        raise Refused(Problem(403, "forbidden", "Views are the whole workspace's."))
    if not SHARING & caller.scopes:
        raise Refused(Problem(403, "forbidden", "Shared views are for those who may change records."))


def _name(text: str) -> str:
    """A name on one line. Raises Refused (400) for one that shows nothing."""
    name = "".join(mark for mark in text if mark.isprintable()).strip()
    if not name:
        raise invalid(Fault("name", "Must not be blank"))
    return name


def _note(caller: Caller, action: str, row: Mapping[str, Any]) -> None:
    audit_log.note(caller.workspace_id, caller.key_id, action, row["id"], name=row["name"])
