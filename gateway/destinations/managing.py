"""Destinations made, changed, rotated, tested and ended by admins; what is wrong is told field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from adapters.contract import Fault, Problem, Refused, invalid
from gateway.access import audit_log, signing_secrets
from gateway.api import filters
from gateway.core import encryption, outbound
from gateway.core.ids import id_at, new_id, now_ms
from gateway.core.outbound import Forbidden
from gateway.core.pacing import Pace
from gateway.destinations import found_kinds, own_headers, subscription
from gateway.destinations.sender import NAME
from gateway.destinations.shared_view import filter_of
from models.database.base import dumps, writing
from models.tables import destination, job, outbox, outgoing
from models.tables.feedback import iso

MOST = 50  # destinations of a workspace
MOST_AT_ONCE = 10_000  # deliveries that are replayed or forgotten
ALL = "msg~"  # behind every id
REPLAYABLE = (outgoing.WAITING, outgoing.SENT, outgoing.HELD, outgoing.DEAD)
FORGETTABLE = (outgoing.WAITING, outgoing.HELD, outgoing.DEAD)
EVENTS = tuple(name for name in outbox.TYPES if name != outbox.TEST)  # what may be asked for
CHANGEABLE = (destination.ENABLED, destination.PAUSED)
_SEALED = ("url", "headers")

Row = Mapping[str, Any]


def create(
    workspace_id: str, project_id: str | None, kind: str, url: str, sent: Row, *, by: str
) -> dict[str, Any]:
    """Stores a destination and answers it with its secret, for the only time.

    `sent` may have name, events, filter, headers, thin, ordered and subscription. Raises Refused (400) that
    names every bad field.
    """
    kinds = found_kinds.load()
    faults = _faults(workspace_id, kind, {**sent, "url": url})
    if kind not in kinds:
        faults.append(Fault("kind", f"Must be one of {', '.join(kinds)}"))
    if faults:
        raise invalid(*faults)
    now, new_secret = now_ms(), kinds[kind].new_secret
    secret = None if new_secret is None else new_secret()
    name = new_id("dst")
    row: dict[str, Any] = {"id": name, "workspace_id": workspace_id, "project_id": project_id, "kind": kind}
    row |= {name: sent.get(name, "") for name in ("name", "filter")}
    row |= {name: sent.get(name, False) for name in ("thin", "ordered")}
    usual = subscription.EVENTS if kinds[kind].is_for_people else (outbox.CREATED,)
    row |= {
        "events": list(sent.get("events") or usual),
        "subscription": subscription.merged({}, sent.get("subscription", {})),
        "secrets": [] if secret is None else [signing_secrets.sealed(secret)],
    }
    row["tell_at"] = subscription.of(row).next_after(now) if subscription.of(row).is_scheduled else None
    row |= _sealed({"url": url, "headers": sent.get("headers", {})}) | {"created_at": now}
    with writing():
        if len(destination.list_page(workspace_id, None, limit=MOST)) >= MOST:
            raise invalid(Fault("body", f"There are {MOST} destinations, which is the most"))
        destination.add(row)
        audit_log.note(workspace_id, by, "destination.created", name, kind=kind, project_id=project_id)
        job.ask(NAME, None)
    outbox.forget_listeners()
    made = destination.find(workspace_id, None, name)
    assert made is not None, "it was stored just now"
    return {**shown(made), "secret": secret}


def change(
    row: Row, sent: Row, *, by: str, check: Callable[[Row], None] = lambda row: None
) -> dict[str, Any]:
    """Sets what is sent: name, url, events, filter, headers, thin, ordered, and state (enabled or paused).

    Of a subscription that which is not sent stays, as it is then: of two changes at once both hold. `check`
    may refuse the row as it is then; what it is afterwards is answered. What waits is held while it is
    paused. Raises Refused: 400 that names every bad field, 404 when it was deleted meanwhile.
    """
    if faults := _faults(row["workspace_id"], row["kind"], _merged(row, sent)):
        raise invalid(*faults)
    sealed = _sealed({name: sent[name] for name in _SEALED if name in sent})
    with writing():
        found = destination.find(row["workspace_id"], None, row["id"], to_change=True)
        if found is None:
            raise Refused(Problem(404, "not_found", "No such destination."))
        check(found)
        merged = _merged(found, sent)
        if faults := _subscription_faults(row["kind"], merged):  # with what another change has set meanwhile
            raise invalid(*faults)
        columns = _changed(found, merged, sealed, now_ms())
        destination.change(row["id"], columns)
        audit_log.note(row["workspace_id"], by, "destination.changed", row["id"], fields=", ".join(sent))
        job.ask(NAME, None)
    if sent.get("state") == destination.PAUSED:
        Pace().until_none(outgoing.hold)
    outbox.forget_listeners()
    return {**found, **columns}


def _merged(row: Row, sent: Row) -> Row:
    """What is sent, with all of the subscription if some of it is."""
    if "subscription" not in sent:
        return sent
    return {**sent, "subscription": subscription.merged(row["subscription"], sent["subscription"])}


def _changed(row: Row, sent: Row, sealed: Row, now: int) -> dict[str, Any]:
    """The columns of a change."""
    columns = {**sent, **sealed}
    if "url" in sent and "headers" not in sent and encryption.opened(row["headers"]) is None:
        columns |= _sealed(
            {"headers": {}}
        )  # those that nobody can open any more would keep all from being sent
    if sent.get("state") == destination.ENABLED and row["state"] != destination.ENABLED:
        columns |= {"reason": None, "resume_at": 0, "failing_since": None, "enabled_at": now}
    found = subscription.of({**row, **columns})
    if "subscription" in sent and found.is_scheduled:
        columns["tell_at"] = found.next_after(now)
    elif {"subscription", "state"} & sent.keys() and not found.is_scheduled:
        columns["tell_at"] = now  # what waits
    return columns


def rotate(row: Row, *, by: str) -> dict[str, Any]:
    """Gives a destination a new secret, told for the only time; the one before signs for another day, too.

    Raises Refused (400) for a kind that signs nothing.
    """
    new_secret = found_kinds.load()[row["kind"]].new_secret
    if new_secret is None:
        raise invalid(Fault("kind", f"Nothing is signed for {row['kind']}"))
    secret = new_secret()
    with writing():
        now = destination.find(row["workspace_id"], None, row["id"], to_change=True) or row
        kept = signing_secrets.rotated(now["secrets"], secret, now_ms())
        destination.change(row["id"], {"secrets": kept})
        audit_log.note(row["workspace_id"], by, "destination.rotated", row["id"])
    return {**shown({**row, "secrets": kept}), "secret": secret}


def delete(row: Row, *, by: str) -> None:
    """Ends a destination with its deliveries."""
    Pace().until_none(partial(outgoing.forget_of, row["id"]))
    with writing():
        destination.delete(row["id"])
        audit_log.note(row["workspace_id"], by, "destination.deleted", row["id"])
    outbox.forget_listeners()


def test(row: Row) -> None:
    """Has a `destination.test` sent, the whole way that changes go."""
    with writing():
        outbox.note_destination(outbox.TEST, row, now_ms())
        job.ask(NAME, None)


def replay(
    row: Row,
    *,
    by: str,
    delivery_id: str | None = None,
    state: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> int:
    """Sends one delivery anew, or those of a state and a time (milliseconds UTC); how many, 10,000 at most.

    Each keeps its id, is signed with the secrets of now, and decides nothing when it fails. One that waits is
    only sent sooner. Without a state those are meant that were given up.
    """
    states = REPLAYABLE if delivery_id is not None else (state or outgoing.DEAD,)
    ids = _deliveries(row, states, delivery_id, since, until)
    done = sum(Pace().each(ids, lambda some: outgoing.replay(some, now_ms())))
    _noted(row, by, "destination.replayed", done)
    return done


def forget(
    row: Row,
    *,
    by: str,
    delivery_id: str | None = None,
    state: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> int:
    """Deletes one delivery that was not taken, or those of a state and a time, with their attempts; how many.

    10,000 at most. Without a state those are meant that are held.
    """
    states = FORGETTABLE if delivery_id is not None else (state or outgoing.HELD,)
    ids = _deliveries(row, states, delivery_id, since, until)
    done = sum(Pace().each(ids, lambda some: outgoing.forget_in(some, states)))
    _noted(row, by, "destination.forgotten", done)
    return done


def shown(row: Row) -> dict[str, Any]:
    """A destination as it is listed: without its secrets and the values of its headers."""
    named = (
        "id",
        "kind",
        "name",
        "workspace_id",
        "project_id",
        "events",
        "filter",
        "thin",
        "ordered",
        "state",
        "reason",
    )
    is_for_people = found_kinds.load()[row["kind"]].is_for_people
    times = ("resume_at", "succeeded_at", "failing_since", "created_at")
    return {
        **{name: row[name] for name in named},
        "url": encryption.opened(row["url"]),
        "subscription": subscription.shown(row) if is_for_people else None,
        "headers": sorted(json.loads(encryption.opened(row["headers"]) or "{}")),
        "live_secrets": len(signing_secrets.live(row["secrets"], now_ms())),
        **{
            state: outgoing.count(row["id"], state)
            for state in (outgoing.WAITING, outgoing.HELD, outgoing.DEAD)
        },
        **{name: iso(row[name] or None) for name in times},
    }


def deliveries(
    row: Row, *, state: str | None = None, before: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """A destination's deliveries, the newest first, each with its attempts."""
    found = outgoing.list_page(row["id"], state=state, before=before, limit=limit)
    attempts: dict[str, list[dict[str, Any]]] = {one["id"]: [] for one in found}
    for item in outgoing.attempts_of(list(attempts)):
        told = {name: item[name] for name in ("n", "ms", "status", "why", "answer")}
        attempts[item["delivery"]].append({**told, "at": iso(item["at"])})
    return [
        {
            **{name: one[name] for name in ("id", "type", "state", "replay", "body")},
            "feedback_id": one["feedback"],
            "next_at": iso(one["next_at"]) if one["state"] == outgoing.WAITING else None,
            "created_at": iso(one["created_at"]),
            "attempts": attempts[one["id"]],
        }
        for one in found
    ]


