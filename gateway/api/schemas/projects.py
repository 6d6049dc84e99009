"""What /gateway/v1/projects answers."""

from __future__ import annotations

from marshmallow import fields

from adapters.contract.description import Shown, text, time, whole


class Area(Shown):
    name = text()
    points = whole()
    pages = fields.List(text())
    names = fields.List(text())
    phrases = fields.List(text())


class UsualArea(Shown):
    name = text()
    points = whole()
    on = fields.Boolean()


class Days(Shown):
    retention_days = fields.Integer(allow_none=True, metadata={"minimum": 1})
    payload_retention_days = fields.Integer(allow_none=True, metadata={"minimum": 1})


class RetentionPreviewed(Days):
    records = whole()
    files = whole()
    payloads = whole()
    quarantine = whole()
    total = whole()
    oldest_at = time(allow_none=True)
    grace_ends_at = time()


class Project(Days):
    project_id = text()
    workspace_id = text()
    name = text()
    areas = fields.List(fields.Nested(Area), allow_none=True)
    usual_areas_off = fields.List(text())
    usual_areas = fields.List(fields.Nested(UsualArea))
    repository = text(allow_none=True)
    retention_starts_at = time(allow_none=True)
    retention_before = fields.Nested(Days, allow_none=True)
    default = fields.Boolean()
    created_at = time()
    last_received_at = time(allow_none=True)
