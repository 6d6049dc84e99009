"""Foreign bodies and the values in them, typed, whatever they hold.

`..._of` is what is at a path of names, empty when it is absent or of another type; `first_...` is the
first of several names of one object that says something; `needed_...` refuses what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from adapters.common.schemas import type_name
from adapters.contract import Fault, Inbound, invalid
from adapters.contract.charsets import declared

MOST_FIELDS = 1000  # of one form


def value_of(sent: Any, *path: str) -> Any:
    """What is at a path of names; None when any part of the path is absent or no object."""
    for name in path:
        if not isinstance(sent, dict):
            return None
        sent = sent.get(name)
    return sent


def text_of(sent: Any, *path: str) -> str:
    """The text at a path; "" when it is absent or of another type."""
    found = value_of(sent, *path)
    return found if isinstance(found, str) else ""


def scalar_of(sent: Any, *path: str) -> str:
    """The text at a path, or the whole number there as text; "" when it is absent or of another type."""
    found = value_of(sent, *path)
    return str(found) if type(found) in (str, int) else ""


def int_of(sent: Any, *path: str) -> int | None:
    """The whole number at a path; None when it is absent or of another type, true and false included."""
    found = value_of(sent, *path)
    return found if type(found) is int else None


def object_of(sent: Any, *path: str) -> dict[str, Any]:
    """The object at a path; an empty one when it is absent or of another type."""
    found = value_of(sent, *path)
    return found if isinstance(found, dict) else {}


def list_of(sent: Any, *path: str) -> list[Any]:
    """The array at a path; an empty one when it is absent or of another type."""
    found = value_of(sent, *path)
    return found if isinstance(found, list) else []


def objects_of(sent: Any, *path: str) -> list[dict[str, Any]]:
    """The objects in the array at a path, without what else is in it."""
    return [item for item in list_of(sent, *path) if isinstance(item, dict)]


def first_text(sent: Mapping[str, Any], *names: str) -> str:
    """The first of these that is a text other than white space, stripped; "" when none is."""
    for name in names:
        value = sent.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def first_scalar(sent: Mapping[str, Any], *names: str) -> str:
    """As `first_text`, taking numbers for texts too: ids are written either way."""
    for name in names:
        value = sent.get(name)
        word = str(value) if type(value) in (str, int, float) else ""
        if word.strip():
            return word.strip()
    return ""


def first_url(sent: Mapping[str, Any], *names: str) -> str:
    """The first of these that is an http or https address; "" when none is."""
    texts = (first_text(sent, name) for name in names)
    return next((text for text in texts if re.match(r"https?://\S", text)), "")


def linked(sent: Mapping[str, Any], name: str, *addresses: str) -> str:
    """What is called so with the first of these that is its address, "words (address)"; "" without either."""
    words, address = first_text(sent, name), first_url(sent, *addresses)
    return f"{words} ({address})" if words and address else words or address


def needed_text(sent: Any, *path: str) -> str:
    """The text at a path that cannot be done without.

    Raises Refused (400) that names the path when it is absent, empty or of another type.
    """
    found = text_of(sent, *path)
    if not found:
        raise invalid(Fault(".".join(path), "Expected a string that is not empty"))
    return found


def needed_scalar(sent: Any, *path: str) -> str:
    """The text or whole number at a path that a key is made of. Raises Refused (400), as `needed_text`."""
    return needed(scalar_of(sent, *path), ".".join(path))


def needed(found: str, name: str) -> str:
    """What was found under a name that cannot be done without. Raises Refused (400) when it is empty."""
    if not found:
        raise invalid(Fault(name, "Required"))
    return found


def needed_object(sent: Any, *path: str) -> dict[str, Any]:
    """The object at a path that a delivery is nothing without. Raises Refused (400), as `needed_text`."""
    found = value_of(sent, *path)
    if not isinstance(found, dict):
        raise invalid(Fault(".".join(path), f"Expected object, received {type_name(found)}"))
    return found


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that say something: neither None nor empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def body_of(inbound: Inbound) -> dict[str, Any]:
    """The request's body, which must be a JSON object. Raises Refused (400)."""
    sent = inbound.json
    if not isinstance(sent, dict):
        raise invalid(Fault("body", f"Expected object, received {type_name(sent)}"))
    return sent


def looks_like_json(inbound: Inbound) -> bool:
    """Whether the body opens as a JSON object or array, whatever its Content-Type says."""
    return inbound.text.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def form_of(inbound: Inbound) -> dict[str, str]:
    """The body as a form, the last of each name; NUL, which no text column can hold, becomes U+FFFD.

    Raises Refused (400) when there is no field in it.
    """
    coded, charset = (
        inbound.text.decode("utf-8", "replace"),
        declared(inbound.headers.get("content-type", "")),
    )
    try:
        pairs = parse_qsl(
            coded, keep_blank_values=True, encoding=charset, errors="replace", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise invalid(Fault("body", f"Expected a form of at most {MOST_FIELDS} fields")) from None
    if not pairs:
        raise invalid(Fault("body", "Expected a form, received none"))
    return {name.replace("\x00", "\ufffd"): value.replace("\x00", "\ufffd") for name, value in pairs}


def json_in(inbound: Inbound, text: str) -> Any:
    """A JSON text that came inside the body, such as a form's `payload`.

    Raises Refused (400 invalid_json), as `Inbound.json` does.
    """
    return replace(inbound, body=text.encode("utf-8", "replace"), checked={}).json
