"""Values out of foreign payloads, whatever they hold: typed getters, forms, first lines, plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from adapters.contract import Fault, Inbound, invalid

TITLE = 200  # characters of the longest title
MOST_FIELDS = 1000  # of one form

SLACK_TOKEN = re.compile(r"<([^<>]*)>")
SLACK_ENTITY = re.compile("&(?:lt|gt|amp);")
SLACK_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
DISCORD_TOKEN = re.compile(
    r"<(?:(?P<sign>@[!&]?|#)(?P<id>\d{1,20})|/(?P<command>[^<>:]{1,120}):\d{1,20}|a?:(?P<emoji>\w{1,40}):\d{1,20}"
    r"|t:(?P<unix>-?\d{1,12})(?::[a-zA-Z])?|id:(?P<guide>[a-z-]{1,40})(?::\d{1,20})?)>",
    re.ASCII,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def dict_of(sent: Any, *path: str) -> dict[str, Any]:
    """The object at a path; an empty one when it is absent or of another type."""
    found = value_of(sent, *path)
    return found if isinstance(found, dict) else {}


def list_of(sent: Any, *path: str) -> list[Any]:
    """The array at a path; an empty one when it is absent or of another type."""
    found = value_of(sent, *path)
    return found if isinstance(found, list) else []


def int_of(sent: Any, *path: str) -> int | None:
    """The whole number at a path; None when it is absent or of another type, true and false included."""
    found = value_of(sent, *path)
    return found if type(found) is int else None


def needed(sent: Any, *path: str) -> str:
    """The text at a path that cannot be done without.

    Raises Refused (400) that names the path when it is absent, empty or of another type.
    """
    found = text_of(sent, *path)
    if not found:
        raise invalid(Fault(".".join(path), "Expected a string that is not empty"))
    return found


def first_line(words: str, most: int = TITLE) -> str:
    """The first line that has words, with single spaces, cut to `most` characters."""
    line = next((line for line in words.splitlines() if line.strip()), "")
    return " ".join(line.split())[:most]


def tags(**values: Any) -> tuple[str, ...]:
    """`name:value` for each value that is a text and not empty."""
    return tuple(f"{name}:{value}" for name, value in values.items() if isinstance(value, str) and value)


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that say something: neither None nor empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def looks_like_json(inbound: Inbound) -> bool:
    """Whether the body opens as a JSON object or array, whatever its Content-Type says."""
    return inbound.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def form_of(inbound: Inbound) -> dict[str, str]:
    """The body as a form, the last of each name; NUL, which no text column can hold, becomes U+FFFD.

    Raises Refused (400) when there is no field in it.
    """
    coded = inbound.body.decode("utf-8", "replace")
    try:
        pairs = parse_qsl(coded, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)
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


def slack_plain(text: str) -> str:
    """Slack's markup as plain text, emoji and emphasis left as they are.

    The three entities are resolved last, exactly once, and no others: `&amp;lt;` is a typed `&lt;`.
    """
    return SLACK_ENTITY.sub(lambda entity: SLACK_ENTITIES[entity[0]], SLACK_TOKEN.sub(_slack_token, text))


def _slack_token(match: re.Match[str]) -> str:
    body, _, label = match[1].partition("|")
    if body.startswith("!date^"):
        return label
    if body.startswith("!subteam^"):
        return "@" + (label or body[len("!subteam^") :]).removeprefix("@")
    if body.startswith("!"):
        return "@" + (label or body[1:].partition("^")[0]).lstrip("@")
    if body[:1] in ("@", "#"):
        return body[0] + (label or body[1:])
    url = body.removeprefix("mailto:")
    return url if label in ("", url, body) else f"{label} ({url})"


def discord_plain(text: str, names: Mapping[str, str]) -> str:
    """Discord's markup as plain text, emphasis left as it is.

    `names` are those of users, roles and channels by id; an unknown one keeps its id.
    """

    def token(match: re.Match[str]) -> str:
        if match["id"]:
            return match["sign"][0] + names.get(match["id"], match["id"])
        if match["command"]:
            return f"/{match['command']}"
        if match["emoji"]:
            return f":{match['emoji']}:"
        return f"#{match['guide']}" if match["guide"] else _moment(match[0], int(match["unix"]))

    return DISCORD_TOKEN.sub(token, text)


def _moment(written: str, seconds: int) -> str:
    try:
        return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M UTC}"
    except OverflowError:
        return written
