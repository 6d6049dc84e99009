"""Destinations: who is told of changes, how that is going, and each made, changed, tried and ended."""

from __future__ import annotations

import json
from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.api.schemas.destinations import DestinationChange
from gateway.destinations import found_kinds, subscription
from gateway.destinations.kind import Kind
from gateway.destinations.preview import preview
from gateway.inbox import destination_form
from gateway.inbox.api_calls import ask, ask_tagged
from gateway.inbox.delivery_log import ALL, ONE
from gateway.inbox.destination_form import EVENTS_SAID, Faults, Given
from gateway.inbox.feedback_list import VIEWS
from gateway.inbox.i18n import _, weekdays, zones
from gateway.inbox.pages import go, hand_over, page
from gateway.inbox.settings import every, setting, told
from models.tables.user import views_of

CHANGED = 412  # by somebody else


@page("/settings/destinations", "admin")
def destinations() -> ResponseReturnValue:
    kinds = list(found_kinds.load())
    return setting("destinations", "destinations.html", rows=every(f"GET {ALL}"), kinds=kinds)


@page("/settings/destinations/new/<kind>", "admin")
def new_destination(kind: str) -> ResponseReturnValue:
    known = _kind(kind)
    return _form_page(known, destination_form.empty(known))


@page("/settings/destinations/new/<kind>", "admin", method="POST")
def create_destination(kind: str) -> ResponseReturnValue:
    """A new destination, its secret on the page that follows and nowhere else; or what it would say."""
    known, form = _kind(kind), destination_form.given()
    sent = destination_form.sent(known, form, new=True)
    try:
        if form.get("act") == "preview":
            return _preview_page(known, form, _checked(sent), project_id=sent.get("project_id"))
        made = ask(f"POST {ALL}", body={"kind": kind, **sent})
    except Refused as refused:
        return _form_page(known, form, destination_form.by_field(refused))
    return hand_over(f"/settings/destinations/{made['id']}", {"secret": made["secret"], "new": True})


@page("/settings/destinations/<destination_id>/change", "admin")
def change_form(destination_id: str) -> ResponseReturnValue:
    """The form with what is sent now, but for a digest, which takes long, or where no filter can be read."""
    row, tag = _found(destination_id)
    kind, kept = _kind(row["kind"]), destination_form.of_row(row) | {"etag": tag}
    if kept.get("content") == subscription.DIGEST:
        return _form_page(kind, kept, row=row)
    try:
        return _preview_page(kind, kept, row, row, row["project_id"])
    except Refused:
        return _form_page(kind, kept, row=row)


@page("/settings/destinations/<destination_id>/change", "admin", method="POST")
def change_destination(destination_id: str) -> ResponseReturnValue:
    """Other settings for a destination; or what it would say with them."""
    (row, tag), form = _found(destination_id), destination_form.given()
    kind = _kind(row["kind"])
    sent = destination_form.sent(kind, form, new=False)
    try:
        if form.get("act") == "preview":
            return _preview_page(kind, form, _checked(sent), row, row["project_id"])
        ask(f"PATCH {ONE}", body=sent, match=form.get("etag", ""), destination_id=destination_id)
    except Refused as refused:
        if refused.problem.status == CHANGED:
            said = _("Somebody else has changed it meanwhile. Save again to have it as it stands here.")
            return _form_page(kind, form | {"etag": tag}, {"body": [said]}, row)
        return _form_page(kind, form, destination_form.by_field(refused), row)
    return go(f"/settings/destinations/{destination_id}", _("Saved."))


@page("/settings/destinations/<destination_id>/state", "admin", method="POST")
def set_state(destination_id: str) -> ResponseReturnValue:
    """Pauses a destination, or lets it go on."""
    state = request.form.get("state", "")
    try:
        ask(f"PATCH {ONE}", body={"state": state}, destination_id=destination_id)
    except Refused as refused:
        return go(f"/settings/destinations/{destination_id}", "; ".join(told(refused)), bad=True)
    said = _("Paused. What comes is held.") if state == "paused" else _("Enabled.")
    return go(f"/settings/destinations/{destination_id}", said)


@page("/settings/destinations/<destination_id>/rotate", "admin", method="POST")
def rotate_destination(destination_id: str) -> ResponseReturnValue:
    """A new secret, on the page that follows and nowhere else."""
    try:
        made = ask(f"POST {ONE}/rotate", destination_id=destination_id)
    except Refused as refused:
        return go(f"/settings/destinations/{destination_id}", "; ".join(told(refused)), bad=True)
    return hand_over(f"/settings/destinations/{destination_id}", {"secret": made["secret"]})


@page("/settings/destinations/<destination_id>/delete", "admin", method="POST")
def delete_destination(destination_id: str) -> ResponseReturnValue:
    ask(f"DELETE {ONE}", destination_id=destination_id)
    return go("/settings/destinations", _("Ended, with its deliveries."))


def _preview_page(
    kind: Kind,
    given: Given,
    sent: dict[str, Any],
    row: dict[str, Any] | None = None,
    project_id: str | None = None,
) -> ResponseReturnValue:
    """The form with what would be sent. Raises Refused (400)."""
    shown = preview(kind, g.session["user_workspace"], project_id, sent)
    body = shown.body if shown else ""
    if kind.render is not None:  # for people to look at
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    return _form_page(kind, given, row=row, previewed=True, shown=shown, body=body)


def _checked(sent: dict[str, Any]) -> dict[str, Any]:
    """What the form says, but for where it is sent, as the API would take it. Raises Refused (400)."""
    told = DestinationChange.check({name: value for name, value in sent.items() if name != "project_id"})
    if "subscription" in told:
        told["subscription"] = subscription.merged({}, told["subscription"])
    return told


def _form_page(
    kind: Kind,
    given: Given,
    faults: Faults | None = None,
    row: dict[str, Any] | None = None,
    **values: Any,
) -> ResponseReturnValue:
    """The form of a new destination or of this row, with what was given."""
    views = [(_(name), query) for name, query in VIEWS if query]
    views += [(view["name"], view["query"]) for view in views_of(g.session["user_id"])]
    return setting(
        "destinations",
        "destination-form.html",
        400 if faults else 200,
        kind=kind,
        row=row,
        given=given,
        faults=faults or {},
        events=[(name, _(EVENTS_SAID.get(name, ""))) for name in destination_form.events(kind)],
        advice=destination_form.advice(kind),
        with_headers=kind.name not in destination_form.WITHOUT_HEADERS,
        views=[(name, destination_form.plain_filter(query)) for name, query in views],
        zones=["UTC", *zones()],
        weekdays=list(enumerate(weekdays())),
        hours=[(hour, f"{hour}:00") for hour in range(24)],
        projects=every("GET /gateway/v1/projects"),
        **values,
    )


def _found(destination_id: str) -> tuple[dict[str, Any], str]:
    """A destination, and the ETag that it has."""
    return ask_tagged(f"GET {ONE}", destination_id=destination_id)


def _kind(name: str) -> Kind:
    kind = found_kinds.load().get(name)
    if kind is None:
        raise Refused(Problem(404, "not_found", "No such kind of destination."))
    return kind
