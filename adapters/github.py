"""GitHub: CI runs, issues and discussions, by repository webhook. Wire format: docs/dialects/github.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from adapters import signatures
from adapters.contract import Adapter, Door, Fault, Hook, Inbound, Signed, invalid, tolerant
from adapters.foreign import json_in, needed_object, needed_scalar, object_of, objects_of, present, scalar_of
from adapters.markup import plain
from adapters.options import flag
from adapters.payload import Payload, Text
from adapters.record import Author, Record, State
from adapters.severities import severity_of_labels
from adapters.shapes import signature
from adapters.tags import tags
from adapters.text import cut_line, sentence
from adapters.times import moment_of

BROKEN = ("failure", "timed_out", "startup_failure", "action_required")  # any other but success is ignored
HIGH, MEDIUM, INFO = 4, 3, 1
# In labels such as "low priority", from where the blanks begin: tried at each, they take the time squared.
AFTER = re.compile(r"(?<![\s_-])[\s_-]++(?:severity|priority)\Z")
# The state an action leads to; the thing itself came with `opened`, the others restate it or take it back.
ISSUE_STATES: dict[str, State] = {"opened": "triggered", "reopened": "triggered", "closed": "resolved"}
RESTATED = ("edited", "labeled", "label_updated", "label_cleared")  # the last two are Gitea's
GONE = ("deleted", "transferred")

Json = dict[str, Any]


class Event(Payload):
    """What every event that is read has; its other parts are looked for where they are needed."""

    action = Text(required=True)


def read(inbound: Inbound) -> list[Record]:
    event = inbound.headers.get("x-github-event") or inbound.headers.get("x-gitea-event", "")
    if not event:
        raise invalid(Fault("X-GitHub-Event", "Required"))
    if event not in EVENTS:
        return []
    sent = _json(inbound)
    action = Event.check(sent)["action"]
    if scalar_of(sent, "sender", "type") == "Bot" and inbound.options.get("bots") is not True:
        return []
    records, server = EVENTS[event](sent, action), _server(sent)
    return [_of_server(record, server) for record in records] if server else records


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
    main = branch and branch == scalar_of(repository, "default_branch") and conclusion != "action_required"
    return [
        Record(
            title=cut_line(sentence(repo, f"{name} {'failed' if broken else 'succeeded'}", branch)),
            text=_clean("\n".join(filter(None, words))),
            type="ci",
            kind="workflow_run",
            severity=(HIGH if main else MEDIUM) if broken else None,
            subject=present(
                {
                    "url": scalar_of(run, "html_url"),
                    "environment": "ci",
                    "repository": repo,
                    "workflow": name,
                    "branch": branch,
                    "sha": sha,
                    "run_id": run_id,
                    "attempt": attempt,
                    "conclusion": conclusion,
                }
            ),
            author=_author(object_of(run, "triggering_actor") or object_of(run, "actor")),
            tags=tags(repo=repo, branch=branch, event=scalar_of(run, "event"), workflow=path, sha=sha),
            external_id=run_id,
            occurred_at=moment_of(scalar_of(run, "updated_at")),
            dedupe_key=f"run:{run_id}:{attempt}:{conclusion}",
            incident_key=f"{repo_id}:{needed_scalar(sent, 'workflow_run', 'workflow_id')}:{branch}",
            state="triggered" if broken else "resolved",
        )
    ]


def read_issue(sent: Json, action: str) -> list[Record]:
    """An issue's life. The key `issue:<id>` is the issue itself: edits find it, deletions take it back."""
    if action not in (*ISSUE_STATES, *RESTATED, *GONE):
        return []
    issue = needed_object(sent, "issue")
    itself = f"issue:{needed_scalar(sent, 'issue', 'id')}"
    record = replace(_thread(sent, "issue"), kind="issues", dedupe_key=itself)
    if action == "opened":
        return [replace(record, state="triggered")]
    later = replace(record, occurred_at=moment_of(scalar_of(issue, "updated_at")))
    if action in GONE:
        return [replace(later, state="note", retracts=True)]
    if action in RESTATED:
        # What is known of the issue in newer words: it was opened when it was, unless it is closed by now.
        closed = scalar_of(issue, "state") == "closed"
        known = replace(later, state="resolved") if closed else replace(record, state="triggered")
        return [replace(known, replaceable=True)]
    key = f"{itself}:{action}:{scalar_of(issue, 'updated_at')}"
    return [replace(later, dedupe_key=key, state=ISSUE_STATES[action])]


