"""Sentry's envelopes, taken apart: a header line, then items, each a header line and its payload."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.common.schemas import type_name
from adapters.common.untrusted_json import first_text
from adapters.contract import Fault, Inbound, Refused, invalid

MOST_ITEMS = 100  # that are read
MOST_IN_ALL = 1_000  # with those that are passed over


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an envelope: its header, its payload as bytes, and where both stand in the body."""

    header: Mapping[str, Any]
    payload: bytes
    place: slice


def header_of(inbound: Inbound) -> dict[str, Any]:
    """The header of the envelope that is the body. Raises Refused."""
    return object_in(inbound, inbound.body.partition(b"\n")[0], "envelope header")


def envelope_of(inbound: Inbound, places: Iterable[slice]) -> bytes:
    """The envelope that has only what stands at these places, under the same header."""
    header = inbound.body.partition(b"\n")[0]
    return b"\n".join((header, *filter(None, (inbound.body[place] for place in places))))


def items_of(inbound: Inbound, read: Collection[str]) -> Iterator[Item]:
    """The items after the envelope's header, of which those of the types in `read` count for MOST_ITEMS.

    Raises Refused, after those before the fault.
    """
    before, mark, rest = inbound.body.partition(b"\n")
    offset = len(before + mark)
    at = count = counted = 0
    while at < len(rest):
        end = _line_end(rest, at)
        line, begin, at = rest[at:end], at, end + 1
        if not line.strip():
            continue
        count += 1
        header = object_in(inbound, line, f"item {count} header")
        counted += first_text(header, "type") in read
        if counted > MOST_ITEMS or count > MOST_IN_ALL:
            most = MOST_ITEMS if counted > MOST_ITEMS else MOST_IN_ALL
            raise invalid(Fault("items", f"Array must contain at most {most} item(s)"))
        size = header.get("length")
        if size is None:  # then the payload is one line
            end = _line_end(rest, at)
        elif type(size) is not int or not 0 <= size <= max(0, len(rest) - at):
            raise invalid(Fault(f"item {count} length", "Expected the number of bytes that follow"))
        elif rest[at + size : at + size + 1] not in (b"", b"\n"):
            raise invalid(Fault(f"item {count} length", "Expected a line end after so many bytes"))
        else:
            end = at + size
        yield Item(header, rest[at:end], slice(offset + begin, offset + max(at, end)))
        at = end + 1


def object_in(inbound: Inbound, part: bytes, what: str) -> dict[str, Any]:
    """A JSON object within the body. Raises Refused (400) that names `what` it was to be."""
    try:
        sent = replace(inbound, body=part, checked={}).json
    except Refused as refused:
        raise invalid(Fault(what, refused.problem.message)) from None
    if not isinstance(sent, dict):
        raise invalid(Fault(what, f"Expected object, received {type_name(sent)}"))
    return sent


def _line_end(rest: bytes, at: int) -> int:
    found = rest.find(b"\n", at)
    return len(rest) if found < 0 else found
