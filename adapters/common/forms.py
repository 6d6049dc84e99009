"""What a tool posts that can post JSON, a form, a form of several parts, or JSON within JSON."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from adapters.common.multipart import Cut, read_form
from adapters.common.multipart import form_of as form_in
from adapters.common.untrusted_json import form_of, json_in, looks_like_json
from adapters.contract import Fault, Inbound, Refused, invalid


def sent_of(inbound: Inbound) -> Any:
    """The body as JSON, or its form as an object.

    A form with one field that is JSON, such as `payload`, is that; fields beside others that are JSON
    objects or arrays are read too. A JSON text that is itself written as a JSON string is read once more.
    Raises Refused (400).
    """
    media = inbound.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "multipart/form-data" and not looks_like_json(inbound):
        fields = parts_of(inbound)
    elif media == "application/x-www-form-urlencoded" and not looks_like_json(inbound):
        fields = form_of(inbound)
    else:
        sent = inbound.json
        return _read(inbound, sent) if isinstance(sent, str) else sent
    read = {name: _read(inbound, text) for name, text in fields.items()}
    alone = next(iter(read.values())) if len(read) == 1 else None
    return alone if isinstance(alone, dict | list) else read


def parts_of(inbound: Inbound) -> dict[str, str]:
    """The fields of a form of several parts (RFC 7578) that are texts, the last of each name.

    Raises Refused (400) when there is no such field.
    """
    fields: dict[str, str] = {}
    with suppress(Cut):
        read_form(form_in(inbound, iter([inbound.body])), fields, len(inbound.body), _left_out)
    fields.pop("", None)
    if not fields:
        raise invalid(Fault("body", "Expected a form, received none"))
    return fields


def _left_out(name: str, declared: str, chunks: Iterable[bytes]) -> None:
    for _ in chunks:
        pass


def _read(inbound: Inbound, text: str) -> Any:
    """A text as the JSON object or array that it is, else as it came."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json_in(inbound, text)
    except Refused:
        return text
