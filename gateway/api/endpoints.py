"""Each endpoint with what it takes and answers. All of it is within the caller's workspace.

What is missing here, tests/api/test_openapi.py names.
"""

from __future__ import annotations

from adapters.contract.description import FeedbackRecord, Shape
from gateway.api.admin import (
    audit_log,
    authors,
    hooks,
    keys,
    model,
    request_schemas,
)
from gateway.api.admin.author_summary import show_author
from gateway.api.admin.authors import Erasure, Who
from gateway.api.admin.model import Choice
from gateway.api.alert_group_endpoints import ALERT_GROUPS
from gateway.api.attachment_endpoints import ATTACHMENTS
from gateway.api.change_endpoints import CHANGES
from gateway.api.destination_endpoints import DESTINATIONS
from gateway.api.endpoint import Endpoint
from gateway.api.export import export_feedback
from gateway.api.feedback_bulk import Chosen, ManyChanges, change_many, delete_feedback, delete_many
from gateway.api.feedback_change import Change, change_feedback
from gateway.api.feedback_detail import list_events, list_similar, show_feedback
from gateway.api.feedback_list import list_feedback
from gateway.api.flora import FLORA
from gateway.api.learning_endpoints import LEARNING
from gateway.api.merge_endpoints import MERGES
from gateway.api.outcomes import list_outcomes
from gateway.api.preview import show_preview
from gateway.api.project_endpoints import PROJECTS
from gateway.api.quarantine_endpoints import QUARANTINE
from gateway.api.reply_endpoints import REPLIES
from gateway.api.schemas.answers import (
    Act,
    AuthorSummary,
    Changed,
    Count,
    Event,
    FeedbackExpanded,
    Held,
    Hook,
    HookMade,
    Key,
    KeyMade,
    KeyRotated,
    Listed,
    Receipt,
    Similar,
    Stats,
    page_of,
)
from gateway.api.schemas.model import TriageModel
from gateway.api.schemas.parameters import (
    AuthorQuery,
    ExportQuery,
    IfMatch,
    ListQuery,
    OutcomesQuery,
    PageQuery,
    PreviewQuery,
    ShowQuery,
    SimilarQuery,
    StatsQuery,
)
from gateway.api.schemas.quarantine import Preview
from gateway.api.stats import show_stats
from gateway.api.theme_endpoints import THEMES
from gateway.api.topic_endpoints import TOPICS
from gateway.api.view_endpoints import VIEWS
from gateway.transfer.file_export import SHOWN_AS

