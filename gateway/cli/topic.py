"""`feedback-gateway topic`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from adapters.contract import Refused
from gateway.access import topics
from gateway.api.schemas.topics import NewTopic, TopicChange
from gateway.cli.command import command, place_of
from gateway.cli.errors import Failure, NotHere
from gateway.core.ids import now_ms
from models.database.base import writing
from models.tables import topic as tables

Row = dict[str, Any]


_described = click.option("--description", help="A sentence with words that people use for it.")


@click.group()
def topic() -> None:
    """Topics are what a project's records can be about."""


@command(topic, "list")
@click.argument("project_id")
def topic_list(project_id: str) -> tuple[Any, str]:
    """List the topics of a project, each with how many records people gave it."""
    place_of(None, project_id)
    shown = topics.documents(tables.used(project_id))
    return {"topics": shown}, "\n".join(
        f"{row['topic_id']}  {row['name']}  ({row['examples']})" for row in shown
    )


@command(topic, "create")
@click.argument("project_id")
@click.argument("name")
@_described
def topic_create(project_id: str, name: str, description: str | None) -> tuple[Any, str]:
    """Create a topic; records get it in the background."""
    workspace_id, _ = place_of(None, project_id)
    with _told(), writing():
        sent = NewTopic.check({"name": name, "description": description or ""})
        row = topics.create(workspace_id, project_id, sent["name"], sent["description"], now_ms())
    return _shown(row)


@command(topic, "change")
@click.argument("topic_id")
@click.option("--name", help="Another name.")
@_described
def topic_change(topic_id: str, name: str | None, description: str | None) -> tuple[Any, str]:
    """Give a topic another name or description; its records keep it."""
    both = {"name": name, "description": description}
    given = {part: text for part, text in both.items() if text is not None}
    if not given:
        raise click.UsageError("give --name or --description")
    known = _found(topic_id)
    with _told(), writing():
        sent = TopicChange.check(given)
        row = topics.change(known["workspace_id"], known["project"], topic_id, sent)
    return _shown(row)


@command(topic, "merge")
@click.argument("topic_id")
@click.argument("into")
def topic_merge(topic_id: str, into: str) -> tuple[Any, str]:
    """Merge a topic into another one of its project, which its records have then."""
    goal = _ended(topic_id, into)
    return _document(goal), f"merged {topic_id} into {into} ({goal['name']})"


@command(topic, "delete")
@click.argument("topic_id")
def topic_delete(topic_id: str) -> tuple[Any, str]:
    """Delete a topic: its records have none, until one is found anew."""
    _ended(topic_id, None)
    return {"topic_id": topic_id, "deleted": True}, f"deleted {topic_id}"


def _ended(topic_id: str, into: str | None) -> Row:
    known, now = _found(topic_id), now_ms()
    with _told(), writing():
        row = _there(topics.end(known["workspace_id"], known["project"], topic_id, now, into))
    topics.settle_one(topic_id, now)
    return row


def _found(topic_id: str) -> Row:
    row = tables.one(topic_id)
    if row is None:
        raise NotHere(f"no topic {topic_id}")
    return row


@contextmanager
def _told() -> Iterator[None]:
    """Says in a line what is refused."""
    try:
        yield
    except Refused as refused:
        raise Failure(
            "; ".join(f"{fault.field}: {fault.message}" for fault in refused.problem.faults)
        ) from None


def _shown(row: Row | None) -> tuple[Any, str]:
    row = _there(row)
    return _document(row), f"topic {row['id']} ({row['name']})"


def _there(row: Row | None) -> Row:
    """A row; raises NotHere when somebody ended it meanwhile."""
    if row is None:
        raise NotHere("no such topic any more")
    return row


def _document(row: Row) -> Row:
    (shown,) = topics.documents([row])
    return shown
