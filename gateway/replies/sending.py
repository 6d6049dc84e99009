"""Sends answers to authors: at least once each, always with the same id.

What can be taken back waits for its time; from then on it is being sent. A process that dies between an
answer's being taken and the note of it leaves the answer to be sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from gateway.background.bounded import Bounded, Row, pause
from gateway.background.lease import Lease, Work
from gateway.core import log
from gateway.core.ids import new_id, now_ms
from gateway.core.mail import NotSent
from gateway.core.pacing import transact
from gateway.replies.channels import CHANNELS
from models.database.base import insert
from models.queries import selection
from models.tables import dedupe, feedback, outbox, reply
from models.tables.event import Event

NAME = "replies"
RETRIES = (30, 300, 1_800, 7_200, 21_600)  # seconds after a try that failed for what may pass
AT_ONCE = 12  # answers under way
OF_A_SERVER = 4  # of those to one server, so that a slow one holds up nobody else's
OF_A_RECORD = 1  # of those, so that they arrive in the order they were written in


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a try: `why` it was not sent, "" when it was, and whether that `lasts`.

    `key` is that under which the source will tell of it. `undeliverable` says that nobody has the address,
    `after` how many milliseconds to wait at least.
    """

    why: str = ""
    lasts: bool = False
    key: str = ""
    undeliverable: bool = False
    after: int = 0


def send(lease: Lease) -> int:
    """Sends what is due, some at a time; when the next one is."""
    servers: dict[str, str] = {}  # of those under way, by their ids

    def begin(row: Row) -> Callable[[], Became]:
        # Not by `lease.transact`: to be asked to end must not leave what is under way without its note.
        claimed = lease.carry_out(partial(transact, partial(reply.claim, row["id"])))
        servers[row["id"]] = row["server"]
        return partial(_tried, row) if claimed else Became

    def due(limit: int, but: Iterable[str], records: Iterable[str]) -> list[Row]:
        for name in servers.keys() - set(but):
            del servers[name]
        return reply.due(now_ms(), limit, OF_A_SERVER, servers, records)

    Bounded(_pool(), AT_ONCE, OF_A_RECORD, "feedback", due, begin, _note).until_none(lease)
    return pause(reply.next_due())


def _tried(row: Row) -> Became:
    """Sends an answer once."""
    record = feedback.first_of(row["feedback"])
    if record is None:
        return Became("the record is gone", True)
    try:
        return Became(key=CHANNELS[row["channel"]].send(row, record))
    except NotSent as error:
        return Became(error.why, error.permanent, undeliverable=error.nobody, after=error.after)
    except Exception:  # one answer's fault must not keep the others waiting
        log.logger.exception("a reply cannot be sent", extra={"facts": {"reply": row["id"]}})
        return Became("could not be sent")  # the database may be away for a moment


def _note(row: Row, became: Became) -> None:
    """Notes what became of a try, within the open transaction."""
    now = now_ms()
    if became.why:
        changed: dict[str, Any] = {"state": reply.FAILED, "why": became.why}
        changed["undeliverable"] = became.undeliverable
        if not became.lasts and row["tries"] < len(RETRIES):
            changed = {
                "state": reply.SENDING,
                "why": became.why,
                "next_at": now + max(RETRIES[row["tries"]] * 1000, became.after),
            }
        reply.settle(row["id"], changed)
        return
    if not reply.settle(row["id"], {"state": reply.SENT, "why": None, "sent_at": now}):
        return  # it was taken back, or is gone with its record
    if row["address"] is not None:
        reply.note_delivered(row["workspace_id"], row["address"])
    detail = {"reply_id": row["id"], "channel": row["channel"], "key_id": row["key_id"]}
    if row["theme"] is not None:
        detail["theme"] = row["theme"]
    told: dict[str, Any] = {
        "type": reply.EVENT,
        "at": now,
        "detail": detail,
        "payload": None,
        "delivery_id": None,
    }
    records = selection.kept_rows([row["feedback"], *row["also"]])
    if became.key and records:
        place = (row["workspace_id"], records[0]["source"])
        dedupe.take(*place, became.key, now=now, feedback_id=row["feedback"])
    for record in records:
        told |= {"id": new_id("ev"), "feedback": record["id"]}
        insert(Event, told)
        outbox.note(outbox.REPLIED, record, now, told["id"])


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that stay, as each has a connection to the database."""
    return ThreadPoolExecutor(AT_ONCE, "reply")


SEND = Work(NAME, send, prompt=True, waits=True)
