"""Which triage model is in use: GATEWAY_MODEL's, else the one chosen in the inbox, else the shipped one.

Models that were learnt in the inbox are in the database (models.tables.trained_model), so that every host has
them. Processes that serve look for another one now and then (`watch`), beside their requests.
"""

from __future__ import annotations

import ctypes
import io
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from peewee import OperationalError, PeeweeException

from gateway import triage
from gateway.core import log
from gateway.triage import Model, ModelError
from models.database.base import close
from models.tables import trained_model

EVERY = 1.0  # seconds between two looks

_pinned: Path | None = None
_seen: Any = None  # what there was at the last look
_lock = threading.Lock()


def connect(pinned: Path | None) -> None:
    """Loads the model to use; `pinned` is the directory of the one that nobody can change in the inbox.

    Leaves no connection open, since processes may fork afterwards. Raises ModelError when what is pinned
    cannot be used.
    """
    _load(pinned)
    close()


def keep_up(pinned: Path | None) -> None:
    """As `connect`, in a process whose connections stay open; loads nothing that is loaded."""
    with _lock:
        if _seen is None or pinned != _pinned:
            _load(pinned)
        else:
            look()


def _load(pinned: Path | None) -> None:
    global _pinned, _seen
    _pinned = pinned
    if pinned is not None:
        triage.load(pinned)
        _seen = _identity(pinned)
        return
    triage.load(None if _seen in (None, trained_model.SHIPPED) else triage.SHIPPED)
    _seen = trained_model.SHIPPED
    look()


def pinned() -> bool:
    """Whether GATEWAY_MODEL says which model is in use."""
    return _pinned is not None


def look() -> bool:
    """Loads the model that is to be used when it is another one than at the last look; whether it was.

    One that cannot be used is told in the log, and the one in use stays. Without a database nothing happens.
    """
    global _seen
    try:
        wanted: Any = _identity(_pinned) if _pinned else trained_model.in_use()
        if wanted == _seen:
            return False
        triage.use(Model.load(_pinned) if _pinned else _chosen(wanted))
    except ModelError as error:
        log.logger.warning("model not used", extra={"facts": {"error": str(error)}})
    except (OperationalError, sqlite3.OperationalError, OSError):
        return False
    except PeeweeException:
        log.logger.exception("cannot find out which model is in use")
        return False
    else:
        _give_memory_back()
        log.logger.info("model in use", extra={"facts": {"version": triage.version()}})
    _seen = wanted
    return True


def watch(stop: threading.Event) -> threading.Thread:
    """Looks again and again in a thread of its own until `stop` is set."""

    def run() -> None:
        while not stop.wait(EVERY):
            look()

    thread = threading.Thread(target=run, name="model", daemon=True)
    thread.start()
    return thread


def _give_memory_back() -> None:
    """Hands what loading took and left to the system: some 35 MB that the allocator would keep."""
    with suppress(OSError, AttributeError):  # not every C library has it
        ctypes.CDLL(None).malloc_trim(0)


def _identity(directory: Path) -> tuple[int, int, int]:
    """What is another one whenever a model is installed there (gateway.triage.training.install)."""
    at = (directory / "model.json").stat()
    return at.st_ino, at.st_mtime_ns, at.st_size


def _chosen(version: str) -> Model:
    row = trained_model.find(version)
    if row is None or row["card"] is None:
        return Model.load(triage.SHIPPED)
    return Model.read(row["card"], io.BytesIO(row["arrays"]), version)
