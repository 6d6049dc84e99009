"""What Sentry's webhooks and its SDKs write alike in an event: levels, users, feedback, tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.common.tags import tags_of
from adapters.common.untrusted_json import first_scalar
from adapters.contract.record import Author

MOST_TAGS, TAG_LENGTH = 100, 200


def author_of(user: Mapping[str, Any]) -> Author:
    """The user that an event names."""
    return Author.of(
        first_scalar(user, "id"), first_scalar(user, "username", "name"), first_scalar(user, "email")
    )


def sender_of(feedback: Mapping[str, Any], user: Author) -> Author:
    """Who wrote a feedback: what they said of themselves comes before what the event says of its user."""
    name, email = first_scalar(feedback, "name"), first_scalar(feedback, "contact_email")
    return Author(user.id, name or user.name, email or user.email)


def event_tags(pairs: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    """An event's tags: programs set as many, and as long ones, as they like."""
    return tags_of(pairs, longest=TAG_LENGTH, most=MOST_TAGS)
