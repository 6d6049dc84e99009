"""One record: the row, and on request what hangs on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access.caller import Caller, rules_in
from gateway.api import pagination, query_parameters
from gateway.api.attachments import attachments_of
from gateway.api.feedback_change import shown
from gateway.api.merged import merged_of
from gateway.background.related import related
from gateway.background.similar import similar
from gateway.triage.stored import explained
from models.queries import bounded_pages
from models.tables import delivery, event, feedback

MOST_SIMILAR = 50
RAW = 20  # payloads beside a record, if they fit in memory together

Row = Mapping[str, Any]


def _events(caller: Caller, row: Row) -> dict[str, Any]:
    """The beginning of the history, without payloads; its cursor leads on in the record's /events."""
    found = event.of(row["id"], limit=pagination.LONGEST_PAGE + 1, payloads=False)
    return pagination.page([_without_payload(item) for item in found], pagination.LONGEST_PAGE)


def _raw(caller: Caller, row: Row) -> list[dict[str, Any]]:
    """The newest deliveries as they came, the newest one first; of those that made more records its part.

    As many as fit in memory, one at least.
    """
    return list(map(_delivery, delivery.enveloped(_newest(row))))


def _deliveries(caller: Caller, row: Row) -> list[dict[str, Any]]:
    """The same with all that came, also what is kept with other records."""
    shown: list[dict[str, Any]] = []
    sizes: list[int] = []
    for item in _newest(row):
        body = delivery.body_of(item)
        sizes.append(len(body or b""))
        if shown and bounded_pages.fit(sizes) < len(sizes):
            break
        shown.append(_delivery({**item, "payload": body}))
    return shown


def _newest(row: Row) -> list[dict[str, Any]]:
    fitting = bounded_pages.fit(delivery.sizes(row["id"], limit=RAW, newest=True))
    return event.deliveries(row["id"], limit=fitting)


def _delivery(row: Row) -> dict[str, Any]:
    item = event.document(row)
    return {
        "event_id": item["id"],
        "at": item["at"],
        "content_type": item["detail"].get("content_type", ""),
        "payload": item["payload"],
        "envelope": item["envelope"],
    }


# What `?expand=` adds to a record, by the name it is asked for and shown under.
EXPANSIONS: dict[str, Callable[[Caller, Row], Any]] = {
    "events": _events,
    "raw": _raw,
    "deliveries": _deliveries,
    "similar": similar,
    "related": related,
    "attachments": attachments_of,
    "merged": merged_of,
}


def list_similar(caller: Caller, inbound: Inbound) -> Reply:
    """The records that say nearly the same, most alike first."""
    row, faults = find(caller, inbound), query_parameters.unknown(inbound, ("limit",))
    limit = query_parameters.whole(inbound, "limit", 1, MOST_SIMILAR, faults)
    if faults:
        raise invalid(*faults)
    return Reply(200, {"data": similar(caller, row, *([limit] if limit else [])), "next_cursor": None})


def show_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """One record, with what `expand` names; `?explain=1` adds the words that decided its labels."""
    row, query = find(caller, inbound), inbound.query
    faults = query_parameters.unknown(inbound, ("explain", "expand"))
    query_parameters.word(inbound, "explain", ("0", "1"), faults)
    wanted = dict.fromkeys(query["expand"].split(",")) if query.get("expand") else {}
    if not set(wanted) <= set(EXPANSIONS):
        faults.append(Fault("expand", f"Must be some of {', '.join(EXPANSIONS)}"))
    if faults:
        raise invalid(*faults)
    more = {name: EXPANSIONS[name](caller, row) for name in wanted}
    if query.get("explain") == "1":
        more["explanation"] = asdict(explained(row, rules_in(row["workspace_id"]).get(row["project_id"])))
    return shown(row, **more)


def list_events(caller: Caller, inbound: Inbound) -> Reply:
    """A record's history, oldest first, with the raw payload of every delivery."""
    row = find(caller, inbound)
    limit, after = pagination.asked(inbound)
    limit = bounded_pages.fit(delivery.sizes(row["id"], limit=limit, after=after))
    rows = event.of(row["id"], limit=limit + 1, after=after)
    return pagination.answer([event.document(item) for item in delivery.enveloped(rows)], limit)


def find(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    """The record a path names; another tenant's is answered like one that does not exist."""
    row = feedback.find(caller.workspace_id, caller.project_id, inbound.params["feedback_id"])
    if row is None:
        raise Refused(Problem(404, "not_found", "No such feedback."))
    return row


def _without_payload(row: dict[str, Any]) -> dict[str, Any]:
    shown = event.document({**row, "payload": None})
    del shown["payload"], shown["envelope"]
    return shown