def read_discussion(sent: Json, action: str) -> list[Record]:
    if action not in ("created", "answered"):
        return []
    discussion, answer = needed_object(sent, "discussion"), object_of(sent, "answer")
    itself = f"discussion:{needed_scalar(sent, 'discussion', 'id')}"
    record = replace(_thread(sent, "discussion"), kind="discussion", dedupe_key=itself)
    if action == "created":
        return [replace(record, state="triggered")]
    return [
        replace(
            record,
            subject={**record.subject, **present({"answer_url": scalar_of(answer, "html_url")})},
            occurred_at=moment_of(scalar_of(discussion, "updated_at")),
            dedupe_key=f"{itself}:answered:{scalar_of(discussion, 'updated_at')}",
            state="resolved",
        )
    ]


def read_comment(sent: Json, action: str) -> list[Record]:
    """A comment under an issue or a discussion; one under a pull request is none."""
    name = "issue" if "issue" in sent else "discussion"
    if action != "created" or object_of(sent, name).get("pull_request"):
        return []
    thread, comment = _thread(sent, name), needed_object(sent, "comment")
    comment_id = needed_scalar(sent, "comment", "id")
    return [
        Record(
            title=cut_line(f"Re: {thread.title or scalar_of(thread.subject, 'number')}"),
            text=plain(scalar_of(comment, "body"), _site(comment)),
            kind=f"{name}_comment",
            severity=INFO,
            subject={**thread.subject, **present({"url": scalar_of(comment, "html_url")})},
            author=_author(object_of(comment, "user")),
            tags=tags(repo=scalar_of(sent, "repository", "full_name")),
            external_id=comment_id,
            occurred_at=moment_of(scalar_of(comment, "created_at")),
            dedupe_key=f"{name}_comment:{comment_id}:created",
            incident_key=thread.incident_key,
            state="note",
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
                "url": scalar_of(thread, "html_url"),
                "repository": scalar_of(sent, "repository", "full_name"),
                "number": scalar_of(thread, "number"),
                "state_reason": scalar_of(thread, "state_reason"),
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


def _server(sent: Json) -> str:
    """The host of a server of Gitea or Forgejo; "" at GitHub, where every thread has a node_id.

    Wire facts: go-gitea/gitea, services/webhook/deliver.go and modules/structs/issue.go.
    """
    thread = object_of(sent, "issue") or object_of(sent, "discussion")
    if not thread or scalar_of(thread, "node_id"):
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
    )


def _json(inbound: Inbound) -> Any:
    """The payload: the body, or its field `payload` when the hook is set to form encoding."""
    if not inbound.body.startswith(b"payload="):
        return inbound.json
    fields = parse_qs(inbound.body.decode("utf-8", "replace"))
    return json_in(inbound, fields.get("payload", [""])[0])


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


ADAPTER = Adapter(
    name="github",
    title="GitHub",
    error=signatures.Refusal,
    doors=(
        Door(
            "/hooks/github/<hook_id>",
            tolerant(read),
            signatures.accepted(),
            shape=signatures.delivery(
                "Take a webhook of GitHub.", {"zen": "Design for failure.", "hook_id": 1}
            ),
        ),
    ),
    refuse=signatures.refuse,
    owns=("/hooks/github",),
    signed=Signed(
        verify=verify,
        proofs=(signature("X-Hub-Signature-256"),),
        options={"bots": flag},
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
