"""GitLab: pipelines, jobs, issues and notes, by project webhook. Wire format: docs/dialects/gitlab.md."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adapters import signatures
from adapters.contract import Adapter, Door, Fault, Hook, Inbound, Signed, invalid, tolerant
from adapters.foreign import list_of, needed_object, needed_scalar, object_of, objects_of, present, scalar_of
from adapters.markup import plain
from adapters.payload import Payload
from adapters.record import Author, Record, State
from adapters.severities import severity_of_labels
from adapters.shapes import Proof, signature
from adapters.tags import tags
from adapters.text import cut_line, sentence
from adapters.times import moment_of

STATES: dict[str, State] = {"failed": "triggered", "success": "resolved"}  # of pipelines and jobs
WORDS = {"failed": "failed", "success": "succeeded"}
ACTIONS: dict[str, State] = {"open": "triggered", "reopen": "triggered", "close": "resolved"}  # of issues
ISSUE_NOTES = ("Issue", "WorkItem")
RAN = ("running", "success", "failed")  # states of a build that has touched its environment
HIGH, MEDIUM, INFO = 4, 3, 1
HIDDEN = "[REDACTED]"  # stands where an email would
# Where the address of an uploaded file begins, in Markdown and in HTML.
UPLOAD = re.compile(r"""(?<=\]\(|="|=')(?=/uploads/[0-9a-f]{32}/)""")
SIGNING = "whsec_"  # how a signing token begins

STEPS = """\
In the project or group: Settings, Webhooks, Add new webhook.
URL: {url}
%s
Trigger: Pipeline events, Issues events, Comments; Job events where pipelines are too coarse."""
ADVICE = (
    STEPS
    % """\
Secret token: {secret}
GitLab 19 and newer can sign, which is better: let GitLab make a signing token, give it to this hook
(feedback-gateway hook rotate {hook_id} --secret whsec_...), and leave the secret token empty."""
)
WITH_SIGNING_TOKEN = (
    STEPS % "Signing token: the one that was given to this hook. Secret token: leave it empty."
)

Json = dict[str, Any]


def read(inbound: Inbound) -> list[Record]:
    sent = inbound.json
    Payload.check(sent)
    if "object_kind" not in sent and scalar_of(sent, "event_name"):
        return []  # a system hook
    kind = needed_scalar(sent, "object_kind")
    return KINDS[kind](sent) if kind in KINDS else []


def read_pipeline(sent: Json) -> list[Record]:
    pipeline, project = needed_object(sent, "object_attributes"), needed_object(sent, "project")
    status, ref = scalar_of(pipeline, "status"), scalar_of(pipeline, "ref")
    if status not in STATES:
        return []
    project_id = needed_scalar(sent, "project", "id")
    pipeline_id = needed_scalar(sent, "object_attributes", "id")
    path, finished = _path(project), scalar_of(pipeline, "finished_at")
    builds = objects_of(sent, "builds")
    failed = [b for b in builds if scalar_of(b, "status") == "failed" and b.get("allow_failure") is not True]
    lines = [f"{_staged(b, 'name', 'stage')}: {scalar_of(b, 'failure_reason') or 'failed'}" for b in failed]
    deployed = (
        scalar_of(b, "environment", "name") for b in [*failed, *builds] if scalar_of(b, "status") in RAN
    )
    merge_request = scalar_of(sent, "merge_request", "iid")
    record = Record(
        title=sentence(path, f"pipeline {WORDS[status]}", ref),
        text="\n".join(lines if status == "failed" else ()),
        kind="pipeline",
        subject=present(
            {
                "url": scalar_of(pipeline, "url") or _page(project, "pipelines", pipeline_id),
                "environment": next(filter(None, deployed), ""),
                "pipeline_id": pipeline_id,
                "merge_request": merge_request,
            }
        ),
        tags=tags(source=scalar_of(pipeline, "source")),
        external_id=pipeline_id,
        occurred_at=_time(pipeline, "finished_at", "created_at"),
        # With the time, since jobs that are retried let the same pipeline fail anew.
        dedupe_key=f"pipeline:{project_id}:{pipeline_id}:{status}:{finished}",
        incident_key=f"{project_id}:mr:{merge_request}" if merge_request else f"{project_id}:ref:{ref}",
    )
    return [_run(sent, record, status, path, ref, scalar_of(pipeline, "sha"))]


