"""What the native API answers."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import fields

from adapters.common.native_answers import Attachment
from adapters.contract.description import AuthorShown, FeedbackRecord, Kind, Shown, listed, text, time, whole
from gateway.access import api_keys
from gateway.api.feedback_detail import EXPANSIONS
from gateway.api.feedback_list import FIELDS
from gateway.api.outcomes import OUTCOME_COLUMNS
from gateway.api.schemas.quarantine import HeldDelivery
from gateway.intake.outcomes import OUTCOMES
from gateway.transfer.erasure import MODES
from models.queries.statistics import DIMENSIONS

SCOPES = fields.List(fields.String(metadata={"enum": list(api_keys.SCOPES)}))


def page_of(row: Kind) -> Kind:
    """A list's answer: some rows, and the cursor that leads to the next ones."""
    body: dict[str, fields.Field[Any]] = {"data": listed(row), "next_cursor": text(allow_none=True)}
    return Shown.from_dict(body, name=f"{row.__name__}Page")


class Listed(FeedbackRecord):
    """A record in a list: all of it, or the fields that are asked for."""

    sometimes = FIELDS


class EventTold(Shown):
    id = text()
    feedback_id = text()
    type = text()
    at = time()
    detail = fields.Dict()


class Event(EventTold):
    payload = text(allow_none=True)
    envelope = text(allow_none=True)


class Delivery(Shown):
    event_id = text()
    at = time()
    content_type = text()
    payload = text(allow_none=True)
    envelope = text(allow_none=True)


class Titled(Shown):
    id = text()
    title = text()


class Similar(Titled):
    score = fields.Float(metadata={"minimum": 0, "maximum": 1})


class AuthorSummary(Shown):
    author = text()
    ids = fields.List(fields.String())
    names = fields.List(fields.String())
    emails = fields.List(fields.String())
    records = whole(minimum=1)
    first_at = time()
    last_at = time()
    by_category = fields.Dict()
    by_sentiment = fields.Dict()
    by_status = fields.Dict()
    by_source = fields.Dict()


class Merged(Shown):
    id = text()
    title = text()
    source = text()
    received_at = time()
    author = fields.Nested(AuthorShown)


class SuggestionShown(Shown):
    score = fields.Float(metadata={"minimum": 0, "maximum": 1})
    records = listed(Titled)


class SpanShown(Shown):
    field = text("title", "text")
    start = whole(minimum=0)
    end = whole(minimum=0)


class QuoteShown(Shown):
    name = text()
    spans = listed(SpanShown)


class WeightShown(QuoteShown):
    weight = fields.Float()
    kind = text("words", "sign")


class ImpactQuoteShown(QuoteShown):
    part = text("severity", "sentiment", "reach", "area")


class ExplanationShown(Shown):
    category = listed(WeightShown)
    category_by = text("general", "issue")
    sentiment = listed(WeightShown)
    sentiment_by = text()
    clause = fields.Nested(QuoteShown, allow_none=True)
    sentence = fields.Nested(QuoteShown, allow_none=True)
    impact = listed(ImpactQuoteShown)


class FeedbackExpanded(FeedbackRecord):
    sometimes = (*EXPANSIONS, "explanation")
    events = fields.Nested(page_of(EventTold))
    raw = listed(Delivery)
    deliveries = listed(Delivery)
    similar = listed(Similar)
    related = listed(Similar)
    attachments = listed(Attachment)
    merged = listed(Merged)
    explanation = fields.Nested(ExplanationShown)


class Changed(Shown):
    sometimes = ("next_cursor", "sample", "changed", "deleted")
    matched = whole(minimum=0)
    changed = whole(minimum=0)
    deleted = whole(minimum=0)
    dry_run = fields.Boolean()
    next_cursor = text(allow_none=True)
    sample = listed(FeedbackRecord)


class Count(Shown):
    sometimes = OUTCOME_COLUMNS
    minute = time()
    key_id = text()
    source = text()
    outcome = text(*OUTCOMES)
    requests = whole(minimum=0)
    records = whole(minimum=0)


class Key(Shown):
    key_id = text()
    workspace_id = text()
    project_id = text(allow_none=True)
    prefix = text()
    name = text()
    scopes = SCOPES
    rate_limit = text(allow_none=True)
    created_at = time()
    expires_at = time(allow_none=True)
    revoked_at = time(allow_none=True)
    last_used_at = time(allow_none=True)


class KeyMade(Key):
    key = text()


class KeyRotated(KeyMade):
    replaces = text()
    replaced_expires_at = time()


class Hook(Shown):
    hook_id = text()
    source = text()
    workspace_id = text()
    project_id = text(allow_none=True)
    live_secrets = whole(minimum=0)
    name = text()
    unsigned = fields.Boolean()
    rate_limit = text(allow_none=True)
    created_at = time()
    options = fields.Dict()
    last_delivery_at = time(allow_none=True)
    deliveries_24h = whole(minimum=0)
    failed_24h = whole(minimum=0)
    quarantined_24h = whole(minimum=0)
    silent_since = time(allow_none=True)


class HookMade(Shown):
    sometimes = ("dsn",)
    hook_id = text()
    source = text()
    path = text()
    url = text()
    secret = text(allow_none=True)
    project_id = text(allow_none=True)
    dsn = text()
    advice = text()


class Measured(Shown):
    """A count and means; of no record there are none."""

    sometimes: ClassVar[tuple[str, ...]] = ("previous_count", "trend")
    count = whole(minimum=0)
    impact = fields.Float(allow_none=True, metadata={"minimum": 0, "maximum": 14})
    sentiment_score = fields.Float(allow_none=True, metadata={"minimum": -1, "maximum": 1})
    previous_count = whole(minimum=0)
    trend = fields.Float(allow_none=True)


class Group(Measured):
    """Records that are alike in the dimensions that `by` names."""

    sometimes = (*Measured.sometimes, *DIMENSIONS)
    day = time()
    hour = time()
    source = text()
    type = text()
    category = text()
    sentiment = text()
    status = text()
    language = text(allow_none=True)
    project = text()


class Stats(page_of(Group)):  # type: ignore[misc]
    total = fields.Nested(Measured)
    since = time(allow_none=True)
    until = time(allow_none=True)


class Receipt(Shown):
    receipt_id = text()
    mode = text(*MODES)
    dry_run = fields.Boolean()
    counts = fields.Dict(values=whole(minimum=0))
    remains = fields.List(fields.String())
    at = time()
    linked = fields.Dict()


class Held(Shown):
    """Everything that is held about a person."""

    records = fields.List(fields.Dict())
    mentions = fields.List(fields.Dict())
    quarantine = listed(HeldDelivery)


class Act(Shown):
    id = text()
    key_id = text()
    action = text()
    target = text()
    detail = fields.Dict()
    at = time()


class Alive(Shown):
    status = text("ok")


class Checks(Shown):
    database = text()
    migrations = text()
    secrets = text()
    triage = text()
    themes = text()


class Ready(Shown):
    status = text("ready", "not ready")
    checks = fields.Nested(Checks)


class Description(Shown):
    """An OpenAPI document."""

    openapi = text()
    info = fields.Dict()
    paths = fields.Dict()
