"""What programs ask: records, their history, the ledger. All of it within the caller's workspace."""

from __future__ import annotations

from gateway.api.admin import audit_log, authors, hooks, keys, model, projects, quarantine
from gateway.api.endpoint import Endpoint
from gateway.api.export import export_feedback
from gateway.api.feedback_bulk import change_many, delete_feedback, delete_many
from gateway.api.feedback_change import change_feedback
from gateway.api.feedback_detail import list_events, list_similar, show_feedback
from gateway.api.feedback_list import list_feedback
from gateway.api.outcomes import list_outcomes
from gateway.api.preview import show_preview
from gateway.api.stats import show_stats
from gateway.api.themes import list_themes

ENDPOINTS = (
    Endpoint("/gateway/v1/feedback", list_feedback),
    Endpoint("/gateway/v1/feedback/<feedback_id>", show_feedback),
    Endpoint("/gateway/v1/feedback/<feedback_id>", change_feedback, method="PATCH", scope="triage"),
    Endpoint("/gateway/v1/feedback/<feedback_id>", delete_feedback, "DELETE", "admin"),
    Endpoint("/gateway/v1/feedback", change_many, "PATCH", "triage"),
    Endpoint("/gateway/v1/feedback", delete_many, "DELETE", "admin"),
    Endpoint("/gateway/v1/feedback/<feedback_id>/events", list_events),
    Endpoint("/gateway/v1/feedback/<feedback_id>/similar", list_similar),
    Endpoint("/gateway/v1/export", export_feedback),
    Endpoint("/gateway/v1/themes", list_themes),
    Endpoint("/gateway/v1/stats", show_stats),
    Endpoint("/gateway/v1/outcomes", list_outcomes),
    Endpoint("/gateway/v1/quarantine", quarantine.list_quarantine),
    Endpoint("/gateway/v1/quarantine/<quarantine_id>", quarantine.show_held),
    Endpoint("/gateway/v1/quarantine/<quarantine_id>/replay", quarantine.replay_held, "POST", "triage"),
    Endpoint("/gateway/v1/preview/<source>", show_preview, "POST", "triage"),
    Endpoint("/gateway/v1/keys", keys.list_keys, scope="admin"),
    Endpoint("/gateway/v1/keys", keys.create_key, "POST", "admin"),
    Endpoint("/gateway/v1/keys/<key_id>/revoke", keys.revoke_key, "POST", "admin"),
    Endpoint("/gateway/v1/keys/<key_id>/rotate", keys.rotate_key, "POST", "admin"),
    Endpoint("/gateway/v1/hooks", hooks.list_hooks, scope="admin"),
    Endpoint("/gateway/v1/hooks", hooks.create_hook, "POST", "admin"),
    Endpoint("/gateway/v1/hooks/<hook_id>/rotate", hooks.rotate_hook, "POST", "admin"),
    Endpoint("/gateway/v1/hooks/<hook_id>", hooks.change_hook, "PATCH", "admin"),
    Endpoint("/gateway/v1/hooks/<hook_id>", hooks.delete_hook, "DELETE", "admin"),
    Endpoint("/gateway/v1/projects", projects.list_all),
    Endpoint("/gateway/v1/projects", projects.create_project, "POST", "admin"),
    Endpoint("/gateway/v1/projects/<project_id>", projects.show_project),
    Endpoint("/gateway/v1/projects/<project_id>", projects.change_project, "PATCH", "admin"),
    Endpoint("/gateway/v1/model", model.show_model),
    Endpoint("/gateway/v1/model/train", model.train_model, "POST", "admin"),
    Endpoint("/gateway/v1/model/use", model.choose_model, "POST", "admin"),
    Endpoint("/gateway/v1/authors/erase", authors.erase_author, "POST", "admin"),
    Endpoint("/gateway/v1/authors/export", authors.export_author, "POST", "admin"),
    Endpoint("/gateway/v1/audit", audit_log.list_audit, scope="admin"),
)
