"""Sends deliveries until they are taken or given up: at least once each, always with the same id.

One host at a time has the right to it. A process that dies between an answer and its note leaves the delivery
to be sent again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.access.signing_secrets import live
from gateway.background.bounded import Bounded, Row
from gateway.background.lease import HEARTBEAT, Lease, Work
from gateway.core import encryption, log
from gateway.core.ids import id_at, now_ms
from gateway.core.outbound import Forbidden, Unreachable
from gateway.core.pacing import Pace
from gateway.core.retry_after import retry_after
from gateway.destinations import found_kinds, ladder, notifying
from gateway.destinations.fan_out import disable, fan_out
from gateway.destinations.kind import Answer, Delivery
from models.tables import destination, outbox, outgoing

NAME = "send"
AT_ONCE = 16  # deliveries under way
OF_ONE = 2  # of those to one destination, so that a slow one holds up nobody else's
KEPT_ANSWER = 4_096  # bytes
KEPT = 30 * ladder.DAY  # that a delivery is kept
EVERY = 60_000  # milliseconds between two looks while there is no destination
BREATH = 0.5  # seconds between two looks
LINGER = 50.0  # seconds of looking without anything to do: the lease is taken up less often
TURN = 1.0  # seconds of fanning out before what is due is begun


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt: when it was (milliseconds UTC), how long it took, and the answer."""

    at: int
    ms: int
    answer: Answer


def send(lease: Lease) -> int:
    """Tells destinations what there is and goes on looking for more; when to come again."""
    if not destination.any_at_all():
        if outbox.any_waiting():  # for one that is gone: not for the next one that is made
            Pace(lease.transact).until_none(fan_out)
        return EVERY
    pace, cleaned = Pace(lease.transact), time.monotonic() - HEARTBEAT
    under_way: dict[str, str] = {}  # the kinds of those, by their ids

    def due(limit: int, but: Iterable[str], full: Iterable[str]) -> list[Row]:
        nonlocal cleaned
        if time.monotonic() - cleaned >= HEARTBEAT:  # which says, too, that the work goes on
            pace.until_none(partial(outgoing.forget, id_at("msg", now_ms() - KEPT)), TURN)
            pace.until_none(notifying.forget, TURN)
            cleaned = time.monotonic()
        for there_is, act in ((outbox.any_waiting, fan_out), (outgoing.any_to_hold, outgoing.hold)):
            if there_is():
                pace.until_none(act, TURN)
        if notifying.any_due(now_ms()):
            notifying.tell(pace)
        for name in under_way.keys() - set(but):
            del under_way[name]
        return outgoing.due(now_ms(), limit, OF_ONE, but, full, _left([*under_way.values()]))

    def begin(row: Row) -> Callable[[], Outcome]:
        under_way[row["id"]] = row["to"]["kind"]
        return _begin(row)

    with ThreadPoolExecutor(AT_ONCE, "send") as pool:
        work = Bounded(pool, AT_ONCE, OF_ONE, "destination", due, begin, _note, _goes_alone)
        active = time.monotonic()
        while not lease.stopping():
            if work.until_none(lease):
                active = time.monotonic()
            elif time.monotonic() - active >= LINGER:
                break
            else:
                time.sleep(BREATH)
    return 1


def _left(under_way: Sequence[str]) -> dict[str, int]:
    """How many more may begin of kinds of which there may be few at once, beside those of these kinds."""
    return {
        name: kind.at_once - under_way.count(name)
        for name, kind in found_kinds.load().items()
        if kind.at_once is not None
    }


def _goes_alone(row: Row) -> bool:
    """Whether nothing else to its destination may be under way: what people read comes as it was made."""
    return row["to"]["ordered"] or found_kinds.load()[row["to"]["kind"]].is_for_people


def _begin(row: Row) -> Callable[[], Outcome]:
    return partial(_attempt, row, outgoing.reference_of(row["destination"], row["thread"]))


