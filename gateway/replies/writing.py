"""Answers to one record: written, looked at before they are sent, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Fault, Problem, Refused, invalid
from gateway.core import encryption
from gateway.core.ids import new_id
from gateway.replies.by_mail import CLOSED
from gateway.replies.channels import CHANNELS, lacking
from gateway.replies.sending import NAME
from models.database.base import writing
from models.tables import job, reply

UNDO = 10_000  # milliseconds in which an answer can be taken back
LONGEST_TEXT = 8_000  # characters; escaped, Slack takes that whole (40,000)

Row = Mapping[str, Any]


def write(
    record: Row, channel: str | None, text: str, *, by: str, now: int, dry_run: bool = False
) -> dict[str, Any]:
    """Queues an answer by this channel, or by the first that the record has; the answer as it is shown.

    With `dry_run` what would be sent: channel, to, subject and text. Raises Refused: 409 when the record has
    no such channel, with why for each that it lacks, 400 for a text that the channel does not take.
    """
    lacks = lacking(record)
    chosen = channel or next((name for name, why in lacks.items() if not why), None)
    if chosen is None or lacks[chosen]:
        raise _nowhere(lacks, channel)
    if why := CHANNELS[chosen].refuses(text):
        raise invalid(Fault("text", why))
    row: dict[str, Any] = {"id": new_id("rpl"), "workspace_id": record["workspace_id"]}
    row |= {"feedback": record["id"], "theme": None, "also": [], "channel": chosen, "text": text}
    row["server"] = CHANNELS[chosen].server(record)
    row |= {"key_id": by, "created_at": now, "next_at": now + UNDO}
    try:
        with writing():
            row["address"] = CHANNELS[chosen].address(record)
            if dry_run:
                return {"channel": chosen, **CHANNELS[chosen].shown(row, record)}
            reply.add_all([row])
            job.ask(NAME, None)
    except encryption.WrongKey:
        raise _nowhere({**lacks, chosen: CLOSED}, chosen) from None
    return reply.document(
        {**row, "state": reply.QUEUED, "why": None, "undeliverable": False, "tries": 0, "sent_at": None}
    )


def take_back(row: Row) -> None:
    """Deletes an answer that was not sent. Raises Refused (409) when it was, or is about to be."""
    with writing():
        gone = reply.take_back(row["id"])
    if not gone:
        raise Refused(Problem(409, "conflict", "It is sent, or about to be: it cannot be taken back."))


def _nowhere(lacks: Mapping[str, str], channel: str | None) -> Refused:
    faults = tuple(Fault(name, why) for name, why in lacks.items() if why)
    whys = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    said = f"no channel: {whys}" if channel is None else f"no channel {channel}: {lacks[channel]}"
    return Refused(Problem(409, "conflict", f"This record has {said}", faults))