def read_job(sent: Json) -> list[Record]:
    status, ref = scalar_of(sent, "build_status"), scalar_of(sent, "ref")
    if status not in STATES or (status == "failed" and sent.get("build_allow_failure") is True):
        return []
    project = {"web_url": scalar_of(sent, "repository", "homepage"), **object_of(sent, "project")}
    project_id = scalar_of(sent, "project_id") or needed_scalar(sent, "project", "id")
    build_id, name = needed_scalar(sent, "build_id"), needed_scalar(sent, "build_name")
    record = Record(
        title=f"{_staged(sent, 'build_name', 'build_stage')} {WORDS[status]}",
        text=scalar_of(sent, "build_failure_reason") if status == "failed" else "",
        kind="job",
        subject=present(
            {
                "url": _page(project, "jobs", build_id),
                "environment": scalar_of(sent, "environment", "name"),
                "job_id": build_id,
                "pipeline_id": scalar_of(sent, "pipeline_id")
                or scalar_of(sent, "commit", "id"),  # not a commit's
            }
        ),
        tags=tuple(tag for tag in list_of(sent, "runner", "tags") if isinstance(tag, str) and tag),
        external_id=build_id,
        occurred_at=_time(sent, "build_finished_at_iso", "build_finished_at"),
        dedupe_key=f"job:{build_id}:{status}",
        incident_key=f"{project_id}:job:{ref}:{name}",
    )
    path = _path(project) or scalar_of(sent, "project_name")
    return [_run(sent, record, status, path, ref, scalar_of(sent, "sha"))]


def _run(sent: Json, record: Record, status: str, path: str, ref: str, sha: str) -> Record:
    """What pipelines and jobs have in common."""
    main = ref and ref == scalar_of(sent, "project", "default_branch")
    return replace(
        record,
        title=cut_line(record.title),
        text=f"{record.text}\n{scalar_of(sent, 'commit', 'message')}".strip(),
        type="ci",
        severity=(HIGH if main else MEDIUM) if status == "failed" else None,
        subject={**record.subject, **present({"project": path, "ref": ref, "sha": sha})},
        author=_author(sent),
        tags=(*tags(project=path, ref=ref, sha=sha), *record.tags),
        state=STATES[status],
    )


def read_issue(sent: Json) -> list[Record]:
    """An issue's life. The key `issue:<id>` is the issue itself: it came with `open`, and updates find it."""
    issue = needed_object(sent, "object_attributes")
    action = scalar_of(issue, "action") or "update"  # GitLab's test button names none
    if action not in (*ACTIONS, "update"):
        return []
    itself = f"issue:{needed_scalar(sent, 'object_attributes', 'id')}"
    record = replace(_issue(sent, "object_attributes"), dedupe_key=itself)
    if action == "open":
        return [replace(record, state="triggered")]
    if action == "update":
        closed = scalar_of(issue, "state") == "closed"
        return [replace(record, state="resolved" if closed else "triggered", replaceable=True)]
    key = f"{itself}:{action}:{scalar_of(issue, 'updated_at')}"
    return [replace(record, dedupe_key=key, state=ACTIONS[action])]


