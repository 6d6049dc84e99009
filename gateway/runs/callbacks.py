"""Tells whoever started a run that it has ended: FLORA's signed webhook, sent until it is taken.

A callback is stored in the transaction that ends its run, so none is lost. It is sent at least once: a
process that dies between the answer and its note leaves it to be sent again, with the same id.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from gateway.access import callback_secrets
from gateway.background.bounded import Bounded, Row, pause
from gateway.background.lease import Lease, Work
from gateway.core import encryption, log, outbound
from gateway.core.ids import id_at, new_id, now_ms
from gateway.core.outbound import Forbidden, Unreachable
from gateway.core.pacing import Pace
from models.database.base import dumps
from models.tables import callback, job

NAME = "callbacks"
API_VERSION = "2026-06-11"  # what FLORA's own events say
RETRIES = (10, 60, 300)  # seconds after a try that failed
AT_ONCE = 8  # callbacks under way
OF_A_HOST = 2  # of those to one host, so that a slow one holds up nobody else's
KEPT = 30 * 86_400_000  # milliseconds that a callback is kept


def check(url: str) -> None:
    """Raises Forbidden for an address that no callback is sent to; https alone, whatever is allowed else."""
    _need_tls(url)
    outbound.check(url)


def schedule(run: Mapping[str, Any]) -> None:
    """Stores the callback of a run that has ended, if it wants one, within the transaction that ends it."""
    url = run["callback_url"]
    if not url:
        return
    now, name, event = now_ms(), new_id("whd"), f"run.{run['status']}"
    data = {"run_id": run["id"], "run_type": "technique", "workspace_id": run["workspace_id"]}
    data["status"] = run["status"]
    data |= {key: run[key] for key in ("error_code", "error_message") if run.get(key)}
    body = {"id": name, "type": event, "api_version": API_VERSION, "created_at": now, "data": data}
    row = {"id": name, "workspace_id": run["workspace_id"], "run_id": run["id"], "created_at": now}
    host = re.split("[/?]", url.partition("://")[2])[0].lower()
    row |= {"url": url, "host": host, "event": event, "body": dumps(body)}
    callback.keep(row)
    job.ask(NAME, None)


def send(lease: Lease) -> int:
    """Sends what is due, some at a time, and forgets what is old; when the next one is due."""

    def begin(row: Row) -> Callable[[], dict[str, Any]]:
        return partial(_tried, row, lease.transact(partial(_secrets, row)))

    def due(limit: int, but: Iterable[str], hosts: Iterable[str]) -> list[Row]:
        return callback.due(now_ms(), limit, but, hosts)

    with ThreadPoolExecutor(AT_ONCE, "callbacks") as pool:
        Bounded(pool, AT_ONCE, OF_A_HOST, "host", due, begin, _note).until_none(lease)
    Pace(lease.transact).until_none(partial(callback.forget, id_at("whd", now_ms() - KEPT)))
    return pause(callback.next_due())


def _note(row: Row, became: Mapping[str, Any]) -> None:
    """Notes what became of a try, within the open transaction."""
    callback.tried(row["id"], row["attempt"], became)


def _secrets(row: Mapping[str, Any]) -> list[str]:
    """What to sign with; nothing where that cannot be opened."""
    try:
        return callback_secrets.live(row["workspace_id"])
    except encryption.WrongKey:
        return []


def _tried(row: Mapping[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    """Sends a callback once; the columns that say what became of it."""
    status = None
    try:
        status = _answered(row, secrets)
        if 200 <= status < 300:
            return {"state": callback.SENT, "status": status, "why": None}
        why = f"answered {status}"
    except (Forbidden, Unreachable) as error:
        why = str(error)
    except Exception:  # one callback's fault must not keep the others waiting
        log.logger.exception("a callback cannot be sent", extra={"facts": {"callback": row["id"]}})
        why = "could not be sent"
    if row["attempt"] == len(RETRIES):
        log.notice("a callback was given up", row["id"], run=row["run_id"], why=why)
        return {"state": callback.DEAD, "status": status, "why": why}
    return {"status": status, "why": why, "next_at": now_ms() + RETRIES[row["attempt"]] * 1000}


def _answered(row: Mapping[str, Any], secrets: Sequence[str]) -> int:
    if not secrets:
        raise Unreachable("its signing secret cannot be opened: rotate it")
    _need_tls(row["url"])
    body = row["body"].encode()
    headers = {
        "Content-Type": "application/json",
        "Flora-Signature": signature(body, secrets, now_ms() // 1000),
        "Flora-Webhook-Id": row["id"],
        "Flora-Event": row["event"],
    }
    return outbound.request("POST", row["url"], headers, body).status


def _need_tls(url: str) -> None:
    if not url.lower().startswith("https://"):
        raise Forbidden("must begin with https://")


def signature(body: bytes, secrets: Sequence[str], seconds: int) -> str:
    """The header that FLORA signs a webhook with: HMAC-SHA256 of the time and the body, once for each secret.

    The key is the whole text of a secret, `whsec_` included. Source: FLORA's SDK, `webhooks.unwrap`.
    """
    signed = f"{seconds}.".encode() + body
    proofs = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={seconds}", *(f"v1={proof}" for proof in proofs)])


SEND = Work(NAME, send, prompt=True, waits=True)
