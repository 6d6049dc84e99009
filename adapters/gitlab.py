"""GitLab: pipelines, jobs, issues and notes, by project webhook. Wire format: docs/dialects/gitlab.md."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters import signatures
from adapters.contract import (
    Adapter,
    Author,
    Door,
    Fault,
    Hook,
    Inbound,
    Record,
    Signed,
    State,
    invalid,
    tolerant,
)
from adapters.payload import Payload, type_name
from adapters.times import milliseconds

STATES: dict[str, State] = {"failed": "triggered", "success": "resolved"}  # of pipelines and jobs
WORDS = {"failed": "failed", "success": "succeeded"}
ACTIONS: dict[str, State] = {"open": "triggered", "reopen": "triggered", "close": "resolved"}  # of issues
ISSUE_NOTES = ("Issue", "WorkItem")
RAN = ("running", "success", "failed")  # states of a build that has touched its environment
HIGH, MEDIUM, INFO = 4, 3, 1
# What labels such as "P1", "severity::2" or "priority: high" say.
PREFIX = re.compile(r"^(severity|priority|sev|prio)[\s:/_-]*")
SEVERITY = {
    **dict.fromkeys(("critical", "fatal", "blocker", "p0", "p1"), 5),
    **dict.fromkeys(("high", "error", "p2"), 4),
    **dict.fromkeys(("medium", "warning", "p3"), 3),
    **{"low": 2, "p4": 2, "info": 1, "p5": 1},
}
HIDDEN = "[REDACTED]"  # stands where an email would
SIGNING = "whsec_"  # how a signing token begins
TOLERANCE = 300_000  # milliseconds between a signature's time and ours
TITLE = 200  # characters

Json = dict[str, Any]


def read(inbound: Inbound) -> list[Record]:
    sent = inbound.json
    Payload.check(sent)
    if "object_kind" not in sent and _text(sent, "event_name"):
        return []  # a system hook
    kind = _id(sent, "", "object_kind")
    return KINDS[kind](sent) if kind in KINDS else []


def read_pipeline(sent: Json) -> list[Record]:
    pipeline, project = _part(sent, "object_attributes"), _part(sent, "project")
    status, ref = _text(pipeline, "status"), _text(pipeline, "ref")
    if status not in STATES:
        return []
    project_id, pipeline_id = _id(project, "project", "id"), _id(pipeline, "object_attributes", "id")
    path, finished = _path(project), _text(pipeline, "finished_at")
    builds = _objects(sent, "builds")
    failed = [b for b in builds if _text(b, "status") == "failed" and b.get("allow_failure") is not True]
    lines = [
        f"{_text(b, 'name')} ({_text(b, 'stage')}): {_text(b, 'failure_reason') or 'failed'}" for b in failed
    ]
    deployed = (
        _text(_object(b, "environment"), "name") for b in [*failed, *builds] if _text(b, "status") in RAN
    )
    merge_request = _text(_object(sent, "merge_request"), "iid")
    record = Record(
        title=f"{path}: pipeline {WORDS[status]} on {ref}",
        text="\n".join(lines if status == "failed" else ()),
        kind="pipeline",
        subject=_present(
            url=_text(pipeline, "url") or _page(project, "pipelines", pipeline_id),
            environment=next(filter(None, deployed), ""),
            pipeline_id=pipeline_id,
            merge_request=merge_request,
        ),
        tags=_tags(source=_text(pipeline, "source")),
        external_id=pipeline_id,
        occurred_at=_time(pipeline, "finished_at", "created_at"),
        # With the time, since jobs that are retried let the same pipeline fail anew.
        dedupe_key=f"pipeline:{project_id}:{pipeline_id}:{status}:{finished}",
        incident_key=f"{project_id}:mr:{merge_request}" if merge_request else f"{project_id}:ref:{ref}",
    )
    return [_run(sent, record, status, path, ref, _text(pipeline, "sha"))]


def read_job(sent: Json) -> list[Record]:
    status, ref = _text(sent, "build_status"), _text(sent, "ref")
    if status not in STATES or (status == "failed" and sent.get("build_allow_failure") is True):
        return []
    project = {"web_url": _text(_object(sent, "repository"), "homepage"), **_object(sent, "project")}
    project_id = _text(sent, "project_id") or _id(project, "project", "id")
    build_id, name = _id(sent, "", "build_id"), _id(sent, "", "build_name")
    runner = _object(sent, "runner").get("tags")
    record = Record(
        title=f"{name} ({_text(sent, 'build_stage')}) {WORDS[status]}",
        text=_text(sent, "build_failure_reason") if status == "failed" else "",
        kind="job",
        subject=_present(
            url=_page(project, "jobs", build_id),
            environment=_text(_object(sent, "environment"), "name"),
            job_id=build_id,
            pipeline_id=_text(sent, "pipeline_id") or _text(_object(sent, "commit"), "id"),  # not a commit's
        ),
        tags=tuple(
            tag for tag in (runner if isinstance(runner, list) else ()) if isinstance(tag, str) and tag
        ),
        external_id=build_id,
        occurred_at=_time(sent, "build_finished_at_iso", "build_finished_at"),
        dedupe_key=f"job:{build_id}:{status}",
        incident_key=f"{project_id}:job:{ref}:{name}",
    )
    path = _path(project) or _text(sent, "project_name")
    return [_run(sent, record, status, path, ref, _text(sent, "sha"))]


def _run(sent: Json, record: Record, status: str, path: str, ref: str, sha: str) -> Record:
    """What pipelines and jobs have in common."""
    main = ref and ref == _text(_object(sent, "project"), "default_branch")
    return replace(
        record,
        title=_line(record.title),
        text=f"{record.text}\n{_text(_object(sent, 'commit'), 'message')}".strip(),
        type="ci",
        severity=(HIGH if main else MEDIUM) if status == "failed" else None,
        subject={**record.subject, **_present(project=path, ref=ref, sha=sha)},
        author=_author(sent),
        tags=(*_tags(project=path, ref=ref, sha=sha), *record.tags),
        state=STATES[status],
    )


def read_issue(sent: Json) -> list[Record]:
    """An issue's life. The key `issue:<id>` is the issue itself: it came with `open`, and updates find it."""
    issue = _part(sent, "object_attributes")
    action = _text(issue, "action") or "update"  # GitLab's test button names none
    if action not in (*ACTIONS, "update"):
        return []
    itself = f"issue:{_id(issue, 'object_attributes', 'id')}"
    record = replace(_issue(sent, issue, "object_attributes"), dedupe_key=itself)
    if action == "open":
        return [replace(record, state="triggered")]
    if action == "update":
        closed = _text(issue, "state") == "closed"
        return [replace(record, state="resolved" if closed else "triggered", replaceable=True)]
    key = f"{itself}:{action}:{_text(issue, 'updated_at')}"
    return [replace(record, dedupe_key=key, state=ACTIONS[action])]