ENDPOINTS = (
    Endpoint(
        "/gateway/v1/feedback",
        list_feedback,
        Shape(query=ListQuery, answers={200: page_of(Listed)}, asked={"category": ["bug"], "limit": 2}),
    ),
    Endpoint(
        "/gateway/v1/feedback/<feedback_id>",
        show_feedback,
        Shape(query=ShowQuery, answers={200: FeedbackExpanded}, asked={"expand": ["events", "similar"]}),
    ),
    Endpoint(
        "/gateway/v1/feedback/<feedback_id>",
        change_feedback,
        Shape(
            body=Change,
            headers=IfMatch,
            answers={200: FeedbackRecord},
            refusals=(412,),
            example={"status": "resolved", "note": "Fixed in 2.4"},
        ),
        "PATCH",
        "triage",
    ),
    Endpoint(
        "/gateway/v1/feedback/<feedback_id>",
        delete_feedback,
        Shape(headers=IfMatch, answers={204: None}, refusals=(412,)),
        "DELETE",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/feedback",
        change_many,
        Shape(
            body=ManyChanges,
            answers={200: Changed},
            example={"filter": "source=orq", "change": {"status": "resolved"}, "dry_run": True},
        ),
        "PATCH",
        "triage",
    ),
    Endpoint(
        "/gateway/v1/feedback",
        delete_many,
        Shape(body=Chosen, answers={200: Changed}, example={"filter": "source=orq", "dry_run": True}),
        "DELETE",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/feedback/<feedback_id>/events",
        list_events,
        Shape(query=PageQuery, answers={200: page_of(Event)}),
    ),
    Endpoint(
        "/gateway/v1/feedback/<feedback_id>/similar",
        list_similar,
        Shape(query=SimilarQuery, answers={200: page_of(Similar)}, asked={"limit": 3}),
    ),
    Endpoint(
        "/gateway/v1/export",
        export_feedback,
        Shape(
            query=ExportQuery,
            answers={200: None},
            asked={"format": "csv", "fields": ["id", "text", "author"]},
            shown_as=tuple(SHOWN_AS.values()),
        ),
    ),
    *THEMES,
    Endpoint(
        "/gateway/v1/stats",
        show_stats,
        Shape(query=StatsQuery, answers={200: Stats}, asked={"by": ["day", "category"], "since": "30d"}),
    ),
    Endpoint(
        "/gateway/v1/outcomes",
        list_outcomes,
        Shape(query=OutcomesQuery, answers={200: page_of(Count)}, asked={"by": ["source", "outcome"]}),
    ),
    *QUARANTINE,
    *ALERT_GROUPS,
    Endpoint(
        "/gateway/v1/preview/<source>",
        show_preview,
        Shape(query=PreviewQuery, answers={200: Preview}, example={"text": "The map is blank"}),
        "POST",
        "triage",
    ),
    Endpoint(
        "/gateway/v1/keys", keys.list_keys, Shape(query=PageQuery, answers={200: page_of(Key)}), scope="admin"
    ),
    Endpoint(
        "/gateway/v1/keys",
        keys.create_key,
        Shape(
            body=request_schemas.NewKey,
            answers={201: KeyMade},
            example={"name": "web shop", "scopes": ["ingest"]},
        ),
        "POST",
        "admin",
    ),
    Endpoint("/gateway/v1/keys/<key_id>/revoke", keys.revoke_key, Shape(answers={200: Key}), "POST", "admin"),
    Endpoint(
        "/gateway/v1/keys/<key_id>/rotate",
        keys.rotate_key,
        Shape(
            body=request_schemas.Rotation,
            optional=True,
            answers={201: KeyRotated},
            example={"overlap_hours": 1},
        ),
        "POST",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/hooks",
        hooks.list_hooks,
        Shape(query=PageQuery, answers={200: page_of(Hook)}),
        scope="admin",
    ),
    Endpoint(
        "/gateway/v1/hooks",
        hooks.create_hook,
        Shape(
            body=request_schemas.NewHook,
            answers={201: HookMade},
            example={"source": "alertmanager", "name": "prometheus"},
        ),
        "POST",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/hooks/<hook_id>/rotate",
        hooks.rotate_hook,
        Shape(body=request_schemas.NewSecret, optional=True, answers={200: HookMade}, example={}),
        "POST",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/hooks/<hook_id>",
        hooks.change_hook,
        Shape(
            body=request_schemas.HookChange,
            answers={200: Hook},
            example={"options": {"signature_header": None}},
        ),
        "PATCH",
        "admin",
    ),
    Endpoint("/gateway/v1/hooks/<hook_id>", hooks.delete_hook, Shape(answers={204: None}), "DELETE", "admin"),
    *PROJECTS,
    *LEARNING,
    *TOPICS,
    *DESTINATIONS,
    *CHANGES,
    *MERGES,
    *REPLIES,
    *VIEWS,
    *ATTACHMENTS,
    Endpoint("/gateway/v1/model", model.show_model, Shape(answers={200: TriageModel})),
    Endpoint(
        "/gateway/v1/model/train", model.train_model, Shape(answers={202: TriageModel}), "POST", "admin"
    ),
    Endpoint(
        "/gateway/v1/model/use",
        model.choose_model,
        Shape(body=Choice, answers={200: TriageModel}, refusals=(404,), example={"version": "shipped"}),
        "POST",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/authors/summary",
        show_author,
        Shape(
            query=AuthorQuery,
            answers={200: AuthorSummary},
            refusals=(404,),
            asked={"author": "anna@example.org"},
        ),
    ),
    Endpoint(
        "/gateway/v1/authors/erase",
        authors.erase_author,
        Shape(
            body=Erasure,
            answers={200: Receipt},
            example={"email": "anna@example.org", "dry_run": True},
        ),
        "POST",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/authors/export",
        authors.export_author,
        Shape(body=Who, answers={200: Held}, example={"email": "anna@example.org"}),
        "POST",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/audit",
        audit_log.list_audit,
        Shape(query=PageQuery, answers={200: page_of(Act)}),
        scope="admin",
    ),
    *FLORA,
)
