"""What a tool posts that can post JSON, a form, a form of several parts, or JSON within JSON."""

from __future__ import annotations

import re
from typing import Any

from adapters.common.untrusted_json import MOST_FIELDS, form_of, json_in, looks_like_json
from adapters.contract import Fault, Inbound, Refused, invalid

_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)  # RFC 2046, 5.1.1


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
    found = _BOUNDARY.search(inbound.headers.get("content-type", ""))
    mark = b"--" + (found[1] or found[2]).encode("latin-1", "replace") if found else b""
    pieces = (b"\r\n" + inbound.body).split(b"\r\n" + mark, MOST_FIELDS + 2)[1:] if found else []
    if len(pieces) > MOST_FIELDS + 1:
        raise invalid(Fault("body", f"Expected a form of at most {MOST_FIELDS} fields"))
    fields = {}
    for piece in pieces:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = _name_in(head)
        if name is not None:
            fields[name] = content.decode("utf-8", "replace").replace("\x00", "\ufffd")
    if not fields:
        raise invalid(Fault("body", "Expected a form, received none"))
    return fields


def _name_in(head: bytes) -> str | None:
    """The name of a part, by its headers; None for a file, and for what has none."""
    for line in head.split(b"\r\n"):
        header, _, value = line.partition(b":")
        if header.strip().lower() == b"content-disposition":
            pairs = (piece.strip().partition(b"=") for piece in value.split(b";")[1:])
            known = {name.strip().lower(): given.strip(b' "') for name, _, given in pairs}
            if b"name" in known and not known.keys() & {b"filename", b"filename*"}:
                return known[b"name"].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return None


def _read(inbound: Inbound, text: str) -> Any:
    """A text as the JSON object or array that it is, else as it came."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json_in(inbound, text)
    except Refused:
        return text
