"""Headers that an admin has sent with each request to a destination: which names and values there may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.common.hook_options import TOKEN
from adapters.contract import Fault

MOST = 8
LONGEST_VALUE = 2_000  # characters
# What a request's headers say of itself, and what the kinds set.
_RESERVED = re.compile(
    r"webhook-.*|gateway-.*|proxy-.*|content-.*|accept-encoding|connection|expect|host|keep-alive|te|trailer|"
    r"transfer-encoding|upgrade|user-agent|cookie",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def faults(headers: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with names and values that requests are to have."""
    found = []
    if len(headers) > MOST:
        found.append(Fault("headers", f"Must be at most {MOST}"))
    for name, value in headers.items():
        if not TOKEN.fullmatch(name):
            found.append(Fault("headers", f"{name!r} is no name of a header"))
        elif _RESERVED.fullmatch(name):
            found.append(Fault(f"headers.{name}", "Is set by the gateway"))
        elif not isinstance(value, str) or len(value) > LONGEST_VALUE or not _VALUE.fullmatch(value):
            why = f"Must be 1 to {LONGEST_VALUE} printable ASCII characters without blanks at its ends"
            found.append(Fault(f"headers.{name}", why))
    return found
