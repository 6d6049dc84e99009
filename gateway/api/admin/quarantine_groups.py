"""What is held in quarantine by source and reason: counted, replayed and discarded together."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import adapters
from adapters.contract import Inbound, Reply
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.api import pagination
from gateway.api.schemas.quarantine import Discard, ReplayGroup
from gateway.core.pacing import Pace
from gateway.intake.replay import replay
from models.database.base import writing
from models.intake.commit import Gone
from models.tables import quarantine
from models.tables.feedback import iso

clock = time.monotonic
AT_ONCE = 5.0  # seconds of one request in which deliveries are replayed
MOST_TOLD = 200  # ids of records that an answer names


def list_groups(caller: Caller, inbound: Inbound) -> Reply:
    """How many deliveries are held for the same reason, the newest first; of many the newest are counted."""
    limit, after = pagination.asked(inbound)
    found = quarantine.groups(caller.workspace_id, caller.project_id)
    shown = [
        {
            "source": row["source"],
            "reason": row["reason"],
            "count": row["count"],
            "last_received_at": iso(row["last"]),
            "id": row["newest"],
        }
        for row in found
        if after is None or row["newest"] < after
    ]
    told = pagination.page(shown, limit)
    told["data"] = [{name: one[name] for name in one if name != "id"} for one in told["data"]]
    return Reply(200, told)


def replay_group(caller: Caller, inbound: Inbound) -> Reply:
    """Sends what is held for a reason through today's adapter, the oldest first, for some seconds.

    `next_cursor` is where to go on; what is still not understood stays held. Raises Refused (400).
    """
    sent, began = ReplayGroup.of(inbound), clock()
    where = (caller.workspace_id, caller.project_id, sent["source"], sent.get("reason"))
    after, ids, counts = sent.get("cursor"), list[str](), {"replayed": 0, "held": 0}
    row = quarantine.next_of(*where, after=after)
    while row is not None and clock() - began < AT_ONCE:
        after = row["id"]
        with suppress(Gone):  # somebody discarded it meanwhile
            outcome = replay(adapters.load()[row["source"]], row, lenient=sent["lenient"])
            counts["held" if isinstance(outcome, str) else "replayed"] += 1
            ids += [] if isinstance(outcome, str) else outcome
        row = quarantine.next_of(*where, after=after)
    with writing():
        audit_log.note(caller.workspace_id, caller.key_id, "quarantine.replayed", sent["source"], **counts)
    return Reply(200, {**counts, "feedback_ids": ids[:MOST_TOLD], "next_cursor": row and after})


def discard_group(caller: Caller, inbound: Inbound) -> Reply:
    """Deletes what is held for a reason, for good; not what comes meanwhile. Raises Refused (400)."""
    sent = Discard.of(inbound)
    where = (caller.workspace_id, caller.project_id, sent["source"], sent.get("reason"))
    ids = quarantine.ids_of(*where)
    done = sum(Pace().each(ids, quarantine.discard))
    with writing():
        detail: dict[str, Any] = {"discarded": done, "reason": sent.get("reason")}
        audit_log.note(caller.workspace_id, caller.key_id, "quarantine.discarded", sent["source"], **detail)
    return Reply(200, {"discarded": done})
