"""GitHub: CI runs, issues and discussions, by repository webhook. Wire format: docs/dialects/github.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from adapters.common import signatures
from adapters.common.hook_options import access_token, flag
from adapters.common.markup import plain
from adapters.common.plain_text import cut_line, sentence
from adapters.common.schemas import Payload, Text
from adapters.common.severities import severity_of_labels
from adapters.common.tags import marked, tags
from adapters.common.times import moment_of, stamp
from adapters.common.untrusted_json import (
    first_url,
    json_in,
    needed,
    needed_object,
    needed_scalar,
    object_of,
    objects_of,
    present,
    scalar_of,
)
from adapters.contract import Fault, Hook, Inbound, Signed, invalid
from adapters.contract.description import signature
from adapters.contract.record import Author, Record, State

BROKEN = ("failure", "timed_out", "startup_failure", "action_required")  # any other but success is ignored
HIGH, MEDIUM = 4, 3
# In labels such as "low priority", from where the blanks begin: tried at each, they take the time squared.
AFTER = re.compile(r"(?<![\s_-])[\s_-]++(?:severity|priority)\Z")
# The state an action leads to; the thing itself came with the first, the others restate it or take it back.
ISSUE_STATES: dict[str, State] = {"opened": "triggered", "reopened": "triggered", "closed": "resolved"}
DISCUSSION_STATES: dict[str, State] = {
    "created": "triggered",
    "reopened": "triggered",
    "unanswered": "triggered",
    "answered": "resolved",
    "closed": "resolved",
}
# The last two are Gitea's.
RESTATED = ("edited", "labeled", "unlabeled", "category_changed", "label_updated", "label_cleared")
GONE = ("deleted", "transferred")
HIDDEN = ("private", "internal")  # a repository's visibilities other than public

Json = dict[str, Any]


class Event(Payload):
    """What every event that is read has; its other parts are looked for where they are needed."""

    action = Text(required=True)


def read(inbound: Inbound) -> list[Record]:
    headers = inbound.headers
    event = needed(headers.get("x-github-event") or headers.get("x-gitea-event", ""), "X-GitHub-Event")
    if event not in EVENTS:
        return []
    sent = _json(inbound)
    action = Event.check(sent)["action"]
    if scalar_of(sent, "sender", "type") == "Bot" and inbound.options.get("bots") is not True:
        return []
    records, server = EVENTS[event](sent, action), _server(inbound, sent)
    if server:
        records = [_of_server(record, server) for record in records]
    return marked(records, _visibility(object_of(sent, "repository")))


def read_run(sent: Json, action: str) -> list[Record]:
    if action != "completed":
        return []
    run, repository = needed_object(sent, "workflow_run"), needed_object(sent, "repository")
    workflow, conclusion = object_of(sent, "workflow"), scalar_of(run, "conclusion")
    if conclusion not in (*BROKEN, "success"):
        return []
    repo_id, run_id = needed_scalar(sent, "repository", "id"), needed_scalar(sent, "workflow_run", "id")
    attempt = scalar_of(run, "run_attempt") or "1"
    branch, sha = scalar_of(run, "head_branch"), scalar_of(run, "head_sha")
    path = scalar_of(workflow, "path") or scalar_of(run, "path")
    name = scalar_of(workflow, "name") or scalar_of(run, "name") or path or "workflow"
    repo, broken = scalar_of(repository, "full_name"), conclusion != "success"
    heading, message = scalar_of(run, "display_title"), scalar_of(run, "head_commit", "message")
    words = (
        "" if message.startswith(heading) else heading,
        message,
        f"Conclusion: {conclusion} (attempt {attempt})",
    )
    # A fork's branch is not the repository's own of the same name; a fork that was deleted is null.
    head = scalar_of(run, "head_repository", "full_name")
    gone = "head_repository" in run and run["head_repository"] is None
    foreign = head.lower() != repo.lower() if head else gone
    owned = f"{head.partition('/')[0]}:{branch}" if foreign and head and branch else branch
    main = branch and not foreign and branch == scalar_of(repository, "default_branch")
    return [
        Record(
            title=cut_line(sentence(repo, f"{name} {'failed' if broken else 'succeeded'}", owned)),
            text=_clean("\n".join(filter(None, words))),
            type="ci",
            kind="workflow_run",
            severity=(HIGH if main and conclusion != "action_required" else MEDIUM) if broken else None,
            subject=present(
                {
                    "url": first_url(run, "html_url"),
                    "environment": "ci",
                    "repository": repo,
                    "workflow": name,
                    "branch": branch,
                    "head_repository": head if foreign else "",
                    "sha": sha,
                    "run_id": run_id,
                    "attempt": attempt,
                    "conclusion": conclusion,
                }
            ),
            author=_author(object_of(run, "triggering_actor") or object_of(run, "actor")),
            tags=tags(repo=repo, branch=owned, event=scalar_of(run, "event"), workflow=path, sha=sha),
            external_id=run_id,
            occurred_at=moment_of(scalar_of(run, "updated_at")),
            dedupe_key=f"run:{run_id}:{attempt}:{conclusion}",
            incident_key=":".join(
                (
                    repo_id,
                    needed_scalar(sent, "workflow_run", "workflow_id"),
                    *((head,) if foreign else ()),
                    branch,
                )
            ),
            state="triggered" if broken else "resolved",
            quiet=not broken,  # a branch that was never broken is no story
        )
    ]


def read_issue(sent: Json, action: str) -> list[Record]:
    return _told(sent, "issue", action, ISSUE_STATES, kind="issues")


def read_discussion(sent: Json, action: str) -> list[Record]:
    return _told(sent, "discussion", action, DISCUSSION_STATES, kind="discussion")


def _told(sent: Json, name: str, action: str, states: dict[str, State], kind: str) -> list[Record]:
    """One moment in the life of an issue or a discussion, all of which every delivery tells.

    The key `issue:<id>` is the thing itself: it came with the first action, and edits find it.
    Actions: GitHub's "Webhook events and payloads", issues and discussion.
    """
    if action not in (*states, *RESTATED, *GONE):
        return []
    thread = needed_object(sent, name)
    itself, updated = f"{name}:{needed_scalar(sent, name, 'id')}", scalar_of(thread, "updated_at")
    revised = moment_of(updated)
    record = replace(_thread(sent, name), kind=kind, dedupe_key=itself, revised_at=revised, whole=True)
    if action in GONE:
        return [replace(record, occurred_at=revised, state="note", retracts=True)]
    if action in RESTATED:
        return [replace(record, state=_stands(thread, name) or "note", replaceable=True)]
    if action == next(iter(states)):
        return [replace(record, state="triggered")]
    closed = action == "unanswered" and scalar_of(thread, "state") == "closed"
    state = "resolved" if closed else states[action]
    key = f"{itself}:{action}:{stamp(updated)}"
    return [replace(record, occurred_at=revised, dedupe_key=key, state=state)]


def _stands(thread: Json, name: str) -> State | None:
    """The state that an issue or a discussion is in, None when it does not say.

    An answered discussion stays "open" and names its answer.
    """
    state = scalar_of(thread, "state")
    if state == "closed" or scalar_of(thread, "answer_html_url"):
        return "resolved"
    told = name == "issue" or "answer_html_url" in thread
    return "triggered" if state == "open" and told else None


def read_comment(sent: Json, action: str) -> list[Record]:
    """A comment under an issue or a discussion; one under a pull request is none."""
    name = "issue" if "issue" in sent else "discussion"
    if action not in ("created", "edited", "deleted") or object_of(sent, name).get("pull_request"):
        return []
    comment, comment_id = needed_object(sent, "comment"), needed_scalar(sent, "comment", "id")
    itself = f"{name}_comment:{comment_id}"
    if action == "deleted":
        return [Record(text="", comment=itself, retracts=True)]
    thread, edited = _thread(sent, name), action == "edited"
    return [
        Record(
            title=cut_line(f"Re: {thread.title or scalar_of(thread.subject, 'number')}"),
            text=plain(scalar_of(comment, "body"), _site(comment)),
            kind=f"{name}_comment",
            subject={**thread.subject, **present({"url": first_url(comment, "html_url")})},
            author=_author(object_of(comment, "user")),
            tags=thread.tags,
            external_id=comment_id,
            occurred_at=moment_of(scalar_of(comment, "created_at")),
            dedupe_key=f"{itself}:created",
            comment=itself,
            replaceable=edited,
            revised_at=moment_of(scalar_of(comment, "updated_at")) if edited else None,
            incident_key=thread.incident_key,
            state="note",
            stands=_stands(object_of(sent, name), name),
        )
    ]


EVENTS: dict[str, Callable[[Json, str], list[Record]]] = {
    "workflow_run": read_run,
    "issues": read_issue,
    "issue_comment": read_comment,
    "discussion": read_discussion,
    "discussion_comment": read_comment,
}


def _thread(sent: Json, name: str) -> Record:
    """The issue or discussion of an event as it stands."""
    thread = needed_object(sent, name)
    labels = [scalar_of(label, "name") for label in objects_of(thread, "labels")]
    labels.append(scalar_of(thread, "category", "name"))
    title, body = cut_line(scalar_of(thread, "title")), plain(scalar_of(thread, "body"), _site(thread))
    if not title and not body:
        raise invalid(Fault(f"{name}.title", "Required"))
    return Record(
        title=title,
        text=body,
        severity=severity_of_labels(map(_bare, labels)),
        subject=present(
            {
                "url": first_url(thread, "html_url"),
                "repository": scalar_of(sent, "repository", "full_name"),
                "number": scalar_of(thread, "number"),
                "state_reason": scalar_of(thread, "state_reason"),
                "answer_url": first_url(object_of(sent, "answer"), "html_url")
                or first_url(thread, "answer_html_url"),
            }
        ),
        author=_author(object_of(thread, "user")),
        tags=tuple(dict.fromkeys(filter(None, labels))),
        external_id=scalar_of(thread, "id") or None,
        occurred_at=moment_of(scalar_of(thread, "created_at")),
        incident_key=scalar_of(thread, "node_id") or f"{name}:{needed_scalar(sent, name, 'id')}",
    )


def verify(inbound: Inbound, hook: Hook) -> bool:
    """GitHub's signature, which Gitea and Forgejo send too; older ones of theirs have no prefix."""
    if "x-hub-signature-256" in inbound.headers:
        return signatures.hex_header("x-hub-signature-256", prefix="sha256=")(inbound, hook)
    return signatures.hex_header("x-forgejo-signature", "x-gitea-signature")(inbound, hook)


