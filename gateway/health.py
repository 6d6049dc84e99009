"""Is the process alive, and can it take feedback?"""

from __future__ import annotations

from collections.abc import Callable

from peewee import PeeweeException

from adapters.contract import Reply
from gateway import metrics, triage
from gateway.config import learning_off
from models import intake
from models.migrations import pending


def healthz() -> Reply:
    """Alive: the process answers. Restart it when it does not."""
    return Reply(200, {"status": "ok"})


def readyz() -> Reply:
    """Ready: the database takes writes, its schema is current, the model is loaded; 503 says what is not.

    Themes may be off, for want of a library, and it is ready all the same.
    """
    themes = f"off: {off}" if (off := learning_off()) else "ok"
    checks = {"database": "ok", "migrations": "ok", "triage": triage.version(), "themes": themes}
    try:
        intake.probe()
        if waiting := pending():
            checks["migrations"] = f"pending: {', '.join(waiting)}"
    except PeeweeException as error:
        checks["database"] = type(error).__name__
    ready = checks["database"] == checks["migrations"] == "ok"
    return Reply(200 if ready else 503, {"status": "ready" if ready else "not ready", "checks": checks})


CHECKS: dict[str, Callable[[], Reply]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics.exposition,
}
