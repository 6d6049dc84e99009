"""What a record's subject calls things, as people say it; the API and senders have the names themselves."""

from __future__ import annotations

from gateway.inbox.i18n import _

# Names that our adapters give, with blanks where they have underscores. Those of senders stay as they are.
NAMES = (
    *("account", "account id", "alarm", "alert id", "alert status", "alert name", "alias"),
    *("android version", "answer url", "app id", "app version", "associated event id", "attachments"),
    *("attempt", "attempted tools", "branch", "build", "channel", "channel id", "command"),
    *("component status", "conclusion", "conversation id", "culprit", "custom id", "dashboard url"),
    *("details", "device model", "may be written to", "entities", "entity", "environment"),
    *("error type", "evaluation type", "event id", "event type", "explanation", "fingerprint", "form"),
    *("group key", "guild id", "head repository", "host", "hostname", "human review id", "image url"),
    *("impact", "incident id", "incident key", "incident number", "incident status", "incidents"),
    *("issue id", "issue state", "job id", "merge request", "message id", "metric", "metric alert id"),
    *("monitor", "monitor id", "monitor type", "namespace", "number", "organisation", "organization id"),
    *("page", "page id", "page status", "panel url", "pipeline", "pipeline id", "platform", "post id"),
    *("priority", "product", "project", "project id", "property", "query", "reaction", "realm"),
    *("receiver", "ref", "region", "release", "replay id", "reporter id", "reporter name", "repository"),
    *("request id", "resolution", "rule", "rule id", "rule uid", "run id", "runbook url", "scope"),
    *("score", "sent occurred at", "service", "session id", "sha", "short id", "silence url"),
    *("snapshot", "source", "state reason", "team", "team id", "teams", "tenant id", "thread ts"),
    *("ticket id", "topic", "trace id", "transition", "trigger", "truncated alerts", "ts", "urgency"),
    *("url", "value", "value string", "values", "view id", "visibility", "workflow", "workspace id"),
)
SPOKEN = {"alertname": "alert name", "email_followup_opted_in": "may be written to"}


def field_name(name: str) -> str:
    """A name of a subject in the reader's language; one that is a sender's own stays, with blanks."""
    spoken = SPOKEN.get(name, name.replace("_", " "))
    return _(spoken) if spoken in NAMES else spoken