def read_note(sent: Json) -> list[Record]:
    """A comment on an issue; those on merge requests, commits and snippets, and GitLab's own, are none."""
    note = needed_object(sent, "object_attributes")
    action = scalar_of(note, "action") or "create"  # older GitLab names none, and tells of new ones only
    if (
        scalar_of(note, "noteable_type") not in ISSUE_NOTES
        or note.get("system") is True
        or action != "create"
    ):
        return []
    name = "issue" if "issue" in sent else "work_item"
    issue, note_id = _issue(sent, name), needed_scalar(sent, "object_attributes", "id")
    return [
        replace(
            issue,
            title=cut_line(f"Re: {issue.title or scalar_of(issue.subject, 'number')}"),
            text=_words(sent, scalar_of(note, "note")),
            severity=INFO,
            kind="note",
            subject={**issue.subject, **present({"url": scalar_of(note, "url")})},
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
    if not message or not key or not signatures.is_fresh(stamp, inbound):
        return False
    signed = f"{message}.{stamp}.".encode() + inbound.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(signatures.same(entry, expected) for entry in inbound.headers["webhook-signature"].split(" "))


def _issue(sent: Json, name: str) -> Record:
    """An issue as it stands; `name` is where it is in the payload."""
    issue, project = needed_object(sent, name), object_of(sent, "project")
    project_id = scalar_of(project, "id") or needed_scalar(sent, name, "project_id")
    labels = [
        scalar_of(label, "title") for label in objects_of(sent, "labels") or objects_of(issue, "labels")
    ]
    title, body = cut_line(scalar_of(issue, "title")), _words(sent, scalar_of(issue, "description"))
    if not title and not body:
        raise invalid(Fault(f"{name}.title", "Required"))
    return Record(
        title=title,
        text=body,
        kind="issue",
        severity=severity_of_labels(labels),
        subject=present(
            {"url": scalar_of(issue, "url"), "project": _path(project), "number": scalar_of(issue, "iid")}
        ),
        author=_author(sent),
        tags=tuple(dict.fromkeys(filter(None, labels))),
        external_id=scalar_of(issue, "id") or None,
        occurred_at=_time(issue, "updated_at", "created_at"),
        incident_key=f"{project_id}:issue:{needed_scalar(sent, name, 'iid')}",
    )


def _words(sent: Json, markdown: str) -> str:
    """A text without its HTML, and with the project's address before those of files uploaded to it.

    Source: docs.gitlab.com, "Webhook events": images' addresses are made absolute, other files' are not.
    """
    page = scalar_of(sent, "project", "web_url")
    if page:
        markdown = UPLOAD.sub(lambda _: page, markdown)
    return plain(markdown, page)


def _staged(build: Json, name: str, stage: str) -> str:
    """A job's name, and its stage where that is known."""
    known = f" ({scalar_of(build, stage)})" if scalar_of(build, stage) else ""
    return scalar_of(build, name) + known


def _path(project: Json) -> str:
    return scalar_of(project, "path_with_namespace") or scalar_of(project, "name")


def _page(project: Json, what: str, number: str) -> str:
    return f"{scalar_of(project, 'web_url')}/-/{what}/{number}" if scalar_of(project, "web_url") else ""


def _author(sent: Json) -> Author:
    user = object_of(sent, "user")
    name, email = scalar_of(user, "username") or scalar_of(user, "name"), scalar_of(user, "email")
    return Author(scalar_of(user, "id") or None, name or None, email if email not in ("", HIDDEN) else None)


def _time(sent: Json, *names: str) -> int | None:
    """The first of these times that is one, ISO 8601 or as Ruby writes it."""
    moments = (moment_of(scalar_of(sent, name)) for name in names)
    return next((moment for moment in moments if moment is not None), None)


def unusable(secret: str) -> str:
    """Why a signing token is none."""
    good = not secret.startswith(SIGNING) or _key(secret)
    return "" if good else f"Must be a signing token as GitLab makes it: {SIGNING} and base64"


def advise(secret: str, options: Mapping[str, Any]) -> str:
    """The steps for a hook with a signing token, which is not to travel."""
    return WITH_SIGNING_TOKEN if secret.startswith(SIGNING) else ADVICE


ADAPTER = Adapter(
    name="gitlab",
    title="GitLab",
    error=signatures.Refusal,
    doors=(
        Door(
            "/hooks/gitlab/<hook_id>",
            tolerant(read),
            signatures.accepted(),
            shape=signatures.delivery("Take a webhook of GitLab.", {"object_kind": "push"}),
        ),
    ),
    refuse=signatures.refuse,
    owns=("/hooks/gitlab",),
    signed=Signed(
        verify=verify,
        proofs=(
            signature("webhook-signature", "webhook-id", "webhook-timestamp"),
            Proof("header", "X-Gitlab-Token"),
        ),
        advice=ADVICE,
        advise=advise,
        unusable=unusable,
    ),
)
