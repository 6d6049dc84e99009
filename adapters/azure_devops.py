"""azure_devops: builds, pipeline runs and work items of Azure DevOps, by service hooks.

What becomes what: docs/dialects/azure_devops.md.

Wire facts: learn.microsoft.com/azure/devops/service-hooks/events and .../service-hooks/services/webhooks; a
web hook signs nothing and shows a user name and password (basic authentication) or headers of one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adapters.common.json_spans import with_parts
from adapters.common.markup import plain
from adapters.common.plain_text import cut_line
from adapters.common.severities import severity_of, stated
from adapters.common.signatures import delivery, hook_adapter, shows_secret
from adapters.common.tags import PRIVATE, marked, tags_of
from adapters.common.times import moment_of
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    needed,
    needed_object,
    object_of,
    present,
    text_of,
)
from adapters.contract import Inbound, Signed
from adapters.contract.description import NOT_THE_SECRET, SECRET
from adapters.contract.record import Author, Record, State

BROKEN = ("failed", "partiallysucceeded")  # any other result but success, such as canceled, is ignored
HIGH, MEDIUM = 4, 3
MAIN = ("main", "master", "trunk")
DONE = ("done", "closed", "completed", "resolved", "removed")  # states of work items, in the usual processes
KINDS = {"bug": "bug", "issue": "bug", "feature": "feature", "user story": "feature"}
WORDS = (
    *("System.Title", "System.Description", "Microsoft.VSTS.TCM.ReproSteps", "System.Tags"),
    *("Microsoft.VSTS.Common.Severity", "Microsoft.VSTS.Common.Priority"),
)

ADVICE = """\
In Azure DevOps, Project settings > Service hooks, create a Web Hooks subscription for each of these events:
Build completed, Run state changed, Work item created, updated, commented on,
deleted and restored.

URL: {url}
Basic authentication username: hook
Basic authentication password: {secret}
Resource details to send: All"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    event = needed(first_text(sent, "eventType"), "eventType")
    return marked(EVENTS[event](inbound, sent), _visibility(sent)) if event in EVENTS else []


def read_build(inbound: Inbound, sent: dict[str, Any]) -> list[Record]:
    build = needed_object(sent, "resource")
    definition = object_of(build, "definition")
    branch = first_text(build, "sourceBranch").removeprefix("refs/heads/")
    return _ci(
        sent,
        run=build,
        result=first_text(build, "result") or first_text(build, "status"),
        pipeline=first_text(definition, "name"),
        story=first_scalar(definition, "id") or first_text(definition, "name"),
        branch=branch,
        number=first_text(build, "buildNumber"),
        sha=first_text(build, "sourceVersion"),
        author=_author(object_of(build, "requestedFor") or object_of(build, "lastChangedBy")),
        at=first_text(build, "finishTime"),
        url=first_url(object_of(build, "_links", "web"), "href"),
    )


def read_run(inbound: Inbound, sent: dict[str, Any]) -> list[Record]:
    """A run of a pipeline that is over; its branch is that of its own repository."""
    resource = needed_object(sent, "resource")
    run, pipeline = object_of(resource, "run"), object_of(resource, "pipeline")
    if first_text(run, "state").lower() not in ("completed", ""):
        return []
    source = object_of(run, "resources", "repositories", "self")
    return _ci(
        sent,
        run=run,
        result=first_text(run, "result"),
        pipeline=first_text(pipeline, "name"),
        story=first_scalar(pipeline, "id"),
        branch=first_text(source, "refName").removeprefix("refs/heads/"),
        number=first_text(run, "name"),
        sha=first_text(source, "version"),
        author=Author(),
        at=first_text(run, "finishedDate"),
        url=first_url(object_of(run, "_links", "web"), "href"),
    )