def read_note(sent: Json) -> list[Record]:
    """A comment on an issue; those on merge requests, commits and snippets, and GitLab's own, are none."""
    note = _part(sent, "object_attributes")
    action = _text(note, "action") or "create"  # older GitLab names none, and tells of new ones only
    if _text(note, "noteable_type") not in ISSUE_NOTES or note.get("system") is True or action != "create":
        return []
    name = "issue" if "issue" in sent else "work_item"
    issue, note_id = _issue(sent, _part(sent, name), name), _id(note, "object_attributes", "id")
    return [
        replace(
            issue,
            title=_line(f"Re: {issue.title}"),
            text=_text(note, "note").strip(),
            severity=INFO,
            kind="note",
            subject={**issue.subject, **_present(url=_text(note, "url"))},
            external_id=note_id,
            occurred_at=_time(note, "created_at"),
            dedupe_key=f"note:{note_id}:create",
            state="note",
        )
    ]


KINDS: dict[str, Callable[[Json], list[Record]]] = {
    "pipeline": read_pipeline,
    "build": read_job,
    "issue": read_issue,
    "work_item": read_issue,
    "note": read_note,
}


def verify(inbound: Inbound, hook: Hook) -> bool:
    """A signature where there is one, else the secret token; a bad signature is not saved by a good token."""
    if "webhook-signature" in inbound.headers:
        return any(_signed(inbound, _key(secret)) for secret in hook.secrets)
    token = inbound.headers.get("x-gitlab-token", "")
    return any(signatures.same(token, s) for s in hook.secrets if s and not s.startswith(SIGNING))


def _key(secret: str) -> bytes:
    """The key of a signing token, empty when the secret is none."""
    try:
        return (
            base64.b64decode(secret.removeprefix(SIGNING), validate=True)
            if secret.startswith(SIGNING)
            else b""
        )
    except ValueError:
        return b""


