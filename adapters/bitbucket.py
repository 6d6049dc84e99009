"""bitbucket: pipelines (as build statuses of commits) and issues of Bitbucket Cloud.

What becomes what: docs/dialects/bitbucket.md.

Wire facts: support.atlassian.com/bitbucket-cloud/docs/event-payloads and .../docs/manage-webhooks:
X-Hub-Signature is `sha256=` and the hex HMAC of the body under the webhook's secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.common.json_spans import with_parts
from adapters.common.markup import plain
from adapters.common.plain_text import cut_line
from adapters.common.severities import stated
from adapters.common.signatures import delivery, hex_header, hook_adapter
from adapters.common.tags import PRIVATE, marked, tags_of
from adapters.common.times import moment_of, stamp
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    needed,
    needed_object,
    object_of,
    present,
)
from adapters.contract import Inbound, Signed
from adapters.contract.description import signature
from adapters.contract.record import Author, Record, State

BUILDS: dict[str, State] = {
    "FAILED": "triggered",
    "SUCCESSFUL": "resolved",
}  # INPROGRESS and STOPPED are ignored
HIGH, MEDIUM = 4, 3
CLOSED = ("resolved", "closed", "invalid", "duplicate", "wontfix")
CATEGORIES: dict[str, Any] = {"bug": "bug", "enhancement": "feature", "proposal": "feature"}
STATUSES = ("repo:commit_status_created", "repo:commit_status_updated")
ISSUES = ("issue:created", "issue:updated", "issue:comment_created")

ADVICE = """\
In the repository, Repository settings > Webhooks, add a webhook:

URL: {url}
Secret: {secret}
Triggers: Build status created and updated; Issue created, updated and comment created"""


def read(inbound: Inbound) -> list[Record]:
    event = needed(inbound.headers.get("x-event-key", ""), "X-Event-Key")
    if event not in (*STATUSES, *ISSUES):
        return []
    sent = body_of(inbound)
    records = _status(sent, event) if event in STATUSES else _issue(inbound, sent, event)
    return marked(records, _visibility(object_of(sent, "repository")))


def _status(sent: dict[str, Any], event: str) -> list[Record]:
    """A build's status; one build has one key for each commit, its story is the branch."""
    status, repository = needed_object(sent, "commit_status"), needed_object(sent, "repository")
    state = BUILDS.get(first_text(status, "state").upper())
    if state is None:
        return []
    repo = needed(first_text(repository, "full_name"), "repository.full_name")
    key = needed(first_text(status, "key"), "commit_status.key")
    name, branch = first_text(status, "name") or key, first_text(status, "refname")
    commit = object_of(status, "commit")
    sha, message = first_text(commit, "hash"), first_text(commit, "message")
    main = first_text(object_of(repository, "mainbranch"), "name")
    broken = state == "triggered"
    updated = first_text(status, "updated_on")
    said = (message, first_text(status, "description"))
    # A pipeline's name ends with the number of its run, and so does its key.
    pipeline = first_text(status, "type") if not key else key.rstrip("0123456789").rstrip("-_#") or key
    return [
        Record(
            title=cut_line(
                f"{repo}: {name} {'failed' if broken else 'succeeded'}" + (f" on {branch}" if branch else "")
            ),
            text="\n".join(filter(None, said)) or f"{name}: {status['state']}",
            type="ci",
            kind=event,
            severity=(HIGH if branch and branch == main else MEDIUM) if broken else None,
            subject=present(
                {
                    "url": first_url(status, "url"),
                    "environment": "ci",
                    "repository": repo,
                    "workflow": name,
                    "branch": branch,
                    "sha": sha,
                    "conclusion": first_text(status, "state").lower(),
                }
            ),
            author=_author(object_of(commit, "author", "user") or object_of(sent, "actor")),
            tags=tags_of([("repo", repo), ("branch", branch)]),
            external_id=first_scalar(status, "uuid") or key,
            occurred_at=moment_of(updated or first_text(status, "created_on")),
            dedupe_key=f"status:{repo}:{sha}:{key}:{first_text(status, 'state')}:{stamp(updated)}",
            incident_key=f"{_repo_key(repository)}:{pipeline}:{branch}",
            state=state,
            quiet=not broken,  # a branch that was never broken is no story
        )
    ]


