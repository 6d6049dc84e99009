"""GitHub: CI runs, issues and discussions, by repository webhook. Wire format: docs/dialects/github.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from adapters import signatures
from adapters.contract import Adapter, Author, Door, Fault, Inbound, Record, Signed, State, invalid, tolerant
from adapters.payload import Payload, Text, type_name
from adapters.times import milliseconds

BROKEN = ("failure", "timed_out", "startup_failure", "action_required")  # any other but success is ignored
HIGH, MEDIUM, INFO = 4, 3, 1
# What labels such as "P1", "severity: high" or "low priority" say.
SEVERITY = {
    **{"critical": 5, "fatal": 5, "blocker": 5, "p0": 5, "p1": 5},
    **{"high": 4, "error": 4, "p2": 4},
    **{"medium": 3, "warning": 3, "p3": 3},
    **{"low": 2, "p4": 2},
    **{"info": 1, "p5": 1},
}
_LABEL = re.compile(
    r"(?:(?P<prefix>severity|priority|sev|prio)[\s:/_-]*)?(?P<word>[a-z]+\d?|\d)(?:[\s_-]+(?:severity|priority))?"
)
# The state an action leads to; the thing itself came with `opened`, the others restate it or take it back.
ISSUE_STATES: dict[str, State] = {"opened": "triggered", "reopened": "triggered", "closed": "resolved"}
RESTATED = ("edited", "labeled")
GONE = ("deleted", "transferred")
TITLE = 200  # characters

Json = dict[str, Any]


class Event(Payload):
    """What every event that is read has; its other parts are looked for where they are needed."""

    action = Text(required=True)


def read(inbound: Inbound) -> list[Record]:
    event = inbound.headers.get("x-github-event", "")
    if not event:
        raise invalid(Fault("X-GitHub-Event", "Required"))
    if event not in EVENTS:
        return []
    sent = _json(inbound)
    action = Event.check(sent)["action"]
    if _text(_object(sent, "sender"), "type") == "Bot" and inbound.options.get("bots") is not True:
        return []
    return EVENTS[event](sent, action)


def read_run(sent: Json, action: str) -> list[Record]:
    if action != "completed":
        return []
    run, repository = _part(sent, "workflow_run"), _part(sent, "repository")
    workflow, conclusion = _object(sent, "workflow"), _text(run, "conclusion")
    if conclusion not in (*BROKEN, "success"):
        return []
    repo_id, run_id = _id(repository, "repository", "id"), _id(run, "workflow_run", "id")
    attempt = _text(run, "run_attempt") or "1"
    branch, sha = _text(run, "head_branch"), _text(run, "head_sha")
    path = _text(workflow, "path") or _text(run, "path")
    name = _text(workflow, "name") or _text(run, "name") or path or "workflow"
    repo, broken = _text(repository, "full_name"), conclusion != "success"
    heading, message = _text(run, "display_title"), _text(_object(run, "head_commit"), "message")
    words = (
        "" if message.startswith(heading) else heading,
        message,
        f"Conclusion: {conclusion} (attempt {attempt})",
    )
    main = branch and branch == _text(repository, "default_branch") and conclusion != "action_required"
    return [
        Record(
            title=_line(f"{repo}: {name} {'failed' if broken else 'succeeded'} on {branch}"),
            text=_clean("\n".join(filter(None, words))),
            type="ci",
            kind="workflow_run",
            severity=(HIGH if main else MEDIUM) if broken else None,
            subject=_present(
                url=_text(run, "html_url"),
                environment="ci",
                repository=repo,
                workflow=name,
                branch=branch,
                sha=sha,
                run_id=run_id,
                attempt=attempt,
                conclusion=conclusion,
            ),
            author=_author(_object(run, "triggering_actor") or _object(run, "actor")),
            tags=_tags(repo=repo, branch=branch, event=_text(run, "event"), workflow=path, sha=sha),
            external_id=run_id,
            occurred_at=_time(run, "updated_at"),
            dedupe_key=f"run:{run_id}:{attempt}:{conclusion}",
            incident_key=f"{repo_id}:{_id(run, 'workflow_run', 'workflow_id')}:{branch}",
            state="triggered" if broken else "resolved",
        )
    ]


def read_issue(sent: Json, action: str) -> list[Record]:
    """An issue's life. The key `issue:<id>` is the issue itself: edits find it, deletions take it back."""
    if action not in (*ISSUE_STATES, *RESTATED, *GONE):
        return []
    issue = _part(sent, "issue")
    itself = f"issue:{_id(issue, 'issue', 'id')}"
    record = replace(_thread(sent, "issue"), kind="issues", dedupe_key=itself)
    if action == "opened":
        return [replace(record, state="triggered")]
    later = replace(record, occurred_at=_time(issue, "updated_at"))
    if action in GONE:
        return [replace(later, state="note", retracts=True)]
    if action in RESTATED:
        # What is known of the issue in newer words: it was opened when it was, unless it is closed by now.
        closed = _text(issue, "state") == "closed"
        known = replace(later, state="resolved") if closed else replace(record, state="triggered")
        return [replace(known, replaceable=True)]
    key = f"{itself}:{action}:{_text(issue, 'updated_at')}"
    return [replace(later, dedupe_key=key, state=ISSUE_STATES[action])]


