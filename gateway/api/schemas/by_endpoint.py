"""Which shape each route of the native API has."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.contract.description import FeedbackRecord, Shape
from gateway.api.admin import request_schemas
from gateway.api.admin.authors import Erasure, Who
from gateway.api.admin.model import Choice
from gateway.api.feedback_bulk import Chosen, ManyChanges
from gateway.api.feedback_change import Change
from gateway.api.schemas.answers import (
    Act,
    Alive,
    Changed,
    Count,
    Description,
    Event,
    FeedbackExpanded,
    Held,
    HeldDelivery,
    HeldShown,
    Hook,
    HookMade,
    Key,
    KeyMade,
    KeyRotated,
    Listed,
    Preview,
    Project,
    Ready,
    Receipt,
    Replayed,
    Similar,
    Stats,
    Themes,
    page_of,
)
from gateway.api.schemas.model import TriageModel
from gateway.api.schemas.parameters import (
    ExportQuery,
    HeldQuery,
    IfMatch,
    ListQuery,
    OutcomesQuery,
    PageQuery,
    PreviewQuery,
    ReplayQuery,
    ShowQuery,
    SimilarQuery,
    StatsQuery,
    ThemesQuery,
)
from gateway.transfer.file_export import FORMATS

# By route. What is missing here, tests/api/test_openapi.py names.
SHAPES: Mapping[str, Shape] = {
    "GET /gateway/v1/feedback": Shape(
        query=ListQuery, answers={200: page_of(Listed)}, asked={"category": ["bug"], "limit": 2}
    ),
    "GET /gateway/v1/feedback/<feedback_id>": Shape(
        query=ShowQuery, answers={200: FeedbackExpanded}, asked={"expand": ["events", "similar"]}
    ),
    "PATCH /gateway/v1/feedback/<feedback_id>": Shape(
        body=Change,
        headers=IfMatch,
        answers={200: FeedbackRecord},
        refusals=(412,),
        example={"status": "resolved", "note": "Fixed in 2.4"},
    ),
    "DELETE /gateway/v1/feedback/<feedback_id>": Shape(headers=IfMatch, answers={204: None}, refusals=(412,)),
    "PATCH /gateway/v1/feedback": Shape(
        body=ManyChanges,
        answers={200: Changed},
        example={"filter": "source=orq", "change": {"status": "resolved"}, "dry_run": True},
    ),
    "DELETE /gateway/v1/feedback": Shape(
        body=Chosen, answers={200: Changed}, example={"filter": "source=orq", "dry_run": True}
    ),
    "GET /gateway/v1/feedback/<feedback_id>/events": Shape(query=PageQuery, answers={200: page_of(Event)}),
    "GET /gateway/v1/feedback/<feedback_id>/similar": Shape(
        query=SimilarQuery, answers={200: page_of(Similar)}, asked={"limit": 3}
    ),
    "GET /gateway/v1/export": Shape(
        query=ExportQuery,
        answers={200: None},
        asked={"format": "csv", "fields": ["id", "text", "author"]},
        shown_as=tuple(FORMATS.values()),
    ),
    "GET /gateway/v1/themes": Shape(query=ThemesQuery, answers={200: Themes}, asked={"limit": 5}),
    "GET /gateway/v1/stats": Shape(
        query=StatsQuery, answers={200: Stats}, asked={"by": ["day", "category"], "since": "30d"}
    ),
    "GET /gateway/v1/outcomes": Shape(
        query=OutcomesQuery, answers={200: page_of(Count)}, asked={"by": ["source", "outcome"]}
    ),
    "GET /gateway/v1/quarantine": Shape(query=HeldQuery, answers={200: page_of(HeldDelivery)}),
    "GET /gateway/v1/quarantine/<quarantine_id>": Shape(answers={200: HeldShown}),
    "POST /gateway/v1/quarantine/<quarantine_id>/replay": Shape(query=ReplayQuery, answers={200: Replayed}),
    "POST /gateway/v1/preview/<source>": Shape(
        query=PreviewQuery, answers={200: Preview}, example={"text": "The map is blank"}
    ),
    "GET /gateway/v1/keys": Shape(query=PageQuery, answers={200: page_of(Key)}),
    "POST /gateway/v1/keys": Shape(
        body=request_schemas.NewKey,
        answers={201: KeyMade},
        example={"name": "web shop", "scopes": ["ingest"]},
    ),
    "POST /gateway/v1/keys/<key_id>/revoke": Shape(answers={200: Key}),
    "POST /gateway/v1/keys/<key_id>/rotate": Shape(
        body=request_schemas.Rotation, optional=True, answers={201: KeyRotated}, example={"overlap_hours": 1}
    ),
    "GET /gateway/v1/hooks": Shape(query=PageQuery, answers={200: page_of(Hook)}),
    "POST /gateway/v1/hooks": Shape(
        body=request_schemas.NewHook,
        answers={201: HookMade},
        example={"source": "alertmanager", "name": "prometheus"},
    ),
    "POST /gateway/v1/hooks/<hook_id>/rotate": Shape(
        body=request_schemas.NewSecret, optional=True, answers={200: HookMade}, example={}
    ),
    "PATCH /gateway/v1/hooks/<hook_id>": Shape(
        body=request_schemas.HookChange, answers={200: Hook}, example={"options": {"signature_header": None}}
    ),
    "DELETE /gateway/v1/hooks/<hook_id>": Shape(answers={204: None}),
    "GET /gateway/v1/projects": Shape(query=PageQuery, answers={200: page_of(Project)}),
    "POST /gateway/v1/projects": Shape(
        body=request_schemas.NewProject, answers={201: Project}, example={"name": "Web shop"}
    ),
    "GET /gateway/v1/projects/<project_id>": Shape(answers={200: Project}),
    "PATCH /gateway/v1/projects/<project_id>": Shape(
        body=request_schemas.ProjectChange,
        answers={200: Project},
        example={"name": "Shop", "retention_days": 365},
    ),
    "GET /gateway/v1/model": Shape(answers={200: TriageModel}),
    "POST /gateway/v1/model/train": Shape(answers={202: TriageModel}),
    "POST /gateway/v1/model/use": Shape(
        body=Choice, answers={200: TriageModel}, refusals=(404,), example={"version": "shipped"}
    ),
    "POST /gateway/v1/authors/erase": Shape(
        body=Erasure,
        answers={200: Receipt},
        example={"email": "anna@example.org", "dry_run": True},
    ),
    "POST /gateway/v1/authors/export": Shape(
        body=Who, answers={200: Held}, example={"email": "anna@example.org"}
    ),
    "GET /gateway/v1/audit": Shape(query=PageQuery, answers={200: page_of(Act)}),
}

HTML = "text/html; charset=utf-8"
# Routes that need no key.
OPEN: Mapping[str, Shape] = {
    "/healthz": Shape(summary="Say whether the process is alive.", answers={200: Alive}),
    "/readyz": Shape(
        summary="Say whether feedback can be taken, and what is in the way.", answers={200: Ready, 503: Ready}
    ),
    "/metrics": Shape(
        summary="Tell Prometheus the numbers.", answers={200: None}, shown_as=("text/plain; charset=utf-8",)
    ),
    "/openapi.json": Shape(summary="Show this description.", answers={200: Description, 304: None}),
    "/docs": Shape(summary="Show this description as a page.", answers={200: None}, shown_as=(HTML,)),
    "/docs/<name>": Shape(
        summary="A file of that page.",
        answers={200: None, 304: None},
        refusals=(404,),
        shown_as=("text/css", "text/javascript"),
    ),
}