def _issue(inbound: Inbound, sent: dict[str, Any], event: str) -> list[Record]:
    issue, repository = needed_object(sent, "issue"), needed_object(sent, "repository")
    number, title = needed(first_scalar(issue, "id"), "issue.id"), first_text(issue, "title")
    story, repo = f"{_repo_key(repository)}:issue:{number}", first_text(repository, "full_name")
    word, kind = first_text(issue, "state").lower(), first_text(issue, "kind")
    closed = word in CLOSED
    record = Record(
        title=cut_line(title or f"Issue {number}"),
        text=plain(first_text(object_of(issue, "content"), "raw")) or title or f"Issue {number}",
        kind=event,
        category=CATEGORIES.get(kind),
        **stated(first_text(issue, "priority")),
        subject=present(
            {
                "url": first_url(object_of(issue, "links", "html"), "href"),
                "repository": repo,
                "number": number,
                "priority": first_text(issue, "priority"),
                "issue_state": word,
            }
        ),
        author=_author(object_of(issue, "reporter")),
        tags=tags_of([("repo", repo), ("kind", kind)]),
        external_id=number,
        occurred_at=moment_of(first_text(issue, "created_on")),
        dedupe_key=story,
        incident_key=story,
        state="triggered",
        revised_at=moment_of(first_text(issue, "updated_on")),
        whole="content" in issue,
    )
    if event == "issue:created":
        return [record]
    state: State = "resolved" if closed else "triggered"
    commented = replace(record, stands=state if word else None)
    if event == "issue:comment_created":
        return _comment(commented, needed_object(sent, "comment"))
    said = _comment(commented, object_of(sent, "comment"))  # what a change was explained with
    updated = first_text(issue, "updated_on")
    later = replace(record, occurred_at=record.revised_at or record.occurred_at)
    changes = object_of(sent, "changes")
    if "status" in changes or "state" in changes:
        key = f"{story}:{word}:{stamp(updated)}"
        told = replace(later, dedupe_key=key, state=state, counts=False)
    else:
        told = replace(record, state=state, replaceable=True)
    return with_parts(inbound, [(told, issue), *((one, sent["comment"]) for one in said)])


def _comment(issue: Record, comment: dict[str, Any]) -> list[Record]:
    words, number = plain(first_text(object_of(comment, "content"), "raw")), first_scalar(comment, "id")
    if not words or not number:
        return []
    url = first_url(object_of(comment, "links", "html"), "href")
    return [
        replace(
            issue,
            title=cut_line(f"Re: {issue.title}"),
            text=words,
            category=None,
            severity=None,
            severity_word=None,
            subject={**issue.subject, **present({"url": url})},
            author=_author(object_of(comment, "user")),
            external_id=number,
            occurred_at=moment_of(first_text(comment, "created_on")),
            dedupe_key=f"{issue.incident_key}:comment:{number}",
            state="note",
            revised_at=None,
            whole=False,
        )
    ]


def _repo_key(repository: Mapping[str, Any]) -> str:
    return first_text(repository, "uuid", "full_name")


def _visibility(repository: Mapping[str, Any]) -> str:
    return PRIVATE if repository.get("is_private") is True else ""


def _author(user: Mapping[str, Any]) -> Author:
    return Author.of(first_text(user, "account_id", "uuid"), first_text(user, "display_name", "nickname"))


ADAPTER = hook_adapter(
    "bitbucket",
    "Bitbucket",
    read,
    shape=delivery("Take a webhook of Bitbucket Cloud.", {"repository": {"full_name": "shop/basket"}}),
    signed=Signed(
        verify=hex_header("x-hub-signature", prefix="sha256="),
        advice=ADVICE,
        proofs=(signature("X-Hub-Signature"),),
    ),
)