def _ci(
    sent: dict[str, Any],
    *,
    run: Mapping[str, Any],
    result: str,
    pipeline: str,
    story: str,
    branch: str,
    number: str,
    sha: str,
    author: Author,
    at: str,
    url: str,
) -> list[Record]:
    word, key = result.lower(), first_scalar(run, "id")
    if word not in (*BROKEN, "succeeded"):
        return []
    needed(key, "resource.id")
    needed(story, "resource.definition")
    broken, project = word in BROKEN, _project(sent)
    owner = _project_id(sent) or first_scalar(object_of(sent, "resource", "project"), "id") or project
    name, said = pipeline or story, first_text(object_of(sent, "detailedMessage"), "text")
    where = f" on {branch}" if branch else ""
    return [
        Record(
            title=cut_line(f"{name} {'failed' if broken else 'succeeded'}{where}"),
            text=said or first_text(object_of(sent, "message"), "text") or f"{name} {number}: {result}",
            type="ci",
            kind=first_text(sent, "eventType"),
            severity=(HIGH if branch in MAIN else MEDIUM) if broken else None,
            subject=present(
                {
                    "url": url,
                    "environment": "ci",
                    "project": project,
                    "pipeline": pipeline,
                    "branch": branch,
                    "sha": sha,
                    "run_id": key,
                    "number": number,
                    "conclusion": result,
                }
            ),
            author=author,
            tags=tags_of([("project", project), ("pipeline", pipeline), ("branch", branch)]),
            external_id=key,
            occurred_at=moment_of(at or first_text(sent, "createdDate")),
            # Projects of two organisations may bear one name.
            dedupe_key=f"run:{owner}:{key}:{word}",
            incident_key=f"{owner}:{story}:{branch}",
            state="triggered" if broken else "resolved",
            quiet=not broken,  # a branch that was never broken is no story
        )
    ]


def read_item(inbound: Inbound, sent: dict[str, Any]) -> list[Record]:
    """A work item: created, changed, commented on, deleted."""
    event, resource = first_text(sent, "eventType"), needed_object(sent, "resource")
    revision = object_of(resource, "revision") or resource
    fields = object_of(revision, "fields")
    number = needed(first_scalar(resource, "workItemId") or first_scalar(revision, "id"), "resource.id")
    record = _item(sent, resource, fields, number)
    itself = f"item:{record.incident_key}"
    record = replace(record, dedupe_key=itself, state="triggered")
    if event == "workitem.created":
        return [record]
    later = replace(record, occurred_at=record.revised_at or record.occurred_at)
    if event == "workitem.deleted":
        return [replace(later, state="note", retracts=True)]
    # Of one revision both a comment and a change may be told, and each in a delivery of its own.
    number, stands = first_scalar(revision, "rev") or first_scalar(sent, "id"), _stands(fields)
    changed = object_of(resource, "fields") if event == "workitem.updated" else {}
    said = []
    words = plain(text_of(fields, "System.History"))
    if words and (event == "workitem.commented" or "System.History" in changed):
        note = replace(
            later,
            title=cut_line(f"Re: {record.title}"),
            text=words,
            author=_named(fields.get("System.ChangedBy")),
            dedupe_key=f"{itself}:comment:{number}",
            state="note",
            stands=stands,
            revised_at=None,
            whole=False,
        )
        said = [note]
    if event == "workitem.restored" or "System.State" in changed:
        key, state = f"{itself}:{number}", stands or "triggered"
        told = [replace(later, dedupe_key=key, state=state, counts=False)]
    elif any(name in changed for name in WORDS):
        told = [replace(record, state=stands or "triggered", replaceable=True)]
    else:
        told = []
    both = [*((one, resource.get("fields")) for one in told), *((one, revision) for one in said)]
    return with_parts(inbound, both)


def _stands(fields: Mapping[str, Any]) -> State | None:
    """The state that a work item is in, None when it does not say."""
    word = text_of(fields, "System.State").lower()
    return None if not word else "resolved" if word in DONE else "triggered"


