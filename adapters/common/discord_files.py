"""The files that Discord's messages and forms link to.

Wire facts: docs.discord.com, "Attachment Object", "Signed Attachment CDN URLs" and "Resolved Data Structure".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.common.untrusted_json import first_text, int_of, object_of, objects_of, text_of
from adapters.contract.files import LONGEST_NAME, MOST_LINKED, LinkedFile

OWN = re.compile(r"https://(?:cdn|media)\.discordapp\.(?:com|net)/", re.IGNORECASE)


def linked_in(message: dict[str, Any]) -> tuple[LinkedFile, ...]:
    """The files of a message and of what it forwards, each once."""
    return _linked(_files(message))


def given_with(data: dict[str, Any]) -> tuple[LinkedFile, ...]:
    """The files that were chosen for a command's options or a modal's uploads."""
    chosen = object_of(data, "resolved", "attachments").values()
    return _linked(file for file in chosen if isinstance(file, dict))


def _files(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from objects_of(message, "attachments")
    for snapshot in objects_of(message, "message_snapshots"):
        yield from objects_of(object_of(snapshot, "message"), "attachments")


def _linked(files: Iterator[dict[str, Any]]) -> tuple[LinkedFile, ...]:
    found = {}
    for file in files:
        url, key = text_of(file, "url"), text_of(file, "id")
        if key and OWN.match(url):
            name = first_text(file, "filename", "title")[:LONGEST_NAME] or key
            found[key] = LinkedFile(key, name, url, text_of(file, "content_type"), int_of(file, "size") or 0)
    return tuple(found.values())[:MOST_LINKED]