def _attempt(row: Row, earlier: str | None) -> Outcome:
    """Sends a delivery once."""
    at, began = now_ms(), time.perf_counter()
    try:
        answer = found_kinds.load()[row["to"]["kind"]].send(_opened(row, at, earlier))
    except encryption.WrongKey:
        answer = Answer(None, "its address or secret cannot be opened: set them anew")
    except (Forbidden, Unreachable) as error:
        answer = Answer(None, str(error))
    except Exception:  # one delivery's fault must not keep the others waiting
        log.logger.exception("a delivery cannot be sent", extra={"facts": {"delivery": row["id"]}})
        answer = Answer(None, "could not be sent")
    return Outcome(at, round((time.perf_counter() - began) * 1000), answer)


def _opened(row: Row, at: int, earlier: str | None) -> Delivery:
    one = row["to"]
    secrets = [encryption.decrypt(item["secret"]) for item in live(one["secrets"], at)]
    headers = json.loads(encryption.decrypt(one["headers"]))
    if row["replay"]:
        headers["Gateway-Replay"] = "true"
    url = encryption.decrypt(one["url"])
    return Delivery(row["id"], url, row["body"], headers, secrets, at, earlier, one["id"])


def _note(row: Row, outcome: Outcome) -> None:
    """Writes down an attempt and what follows from it, within the open transaction."""
    now = now_ms()
    one = destination.find(None, None, row["destination"], to_change=True)
    if one is None:  # it was deleted meanwhile, with its deliveries
        return
    answer = outcome.answer
    gone = answer.status == 410 and not row["replay"]
    said = answer.body[:KEPT_ANSWER].decode("utf-8", "replace").replace("\0", "\ufffd")
    noted = {"at": outcome.at, "ms": outcome.ms, "status": answer.status, "answer": said}
    noted["why"] = _kept(answer.why or answer.note)
    if not outgoing.tried(row, _changed(row, one, answer, gone, now), noted):
        return
    health = _health(row, one, answer, now)
    if health:
        destination.change(one["id"], health)
    if one["state"] != destination.ENABLED:
        return
    if gone:
        disable(one, "it answered 410 Gone", now)
    elif not answer.is_taken and not row["replay"] and ladder.is_lost({**one, **health}, now):
        disable(one, "it has taken nothing for five days", now)


def _kept(text: str | None) -> str | None:
    """A receiver's words without halves of characters, as escapes of JSON make them: no database does."""
    return text and text.encode("utf-8", "replace").decode()


def _changed(row: Row, one: Row, answer: Answer, gone: bool, now: int) -> dict[str, Any]:
    """The delivery's columns after an attempt."""
    if answer.is_taken:
        return {"state": outgoing.SENT, "reference": _kept(answer.reference)}
    if gone:
        return {"state": outgoing.HELD}
    rung = row["rung"] + 1
    pause = None if answer.is_final else ladder.delay(rung)
    if pause is None:
        return {"state": outgoing.DEAD, "rung": rung}
    state = outgoing.WAITING if one["state"] == destination.ENABLED else outgoing.HELD
    return {
        "state": state,
        "rung": rung,
        "next_at": now + max(pause, retry_after(answer.headers, now)),
    }


def _health(row: Row, one: Row, answer: Answer, now: int) -> dict[str, Any]:
    """The destination's columns after an attempt."""
    if answer.is_taken:
        recent = one["succeeded_at"] is not None and now - one["succeeded_at"] < EVERY
        return {} if recent and one["failing_since"] is None else {"succeeded_at": now, "failing_since": None}
    found: dict[str, Any] = {}
    if not row["replay"] and one["failing_since"] is None:
        found["failing_since"] = now
    if answer.status in ladder.BUSY:
        asked = retry_after(answer.headers, now) or ladder.delay(row["rung"] + 1) or 0
        found["resume_at"] = max(one["resume_at"], now + asked)
    return found


SEND = Work(NAME, send, prompt=True, waits=True)