def read_discussion(sent: Json, action: str) -> list[Record]:
    if action not in ("created", "answered"):
        return []
    discussion, answer = _part(sent, "discussion"), _object(sent, "answer")
    itself = f"discussion:{_id(discussion, 'discussion', 'id')}"
    record = replace(_thread(sent, "discussion"), kind="discussion", dedupe_key=itself)
    if action == "created":
        return [replace(record, state="triggered")]
    return [
        replace(
            record,
            subject={**record.subject, **_present(answer_url=_text(answer, "html_url"))},
            occurred_at=_time(discussion, "updated_at"),
            dedupe_key=f"{itself}:answered:{_text(discussion, 'updated_at')}",
            state="resolved",
        )
    ]


def read_comment(sent: Json, action: str) -> list[Record]:
    """A comment under an issue or a discussion; one under a pull request is none."""
    name = "issue" if "issue" in sent else "discussion"
    if action != "created" or _object(sent, name).get("pull_request"):
        return []
    thread, comment = _thread(sent, name), _part(sent, "comment")
    comment_id = _id(comment, "comment", "id")
    return [
        Record(
            title=_line(f"Re: {thread.title}"),
            text=_clean(_text(comment, "body")),
            kind=f"{name}_comment",
            severity=INFO,
            subject={**thread.subject, **_present(url=_text(comment, "html_url"))},
            author=_author(_object(comment, "user")),
            tags=_tags(repo=_text(_object(sent, "repository"), "full_name")),
            external_id=comment_id,
            occurred_at=_time(comment, "created_at"),
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
    repository, sent = _object(sent, "repository"), _part(sent, name)
    listed = sent["labels"] if isinstance(sent.get("labels"), list) else []
    labels = [_text(label, "name") for label in listed if isinstance(label, dict)]
    labels.append(_text(_object(sent, "category"), "name"))
    title, body = _line(_text(sent, "title")), _clean(_text(sent, "body"))
    if not title and not body:
        raise invalid(Fault(f"{name}.title", "Required"))
    return Record(
        title=title,
        text=body,
        severity=max((_severity(label) for label in labels), default=0) or None,
        subject=_present(
            url=_text(sent, "html_url"),
            repository=_text(repository, "full_name"),
            number=_text(sent, "number"),
            state_reason=_text(sent, "state_reason"),
        ),
        author=_author(_object(sent, "user")),
        tags=tuple(dict.fromkeys(filter(None, labels))),
        external_id=_text(sent, "id") or None,
        occurred_at=_time(sent, "created_at"),
        incident_key=_id(sent, name, "node_id"),
    )


def _json(inbound: Inbound) -> Any:
    """The payload: the body, or its field `payload` when the hook is set to form encoding."""
    if not inbound.body.startswith(b"payload="):
        return inbound.json
    fields = parse_qs(inbound.body.decode("utf-8", "replace"))
    return replace(inbound, body=fields.get("payload", [""])[0].encode()).json


def _part(sent: Json, name: str) -> Json:
    """A part that the event is nothing without. Raises Refused (400) when it is missing."""
    if not isinstance(sent.get(name), dict):
        raise invalid(Fault(name, f"Expected object, received {type_name(sent.get(name))}"))
    return _object(sent, name)


def _object(sent: Json, name: str) -> Json:
    value = sent.get(name)
    return value if isinstance(value, dict) else {}


def _text(sent: Json, name: str) -> str:
    """A text, or a whole number as text; "" for anything else."""
    value = sent.get(name)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _id(sent: Json, path: str, name: str) -> str:
    """What a key is made of. Raises Refused (400) when it is missing."""
    value = _text(sent, name)
    if not value:
        raise invalid(Fault(f"{path}.{name}", "Required"))
    return value


def _time(sent: Json, name: str) -> int | None:
    try:
        return milliseconds(_text(sent, name))
    except (ValueError, OverflowError):
        return None


def _author(user: Json) -> Author:
    login = _text(user, "login") or None
    return Author(id=_text(user, "id") or login, name=login)


def _severity(label: str) -> int:
    """What a label says of severity; 0 for nothing."""
    match = _LABEL.fullmatch(label.strip().lower())
    if match is None:
        return 0
    word = match["word"]
    return SEVERITY.get(f"p{word}" if word.isdigit() and match["prefix"] else word, 0)


def _present(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _tags(**values: str) -> tuple[str, ...]:
    return tuple(f"{name}:{value}" for name, value in values.items() if value)


def _line(text: str) -> str:
    return " ".join(text.split())[:TITLE]


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


ADAPTER = Adapter(
    name="github",
    doors=(Door("/hooks/github/<hook_id>", tolerant(read), signatures.accepted()),),
    refuse=signatures.refuse,
    owns=("/hooks/github",),
    signed=Signed(
        verify=signatures.hex_header("x-hub-signature-256", prefix="sha256="),
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
