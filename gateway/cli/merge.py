"""`feedback-gateway merge` and `unmerge`: records that say the same are one, or are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from gateway.access.audit_log import COMMAND_LINE
from gateway.api import merge
from gateway.cli.command import command
from gateway.cli.errors import NotHere
from gateway.core.ids import now_ms
from models.tables import feedback

merges = click.Group()


@command(merges, "merge")
@click.argument("feedback_id", metavar="ID")
@click.argument("others", metavar="OTHER...", nargs=-1, required=True)
def merge_records(feedback_id: str, others: Sequence[str]) -> tuple[Any, str]:
    """Merge records into the one of ID, which then stands for all of them."""
    row = _done(merge.put_together, feedback_id, others)
    return feedback.document(row), f"{row['id']} stands for them: {row['people']} people say it"


@command(merges, "unmerge")
@click.argument("feedback_id", metavar="ID")
@click.argument("others", metavar="OTHER...", nargs=-1, required=True)
def unmerge_records(feedback_id: str, others: Sequence[str]) -> tuple[Any, str]:
    """Take records out of what the one of ID stands for; each is as it was before."""
    row = _done(merge.take_apart, feedback_id, others)
    people = f"{row['people']} people say what is left" if row["people"] else "it stands for itself alone"
    return feedback.document(row), f"taken out of {row['id']}: {people}"


def _done(
    act: Callable[[merge.Actor, str, Sequence[str]], dict[str, Any]], feedback_id: str, others: Sequence[str]
) -> dict[str, Any]:
    known = feedback.first_of(feedback_id)
    if known is None:
        raise NotHere(f"no record {feedback_id}")
    return act(merge.Actor(known["workspace_id"], None, COMMAND_LINE, now_ms()), feedback_id, others)
