"""Topics of a project, as they are made, changed, merged and removed."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import Any

from adapters.contract import Fault, invalid
from gateway.access import audit_log
from gateway.core.ids import new_id
from gateway.core.pacing import Pace
from models.database.base import serialise
from models.queries.topics import examples
from models.tables import job, topic
from models.tables.feedback import iso
from models.tables.text_folding import composed, folded
from models.tables.topic import MOST, Topic

LONGEST_NAME, LONGEST_DESCRIPTION = 60, 300  # characters
_JOINERS = "\u200c\u200d"  # of Persian words and of faces: they stay, but tell no name from another
_BLANKS = (
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe0e\ufe0f"  # letters and marks that show nothing
)

Row = dict[str, Any]


def create(
    workspace_id: str,
    project_id: str,
    name: str,
    description: str,
    now: int,
    by: str = audit_log.COMMAND_LINE,
) -> Row:
    """Stores a new topic within the open transaction. `by` is the id of the key that asks for it.

    Raises Refused (400) for a name that is not free, and where a project has as many as it may have.
    """
    serialise([("topics", project_id)])
    there = topic.used(project_id)
    if len(there) >= MOST:
        raise invalid(Fault("name", f"A project has at most {MOST} topics"))
    topic_id = new_id("top")
    row: Row = {
        "id": topic_id,
        "workspace_id": workspace_id,
        "project": project_id,
        "name": _free(name, there),
        "description": _line(description),
        "created_at": now,
        "merged_into": None,
        "ended_at": None,
        "settled_at": None,
    }
    Topic.insert(row).execute()
    audit_log.note(workspace_id, by, "topic.created", topic_id, project_id=project_id, name=row["name"])
    job.hurry(topic.JOB)
    return row


def change(
    workspace_id: str, project_id: str, topic_id: str, sent: dict[str, str], by: str = audit_log.COMMAND_LINE
) -> Row | None:
    """Gives a topic another name or description within the open transaction; None when there is none.

    Raises Refused (400) for a name that is not free.
    """
    serialise([("topics", project_id)])
    row = topic.find(workspace_id, project_id, topic_id, to_keep=True)
    if row is None:
        return None
    wanted = {name: _line(value) for name, value in sent.items()}
    new = {name: value for name, value in wanted.items() if row[name] != value}
    if "name" in new:
        _free(new["name"], [one for one in topic.used(project_id) if one["id"] != topic_id])
    if new:
        Topic.update(new).where(Topic.id == topic_id).execute()
        changes = {name: {"from": row[name], "to": value} for name, value in new.items()}
        audit_log.note(workspace_id, by, "topic.changed", topic_id, changes=changes)
        job.hurry(topic.JOB)
    return row | new


def end(
    workspace_id: str,
    project_id: str,
    topic_id: str,
    now: int,
    into: str | None = None,
    by: str = audit_log.COMMAND_LINE,
) -> Row | None:
    """Removes a topic, or merges it `into` another one of its project, within the open transaction.

    Answers the topic that stays, or what it was itself; None when there is no such topic. Nobody is given it
    any more; call `settle` then, so that its records change, too. Raises Refused (400) when it cannot be
    merged into that.
    """
    serialise([("topics", project_id)])
    row = topic.find(workspace_id, project_id, topic_id, to_keep=True)
    if row is None:
        return None
    goal = row if into is None else topic.find(workspace_id, project_id, into, to_keep=True)
    if goal is None or into == topic_id:
        raise invalid(Fault("into", "Must be another topic of this project"))
    Topic.update(ended_at=now, merged_into=into).where(Topic.id == topic_id).execute()
    # What is being merged into this one goes on to where its own records go.
    later = (Topic.merged_into == topic_id) & Topic.settled_at.is_null()
    Topic.update(merged_into=into).where(later).execute()
    told = {} if into is None else {"into": into, "into_name": goal["name"]}
    action = "topic.removed" if into is None else "topic.merged"
    audit_log.note(workspace_id, by, action, topic_id, name=row["name"], **told)
    job.hurry(topic.JOB)
    return goal


def documents(rows: Sequence[Row]) -> list[Row]:
    """Topics of one project as people are shown them, each with how many records people gave it."""
    taught = examples(rows[0]["workspace_id"], rows[0]["project"]) if rows else {}
    return [
        {
            "topic_id": row["id"],
            "project_id": row["project"],
            "name": row["name"],
            "description": row["description"],
            "examples": taught.get(row["id"], 0),
            "created_at": iso(row["created_at"]),
        }
        for row in rows
    ]


def settle(now: int, pace: Pace | None = None) -> None:
    """Changes the records of all topics that ended and still have some, some at a time."""
    for topic_id in topic.unsettled():
        settle_one(topic_id, now, pace)


def settle_one(topic_id: str, now: int, pace: Pace | None = None, seconds: float | None = None) -> None:
    """Changes the records of a topic that ended, some at a time, for so many seconds if that is given."""
    (pace or Pace()).until_none(partial(topic.move_some, topic_id, now), seconds)


def _free(name: str, there: list[Row]) -> str:
    """A name as it is kept. Raises Refused (400) when nothing of it is seen, or another topic is read so."""
    name = _line(name)
    if not _read(name):
        raise invalid(Fault("name", "String must not be blank"))
    if _read(name) in {_read(one["name"]) for one in there}:
        raise invalid(Fault("name", "Another topic of this project has it"))
    return name


def _line(text: str) -> str:
    """A text in one line, letters and accents together, without what is not seen or turns what is."""
    kept = "".join(" " if unicodedata.category(mark) == "Cc" else mark for mark in text if not _unseen(mark))
    return " ".join(composed(kept).split())


def _unseen(mark: str) -> bool:
    return unicodedata.category(mark) == "Cf" and mark not in _JOINERS


def _read(name: str) -> str:
    """What people read a name as: without case, accents, joiners and fillers."""
    seen = "".join(mark for mark in folded(name) if mark not in _BLANKS and mark not in _JOINERS)
    return " ".join(seen.split())
