"""The words of Discord's messages and forms: content, forwards, polls, files, embeds and components.

Wire facts: docs.discord.com, "Message Object" (message_snapshots, sticker_items), "Poll Object", "Embed
Object" and "Component Reference" (text displays, sections, containers, media, files, file uploads).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.common.plain_text import discord_plain
from adapters.common.untrusted_json import list_of, object_of, objects_of, text_of

LONGEST_NAME = 100  # characters; a message may mention it again and again
ATTACHMENT, UPLOAD = 11, 19  # the types of an option and of a component whose values are files' ids

Names = Mapping[str, str]


def name_of(thing: Any) -> str:
    """What people see of a user, a role, a channel or an attachment."""
    keys = ("global_name", "username", "name", "filename")
    return next((text_of(thing, key) for key in keys if text_of(thing, key)), "")[:LONGEST_NAME]


def names_in(data: Any, message: Any = None) -> dict[str, str]:
    """The names of what an interaction refers to, and of whom a message mentions, by id."""
    kinds = (object_of(data, "resolved", kind) for kind in ("users", "roles", "channels", "attachments"))
    known = {own: name_of(thing) for kind in kinds for own, thing in kind.items()}
    known |= {text_of(user, "id"): name_of(user) for user in list_of(message, "mentions")}
    return {own: name for own, name in known.items() if name}


def given_in(data: dict[str, Any]) -> str:
    """Every value of a command's options or a modal's inputs, a line each."""
    files = dict(object_of(data, "resolved", "attachments"))
    return _lines(_values(data, names_in(data), files))


def words_of(message: dict[str, Any], names: Names) -> str:
    """Everything that a message says, in the order in which it is shown; what it forwards is part of it."""
    return _lines(_said(message, names))


def _said(message: dict[str, Any], names: Names) -> Iterator[str]:
    yield discord_plain(text_of(message, "content"), names)
    for snapshot in objects_of(message, "message_snapshots"):
        yield from _said(object_of(snapshot, "message"), names)
        yield _origin(object_of(message, "message_reference"))
    poll = object_of(message, "poll")
    yield discord_plain(text_of(poll, "question", "text"), names)
    for choice in objects_of(poll, "answers"):
        if said := discord_plain(text_of(choice, "poll_media", "text"), names):
            yield f"- {said}"
    yield from map(_file, objects_of(message, "attachments"))
    for embed in objects_of(message, "embeds"):
        yield from _embed(embed, names)
    for component in objects_of(message, "components"):
        yield from _component(component, names)
    for sticker in objects_of(message, "sticker_items"):
        yield name_of(sticker) and f":{name_of(sticker)}:"


def _origin(reference: dict[str, Any]) -> str:
    """The link to a message that was forwarded."""
    guild, *rest = (text_of(reference, f"{name}_id") for name in ("guild", "channel", "message"))
    return f"https://discord.com/channels/{guild or '@me'}/{rest[0]}/{rest[1]}" if all(rest) else ""


def _embed(embed: dict[str, Any], names: Names) -> Iterator[str]:
    yield discord_plain(text_of(embed, "author", "name"), names)
    yield _linked(discord_plain(text_of(embed, "title"), names), text_of(embed, "url"))
    yield discord_plain(text_of(embed, "description"), names)
    for field in objects_of(embed, "fields"):
        both = (discord_plain(text_of(field, key), names).strip() for key in ("name", "value"))
        yield ": ".join(filter(None, both))
    for media in ("image", "video"):
        yield _linked("", text_of(embed, media, "url"))
    yield discord_plain(text_of(embed, "footer", "text"), names)


def _component(component: dict[str, Any], names: Names) -> Iterator[str]:
    """The words and links in a component of a message, then those in the ones it holds."""
    words = discord_plain(text_of(component, "content"), names)
    words = (
        words
        or text_of(component, "label")
        or text_of(component, "name")
        or text_of(component, "description")
    )
    yield _linked(words, text_of(component, "url") or _media(component))
    for item in objects_of(component, "items"):
        yield _linked(text_of(item, "description"), _media(item))
    held = (component.get("component"), *list_of(component, "components"), component.get("accessory"))
    for inner in held:
        if isinstance(inner, dict):
            yield from _component(inner, names)


def _values(part: Any, names: Names, files: dict[str, Any]) -> Iterator[str]:
    """The values in one option or component, then in those it holds, in order.

    Sub-commands hold `options`, labels a `component`, action rows `components`; selects have `values`. Each
    of the files is shown once, however often its id is given.
    """
    if not isinstance(part, dict):
        return
    value = part.get("value")
    if isinstance(value, bool):
        yield str(value).lower()
    elif part.get("type") == ATTACHMENT and isinstance(value, str):
        yield _file(files.pop(value, None)) or names.get(value, value)
    elif isinstance(value, str | int | float):
        yield discord_plain(names.get(str(value), str(value)), names)
    chosen = [value for value in list_of(part, "values") if isinstance(value, str)]
    if part.get("type") == UPLOAD:
        yield from (_file(files.pop(value, None)) or names.get(value, value) for value in chosen)
    else:
        yield discord_plain(", ".join(names.get(value, value) for value in chosen), names)
    inner = (part.get("component"), *list_of(part, "components"), *list_of(part, "options"))
    for held in inner:
        yield from _values(held, names, files)


def _file(file: Any) -> str:
    """A file's name with its link, and what was written of it for those who cannot see it."""
    named = _linked(text_of(file, "title") or name_of(file), text_of(file, "url"))
    return _lines(iter((named, text_of(file, "description"))))


def _media(component: dict[str, Any]) -> str:
    return text_of(component, "media", "url") or text_of(component, "file", "url")


def _linked(words: str, address: str) -> str:
    words = words.strip()
    if not re.match(r"https?://\S", address):
        return words
    return f"{words} ({address})" if words and words != address else address


def _lines(parts: Iterator[str]) -> str:
    return "\n".join(filter(None, (part.strip() for part in parts)))