def _server(inbound: Inbound, sent: Json) -> str:
    """The host of a server of Gitea or Forgejo; "" at GitHub, where every thread has a node_id.

    Their runs of workflows have a header only that tells them from GitHub's.

    Wire facts: go-gitea/gitea, services/webhook/deliver.go and modules/structs/issue.go.
    """
    thread = object_of(sent, "issue") or object_of(sent, "discussion")
    if scalar_of(thread, "node_id") or not (thread or "x-gitea-event" in inbound.headers):
        return ""
    address = scalar_of(thread, "html_url") or scalar_of(sent, "repository", "html_url")
    found = re.match(r"https?://([^/\s]+)", address)
    return found[1].lower() if found else "elsewhere"


def _of_server(record: Record, server: str) -> Record:
    """A record with keys of its own server: ids of Gitea begin at 1 on each."""

    def of_server(key: str | None) -> str | None:
        return f"{server}:{key}" if key else None

    return replace(
        record,
        dedupe_key=of_server(record.dedupe_key),
        incident_key=of_server(record.incident_key),
        votes_for=of_server(record.votes_for),
        comment=of_server(record.comment),
    )


def _json(inbound: Inbound) -> Any:
    """The payload: the body, or its field `payload` when the hook is set to form encoding."""
    if not inbound.body.startswith(b"payload="):
        return inbound.json
    fields = parse_qs(inbound.body.decode("utf-8", "replace"))
    return json_in(inbound, fields.get("payload", [""])[0])


