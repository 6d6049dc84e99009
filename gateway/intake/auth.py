"""Who is calling?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from adapters.contract import Adapter, Code, Hook, Inbound, Problem, Refused, Signed
from gateway.access.api_keys import ANY, digest, is_well_formed
from gateway.access.caller import Caller, rules_in
from gateway.core import encryption, log
from gateway.core.cooperative import aside
from gateway.core.ids import now_ms
from gateway.intake.redaction import redact
from gateway.rate_limits import auth_failures
from models.intake import commit
from models.tables.hook import find_hook
from models.tables.workspace import find_key

REMEMBERED = 3.0  # seconds a key is known without asking the database; a revocation is felt within these
KNOWN = 2_048  # keys that a process remembers, and hooks; those it has not met for longest make room
EARLY = 1.0  # of them, in which one request asks for all: else all that come at once ask at their end
CHALLENGE = {"WWW-Authenticate": "Bearer"}  # RFC 9110 asks for one with every 401
LAST_USED_EVERY = 60_000  # milliseconds between two notes of when a key was last used
AGAIN = {"Retry-After": "60"}  # seconds, when somebody has to mend something first


class _Memory(dict[str, tuple[float, float, Any]]):
    """What was found under names, and from when to when to ask anew (monotonic seconds)."""

    def known(self, name: str) -> tuple[Any, float]:
        """What was found under a name, None for nothing, and the time if the caller is to ask now, else 0."""
        now = time.monotonic()
        early, end, found = self.get(name, (0.0, 0.0, None))
        if early <= now < end:
            self[name] = (end, end, found)
        return found, now if now >= early else 0.0

    def keep(self, name: str, found: Any, asked: float) -> None:
        """Remembers what was found, or that nothing is there; what was kept longest ago makes room."""
        with _lock:
            self.pop(name, None)
            if found is not None:
                self[name] = (asked + REMEMBERED - EARLY, asked + REMEMBERED, found)
            if len(self) > KNOWN:
                del self[next(iter(self))]


_known = _Memory()
_hooks = _Memory()
_lock = threading.Lock()


def identify(adapter: Adapter, scope: str, inbound: Inbound) -> Caller:
    """The caller: the holder of the key the request shows, or the hook whose sender signed it.

    What proved that, and other secrets of the sender's, are taken out of the body.
    Raises Refused: 401 unauthorized (no key, or none that could be read), 401 invalid_key
    (malformed, unknown, expired or revoked; a proof that does not hold), 403 forbidden (the key
    lacks the scope), 429 rate_limited (too many 401 from this address, before anything is looked up;
    keys that this process has seen valid still pass), 503 internal (whether a signature holds cannot be
    found out: a secret cannot be opened, or the check failed).
    """
    if adapter.signed is not None:
        caller = _by_signature(adapter, adapter.signed, inbound)
    elif isinstance(inbound.caller, Caller):  # before its body was read
        caller = inbound.caller
    else:
        caller = _by_key(adapter, scope, inbound)
    inbound.caller = caller
    if adapter.signed is not None:
        redact(inbound, adapter.signed.conceals, adapter.signed.conceals_in_lists)
    # Nearly nobody sends a key twice; a zero may be of a charset with wide characters.
    elif inbound.proofs and (inbound.proofs[0].encode() in inbound.body or b"\0" in inbound.body):
        redact(inbound, ())
    return caller


def _by_key(adapter: Adapter, scope: str, inbound: Inbound) -> Caller:
    key = adapter.key(inbound)
    if key is None:
        raise _failed(inbound, "unauthorized", "API key missing or malformed.")
    caller = _look_up(key, inbound)
    if caller is None or (caller.expires_at is not None and caller.expires_at <= inbound.received_at):
        raise _failed(inbound, "invalid_key", "Invalid API key.")
    if scope not in caller.scopes and "admin" not in caller.scopes and scope != ANY:
        raise Refused(Problem(403, "forbidden", f"This key lacks the scope {scope}."))
    inbound.proofs = (key,)
    return caller


def _by_signature(adapter: Adapter, signed: Signed, inbound: Inbound) -> Caller:
    hook_id = _found_out("which hook is meant", "", inbound, signed.hook_id, inbound)
    row = _look_up_hook(hook_id, inbound) if hook_id else None
    if row is None or row["source"] != adapter.name:
        raise _failed(inbound, "unauthorized", "No such hook.")
    # By hook, since a vendor delivers everybody's hooks from the same few addresses.
    auth_failures.check(inbound, row["id"])
    now = inbound.received_at
    live = [item for item in row["clear"] if item["expires_at"] is None or item["expires_at"] > now]
    secrets = tuple(item["secret"] for item in live if item["secret"] is not None)
    hook = Hook(row["id"], row["source"], secrets, row["unsigned"], row["options"])
    if not _found_out("whether a signature holds", log.hook_name(row), inbound, signed.verify, inbound, hook):
        if len(secrets) < len(live):  # it may hold by the one that cannot be opened
            told = "GATEWAY_SECRET_KEY cannot open a secret of this hook"
            log.notice(told, inbound.request_id, hook=log.hook_name(row), source=hook.source)
            raise _unknowable()
        raise _failed(inbound, "invalid_key", signed.unproven, row["id"])
    inbound.options.update(hook.options)
    inbound.proofs = (*secrets, row["id"])
    return Caller.of_hook(row)


def _failed(inbound: Inbound, code: Code, message: str, about: str = "") -> Refused:
    """The refusal of who proved nothing, noted against the address."""
    auth_failures.note(inbound, about)
    return Refused(Problem(401, code, message, headers=CHALLENGE))


def _found_out(what: str, hook: str, inbound: Inbound, check: Callable[..., Any], *args: Any) -> Any:
    """What an adapter's check says. It raises nothing whatever a sender sends; if it does, we are at fault.

    That is no reason to take a delivery, nor to tell its sender that it proved nothing.
    """
    try:
        return check(*args)
    except Exception:  # logged, counted as failed, and told as 503
        log.failure(f"cannot find out {what}", inbound.request_id, hook=hook)
        raise _unknowable() from None


def _unknowable() -> Refused:
    return Refused(
        Problem(503, "internal", "This cannot be verified now, send it again later.", headers=AGAIN)
    )


def forget() -> None:
    """Empties the memory of keys, as when the database is another one."""
    _known.clear()
    _hooks.clear()


def _look_up(key: str, inbound: Inbound) -> Caller | None:
    name = digest(key)
    caller: Caller | None
    caller, asked = _known.known(name)
    if not asked:
        return caller
    if caller is None:
        auth_failures.check(inbound)
    row = aside(_find_key, name) if is_well_formed(key) else None
    caller = None if row is None else Caller.of_key(row)
    _known.keep(name, caller, asked)
    return caller


def _find_key(name: str) -> dict[str, Any] | None:
    """The key's row, unless it has ended. That it was used is noted, to the minute, without a commit.

    One that is revoked or over takes the same way as one that never was.
    """
    row, now = find_key(name), now_ms()
    if row is None or row["revoked_at"] is not None or (row["expires_at"] or now + 1) <= now:
        return None
    if abs(now - (row["last_used_at"] or 0)) >= LAST_USED_EVERY:
        commit.used(row["id"], now)
    return {**row, "rules": rules_in(row["workspace"])}


def _look_up_hook(hook_id: str, inbound: Inbound) -> dict[str, Any] | None:
    """The hook's row with its secrets in clear, remembered as keys are."""
    found: dict[str, Any] | None
    found, asked = _hooks.known(hook_id)
    if not asked:
        return found
    if found is None:
        auth_failures.check(inbound)
    found = aside(_find_hook, hook_id)
    if found is not None:
        found["clear"] = [{**item, "secret": encryption.opened(item["secret"])} for item in found["secrets"]]
    _hooks.keep(hook_id, found, asked)
    return found


def _find_hook(hook_id: str) -> dict[str, Any] | None:
    row = find_hook(hook_id)
    return row and {**row, "rules": rules_in(row["workspace"])}
