"""Which drawing of `static/icons.svg` stands for what."""

from __future__ import annotations

from markupsafe import Markup

from gateway.inbox import static_files

# The drawing of each source; another one, of an import or a new adapter, has the plug.
SOURCES = {
    "native": "speech",
    "flora": "leaf",
    "orq": "orbit",
    "fluister": "whisper",
    "sentry": "bug",
    "datadog": "bars",
    "newrelic": "bars",
    "slack": "hash",
    "mattermost": "hash",
    "zulip": "hash",
    "discord": "headset",
    "intercom": "headset",
    "github": "branch",
    "bitbucket": "branch",
    "gitlab": "merge",
    "azure_devops": "merge",
    "alertmanager": "bell",
    "opsgenie": "bell",
    "grafana": "curve",
    "pagerduty": "pager",
    "jira": "ticket",
    "linear": "list",
    "teams": "people",
    "zendesk": "buoy",
    "statuspage": "pulse",
    "uptime_kuma": "pulse",
    "watchdog": "pulse",
    "sns": "cloud",
    "email": "letter",
}
OTHER = "plug"


def icon(name: str) -> Markup:
    """A drawing, for eyes only: what it means is said in words beside it."""
    address = f"{static_files.address('icons.svg')}#{name}"
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>').format(address)


def source_icon(source: str, *, words: bool = False) -> Markup:
    """The drawing of a source and its name, which is for ears and the pointer unless `words` are wanted."""
    drawing = icon(SOURCES.get(source, OTHER))
    if words:
        return Markup('<span class="source">{} {}</span>').format(drawing, source)
    named = Markup('<span class="source" title="{0}">{1}<span class="sr">{0}</span></span>')
    return named.format(source, drawing)
