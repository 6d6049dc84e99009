"""jira: issues and comments, by webhooks that an administrator makes. docs/dialects/jira.md.

Wire facts: developer.atlassian.com/cloud/jira/platform/webhooks ("Secure admin webhooks": WebSub's
X-Hub-Signature, method=signature, under the webhook's secret).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from adapters.common.plain_text import cut_line
from adapters.common.severities import severity_of
from adapters.common.signatures import delivery, hex_header, hook_adapter
from adapters.common.tags import tags_of
from adapters.common.times import moment_of, moment_or_seconds
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    list_of,
    needed,
    needed_object,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Inbound, Signed
from adapters.contract.description import signature
from adapters.contract.record import Author, Record

KINDS = {
    "bug": "bug",
    "defect": "bug",
    "new feature": "feature",
    "improvement": "feature",
    "suggestion": "feature",
}
MOVES = {"status", "resolution"}  # fields of a change that close or reopen an issue
WORDS = {"summary", "description", "priority", "labels", "issuetype", "security"}

ADVICE = """\
In Jira, System > WebHooks, create a webhook:

URL: {url}
Secret: {secret}
Events: Issue created, updated, deleted; Comment created, updated, deleted"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    event = needed(first_text(sent, "webhookEvent"), "webhookEvent")
    kind = event.removeprefix("jira:")
    if kind in ("issue_created", "issue_updated", "issue_deleted"):
        return _issue(sent, kind)
    if kind in ("comment_created", "comment_updated", "comment_deleted"):
        return _comment(sent, kind)
    return []


def _issue(sent: dict[str, Any], kind: str) -> list[Record]:
    record = _thread(sent, needed_object(sent, "issue"))
    record = replace(record, kind=kind, dedupe_key=f"issue:{record.incident_key}")
    if kind == "issue_created":
        return [replace(record, state="triggered")]
    later = replace(record, occurred_at=_sent_at(sent) or record.occurred_at)
    if kind == "issue_deleted":
        return [replace(later, state="note", retracts=True)]
    changed = {first_text(item, "field") for item in objects_of(sent, "changelog", "items")}
    closed = _is_done(object_of(sent, "issue", "fields"))
    if changed & MOVES:
        key = f"{record.dedupe_key}:{first_scalar(sent, 'timestamp')}"
        return [replace(later, dedupe_key=key, state="resolved" if closed else "triggered")]
    if changed & WORDS:  # what is known of the issue in newer words
        known = replace(later, state="resolved") if closed else replace(record, state="triggered")
        return [replace(known, replaceable=True)]
    return []


def _comment(sent: dict[str, Any], kind: str) -> list[Record]:
    issue, comment = _thread(sent, needed_object(sent, "issue")), needed_object(sent, "comment")
    number = needed(first_scalar(comment, "id"), "comment.id")
    words = _plain(comment.get("body"))
    restricted = object_of(comment, "visibility") or comment.get("jsdPublic") is False
    record = Record(
        title=cut_line(f"Re: {issue.title}"),
        text=words,
        kind="comment",
        subject=issue.subject,
        author=_author(object_of(comment, "author")),
        tags=(*issue.tags, "visibility:private") if restricted else issue.tags,
        external_id=number,
        occurred_at=moment_of(first_text(comment, "created")),
        dedupe_key=f"comment:{issue.incident_key}:{number}",
        incident_key=issue.incident_key,
        state="note",
    )
    if kind == "comment_deleted":
        return [replace(record, retracts=True)]
    return [replace(record, replaceable=kind == "comment_updated")] if words else []


def _thread(sent: dict[str, Any], issue: dict[str, Any]) -> Record:
    """An issue as it stands. Its numbers are those of one site, whose address is in `self`."""
    number = needed(first_scalar(issue, "id"), "issue.id")
    name, fields = first_text(issue, "key"), object_of(issue, "fields")
    site = _site(first_text(issue, "self"))
    title, kind = first_text(fields, "summary"), first_text(object_of(fields, "issuetype"), "name")
    priority, security = (first_text(object_of(fields, part), "name") for part in ("priority", "security"))
    category: Any = KINDS.get(kind.lower())
    return Record(
        title=cut_line(title or name or f"Issue {number}"),
        text=_plain(fields.get("description")) or title or name or f"Issue {number}",
        category=category,
        severity=severity_of(priority),
        subject=present(
            {
                "url": f"{site}/browse/{name}" if site and name else "",
                "project": first_text(object_of(fields, "project"), "key"),
                "number": name,
                "priority": priority,
                "resolution": first_text(object_of(fields, "resolution"), "name"),
                "environment": _plain(fields.get("environment"))[:200],
            }
        ),
        author=_author(object_of(fields, "reporter") or object_of(sent, "user")),
        tags=tags_of(
            [
                ("issue_type", kind),
                *(("label", label) for label in list_of(fields, "labels")),
                ("security", security),
            ]
        ),
        external_id=number,
        occurred_at=moment_of(first_text(fields, "created")) or _sent_at(sent),
        incident_key=f"{urlsplit(site).netloc}:{number}" if site else number,
    )


def _site(address: str) -> str:
    """The address of a site, of one within it such as https://site/rest/api/2/10002."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    before = parts.path.partition("/rest/")[0]
    return f"{parts.scheme}://{parts.netloc}{before}" if parts.scheme in ("http", "https") else ""


def _is_done(fields: Mapping[str, Any]) -> bool:
    """Whether an issue is closed: by its status, else by a resolution."""
    done = object_of(fields, "status", "statusCategory").get("key")
    return done == "done" if isinstance(done, str) else bool(object_of(fields, "resolution"))


def _sent_at(sent: Mapping[str, Any]) -> int | None:
    time = sent.get("timestamp")
    return moment_or_seconds(time / 1000) if type(time) is int and time < 10**15 else None


def _plain(value: Any) -> str:
    """A field's words: a text, or the texts in a document of Atlassian's (ADF), a line a paragraph."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    return "".join(_texts(value)).strip()


def _texts(node: Any) -> list[str]:
    if not isinstance(node, dict):
        return []
    own = first_text(node, "text") and str(node["text"])
    if node.get("type") in ("hardBreak", "mention", "emoji", "inlineCard"):
        attributes = object_of(node, "attrs")
        own = "\n" if node["type"] == "hardBreak" else first_text(attributes, "text", "url", "shortName")
    parts = [own or "", *(text for child in list_of(node, "content") for text in _texts(child))]
    return [*parts, "\n"] if node.get("type") in ("paragraph", "heading", "codeBlock") else parts


def _author(user: Mapping[str, Any]) -> Author:
    return Author.of(
        first_scalar(user, "accountId", "key", "name"),
        first_text(user, "displayName"),
        first_text(user, "emailAddress"),
    )


ADAPTER = hook_adapter(
    "jira",
    "Jira",
    read,
    shape=delivery(
        "Take a webhook of Jira.",
        {
            "timestamp": 1778140800000,
            "webhookEvent": "jira:issue_created",
            "issue": {
                "id": "10002",
                "key": "SHOP-7",
                "self": "https://shop.atlassian.net/rest/api/2/10002",
                "fields": {"summary": "Basket answers slowly"},
            },
        },
    ),
    signed=Signed(
        verify=hex_header("x-hub-signature", prefix="sha256="),
        advice=ADVICE,
        proofs=(signature("X-Hub-Signature"),),
    ),
)
