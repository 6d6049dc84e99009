"""Is the process alive, and can it take feedback?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peewee import OperationalError, PeeweeException

from adapters.contract import Reply
from gateway import triage
from gateway.access import encryption_key
from gateway.core import log, metrics
from gateway.core.config import learning_off
from models.intake import commit
from models.migrations import ahead, pending

SHOWN = 20  # hooks that are named


def healthz() -> Reply:
    """Alive: the process answers. Restart it when it does not."""
    return Reply(200, {"status": "ok"})


def readyz() -> Reply:
    """Ready: the database takes writes, its schema is ours, and the key opens secrets; 503 says what is not.

    Ready all the same, with a word about it, when themes are off for want of a library, and when only some
    hooks have a secret that cannot be opened: their deliveries are told 503.
    """
    checks = dict.fromkeys(("database", "migrations", "secrets", "themes"), "ok")
    checks["triage"], lost = triage.version(), False
    if off := learning_off():
        checks["themes"] = f"off: {off}"
    try:
        if waiting := pending():
            checks["migrations"] = f"pending: {', '.join(waiting)}"
        checks["migrations"] = ahead() or checks["migrations"]
        closed, lost = encryption_key.unreadable()
        if closed:
            checks["secrets"] = _told(closed)
        commit.probe()
    except PeeweeException as error:
        checks["database"] = type(error).__name__
        if not isinstance(error, OperationalError):  # not away, full or locked, but a fault of ours
            log.logger.exception("cannot find out whether the database is ready")
    ready = checks["database"] == checks["migrations"] == "ok" and not lost
    return Reply(200 if ready else 503, {"status": "ready" if ready else "not ready", "checks": checks})


def _told(closed: list[dict[str, Any]]) -> str:
    """Which hooks have secrets that cannot be opened; none is named by an id that is itself a secret."""
    named = [f"{hook['source']} {log.hook_name(hook)}" for hook in closed]
    more = [f"{len(named) - SHOWN} more"] if len(named) > SHOWN else []
    return f"GATEWAY_SECRET_KEY cannot open those of {', '.join([*named[:SHOWN], *more])}"


CHECKS: dict[str, Callable[[], Reply]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics.exposition,
}