def _deliveries(
    row: Row, states: Sequence[str], delivery_id: str | None, since: int | None, until: int | None
) -> list[str]:
    """The ids of one delivery, or of those of a time (milliseconds UTC), that are in such a state."""
    if delivery_id is not None:
        return outgoing.ids_between(row["id"], states, delivery_id, f"{delivery_id}\0", 1)
    last = ALL if until is None else id_at("msg", until)
    return outgoing.ids_between(row["id"], states, id_at("msg", since or 0), last, MOST_AT_ONCE)


def _noted(row: Row, by: str, action: str, count: int) -> None:
    """Notes what was done with deliveries, and has the sender look."""
    with writing():
        audit_log.note(row["workspace_id"], by, action, row["id"], deliveries=count)
        job.ask(NAME, None)


def _faults(workspace_id: str, kind: str, sent: Row) -> list[Fault]:
    """What is wrong with the fields that are there."""
    faults: list[Fault] = []
    if "url" in sent:
        try:
            known = found_kinds.load().get(kind)
            (known.check if known else outbound.check)(sent["url"])
        except Forbidden as error:
            faults.append(Fault("url", str(error)))
    if "filter" in sent:
        wrong: list[Fault] = []
        try:
            filters.read(filter_of(workspace_id, sent["filter"]), (), wrong)
        except Refused as refused:
            wrong += refused.problem.faults
        faults += [Fault(f"filter.{fault.field}", fault.message) for fault in wrong]
    if "headers" in sent:
        faults += own_headers.faults(sent["headers"])
    return faults + _subscription_faults(kind, sent)


def _subscription_faults(kind: str, sent: Row) -> list[Fault]:
    known = found_kinds.load().get(kind)
    return subscription.faults(sent, is_for_people=known.is_for_people) if known else []


def _sealed(sent: Row) -> dict[str, str]:
    texts = {name: value if isinstance(value, str) else dumps(value) for name, value in sent.items()}
    return {name: encryption.encrypt(text) for name, text in texts.items()}


def more_faults(workspace_id: str, kind: str, sent: Any, named: Collection[str]) -> list[Fault]:
    """What is wrong with the address and the filter of a body whose schema refuses fields as `named`.

    So that whoever sends it hears of all faults at once.
    """
    if not isinstance(sent, dict) or kind not in found_kinds.load():
        return []
    left = {
        name: sent[name]
        for name in ("url", "filter")
        if isinstance(sent.get(name), str) and name not in named
    }
    return _faults(workspace_id, kind, left)
