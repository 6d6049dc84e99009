"""GitLab's pipelines and jobs, and what they have in common with its issues. docs/dialects/gitlab.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.common.plain_text import cut_line, sentence
from adapters.common.tags import tags
from adapters.common.times import moment_of, stamp
from adapters.common.untrusted_json import (
    first_url,
    list_of,
    needed_object,
    needed_scalar,
    object_of,
    objects_of,
    present,
    scalar_of,
)
from adapters.contract import Inbound
from adapters.contract.record import Author, Record, State

STATES: dict[str, State] = {"failed": "triggered", "success": "resolved"}  # of pipelines and jobs
WORDS = {"failed": "failed", "success": "succeeded"}
RAN = ("running", "success", "failed")  # states of a build that has touched its environment
HIGH, MEDIUM = 4, 3
HIDDEN = "[REDACTED]"  # stands where an email would

Json = dict[str, Any]


def read_pipeline(inbound: Inbound, sent: Json) -> list[Record]:
    pipeline, project = needed_object(sent, "object_attributes"), needed_object(sent, "project")
    status, ref = scalar_of(pipeline, "status"), scalar_of(pipeline, "ref")
    if status not in STATES:
        return []
    project_id = needed_scalar(sent, "project", "id")
    pipeline_id = needed_scalar(sent, "object_attributes", "id")
    path, finished = path_of(project), scalar_of(pipeline, "finished_at")
    builds = objects_of(sent, "builds")
    failed = [b for b in builds if scalar_of(b, "status") == "failed" and b.get("allow_failure") is not True]
    lines = [f"{_staged(b, 'name', 'stage')}: {scalar_of(b, 'failure_reason') or 'failed'}" for b in failed]
    deployed = (
        scalar_of(b, "environment", "name") for b in [*failed, *builds] if scalar_of(b, "status") in RAN
    )
    merge_request = scalar_of(sent, "merge_request", "iid")
    where = "tag" if pipeline.get("tag") is True else "ref"  # a tag is not the branch of the same name
    record = Record(
        title=sentence(path, f"pipeline {WORDS[status]}", ref),
        text="\n".join(lines if status == "failed" else ()),
        kind="pipeline",
        subject=present(
            {
                "url": first_url(pipeline, "url") or _page(project, "pipelines", pipeline_id),
                "environment": next(filter(None, deployed), ""),
                "pipeline_id": pipeline_id,
                "merge_request": merge_request,
            }
        ),
        tags=tags(source=scalar_of(pipeline, "source")),
        external_id=pipeline_id,
        occurred_at=time_of(pipeline, "finished_at", "created_at"),
        # With the time, since jobs that are retried let the same pipeline fail anew.
        dedupe_key=f"pipeline:{project_id}:{pipeline_id}:{status}:{stamp(finished)}",
        incident_key=f"{project_id}:mr:{merge_request}" if merge_request else f"{project_id}:{where}:{ref}",
    )
    return [_run(sent, record, status, path, ref, scalar_of(pipeline, "sha"))]


def read_job(inbound: Inbound, sent: Json) -> list[Record]:
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
        occurred_at=time_of(sent, "build_finished_at_iso", "build_finished_at"),
        dedupe_key=f"job:{build_id}:{status}",
        incident_key=f"{project_id}:{'tagged ' if sent.get('tag') is True else ''}job:{ref}:{name}",
    )
    path = path_of(project) or scalar_of(sent, "project_name")
    return [_run(sent, record, status, path, ref, scalar_of(sent, "sha"))]


def _run(sent: Json, record: Record, status: str, path: str, ref: str, sha: str) -> Record:
    """What pipelines and jobs have in common."""
    # In a merge request's pipeline `ref` is the source branch, which may be a fork's of the same name.
    merge = object_of(sent, "merge_request")
    foreign = scalar_of(merge, "source_project_id") != scalar_of(merge, "target_project_id")
    tagged = True in (sent.get("tag"), object_of(sent, "object_attributes").get("tag"))
    main = ref and not foreign and not tagged and ref == scalar_of(sent, "project", "default_branch")
    return replace(
        record,
        title=cut_line(record.title),
        text=f"{record.text}\n{scalar_of(sent, 'commit', 'message')}".strip(),
        type="ci",
        severity=(HIGH if main else MEDIUM) if status == "failed" else None,
        subject={**record.subject, **present({"project": path, "ref": ref, "sha": sha})},
        author=author_of(sent),
        tags=(*tags(project=path, ref=ref, sha=sha), *record.tags),
        state=STATES[status],
        quiet=status == "success",  # a branch that was never broken is no story
    )


def _staged(build: Json, name: str, stage: str) -> str:
    """A job's name, and its stage where that is known."""
    known = f" ({scalar_of(build, stage)})" if scalar_of(build, stage) else ""
    return scalar_of(build, name) + known


def _page(project: Json, what: str, number: str) -> str:
    page = first_url(project, "web_url")
    return f"{page}/-/{what}/{number}" if page else ""


def path_of(project: Json) -> str:
    """A project's name with its groups'."""
    return scalar_of(project, "path_with_namespace") or scalar_of(project, "name")


def author_of(sent: Json, author_id: str = "") -> Author:
    """Who acted; of a thing whose author is somebody else, that one's id, which is all that is told."""
    user = object_of(sent, "user")
    if author_id not in ("", scalar_of(user, "id")):
        return Author(author_id)
    name, email = scalar_of(user, "username") or scalar_of(user, "name"), scalar_of(user, "email")
    return Author.of(scalar_of(user, "id"), name, email if email != HIDDEN else "")


def time_of(sent: Json, *names: str) -> int | None:
    """The first of these times that is one, ISO 8601 or as Ruby writes it."""
    moments = (moment_of(scalar_of(sent, name)) for name in names)
    return next((moment for moment in moments if moment is not None), None)
