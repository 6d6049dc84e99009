"""One line of JSON per request and per failure; never a header, a query string or a body.

Nor, wherever in a line they stand, the whole id of a hook (whoever knows that of an unsigned one can
post), the signature of a link that ends mail, or what other links prove themselves with.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from models.database.sqlite import reason

logger = logging.getLogger("gateway")

_HOOK = re.compile(
    r"(hk(?:_|%5[Ff])\w{6})\w+"
)  # as gateway.access.hooks makes them, and what is meant to be one
# The last part of an address that ends mail, however its slashes are written.
_SLASH = r"(?:/|%2[Ff])"
_PART = r"[^/%?\s\"'<>]+"
_UNSUBSCRIBE = re.compile(rf"(unsubscribe{_SLASH}+(?:{_PART}{_SLASH}+)+){_PART}")
_PROOF = re.compile(r"(?i)(\b(?:link|sig|signature|token|secret)(?:=|%3D))[^&\s\"'<>]+")
REASON = 300  # characters of what a database says


class _JSONLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # Who notes a hook by that name has cut its id if that is a secret.
        told = {name: value if name == "hook" else _told(value) for name, value in line.items()}
        # In ASCII, and DEL too as an escape: what strangers write must neither begin a line of its own
        # nor steer the terminal that shows it, and no encoding may fail to hold it.
        return json.dumps(told).replace("\x7f", "\\u007f")


def _told(value: object) -> object:
    return value if isinstance(value, int | float | None) else masked(str(value))


def masked(text: str) -> str:
    """A text with the ids of hooks cut to what tells one from another, as in `hk_0a1b2c…`, and no proofs."""
    text = _HOOK.sub(r"\1…", text) if "hk" in text else text
    text = _UNSUBSCRIBE.sub(r"\1…", text) if "unsubscribe" in text else text
    return _PROOF.sub(r"\1…", text) if "=" in text or "%3" in text else text


def hook_name(hook: Mapping[str, Any]) -> str:
    """A hook's id for people to read, cut where it is all that a sender has to know."""
    return masked(hook["id"]) if hook["unsigned"] or not hook["secrets"] else str(hook["id"])


def configure(level: str) -> None:
    """Sends this program's log lines to stderr from `level` (debug, info, warning, error) on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JSONLines())
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False


def request(method: str, path: str, status: int, started: float, request_id: str) -> None:
    """Notes one answered request; `started` is a reading of time.perf_counter."""
    if not logger.isEnabledFor(logging.INFO):
        return
    took = round((time.perf_counter() - started) * 1000, 2)
    facts = {"method": method, "path": path, "status": status, "ms": took, "request_id": request_id}
    logger.info("request", extra={"facts": facts})


def notice(message: str, request_id: str, **facts: str) -> None:
    """Notes something that the operator should know of, with the request it belongs to."""
    logger.warning(message, extra={"facts": {"request_id": request_id, **facts}})


def unavailable(error: BaseException, request_id: str) -> None:
    """Notes that the database could not be used, in one line: it says nothing of this program's code."""
    facts = {"request_id": request_id, "error": reason(error)[:REASON]}
    logger.error("database unavailable", extra={"facts": facts})


def failure(message: str, request_id: str, **facts: str) -> None:
    """Notes the exception being handled, with the request it belongs to."""
    logger.error(message, exc_info=True, extra={"facts": {"request_id": request_id, **facts}})
