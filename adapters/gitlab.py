"""GitLab: pipelines, jobs, issues and notes, by project webhook. Wire format: docs/dialects/gitlab.md."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adapters.common import signatures
from adapters.common.gitlab_runs import author_of, path_of, read_job, read_pipeline, time_of
from adapters.common.hook_options import access_token
from adapters.common.hosts import host_of
from adapters.common.markup import plain
from adapters.common.plain_text import cut_line
from adapters.common.reactions import OPTION, is_vote
from adapters.common.schemas import Payload
from adapters.common.severities import severity_of_labels, stated
from adapters.common.tags import CONFIDENTIAL, INTERNAL, PRIVATE, marked
from adapters.common.times import stamp
from adapters.common.untrusted_json import (
    first_url,
    needed_object,
    needed_scalar,
    object_of,
    objects_of,
    present,
    scalar_of,
)
from adapters.contract import Fault, Hook, Inbound, Signed, invalid
from adapters.contract.description import Proof, signature
from adapters.contract.record import Record, State

ACTIONS: dict[str, State] = {"open": "triggered", "reopen": "triggered", "close": "resolved"}  # of issues
ISSUE_NOTES = ("Issue", "WorkItem")
# Where the address of an uploaded file begins, in Markdown and in HTML.
UPLOAD = re.compile(r"""(?<=\]\(|="|=')(?=/uploads/[0-9a-f]{32}/)""")
SIGNING = "whsec_"  # how a signing token begins

STEPS = """\
In the project or group: Settings, Webhooks, Add new webhook.
URL: {url}
%s
Trigger: Pipeline, Issues, Comments and Emoji events (votes); Job events where pipelines are too coarse."""
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
    records = KINDS[kind](inbound, sent) if kind in KINDS else []
    return marked([replace(record, server=_server(sent)) for record in records], _visibility(sent))


def _server(sent: Json) -> str | None:
    """The host whose ids these are; None for GitLab's own."""
    addresses = (object_of(sent, name) for name in ("project", "repository", "object_attributes"))
    host = host_of(*(first_url(one, "web_url", "homepage", "url") for one in addresses))
    return None if host in ("", "gitlab.com") else host


def read_issue(inbound: Inbound, sent: Json) -> list[Record]:
    """An issue's life, all of which every delivery tells.

    The key `issue:<id>` is the issue itself: it came with `open`, and updates find it.
    """
    issue = needed_object(sent, "object_attributes")
    action = scalar_of(issue, "action") or "update"  # GitLab's test button names none
    if action not in (*ACTIONS, "update"):
        return []
    itself = f"issue:{needed_scalar(sent, 'object_attributes', 'id')}"
    record = replace(_issue(sent, "object_attributes"), dedupe_key=itself, whole=True)
    if action == "open":
        return [replace(record, state="triggered")]
    if action == "update":
        return [replace(record, state=_stands(issue) or "triggered", replaceable=True)]
    key = f"{itself}:{action}:{stamp(scalar_of(issue, 'updated_at'))}"
    return [replace(record, dedupe_key=key, state=ACTIONS[action])]


def _stands(issue: Json) -> State | None:
    """The state that an issue is in, None when it does not say."""
    state = scalar_of(issue, "state")
    return "resolved" if state == "closed" else "triggered" if state in ("opened", "reopened") else None


def read_emoji(inbound: Inbound, sent: Json) -> list[Record]:
    """A thumb on an issue, or one taken back: a vote. Source: GitLab's "Webhook events", emoji."""
    emoji = needed_object(sent, "object_attributes")
    voted = is_vote(scalar_of(emoji, "name"), inbound.options)
    if scalar_of(emoji, "awardable_type") not in ISSUE_NOTES or not voted:
        return []
    taken_back = "revoke" in (scalar_of(emoji, "action"), scalar_of(sent, "event_type"))
    own, voter = needed_scalar(sent, "object_attributes", "id"), author_of(sent)
    return [
        Record(
            text=f":{scalar_of(emoji, 'name')}:",
            kind="emoji",
            author=voter,
            occurred_at=time_of(emoji, "updated_at", "created_at"),
            dedupe_key=f"emoji:{own}:{'revoke' if taken_back else 'award'}",
            votes_for=f"issue:{needed_scalar(sent, 'object_attributes', 'awardable_id')}",
            voter=voter.id or scalar_of(emoji, "user_id") or None,
            retracts=taken_back,
        )
    ]


