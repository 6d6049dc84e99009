"""Tells people what there is: one record at once, then what comes in a while, a day or a week, together.

All up to a destination's `told_at` has been told. That moves in the transaction that makes the delivery, and
only one process may send: nothing is lost, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from gateway.destinations import deliveries, digests, gathering, links, messages, subscription
from gateway.destinations.kind import Change
from gateway.destinations.message import Message
from gateway.destinations.subscription import DIGEST, EACH, MINUTE
from models.queries import selection
from models.tables import destination, notification, outgoing

MOST_SHOWN = 10  # records of a message that tells of many
AT_ONCE = 4  # destinations, since a digest takes a while, before deliveries go on
MOST_APART = 5  # messages of before that are changed or followed at once

Row = Mapping[str, Any]
Told = Sequence[tuple[str, str]]  # ids of records, and why people are told of them
Digest = tuple[Message, list[str]]  # and the records whose words are in it
any_due = notification.any_due


@dataclass(frozen=True, slots=True)
class Waiting:
    """What people are to be told: all behind `since` and up to `until`, so many for each reason.

    `highest` are those of the highest impact, `apart` those that change or follow a message of their own.
    """

    since: int
    until: int
    counts: Mapping[str, int]
    highest: Told
    apart: Told = ()


def at_once(one: Row, first: Row, now: int) -> list[dict[str, Any]]:
    """What people are told of a record that was just gathered, within the open transaction, if it is time.

    Nothing while others wait to be told together: `first` is told with them.
    """
    found = subscription.of(one)
    if found.when != EACH or one["tell_at"] is not None or one["state"] != destination.ENABLED:
        return []
    name, reason = first["feedback"], first["reason"]
    waiting = Waiting(one["told_at"], first["at"], {reason: 1}, [(name, reason)])
    destination.change(one["id"], {"told_at": first["at"], "tell_at": now + found.window * MINUTE})
    return [made for made, _ in _made(one, waiting, now, follows=False)]


def tell(pace: Pace) -> None:
    """Tells people what they are to be told by now, at some destinations, one at a time."""
    now = now_ms()
    for one in notification.due(now, AT_ONCE):
        made: list[Digest | None] = []
        if subscription.of(one).content == DIGEST:
            made = deliveries.safely(one, outgoing.DIGEST, partial(digests.of_subscription, one, now))
        digest = next(iter(made), None)
        pace.write(partial(_tell, one["id"], _waiting(one), digest, now))


def forget(limit: int) -> int:
    """Forgets some of what people were told long ago, within the open transaction; how many records."""
    before = now_ms() - gathering.REMEMBERED
    found = (notification.forget(one["id"], before, limit) for one in destination.list_page(None, None))
    return next(filter(None, found), 0)


def _waiting(one: Row) -> Waiting:
    """What waits, read before anything is written."""
    until = notification.newest(one["id"])
    span = (one["id"], one["told_at"], until)
    is_each = subscription.of(one).when == EACH
    apart = notification.followed(*span, MOST_APART) if is_each else []
    highest = notification.highest(*span, MOST_SHOWN + len(apart))
    counts = notification.counts(*span)
    for row in apart:
        counts[row["reason"]] -= 1
    told, follow = ([(row["feedback"], row["reason"]) for row in some] for some in (highest, apart))
    shown = [item for item in told if item not in follow][:MOST_SHOWN]
    return Waiting(
        one["told_at"], until, {name: count for name, count in counts.items() if count}, shown, follow
    )


def _tell(name: str, waiting: Waiting, digest: Digest | None, now: int) -> None:
    """Makes the deliveries, within the open transaction, if a destination is as it was."""
    one = destination.find(None, None, name, to_change=True)
    if one is None or one["state"] != destination.ENABLED or one["told_at"] != waiting.since:
        return
    found = subscription.of(one)
    made = _made(one, waiting, now, follows=found.when == EACH)
    if digest is not None:
        message, names = digest
        make = partial(deliveries.of_message, one, outgoing.DIGEST, message, None, now)
        known = [row["id"] for row in selection.kept_rows(names)]
        made += [(row, known) for row in deliveries.safely(one, outgoing.DIGEST, make)]
    outgoing.add_all([row for row, _ in made])
    for row, quoted in made:
        notification.quote(row["id"], quoted, waiting.since)
    again = now + found.window * MINUTE if made else None
    tell_at = found.next_after(now) if found.is_scheduled else again
    destination.change(name, {"told_at": max(waiting.since, waiting.until), "tell_at": tell_at})


def _made(
    one: Row, waiting: Waiting, now: int, *, follows: bool
) -> list[tuple[dict[str, Any], Sequence[str]]]:
    """The deliveries of what waits, each with the records whose words are in it beside its own."""
    ids = sorted({record for record, _ in (*waiting.highest, *waiting.apart)})
    known = {row["id"]: row for row in selection.kept_rows(ids)}

    def changes(told: Told) -> list[Change]:
        return [_change(one, known[record], reason, now) for record, reason in told if record in known]

    total, found = sum(waiting.counts.values()), list[tuple[dict[str, Any], Sequence[str]]]()
    for change in changes((*waiting.apart, *(waiting.highest if total == 1 else ()))):
        make = partial(deliveries.of_change, one, change, change.data["id"], now)
        found += [(row, ()) for row in deliveries.safely(one, change.type, make)]
    if total > 1:
        shown = changes(waiting.highest)
        named, url = subscription.of(one).include_author, links.of_list(one["filter"])
        message = messages.of_many(shown, waiting.counts, url, now, follows=follows, include_author=named)
        make = partial(deliveries.of_message, one, outgoing.ROLL_UP, message, None, now)
        found += [(row, _ids(shown)) for row in deliveries.safely(one, outgoing.ROLL_UP, make)]
    return found


def _ids(shown: Sequence[Change]) -> list[str]:
    return [change.data["id"] for change in shown]


def _change(one: Row, row: Row, reason: str, now: int) -> Change:
    about = {"type": reason, "at": now, "feedback_id": row["id"], "event_id": None, "data": None}
    about |= {name: row[name] for name in ("workspace_id", "project_id")}
    return deliveries.change_of(one, about, row, {})
