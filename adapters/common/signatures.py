"""How senders prove themselves: over the raw bytes, in constant time, whatever the header holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

from adapters.contract import Adapter, Door, Hook, Inbound, Problem, Reply, Signed, bearer, tolerant
from adapters.contract.description import Shape, Shown, Taken, text
from adapters.contract.record import Record, Saved

WINDOW = 300_000  # milliseconds between a signed time and ours, either way


class Refusal(Shown):
    """What `refuse` answers."""

    error = text()
    message = text()
    request_id = text()


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in constant time; text that is not ASCII is merely different."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def hmac_hex(secret: str, signed: bytes) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def hmac_base64(key: bytes, signed: bytes) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def hex_header(*names: str, prefix: str = "", digest: str = "sha256") -> Callable[[Inbound, Hook], bool]:
    """A check of `prefix` and the hex HMAC of the raw body in the first of these headers that is there."""

    def verify(inbound: Inbound, hook: Hook) -> bool:
        given = next((inbound.headers[name] for name in names if name in inbound.headers), "")
        expected = (hmac.new(secret.encode(), inbound.body, digest).hexdigest() for secret in hook.secrets)
        return any(same(given, prefix + one) for one in expected)

    return verify


def shows_secret(inbound: Inbound, hook: Hook) -> bool:
    """Whether the request shows the hook's secret, as a bearer or as the password of basic auth."""
    given = bearer(inbound)
    if given is None:
        scheme, _, coded = inbound.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(coded.strip(), validate=True).decode("utf-8").partition(":")[2]
        except ValueError:  # no base64, or bytes of no text
            return False
    return any(same(given, secret) for secret in hook.secrets)


def secret_or_address(inbound: Inbound, hook: Hook) -> bool:
    """The secret, as `shows_secret`; an unsigned hook's address is proof enough when nothing is shown."""
    if hook.unsigned and not (hook.secrets and "authorization" in inbound.headers):
        return True
    return shows_secret(inbound, hook)


def is_fresh(seconds: str, inbound: Inbound) -> bool:
    """Whether a signed time, in whole seconds since the epoch, is within five minutes of ours."""
    written = re.fullmatch(r"[0-9]{1,11}", seconds)
    return written is not None and abs(inbound.received_at - int(seconds) * 1000) <= WINDOW


def refuse(problem: Problem) -> Reply:
    """A plain JSON refusal for senders that read only the status."""
    body = {"error": problem.code, "message": problem.message, "request_id": problem.request_id}
    return Reply(problem.status, body, problem.headers)


def refuse_retryable(problem: Problem) -> Reply:
    """As `refuse`, with 503 for 429: for senders that give up on any 4xx."""
    reply = refuse(problem)
    return Reply(503, reply.body, reply.headers) if problem.status == 429 else reply


def delivery(summary: str, example: Any = None, status: int = 200) -> Shape:
    """The shape of a door that `accepted` answers, and whose bodies are the vendor's own matter."""
    return Shape(summary=summary, answers={status: Taken}, example=example)


def accepted(status: int = 200) -> Callable[[Inbound, list[Saved]], Reply]:
    """A reply that only says that the delivery was taken."""

    def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
        return Reply(status, {"status": "ok"})

    return reply


ACCEPTED = accepted()


def hook_adapter(
    name: str,
    title: str,
    read: Callable[[Inbound], list[Record]],
    *,
    shape: Shape,
    signed: Signed,
    reply: Callable[[Inbound, list[Saved]], Reply] = ACCEPTED,
    refuse: Callable[[Problem], Reply] = refuse,
) -> Adapter:
    """The adapter of a sender with one address, /hooks/<name>/<hook_id>, that is never told 400."""
    path = f"/hooks/{name}"
    door = Door(f"{path}/<hook_id>", tolerant(read), reply, shape=shape)
    return Adapter(name, (door,), refuse, owns=(path,), signed=signed, title=title, error=Refusal)
