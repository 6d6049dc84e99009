"""`feedback-gateway assign`, `snooze` and `wake`: who takes care of a record, and when it is back."""

from __future__ import annotations

from typing import Any

import click

from adapters.contract import Refused
from gateway.access.audit_log import COMMAND_LINE
from gateway.access.caller import Caller
from gateway.api import feedback_change
from gateway.cli.command import command
from gateway.cli.errors import Failure, NotHere
from gateway.core.ids import new_id, now_ms
from models.database.base import writing
from models.tables import feedback

assigning = click.Group()
_ids = click.argument("feedback_ids", metavar="ID...", nargs=-1, required=True)


@command(assigning, "assign")
@click.argument("who", metavar="EMAIL")
@_ids
def assign(who: str, feedback_ids: tuple[str, ...]) -> tuple[Any, str]:
    """Give records to a person, by email address; `none` takes them away."""
    return _changed(feedback_ids, {"assignee": None if who == "none" else who})


@command(assigning, "snooze")
@_ids
@click.option("--until", default=None, help="A time (ISO 8601), or how long: 1h, 3d, 2w.")
@click.option("--only-time", is_flag=True, help="A delivery does not wake it.")
def snooze(feedback_ids: tuple[str, ...], until: str | None, only_time: bool) -> tuple[Any, str]:
    """Put records aside until a time, or a delivery of theirs comes."""
    return _changed(feedback_ids, {"snooze": {"until": until, "wakes_on_delivery": not only_time}})


@command(assigning, "wake")
@_ids
def wake(feedback_ids: tuple[str, ...]) -> tuple[Any, str]:
    """Have records back that were put aside."""
    return _changed(feedback_ids, {"snooze": None})


def _changed(feedback_ids: tuple[str, ...], sent: dict[str, Any]) -> tuple[Any, str]:
    shown = []
    try:
        change = feedback_change.read_change(sent)
        for feedback_id in dict.fromkeys(feedback_ids):
            shown.append(_one(feedback_id, dict(change)))
    except Refused as refused:
        told = (f"{fault.field}: {fault.message}" for fault in refused.problem.faults)
        raise Failure("; ".join(told)) from None
    names = ("id", "assignee", "snoozed_until", "wakes_on_delivery")
    lines = ("  ".join(str(row[name]) for name in names if row[name] is not None) for row in shown)
    return {"data": shown}, "\n".join(lines)


def _one(feedback_id: str, change: dict[str, Any]) -> dict[str, Any]:
    """Changes one record, in a transaction of its own; the record as it is then."""
    with writing():
        known = feedback.first_of(feedback_id)
        row = known and feedback.find(known["workspace_id"], None, feedback_id, to_change=True)
        if row is None:
            raise NotHere(f"no record {feedback_id}")
        caller = Caller(COMMAND_LINE, row["workspace_id"], None, row["project_id"], frozenset({"admin"}))
        feedback_change.check_assignee(caller, change)
        made = feedback_change.apply([row], change, caller=caller, at=now_ms(), request_id=new_id("req"))
    return feedback.document(row | made[0])