def _signed(inbound: Inbound, key: bytes) -> bool:
    """Standard Webhooks: `v1,` and the base64 HMAC-SHA256 of `{id}.{timestamp}.{body}`, among several."""
    message, stamp = inbound.headers.get("webhook-id", ""), inbound.headers.get("webhook-timestamp", "")
    late = not re.fullmatch(r"[0-9]{1,11}", stamp) or abs(inbound.received_at - int(stamp) * 1000) > TOLERANCE
    if not message or late or not key:
        return False
    signed = f"{message}.{stamp}.".encode() + inbound.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(signatures.same(entry, expected) for entry in inbound.headers["webhook-signature"].split(" "))


def _issue(sent: Json, issue: Json, name: str) -> Record:
    """An issue as it stands; `name` is where it was in the payload."""
    project = _object(sent, "project")
    project_id = _text(project, "id") or _id(issue, name, "project_id")
    labels = [_text(label, "title") for label in _objects(sent, "labels") or _objects(issue, "labels")]
    title, body = _line(_text(issue, "title")), _text(issue, "description").strip()
    if not title and not body:
        raise invalid(Fault(f"{name}.title", "Required"))
    return Record(
        title=title,
        text=body,
        kind="issue",
        severity=max((_severity(label) for label in labels), default=0) or None,
        subject=_present(url=_text(issue, "url"), project=_path(project), number=_text(issue, "iid")),
        author=_author(sent),
        tags=tuple(dict.fromkeys(filter(None, labels))),
        external_id=_text(issue, "id") or None,
        occurred_at=_time(issue, "updated_at", "created_at"),
        incident_key=f"{project_id}:issue:{_id(issue, name, 'iid')}",
    )


def _path(project: Json) -> str:
    return _text(project, "path_with_namespace") or _text(project, "name")


def _page(project: Json, what: str, number: str) -> str:
    return f"{_text(project, 'web_url')}/-/{what}/{number}" if _text(project, "web_url") else ""


def _author(sent: Json) -> Author:
    user = _object(sent, "user")
    name, email = _text(user, "username") or _text(user, "name"), _text(user, "email")
    return Author(_text(user, "id") or None, name or None, email if email not in ("", HIDDEN) else None)


def _part(sent: Json, name: str) -> Json:
    """A part that the event is nothing without. Raises Refused (400) when it is missing."""
    if not isinstance(sent.get(name), dict):
        raise invalid(Fault(name, f"Expected object, received {type_name(sent.get(name))}"))
    return _object(sent, name)


def _object(sent: Json, name: str) -> Json:
    value = sent.get(name)
    return value if isinstance(value, dict) else {}


def _objects(sent: Json, name: str) -> list[Json]:
    value = sent.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(sent: Json, name: str) -> str:
    """A text, or a whole number as text; "" for anything else."""
    value = sent.get(name)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _id(sent: Json, path: str, name: str) -> str:
    """What a key is made of. Raises Refused (400) when it is missing."""
    value = _text(sent, name)
    if not value:
        raise invalid(Fault(f"{path}.{name}".lstrip("."), "Required"))
    return value


def _time(sent: Json, *names: str) -> int | None:
    """The first of these times that is one, as "2016-08-12 15:26:29 UTC", "... +0200" or ISO 8601."""
    for name in names:
        written = re.sub(r" (?=[+-]\d\d:?\d\d$)", "", _text(sent, name).replace(" UTC", "+00:00"))
        try:
            return milliseconds(written)
        except (ValueError, OverflowError):
            continue
    return None


def _severity(label: str) -> int:
    """What a label says of severity; 0 for nothing."""
    word, scoped = PREFIX.subn("", label.strip().lower())
    return SEVERITY.get(f"p{word}" if scoped and word.isdigit() else word, 0)


def _present(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _tags(**values: str) -> tuple[str, ...]:
    return tuple(f"{name}:{value}" for name, value in values.items() if value)


def _line(text: str) -> str:
    return " ".join(text.split())[:TITLE]


ADAPTER = Adapter(
    name="gitlab",
    doors=(Door("/hooks/gitlab/<hook_id>", tolerant(read), signatures.accepted()),),
    refuse=signatures.refuse,
    owns=("/hooks/gitlab",),
    signed=Signed(
        verify=verify,
        advice=(
            "In the project or group: Settings, Webhooks, Add new webhook.\n"
            "URL: {url}\n"
            "Secret token: {secret}\n"
            "GitLab 19 and newer can sign, which is better: let GitLab make a signing token (whsec_...),\n"
            "give it to this hook as its secret, and leave the secret token empty.\n"
            "Trigger: Pipeline events, Issues events, Comments; Job events where pipelines are too coarse."
        ),
    ),
)
