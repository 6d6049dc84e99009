"""jira: issues and comments, by webhooks that an administrator makes. docs/dialects/jira.md.

Wire facts: developer.atlassian.com/cloud/jira/platform/webhooks ("Secure admin webhooks": WebSub's
X-Hub-Signature, method=signature, under the webhook's secret).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from adapters.common.jira_words import words_of
from adapters.common.json_spans import with_parts
from adapters.common.plain_text import cut_line
from adapters.common.severities import stated
from adapters.common.signatures import delivery, hex_header, hook_adapter
from adapters.common.tags import CONFIDENTIAL, PRIVATE, marked, tags_of
from adapters.common.times import moment_of, moment_of_milliseconds
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
from adapters.contract.record import Author, Record, State

KINDS = {
    "bug": "bug",
    "defect": "bug",
    "new feature": "feature",
    "improvement": "feature",
    "suggestion": "feature",
}
MOVES = {"status", "resolution"}  # fields of a change that close or reopen an issue
ISSUE_IN_ADDRESS = re.compile(r"/issue/(\d{1,20})/comment/", re.ASCII)
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
        told = [*((record, sent["issue"]) for record in _issue(sent, kind))]
        said = [*((record, sent["comment"]) for record in _comment_within(sent, kind))]
        return with_parts(inbound, [*told, *said])
    if kind in ("comment_created", "comment_updated", "comment_deleted"):
        return _comment(sent, kind)
    return []


def _issue(sent: dict[str, Any], kind: str) -> list[Record]:
    record = _thread(sent, needed_object(sent, "issue"))
    fields = object_of(sent, "issue", "fields")
    record = replace(
        record,
        kind=kind,
        dedupe_key=f"issue:{record.incident_key}",
        revised_at=_sent_at(sent) or moment_of(first_text(fields, "updated")),
        whole="description" in fields,  # what is empty is null there
    )
    return marked(_told(sent, record, kind), _secrecy(sent))


def _told(sent: dict[str, Any], record: Record, kind: str) -> list[Record]:
    if kind == "issue_created":
        return [replace(record, state="triggered")]
    later = replace(record, occurred_at=record.revised_at or record.occurred_at)
    if kind == "issue_deleted":
        return [replace(later, state="note", retracts=True)]
    changed = {first_text(item, "field") for item in objects_of(sent, "changelog", "items")}
    closed = _is_done(object_of(sent, "issue", "fields"))
    if changed & MOVES:
        key = f"{record.dedupe_key}:{first_scalar(sent, 'timestamp')}"
        return [replace(later, dedupe_key=key, state="resolved" if closed else "triggered", counts=False)]
    # What is known of the issue in newer words; without a changelog they may be any.
    if changed & WORDS or not ("changelog" in sent or "comment" in sent):
        return [replace(record, state="resolved" if closed else "triggered", replaceable=True)]
    return []


def _comment_within(sent: dict[str, Any], kind: str) -> list[Record]:
    """The comment that a change of an issue came with, as Jira Server tells of all of them."""
    name = first_text(sent, "issue_event_type_name").removeprefix("issue_")
    if kind != "issue_updated" or not isinstance(sent.get("comment"), dict):
        return []
    return _comment(sent, {"comment_edited": "comment_updated"}.get(name, name))


def _comment(sent: dict[str, Any], kind: str) -> list[Record]:
    """A comment; Jira Server names its issue within its address only."""
    comment = needed_object(sent, "comment")
    address = first_text(comment, "self")
    within = ISSUE_IN_ADDRESS.search(address)
    issue = (
        {"id": within[1], "self": address} if within and "issue" not in sent else needed_object(sent, "issue")
    )
    thread, number = _thread(sent, issue), needed(first_scalar(comment, "id"), "comment.id")
    words = words_of(comment.get("body"))
    restricted = object_of(comment, "visibility") or comment.get("jsdPublic") is False
    record = Record(
        title=cut_line(f"Re: {thread.title}"),
        text=words,
        kind="comment",
        subject=thread.subject,
        author=_author(object_of(comment, "author")),
        tags=thread.tags,
        external_id=number,
        occurred_at=moment_of(first_text(comment, "created")),
        dedupe_key=f"comment:{thread.incident_key}:{number}",
        incident_key=thread.incident_key,
        state="note",
        secrecy=PRIVATE if restricted else "",
    )
    if kind == "comment_deleted":
        return [Record(text="", comment=record.dedupe_key, retracts=True)]
    stands = _stands(object_of(issue, "fields"))
    record = replace(record, stands=stands, comment=record.dedupe_key)
    if kind == "comment_updated":
        record = replace(record, replaceable=True, revised_at=moment_of(first_text(comment, "updated")))
    return marked([record], _secrecy(sent)) if words else []


def _secrecy(sent: dict[str, Any]) -> str:
    """Whether only some may see an issue: those of its security level."""
    return CONFIDENTIAL if object_of(sent, "issue", "fields", "security") else ""


def _thread(sent: dict[str, Any], issue: dict[str, Any]) -> Record:
    """An issue as it stands. Its numbers are those of one site, whose address is in `self`."""
    # Automation rules that send a request of their own may name the key only.
    number = needed(first_scalar(issue, "id", "key"), "issue.id")
    name, fields = first_text(issue, "key"), object_of(issue, "fields")
    site = _site(first_text(issue, "self"))
    title, kind = first_text(fields, "summary"), first_text(object_of(fields, "issuetype"), "name")
    priority, security = (first_text(object_of(fields, part), "name") for part in ("priority", "security"))
    category: Any = KINDS.get(kind.lower())
    return Record(
        title=cut_line(title or name or f"Issue {number}"),
        text=words_of(fields.get("description")) or title or name or f"Issue {number}",
        category=category,
        **stated(priority),
        subject=present(
            {
                "url": f"{site}/browse/{name}" if site and name else "",
                "project": first_text(object_of(fields, "project"), "key"),
                "number": name,
                "priority": priority,
                "resolution": first_text(object_of(fields, "resolution"), "name"),
                "environment": words_of(fields.get("environment"))[:200],
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


def _stands(fields: Mapping[str, Any]) -> State | None:
    """The state that an issue is in, None when it does not say."""
    if not object_of(fields, "status", "statusCategory"):
        return None
    return "resolved" if _is_done(fields) else "triggered"


def _sent_at(sent: Mapping[str, Any]) -> int | None:
    return moment_of_milliseconds(sent.get("timestamp"))


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
        # Jira Server repeats an issue's comments in each of its deliveries; each is kept with its own.
        conceals_in_lists={"comments": ("body", "renderedBody", "text")},
    ),
)
