"""The inbox: pages where people see, triage and understand what came in.

Every page works without JavaScript; inbox.js adds the keyboard, live arrival and copying. Pages ask the
API within the process (api_calls.py), so that they show what it shows and allow what its scopes allow.
"""

from __future__ import annotations

from gateway.inbox import (  # noqa: F401  # each adds its pages
    account,
    alerts,
    assigning,
    attachments,
    authors,
    bulk,
    callbacks,
    commands,
    delivery_log,
    destinations,
    digest,
    downloads,
    feedback_detail,
    feedback_list,
    forgotten,
    hooks,
    learning,
    members,
    merging,
    model,
    oidc_sign_in,
    overview,
    projects,
    replies,
    runs,
    settings,
    sign_in,
    themes,
    topics,
    unsubscribe,
    views,
)
from gateway.inbox.api_calls import reader
from gateway.inbox.pages import mount, owns, told

__all__ = ["mount", "owns", "reader", "told"]
