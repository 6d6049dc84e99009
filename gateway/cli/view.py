"""`feedback-gateway view`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from adapters.contract import Refused
from gateway.access import views
from gateway.access.audit_log import COMMAND_LINE
from gateway.access.caller import Caller
from gateway.api.schemas.views import LAST, NewView
from gateway.api.views import checked
from gateway.cli.command import command, workspace_of
from gateway.cli.errors import Failure, NotHere
from gateway.core.ids import now_ms
from models.database.base import first, writing
from models.tables import saved_view
from models.tables.user import SavedView, User

_workspace = click.option("--workspace", default=None, help="Workspace id [default: the first].")
_position = click.option("--position", type=click.IntRange(0, LAST), default=None, help="Its place, from 0.")


@click.group()
def view() -> None:
    """Views that everybody in a workspace has."""


@command(view, "list")
@_workspace
def view_list(workspace: str | None) -> tuple[Any, str]:
    """List the shared views in their order."""
    shown = [views.document(row) for row in saved_view.shared_in(workspace_of(workspace))]
    return {"views": shown}, "\n".join(f"{row['view_id']}  {row['name']}  {row['query']}" for row in shown)


@command(view, "create")
@click.argument("name")
@click.argument("query", metavar="FILTER")
@_position
@_workspace
def view_create(name: str, query: str, position: int | None, workspace: str | None) -> tuple[Any, str]:
    """Share a view: FILTER is a list's query, such as "category=bug&status=open"."""
    workspace_id = workspace_of(workspace)
    with _told(), writing():
        sent = {"name": name, "query": query, "shared": True}
        sent = checked(NewView.check(sent if position is None else {**sent, "position": position}))
        row = views.create(_caller(workspace_id), sent, now_ms())
    return _shown(row)


@command(view, "share")
@click.argument("view_id")
@_position
def view_share(view_id: str, position: int | None) -> tuple[Any, str]:
    """Share a view that a person has kept, or give a shared one another place."""
    with _told(), writing():
        row, workspace_id = _found(view_id)
        sent = {"shared": True} if position is None else {"shared": True, "position": position}
        row = views.change(_caller(workspace_id), row, sent)
    return _shown(row)


@command(view, "delete")
@click.argument("view_id")
def view_delete(view_id: str) -> tuple[Any, str]:
    """Delete a view."""
    with _told(), writing():
        row, workspace_id = _found(view_id)
        views.delete(_caller(workspace_id), row)
    return {"view_id": view_id, "deleted": True}, f"deleted {view_id}"


def _found(view_id: str) -> tuple[dict[str, Any], str]:
    """A view, whoever's it is, and its workspace."""
    row = first(SavedView.select().where(SavedView.id == view_id))
    if row is None:
        raise NotHere(f"no view {view_id}")
    owner = first(User.select(User.workspace).where(User.id == row["user"]))
    return row, str(row["shared_in"] or (owner or {})["workspace"])


def _caller(workspace_id: str) -> Caller:
    return Caller(COMMAND_LINE, workspace_id, None, "", frozenset({"admin"}))


@contextmanager
def _told() -> Iterator[None]:
    """Says in a line what is refused."""
    try:
        yield
    except Refused as refused:
        told = (f"{fault.field}: {fault.message}" for fault in refused.problem.faults)
        raise Failure("; ".join(told) or refused.problem.message) from None


def _shown(row: Mapping[str, Any]) -> tuple[Any, str]:
    return views.document(row), f"view {row['id']} ({row['name']})"
