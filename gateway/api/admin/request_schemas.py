"""What admins send, checked."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields

from adapters.common.schemas import (
    Flag,
    Number,
    Object,
    Strict,
    Text,
    TextList,
    at_most,
    every,
    length,
    means,
    not_blank,
    one_of,
)
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from adapters.native import iso_time
from gateway.access.api_keys import SCOPES
from gateway.access.caller import Caller
from gateway.core.rate import Rate
from gateway.triage.areas import DEFAULT_AREAS
from models.tables.workspace import list_projects, workspace_of

LONGEST_NAME = 200  # characters
LONGEST_OVERLAP = 720  # hours
MOST_RULES = 50  # of a project, and marks of a rule
LONGEST_RETENTION = 36_500  # days
# owner/name at github.com, or the address of a repository on a GitHub of one's own.
REPOSITORY = (
    r"(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/)?[A-Za-z0-9][A-Za-z0-9_-]*/\.?[A-Za-z0-9_-][A-Za-z0-9._-]*"
)


_name = length(most=LONGEST_NAME)


@means(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$")
def _rate(value: str) -> None:
    try:
        Rate.parse(value)
    except ValueError as error:
        raise ValidationError(f"Rate {error}") from None


@means(minItems=1)
def _scopes(value: list[str]) -> None:
    if not value:
        raise ValidationError("Array must contain at least 1 element(s)")


@means(minimum=0, maximum=LONGEST_OVERLAP)
def _hours(value: float) -> None:
    if not 0 <= value <= LONGEST_OVERLAP:
        raise ValidationError(f"Number must be from 0 to {LONGEST_OVERLAP}")


class NewKey(Strict):
    name = Text(_name, load_default="")
    scopes = TextList(one_of(SCOPES), validate=_scopes, load_default=lambda: ["ingest", "read"])
    project_id = Text(allow_none=True)
    rate_limit = Text(_rate, allow_none=True)
    expires_at = Text(iso_time, allow_none=True)


class Rotation(Strict):
    overlap_hours = Number(_hours, load_default=24)


class NewHook(Strict):
    source = Text(required=True)
    name = Text(_name, load_default="")
    project_id = Text(allow_none=True)
    secret = Text(length(least=8, most=1000), allow_none=True)
    unsigned = Flag(load_default=False)
    rate_limit = Text(_rate, allow_none=True)
    options = Object(load_default=dict)


class HookChange(Strict):
    options = Object(required=True)


class NewSecret(Strict):
    secret = Text(length(least=8, most=1000), allow_none=True)


_given_name = every(not_blank, _name)


class NewProject(Strict):
    name = Text(_given_name, required=True)


@means(enum=[0, 1, 2, 3])
def _points(value: float) -> None:
    if value not in (0, 1, 2, 3):
        raise ValidationError("Number must be a whole one from 0 to 3")


@means(pattern="^/", maxLength=LONGEST_NAME)
def _page(value: str) -> None:
    _name(value)
    if not value.startswith("/"):
        raise ValidationError("Must begin with /")


_few = at_most(MOST_RULES)


class Rule(Strict):
    """What weighs more in a project: pages by their beginnings, products and tags, words."""

    name = Text(every(not_blank, _name), required=True)
    points = Number(_points, required=True)
    pages = TextList(_page, validate=_few, load_default=list)
    names = TextList(every(not_blank, _name), validate=_few, load_default=list)
    phrases = TextList(every(not_blank, _name), validate=_few, load_default=list)


@means(pattern=f"^{REPOSITORY}$")
def _repository(value: str) -> None:
    if not re.fullmatch(REPOSITORY, value):
        raise ValidationError("Must look like owner/name or https://github.example.com/owner/name")


@means(minimum=1, maximum=LONGEST_RETENTION, multipleOf=1)
def _days(value: float) -> None:
    if not 1 <= value <= LONGEST_RETENTION or value != int(value):
        raise ValidationError(f"Number must be a whole one from 1 to {LONGEST_RETENTION}")


class RetentionPreview(Strict):
    retention_days = Number(_days, allow_none=True)
    payload_retention_days = Number(_days, allow_none=True)


class ProjectChange(RetentionPreview):
    name = Text(every(not_blank, _name))
    repository = Text(every(_name, _repository), allow_none=True)
    areas = fields.List(
        fields.Nested(Rule),
        validate=_few,
        allow_none=True,
        error_messages={"invalid": "Expected array"},
    )
    usual_areas_off = TextList(one_of([area.name for area in DEFAULT_AREAS]), validate=_few)


def body_of(inbound: Inbound) -> Any:
    """The request's JSON; an empty body is an object with nothing in it."""
    return inbound.json if inbound.body.strip() else {}


def project_of(caller: Caller, sent: dict[str, Any]) -> str | None:
    """The project a new key or hook is for: the named one, else the caller's. Raises Refused (400)."""
    named: str | None = sent.get("project_id")
    if named is None:
        return caller.project_id
    allowed = caller.project_id in (None, named)
    if not allowed or not list_projects(caller.workspace_id, only=named)[1]:
        raise invalid(Fault("project_id", "No such project"))
    return named


def project_in_path(caller: Caller, inbound: Inbound) -> str:
    """The caller's project that a path names. Raises Refused (404)."""
    project_id = inbound.params["project_id"]
    if caller.project_id not in (None, project_id) or workspace_of(project_id) != caller.workspace_id:
        raise unknown("project")
    return project_id


def secret(status: int, body: dict[str, Any]) -> Reply:
    """An answer with a secret in it, which nobody between us may keep."""
    return Reply(status, body, {"Cache-Control": "no-store"})


def unknown(what: str) -> Refused:
    """The refusal for what is not here, or another's."""
    return Refused(Problem(404, "not_found", f"No such {what}."))
