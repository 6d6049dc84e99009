"""Files that are linked and not sent, such as those of chats: fetched by the background worker and kept.

An asset that waits and has a `source_url` is one to fetch. What cannot be had leaves the asset failed, with
why, and the link on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from peewee import PeeweeException

from gateway.background.bounded import Bounded, Row, pause
from gateway.background.fetch_credentials import headers_for, without_signature
from gateway.background.lease import Lease, Work
from gateway.core import log, outbound
from gateway.core.ids import now_ms
from gateway.core.outbound import Forbidden, Refused, TooLarge, Unreachable
from gateway.core.pacing import Pace
from gateway.files import attachments
from models.database.sqlite import reason
from models.intake.attached import FETCH
from models.tables import fetch

NAME = FETCH
RETRIES = (10, 60, 300)  # seconds after a try that failed for what may pass
AT_ONCE = 4  # files under way
OF_A_WORKSPACE = 2  # of those, so that one with slow files holds up nobody else's
SOURCE = "url"  # how assets are made whose address the API was given (FLORA)
MOST_SOURCE = 52_428_800  # bytes of such a one


def work(most: int) -> Work:
    """The work that fetches files of at most so many bytes."""

    def act(lease: Lease) -> int:
        return _fetch(lease, most)

    return Work(NAME, act, prompt=True, waits=True)


def _fetch(lease: Lease, most: int) -> int:
    """Fetches what is due, some at a time; when the next one is."""

    def begin(row: Row) -> Callable[[], dict[str, Any] | str]:
        return partial(_fetched, row, MOST_SOURCE if row["uploaded_via"] == SOURCE else most)

    def due(limit: int, but: Iterable[str], workspaces: Iterable[str]) -> list[Row]:
        return fetch.due(now_ms(), limit, but, workspaces)

    Bounded(_pool(), AT_ONCE, OF_A_WORKSPACE, "workspace_id", due, begin, _note).until_none(lease)
    Pace(lease.transact).until_none(fetch.forget_gone)
    return pause(fetch.next_due())


def _fetched(row: Mapping[str, Any], most: int) -> dict[str, Any] | str:
    """Fetches a file into the store: the columns of its asset, or why to try again."""
    try:
        with outbound.fetch(row["source_url"], most, headers_for(row)) as chunks:
            file = attachments.File(row["name"], chunks)
            kept = attachments.keep(row["workspace_id"], file, most=most, asset_id=row["id"])
    except (Forbidden, TooLarge) as error:
        return _failed(str(error))
    except Refused as error:
        return str(error) if error.status >= 500 else _failed(str(error))
    except Unreachable as error:
        return str(error)
    except OSError as error:  # of the store, such as a full disk
        return f"cannot be kept: {error.strerror}"
    except PeeweeException as error:
        return f"cannot be kept: {reason(error)}"
    except Exception:  # one file's fault must not keep the others waiting
        log.logger.exception("a linked file cannot be read", extra={"facts": {"asset": row["id"]}})
        return _failed("cannot be read")
    if kept.refused:
        return _failed(kept.refused)
    found = {"name": kept.name, "size": kept.size, "sha256": kept.digest, "content_type": kept.content_type}
    return {**found, "status": "ready", "reason": None}


def _failed(why: str) -> dict[str, Any]:
    return {"status": "failed", "reason": why}


def _note(row: Mapping[str, Any], became: dict[str, Any] | str) -> None:
    """Notes what became of a try, within the open transaction."""
    attempt = row["attempt"]
    if isinstance(became, str):
        if attempt < len(RETRIES):
            fetch.again(row["id"], attempt + 1, now_ms() + RETRIES[attempt] * 1000)
            return
        became = _failed(became)
    left = {"source_url": without_signature(row), "updated_at": now_ms()}
    fetch.settle(row["id"], {**became, **left})


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that stay, as each has a connection to the database."""
    return ThreadPoolExecutor(AT_ONCE, "fetch")
