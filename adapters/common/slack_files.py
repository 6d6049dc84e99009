"""The files that Slack's messages link to. Wire facts: docs.slack.dev, "File object"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.common.untrusted_json import first_text, int_of, objects_of, text_of
from adapters.contract.files import LONGEST_NAME, MOST_LINKED, LinkedFile

HOSTED = ("", "hosted", "snippet")  # modes of files that Slack itself has, as files
# Where a bot token is sent to: nowhere else, whatever a message says.
OWN = re.compile(r"https://(?:[a-z0-9-]{1,63}\.){1,3}slack(?:-gov)?\.com/", re.IGNORECASE)


def linked_in(message: dict[str, Any]) -> tuple[LinkedFile, ...]:
    """The files of a message and of what it forwards, each once."""
    found = {file.key: file for file in _files(message)}
    return tuple(found.values())[:MOST_LINKED]


def _files(message: dict[str, Any]) -> Iterator[LinkedFile]:
    for part in (message, *objects_of(message, "attachments")):
        for file in objects_of(part, "files"):
            url, key = first_text(file, "url_private_download", "url_private"), text_of(file, "id")
            if key and OWN.match(url) and text_of(file, "mode") in HOSTED:
                name = first_text(file, "name", "title")[:LONGEST_NAME] or key
                yield LinkedFile(key, name, url, text_of(file, "mimetype"), int_of(file, "size") or 0)
