"""linear: issues and comments, by webhooks of a workspace. docs/dialects/linear.md.

Wire facts: linear.app/developers/webhooks. Linear-Signature is the hex HMAC-SHA256 of the body; a failed
delivery is sent again after a minute, an hour and six, so its `webhookTimestamp` is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.common.markup import plain
from adapters.common.plain_text import cut_line
from adapters.common.severities import stated
from adapters.common.signatures import delivery, hex_header, hook_adapter
from adapters.common.tags import tags_of
from adapters.common.times import moment_of, stamp
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    needed,
    needed_object,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Inbound, Signed
from adapters.contract.description import signature
from adapters.contract.record import Author, Record, State

PRIORITIES = {1: 5, 2: 4, 3: 3, 4: 2}  # urgent, high, medium, low; 0 is none
CLOSED = ("completed", "canceled", "duplicate")  # types of states
WORDS = {"title", "description", "priority", "labelIds"}

ADVICE = """\
In Linear, Settings > API, create a webhook:

URL: {url}
Data change events: Issues, Comments

Linear then shows its signing secret. Give it to this hook, unless you already have:

feedback-gateway hook rotate {hook_id} --secret THE_SIGNING_SECRET"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    kind = needed(first_text(sent, "type"), "type")
    action = needed(first_text(sent, "action"), "action")
    if kind not in ("Issue", "Comment") or action not in ("create", "update", "remove"):
        return []
    data = needed_object(sent, "data")
    needed(first_scalar(data, "id"), "data.id")
    return (_issue if kind == "Issue" else _comment)(sent, data, action)


def _issue(sent: dict[str, Any], issue: dict[str, Any], action: str) -> list[Record]:
    key, title = first_scalar(issue, "id"), first_text(issue, "title")
    number, state = first_text(issue, "identifier"), object_of(issue, "state")
    record = Record(
        title=cut_line(title or number or "Issue"),
        text=plain(first_text(issue, "description")) or title or number or "Issue",
        kind=f"issue.{action}",
        **_severity(issue),
        subject=present(
            {
                "url": first_url(sent, "url") or first_url(issue, "url"),
                "team": first_text(object_of(issue, "team"), "key"),
                "number": number,
                "priority": first_text(issue, "priorityLabel"),
                "issue_state": first_text(state, "name"),
            }
        ),
        author=_author(
            object_of(issue, "creator") or (object_of(sent, "actor") if action == "create" else {})
        ),
        tags=tags_of(("label", first_text(label, "name")) for label in objects_of(issue, "labels")),
        external_id=number or key,
        occurred_at=moment_of(first_text(issue, "createdAt")),
        dedupe_key=f"issue:{key}",
        incident_key=key,
        state="triggered",
        revised_at=moment_of(first_text(issue, "updatedAt")),
        whole=bool(title),
    )
    if action == "create":
        return [record]
    later = replace(record, occurred_at=record.revised_at or record.occurred_at)
    if action == "remove":
        return [replace(later, state="note", retracts=True)]
    changed, closed = object_of(sent, "updatedFrom"), first_text(state, "type") in CLOSED
    if "trashed" in changed and issue.get("trashed") is True:
        return [replace(later, state="note", retracts=True)]
    if {"stateId", "trashed"} & set(changed):
        moved = f"issue:{key}:{first_text(state, 'id', 'name')}:{stamp(first_text(issue, 'updatedAt'))}"
        return [replace(later, dedupe_key=moved, state="resolved" if closed else "triggered", counts=False)]
    if WORDS & set(changed):
        return [replace(record, state="resolved" if closed else "triggered", replaceable=True)]
    return []


def _comment(sent: dict[str, Any], comment: dict[str, Any], action: str) -> list[Record]:
    """A comment under an issue; those under documents and projects have none."""
    issue, words = object_of(comment, "issue"), plain(first_text(comment, "body"))
    about = first_scalar(comment, "issueId") or first_scalar(issue, "id")
    if not about:
        return []
    record = Record(
        title=cut_line(f"Re: {first_text(issue, 'title', 'identifier') or about}"),
        text=words,
        kind="comment",
        subject=present(
            {
                "url": first_url(sent, "url") or first_url(comment, "url"),
                "number": first_text(issue, "identifier"),
            }
        ),
        author=_author(object_of(comment, "user") or object_of(sent, "actor")),
        external_id=first_scalar(comment, "id"),
        occurred_at=moment_of(first_text(comment, "createdAt")),
        dedupe_key=f"comment:{first_scalar(comment, 'id')}",
        incident_key=about,
        state="note",
        stands=_stands(object_of(issue, "state")),
    )
    if action == "remove":
        return [Record(text="", comment=record.dedupe_key, retracts=True)]
    edited = moment_of(first_text(comment, "editedAt", "updatedAt")) if action == "update" else None
    record = replace(record, replaceable=action == "update", revised_at=edited, comment=record.dedupe_key)
    return [record] if words else []


def _stands(state: Mapping[str, Any]) -> State | None:
    """The state that an issue is in, None when a comment does not say."""
    word = first_text(state, "type")
    return None if not word else "resolved" if word in CLOSED else "triggered"


def _severity(issue: Mapping[str, Any]) -> dict[str, Any]:
    number = issue.get("priority")
    if isinstance(number, int | float):
        return {"severity": PRIORITIES.get(int(number))}
    return stated(first_text(issue, "priorityLabel"))


def _author(user: Mapping[str, Any]) -> Author:
    return Author.of(first_scalar(user, "id"), first_text(user, "name"), first_text(user, "email"))


ADAPTER = hook_adapter(
    "linear",
    "Linear",
    read,
    shape=delivery(
        "Take a webhook of Linear.",
        {
            "type": "Issue",
            "action": "create",
            "data": {"id": "0b1c", "identifier": "SHOP-7", "title": "Basket answers slowly"},
        },
    ),
    signed=Signed(
        verify=hex_header("linear-signature"), advice=ADVICE, proofs=(signature("Linear-Signature"),)
    ),
)
