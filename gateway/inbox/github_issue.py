"""A record to take along as an issue that GitHub is asked to open."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from gateway.api.admin.request_schemas import REPOSITORY
from gateway.transfer.record_markdown import markdown

LONGEST_URL = 8_000  # bytes; GitHub answers 414 to some more
LONGEST_TITLE = 200  # characters


def issue_url(row: Mapping[str, Any], repository: str | None, address: str) -> str | None:
    """Where GitHub asks for a new issue with this record in it; None when no repository is known.

    That is the project's, or the one that a record from GitHub names. As much of the text goes along as
    an address may hold.
    """
    named = row["subject"].get("repository") if row["source"] == "github" else None
    if repository is None and isinstance(named, str):
        repository = named.removeprefix("https://github.com/")
        if "://" in repository:  # a sender does not choose where people go
            return None
    if repository is None or not re.fullmatch(REPOSITORY, repository):
        return None
    base = repository if "://" in repository else f"https://github.com/{repository}"

    def url(most: int) -> str:
        asked = {"title": row["title"][:LONGEST_TITLE], "body": markdown(row, most, address)}
        return f"{base}/issues/new?{urlencode(asked, errors='replace')}"

    # A character is a byte or more, so that no more than this can fit.
    return url(bisect_right(range(LONGEST_URL), LONGEST_URL, key=lambda n: len(url(n))) - 1)