def read_note(inbound: Inbound, sent: Json) -> list[Record]:
    """A comment on an issue; those on merge requests, commits and snippets, and GitLab's own, are none."""
    note = needed_object(sent, "object_attributes")
    action = scalar_of(note, "action") or "create"  # older GitLab names none, and tells of new ones only
    if (
        scalar_of(note, "noteable_type") not in ISSUE_NOTES
        or note.get("system") is True
        or action not in ("create", "update")
    ):
        return []
    name = "issue" if "issue" in sent else "work_item"
    issue, note_id = _issue(sent, name), needed_scalar(sent, "object_attributes", "id")
    return [
        replace(
            issue,
            title=cut_line(f"Re: {issue.title or scalar_of(issue.subject, 'number')}"),
            text=_words(sent, scalar_of(note, "note")),
            severity=None,
            severity_word=None,
            kind="note",
            subject={**issue.subject, **present({"url": first_url(note, "url")})},
            external_id=note_id,
            occurred_at=time_of(note, "created_at"),
            dedupe_key=f"note:{note_id}:create",
            replaceable=action == "update",
            revised_at=time_of(note, "updated_at") if action == "update" else None,
            state="note",
            stands=_stands(object_of(sent, name)),
            secrecy=CONFIDENTIAL
            if _is_marked(note) or scalar_of(sent, "event_type").startswith("confidential")
            else "",
        )
    ]


KINDS: dict[str, Callable[[Inbound, Json], list[Record]]] = {
    "pipeline": read_pipeline,
    "build": read_job,
    "issue": read_issue,
    "work_item": read_issue,
    "note": read_note,
    "emoji": read_emoji,
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
        **_severity(issue, labels),
        subject=present(
            {"url": first_url(issue, "url"), "project": path_of(project), "number": scalar_of(issue, "iid")}
        ),
        author=author_of(sent, scalar_of(issue, "author_id")),
        tags=tuple(dict.fromkeys(filter(None, labels))),
        external_id=scalar_of(issue, "id") or None,
        occurred_at=time_of(issue, "updated_at", "created_at"),
        incident_key=f"{project_id}:issue:{needed_scalar(sent, name, 'iid')}",
    )


def _words(sent: Json, markdown: str) -> str:
    """A text without its HTML, and with the project's address before those of files uploaded to it.

    Source: docs.gitlab.com, "Webhook events": images' addresses are made absolute, other files' are not.
    """
    page = first_url(object_of(sent, "project"), "web_url")
    if page:
        markdown = UPLOAD.sub(lambda _: page, markdown)
    return plain(markdown, page)


def _severity(issue: Json, labels: list[str]) -> dict[str, Any]:
    """What an incident says of itself, else its labels. Source: GitLab's page "Incidents", severity."""
    own = stated(scalar_of(issue, "severity").replace("UNKNOWN", "unknown"))
    return own if own["severity"] is not None else {**own, "severity": severity_of_labels(labels)}


def _visibility(sent: Json) -> str:
    """Who may see it, when that is not everybody: of an issue, and then of the project.

    Confidential issues and internal notes have hooks of their own, whose event_type says so too.
    """
    noted = scalar_of(sent, "object_kind") == "note"
    things = [
        object_of(sent, name) for name in ("issue", "work_item", *(() if noted else ("object_attributes",)))
    ]
    if any(map(_is_marked, things)) or (
        not noted and scalar_of(sent, "event_type").startswith("confidential")
    ):
        return CONFIDENTIAL
    level = object_of(sent, "project").get("visibility_level")
    return {0: PRIVATE, 10: INTERNAL}.get(level, "") if type(level) is int else ""


def _is_marked(thing: Json) -> bool:
    return any(thing.get(name) is True for name in ("confidential", "internal"))


def unusable(secret: str) -> str:
    """Why a signing token is none."""
    good = not secret.startswith(SIGNING) or _key(secret)
    return "" if good else f"Must be a signing token as GitLab makes it: {SIGNING} and base64"


def advise(secret: str, options: Mapping[str, Any]) -> str:
    """The steps for a hook with a signing token, which is not to travel."""
    return WITH_SIGNING_TOKEN if secret.startswith(SIGNING) else ADVICE


ADAPTER = signatures.hook_adapter(
    "gitlab",
    "GitLab",
    read,
    shape=signatures.delivery("Take a webhook of GitLab.", {"object_kind": "push"}),
    signed=Signed(
        verify=verify,
        unproven="Neither the signature holds, nor is the token that of this hook.",
        options={**OPTION, "token": access_token},
        sealed=("token",),
        proofs=(
            signature("webhook-signature", "webhook-id", "webhook-timestamp"),
            Proof("header", "X-Gitlab-Token"),
        ),
        advice=ADVICE,
        advise=advise,
        unusable=unusable,
        conceals_in_lists={"variables": ("value",)},  # that a pipeline was run with
    ),
)
