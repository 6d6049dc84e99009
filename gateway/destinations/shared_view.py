"""A destination's filter may name a shared view, which is followed as it changes."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

from adapters.contract import Fault, invalid
from gateway.api.filters import BESIDE_FILTER
from models.tables import saved_view

_NAMED = re.compile(r"\??view=([\w-]{1,60})", re.ASCII)


def filter_of(workspace_id: str, text: str) -> str:
    """A filter in which a view stands for what it means now.

    Raises Refused (400) for one that the workspace does not share.
    """
    named = _NAMED.fullmatch(text)
    if named is None:
        return text
    query = saved_view.query_of(workspace_id, named[1])
    if query is None:
        raise invalid(Fault("view", "No such shared view"))
    return urlencode([item for item in parse_qsl(query) if item[0] not in BESIDE_FILTER])
