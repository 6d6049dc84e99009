"""Looks for what is out of the ordinary, spikes and silences, for the destinations that listen to it.

It is judged for each by its own filter and project, so it is raised there and is no change that others hear.
"""

from __future__ import annotations

from functools import partial

from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from gateway.destinations import deliveries, found_kinds, silences, spikes
from gateway.destinations.alarm import Alarm
from gateway.destinations.sender import NAME as SEND
from models.queries import selection
from models.tables import destination, job, notification, outbox, outgoing

NAME = "alarms"
EVERY = 10 * 60_000  # milliseconds between two looks
REMEMBERED = 60 * 86_400_000  # milliseconds; what still lasts then is told again


def look(lease: Lease) -> int:
    """Raises what there is to raise; when to come again."""
    pace, now = Pace(lease.transact), now_ms()
    for one in destination.list_page(None, None) if destination.any_at_all() else ():
        if {*outbox.ALARMS} & {*one["events"]} and one["state"] != destination.DISABLED:
            lease.extend()
            for alarm in (*spikes.of(one, now), *silences.of(one, now)):
                pace.write(partial(_raise, one["id"], alarm, now))
    return EVERY


def _raise(name: str, alarm: Alarm, now: int) -> None:
    """Makes the delivery, within the open transaction, unless somebody did or it is no longer wanted."""
    one = destination.find(None, None, name, to_change=True)
    if one is None or one["state"] == destination.DISABLED or one["alarms"].get(alarm.name, 0) > alarm.after:
        return
    type_, is_for_people = alarm.change.type, found_kinds.load()[one["kind"]].is_for_people
    if is_for_people:
        make = partial(deliveries.of_message, one, type_, alarm.message, None, now)
    else:
        make = partial(deliveries.of_change, one, alarm.change, None, now)
    made = deliveries.safely(one, type_, make)
    outgoing.add_all(made)
    for row in made if is_for_people else ():
        known = [kept["id"] for kept in selection.kept_rows(alarm.quoted)]
        notification.quote(row["id"], known, None)
    kept = {known: at for known, at in one["alarms"].items() if at > now - REMEMBERED}
    destination.change(name, {"alarms": {**kept, alarm.name: now}})
    job.ask(SEND, None)


LOOK = Work(NAME, look)