def _item(sent: dict[str, Any], resource: dict[str, Any], fields: dict[str, Any], number: str) -> Record:
    kind, title = text_of(fields, "System.WorkItemType"), text_of(fields, "System.Title").strip()
    project, category = text_of(fields, "System.TeamProject") or _project(sent), KINDS.get(kind.lower())
    words = text_of(fields, "System.Description") or text_of(fields, "Microsoft.VSTS.TCM.ReproSteps")
    priority = first_scalar(fields, "Microsoft.VSTS.Common.Priority")
    worst = first_text(fields, "Microsoft.VSTS.Common.Severity")  # "2 - High"
    severity = stated(worst)
    if severity["severity"] is None and priority:
        severity = {**severity, "severity": severity_of(f"p{priority}")}
    links = object_of(resource, "_links", "html") or object_of(resource, "revision", "_links", "html")
    known: Any = category
    return Record(
        title=cut_line(title or f"Work item {number}"),
        text=plain(words) or title or f"Work item {number}",
        kind=first_text(sent, "eventType"),
        category=known,
        **severity,
        subject=present(
            {
                "url": first_url(links, "href") or _page(resource, number),
                "project": project,
                "number": number,
                "priority": priority,
            }
        ),
        author=_named(fields.get("System.CreatedBy")),
        tags=tags_of(
            [
                ("project", project),
                ("item_type", kind),
                *(("tag", tag.strip()) for tag in text_of(fields, "System.Tags").split(";")),
            ]
        ),
        external_id=number,
        occurred_at=moment_of(text_of(fields, "System.CreatedDate") or first_text(sent, "createdDate")),
        incident_key=f"{_project_id(sent) or project}:item:{number}",
        revised_at=moment_of(text_of(fields, "System.ChangedDate")),
        whole=bool(title),
    )


def _page(resource: Mapping[str, Any], number: str) -> str:
    """The page of a work item where only its addresses in the API are told, as of one that changed."""
    links = object_of(resource, "_links")
    said = (first_url(object_of(links, name), "href") for name in ("parent", "self"))
    address = next(filter(None, said), "") or first_url(resource, "url")
    before, api, _ = address.partition("/_apis/")
    return f"{before}/_workitems/edit/{number}" if api else ""


def _visibility(sent: Mapping[str, Any]) -> str:
    """Who may see a project, where a build says so, and when that is not everybody."""
    resource = object_of(sent, "resource")
    projects = object_of(resource, "project"), object_of(resource, "definition", "project")
    return PRIVATE if any(first_text(one, "visibility").lower() == "private" for one in projects) else ""


def _project_id(sent: Mapping[str, Any]) -> str:
    return first_scalar(object_of(sent, "resourceContainers", "project"), "id")


def _project(sent: Mapping[str, Any]) -> str:
    resource = object_of(sent, "resource")
    named = first_text(object_of(resource, "project"), "name")
    return named or _project_id(sent)


def _named(value: Any) -> Author:
    """A person as fields name them: an object, or `Name <address>`."""
    if isinstance(value, dict):
        return _author(value)
    if not isinstance(value, str):
        return Author()
    name, _, rest = value.partition("<")
    address = rest.rstrip("> ")
    return Author.of(name=name.strip(), email=address if "@" in address else "")


def _author(user: Mapping[str, Any]) -> Author:
    address = first_text(user, "uniqueName")
    return Author.of(
        first_scalar(user, "id"), first_text(user, "displayName"), address if "@" in address else ""
    )


EVENTS: dict[str, Callable[[Inbound, dict[str, Any]], list[Record]]] = {
    "build.complete": read_build,
    "ms.vss-pipelines.run-state-changed-event": read_run,
    **dict.fromkeys(
        tuple(f"workitem.{what}" for what in ("created", "updated", "commented", "deleted", "restored")),
        read_item,
    ),
}

ADAPTER = hook_adapter(
    "azure_devops",
    "Azure DevOps",
    read,
    shape=delivery(
        "Take a service hook of Azure DevOps.",
        {
            "eventType": "workitem.created",
            "resource": {"id": 5, "fields": {"System.Title": "Basket answers slowly"}},
        },
    ),
    signed=Signed(verify=shows_secret, advice=ADVICE, proofs=SECRET, unproven=NOT_THE_SECRET),
)
