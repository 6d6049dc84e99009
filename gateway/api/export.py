"""GET /gateway/v1/export: a file that is sent while it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from peewee import OperationalError

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import filters
from gateway.core import log
from gateway.destinations import links
from gateway.transfer.file_export import AT_HAND, BOM, FIELDS, SHOWN_AS, documents, lines
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.queries.ordering import OLDEST_BY, Position
from models.tables import feedback

TOGETHER = 50  # lines sent in one piece
_OWN = ("format", "fields", "bom", "header", "cursor", "limit", "sort")


def export_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """GET of all records that a filter means, oldest first or as `sort` says, as a file.

    It is sent while it is read.

    What arrives meanwhile is left out. A download that broke off goes on after the last record it has,
    by that one's id as `cursor`. Raises Refused (400) with every bad parameter.
    """
    faults: list[Fault] = []
    asked = filters.read(inbound.query_string, _OWN, faults, me=caller.person)
    form = asked.rest.get("format", "ndjson")
    fields = asked.rest.get("fields", ",".join(FIELDS)).split(",")
    limit = asked.rest.get("limit")
    chosen, sort = filters.in_order(asked, faults, OLDEST_BY)
    if form not in SHOWN_AS:
        faults.append(Fault("format", f"Must be one of {', '.join(SHOWN_AS)}"))
    if "fields" in asked.rest and form == "md":
        faults.append(Fault("fields", "Is not for Markdown"))
    if not set(fields) <= set(FIELDS):
        faults.append(Fault("fields", f"Must be some of {', '.join(FIELDS)}"))
    if limit is not None and not re.fullmatch(r"[1-9]\d{0,8}", limit, re.ASCII):
        faults.append(Fault("limit", "Must be a whole number from 1 to 999999999"))
    for name in ("bom", "header"):
        if asked.rest.get(name, "0") not in ("0", "1"):
            faults.append(Fault(name, "Must be 0 or 1"))
        elif name in asked.rest and form in ("ndjson", "md"):
            faults.append(Fault(name, "Is for CSV"))
    after = _position(caller, chosen, sort, asked.rest.get("cursor"), faults)
    if faults:
        raise invalid(*faults)
    chosen = feedback_query.as_of(chosen, inbound.received_at + 1)
    shown = documents(caller.workspace_id, caller.project_id, chosen, after, sort=sort)
    text = lines(islice(shown, None if limit is None else int(limit)), form, fields, links.of_record)
    if asked.rest.get("header") == "0":
        next(text)
    name = f"feedback-{datetime.now(UTC):%Y%m%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    first = (BOM if asked.rest.get("bom") == "1" else b"") + _piece(text)  # what fails here is still refused
    return Reply(200, _sent(first, text, inbound.request_id), headers, SHOWN_AS[form])


def _sent(first: bytes, text: Iterator[str], request_id: str) -> Iterator[bytes]:
    """Lines as the bytes of a body, many in one piece. A failure ends the connection, so that it is seen."""
    try:
        some = first
        while some:
            yield some
            some = _piece(text)
    except OperationalError as error:
        log.unavailable(error, request_id)
        raise
    except Exception:  # the answer has begun: nothing else can be told
        log.failure("export failed", request_id)
        raise


def _piece(text: Iterator[str]) -> bytes:
    """Some lines, as many as fit in memory, and one at least."""
    some, characters = [], 0
    for line in islice(text, TOGETHER):
        some.append(line)
        characters += len(line)
        if characters > AT_HAND:
            break
    return "".join(some).encode("utf-8", "replace")


def _position(
    caller: Caller, chosen: Filter, sort: str, cursor: str | None, faults: list[Fault]
) -> Position | None:
    """The place in the order of the record that a cursor names."""
    if cursor is None:
        return None
    row = feedback.find(caller.workspace_id, caller.project_id, cursor) if feedback.is_id(cursor) else None
    if row is None:
        faults.append(Fault("cursor", "Must be the id of a record that is here"))
        return None
    return feedback_query.place_of(row, chosen, sort)
