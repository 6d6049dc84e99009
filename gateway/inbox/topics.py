"""The topics of a project: what its records can be about, beside the five categories."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.access.topics import LONGEST_DESCRIPTION, LONGEST_NAME
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, page
from gateway.inbox.settings import setting, told
from models.tables.topic import MOST

ALL = "/gateway/v1/projects/<project_id>/topics"
ONE = f"{ALL}/<topic_id>"


@page("/settings/projects/<project_id>/topics", "viewer")
def topics(project_id: str) -> ResponseReturnValue:
    return _page(project_id)


def _page(
    project_id: str, given: Mapping[str, str] | None = None, faults: list[str] | None = None
) -> ResponseReturnValue:
    """The page of a project's topics, with what was `given` in a form that could not be taken."""
    return setting(
        "projects",
        "topics.html",
        400 if faults else 200,
        project=ask("GET /gateway/v1/projects/<project_id>", project_id=project_id),
        rows=ask(f"GET {ALL}", project_id=project_id)["data"],
        most=MOST,
        longest={"name": LONGEST_NAME, "description": LONGEST_DESCRIPTION},
        given=given or {},
        faults=faults,
    )


@page("/settings/projects/<project_id>/topics", "admin", method="POST")
def create_topic(project_id: str) -> ResponseReturnValue:
    """A topic as the form says, or made of a theme with its label for a name; or two made one."""
    if "merge" in request.form:
        return _merged(project_id, {name: request.form.get(name, "") for name in ("merge", "into")})
    given = {name: request.form.get(name, "") for name in ("name", "description", "theme")}
    if given["theme"]:
        given["name"] = given["name"][:LONGEST_NAME]
    try:
        ask(f"POST {ALL}", body={name: text for name, text in given.items() if text}, project_id=project_id)
    except Refused as refused:
        return _page(project_id, given, told(refused))
    return go(
        f"/settings/projects/{project_id}/topics", _("Created. Records get it in the background, in minutes.")
    )


def _merged(project_id: str, given: Mapping[str, str]) -> ResponseReturnValue:
    """One form for all topics: a list of all the others beside each would be most of the page."""
    try:
        named = {"project_id": project_id, "topic_id": given["merge"]}
        ask(f"POST {ONE}/merge", body={"into": given["into"]}, **named)
    except Refused as refused:
        return _page(project_id, given, _why(refused))
    return go(f"/settings/projects/{project_id}/topics", _("Merged."))


def _why(refused: Refused) -> list[str]:
    """What a form about a topic is told, also when somebody else has ended it meanwhile."""
    return [_("That topic is gone.")] if refused.problem.status == 404 else told(refused)


@page("/settings/projects/<project_id>/topics/<topic_id>", "admin", method="POST")
def change_topic(project_id: str, topic_id: str) -> ResponseReturnValue:
    """Another name or description, or the end of a topic."""
    named = {"project_id": project_id, "topic_id": topic_id}
    act = request.form.get("act")
    try:
        if act == "remove":
            ask(f"DELETE {ONE}", **named)
            said = _("Removed.")
        else:
            sent = {name: request.form.get(name, "") for name in ("name", "description")}
            ask(f"PATCH {ONE}", body=sent, **named)
            said = _("Saved.")
    except Refused as refused:
        return _page(project_id, faults=_why(refused))
    return go(f"/settings/projects/{project_id}/topics", said)