def _visibility(repository: Json) -> str:
    """Who may see a repository, when that is not everybody; older payloads say only `private`."""
    named = scalar_of(repository, "visibility")
    return named if named in HIDDEN else "private" if repository.get("private") is True else ""


def _author(user: Json) -> Author:
    login = scalar_of(user, "login") or None
    return Author(id=scalar_of(user, "id") or login, name=login)


def _bare(label: str) -> str:
    return AFTER.sub("", label.strip().lower())


def _site(thing: Json) -> str:
    """What addresses without a host are relative to."""
    found = re.match(r"https?://[^/\s]+", scalar_of(thing, "html_url"))
    return found[0] if found else ""


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


ADAPTER = signatures.hook_adapter(
    "github",
    "GitHub",
    read,
    shape=signatures.delivery("Take a webhook of GitHub.", {"zen": "Design for failure.", "hook_id": 1}),
    signed=Signed(
        verify=verify,
        proofs=(signature("X-Hub-Signature-256"),),
        options={"bots": flag, "token": access_token},
        sealed=("token",),
        advice=(
            "In the repository or organisation: Settings, Webhooks, Add webhook.\n"
            "Payload URL: {url}\n"
            "Content type: application/json\n"
            "Secret: {secret}\n"
            "Let me select individual events: Workflow runs, Issues, Issue comments, Discussions, "
            "Discussion comments; nothing else is used, and Pushes may be unticked."
        ),
    ),
)
