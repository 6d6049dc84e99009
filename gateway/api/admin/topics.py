"""/gateway/v1/projects/<project_id>/topics: what a project's records can be about, as people define it."""

from __future__ import annotations

from typing import Any

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access import topics as stored
from gateway.access.caller import Caller
from gateway.api import feedback_change, query_parameters
from gateway.api.admin.request_schemas import project_in_path, unknown
from gateway.api.schemas.topics import NewTopic, TopicChange, TopicMerge
from gateway.core import concurrency
from gateway.core.pacing import Pace
from models.database.base import writing
from models.queries import selection
from models.queries.feedback_query import WITH, Filter
from models.tables import theme, topic

Row = dict[str, Any]

SECONDS = (
    5.0  # that somebody waits while records of a topic that ended change; the background does the others
)
EXAMPLES = 50  # records of a theme that becomes a topic, the closest ones


def list_topics(caller: Caller, inbound: Inbound) -> Reply:
    """The topics of a project, the oldest first: all of them. Raises Refused (400, 404)."""
    if faults := query_parameters.unknown(inbound, ()):
        raise invalid(*faults)
    found = stored.documents(topic.used(project_in_path(caller, inbound)))
    return Reply(200, {"data": found, "next_cursor": None})


def create_topic(caller: Caller, inbound: Inbound) -> Reply:
    """A new topic; the records of a `theme` that are closest to it become its examples.

    Raises Refused: 400 also for a name that another one has, 404.
    """
    project_id, sent = project_in_path(caller, inbound), NewTopic.of(inbound)
    ids = _records_of(caller, project_id, sent.get("theme"))
    with writing():
        row = stored.create(
            caller.workspace_id,
            project_id,
            sent["name"],
            sent["description"],
            inbound.received_at,
            caller.key_id,
        )

    def give(some: list[str]) -> None:
        mine = selection.rows_of(caller.workspace_id, project_id, Filter(merged=WITH), some)
        feedback_change.apply(
            [one for one in mine if one["topic_origin"] != "corrected"],
            {"topic": row["id"]},
            caller=caller,
            at=inbound.received_at,
            request_id=inbound.request_id,
        )

    Pace().each(ids, give)
    return Reply(201, _shown(row))


def change_topic(caller: Caller, inbound: Inbound) -> Reply:
    """Another name or description; the topic's records keep it. Raises Refused (400, 404)."""
    project_id, sent = project_in_path(caller, inbound), TopicChange.of(inbound)
    if not sent:
        raise invalid(Fault("body", f"Must have one of {', '.join(TopicChange().fields)}"))
    with writing():
        row = stored.change(caller.workspace_id, project_id, inbound.params["topic_id"], sent, caller.key_id)
    return Reply(200, _shown(row))


def delete_topic(caller: Caller, inbound: Inbound) -> Reply:
    """Removes a topic: its records have none, until one is found anew. Raises Refused (404)."""
    _end(caller, inbound, None)
    return Reply(204)


def merge_topic(caller: Caller, inbound: Inbound) -> Reply:
    """Merges a topic into another one of its project, which its records have then.

    Raises Refused (400, 404).
    """
    return Reply(200, _end(caller, inbound, TopicMerge.of(inbound)["into"]))


def _end(caller: Caller, inbound: Inbound, into: str | None) -> Row:
    project_id, now = project_in_path(caller, inbound), inbound.received_at
    with concurrency.long(caller.workspace_id):
        with writing():
            row = stored.end(
                caller.workspace_id, project_id, inbound.params["topic_id"], now, into, caller.key_id
            )
        if row is None:
            raise unknown("topic")
        stored.settle_one(inbound.params["topic_id"], now, seconds=SECONDS)
    return _shown(row)


def _records_of(caller: Caller, project_id: str, theme_id: str | None) -> list[str]:
    """The ids of a theme's records that are closest to it. Raises Refused (400) when there are none."""
    if theme_id is None:
        return []
    ids = theme.closest(caller.workspace_id, project_id, theme_id, EXAMPLES)
    if not ids:
        raise invalid(Fault("theme", "No such theme with records of this project"))
    return ids


def _shown(row: Row | None) -> Row:
    if row is None:
        raise unknown("topic")
    (shown,) = stored.documents([row])
    return shown
