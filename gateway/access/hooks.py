"""Hooks: addresses for senders that sign, made, listed, rotated and ended by the admin."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters import load
from adapters.common.hook_options import InvalidOption, read_options
from adapters.contract import Adapter, Fault, Reader, Signed
from gateway.access import audit_log, sealed_options
from gateway.core import encryption
from gateway.core.ids import now_ms
from models.database.base import dumps, first, only, rows
from models.tables.hook import HookRow, find_hook

LONGEST_OPTIONS = 32_768  # characters of a hook's options as JSON: each delivery is read by them
OVERLAP = 24 * 3600 * 1000  # milliseconds an old secret still works after a rotation
SHORTEST, LONGEST = 8, 4_000  # characters of a secret that an admin gives; a certificate has some 2,000
UNSIGNED = """

Whoever knows this address can send through it: keep it as a secret."""
NO_MAP = """

This hook has no map yet. What comes is kept in quarantine, and replayed once it has one:
feedback-gateway hook change {hook_id} --map map.json"""
_ID = re.compile(r"(hk_[0-9a-f]{6})[0-9a-f]{26}")
HIDDEN = "project_number"  # an option that is made and not given

_public_url = ""


class HookError(ValueError):
    """A hook that cannot be made or changed as asked; `faults` say what is wrong, by the API's names."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def connect(public_url: str) -> None:
    """Sets the address that senders are told."""
    global _public_url
    _public_url = public_url


def kinds(adapters: Mapping[str, Adapter]) -> dict[str, Adapter]:
    """What `hook create` can make: adapters that are signed, by the word the admin uses."""
    return {_word(adapter): adapter for adapter in adapters.values() if adapter.signed is not None}


def options_of(adapter: Adapter) -> Mapping[str, Reader]:
    """The options that its hooks may have, by name."""
    return _signed(adapter).options


def create_hook(
    adapter: Adapter,
    workspace_id: str,
    project_id: str | None,
    *,
    public_url: str | None = None,
    secret: str | None = None,
    unsigned: bool = False,
    name: str = "",
    rate_limit: str | None = None,
    options: Mapping[str, Any] | None = None,
    by: str = audit_log.COMMAND_LINE,
) -> dict[str, Any]:
    """Stores a new hook and returns what its sender needs, the secret for the last time. Raises HookError."""
    signed = _signed(adapter)
    if unsigned and not signed.may_be_unsigned:
        why = f"{adapter.name} proves its origin; unsigned is for senders that cannot"
        raise HookError(Fault("unsigned", why))
    if secret is not None or not unsigned:
        secret = _usable(adapter, secret)
    hook_id = f"hk_{secrets.token_hex(16)}"
    options = _checked(signed, options or {})
    if f"<{HIDDEN}>" in adapter.doors[0].path:
        options[HIDDEN] = str(secrets.randbelow(10**9) + 1)
    HookRow.create(
        id=hook_id,
        workspace=workspace_id,
        project=project_id,
        source=adapter.name,
        name=name,
        secrets=_sealed(secret),
        unsigned=unsigned,
        options=options,
        rate_limit=rate_limit,
        created_at=now_ms(),
    )
    audit_log.note(workspace_id, by, "hook.created", hook_id, source=adapter.name, project_id=project_id)
    return shown(adapter, hook_id, project_id, secret, options, public_url)


def rotate_hook(
    adapter: Adapter,
    hook_id: str,
    secret: str | None,
    public_url: str | None = None,
    *,
    by: str = audit_log.COMMAND_LINE,
) -> dict[str, Any]:
    """Gives a hook a new secret; the old one works for another day. Raises HookError."""
    row = _found(hook_id)
    secret = _usable(adapter, secret)
    now = now_ms()
    older = [{**item, "expires_at": item["expires_at"] or now + OVERLAP} for item in row["secrets"]]
    # One that cannot be opened proves nothing: a lost key is mended by giving each hook a new secret.
    live = [item for item in older if item["expires_at"] > now and encryption.opens(item["secret"])][:1]
    HookRow.update(secrets=[*_sealed(secret), *live]).where(HookRow.id == hook_id).execute()
    audit_log.note(row["workspace"], by, "hook.rotated", hook_id)
    return shown(adapter, hook_id, row["project"], secret, row["options"], public_url)


def change_hook(
    hook_id: str, options: Mapping[str, Any], *, by: str = audit_log.COMMAND_LINE
) -> dict[str, Any]:
    """Sets the options that are given, takes away those that are None, and answers the hook as listed.

    Raises HookError.
    """
    row = _found(hook_id)
    signed = _signed(load()[row["source"]])
    options = sealed_options.changed(signed.sealed, options)
    # What is taken away must be an option as well.
    asked = {
        name: value for name, value in options.items() if value is not None or name not in signed.options
    }
    given = _checked(signed, asked)
    kept = {name: value for name, value in row["options"].items() if name not in options}
    HookRow.update(options={**kept, **given}).where(HookRow.id == hook_id).execute()
    audit_log.note(row["workspace"], by, "hook.changed", hook_id, options=", ".join(options))
    return _listed(_found(hook_id))


def delete_hook(hook_id: str, *, by: str = audit_log.COMMAND_LINE) -> None:
    """Ends a hook; what came through it stays. Raises HookError."""
    row = _found(hook_id)
    HookRow.update(deleted_at=now_ms()).where(HookRow.id == hook_id).execute()
    audit_log.note(row["workspace"], by, "hook.deleted", hook_id)


def list_hooks(
    workspace_id: str | None = None,
    project_id: str | None = None,
    *,
    after: str | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The hooks that are not deleted, oldest first after the hook `after`, without their secrets.

    None means all of them; after one that is not there they begin anew.
    """
    found = HookRow.select().where(HookRow.deleted_at.is_null())
    found = only(found, {HookRow.workspace: workspace_id, HookRow.project: project_id})
    known = only(HookRow.select(HookRow.created_at), {HookRow.id: after, HookRow.workspace: workspace_id})
    if after and (last := first(known)):
        at = HookRow.created_at
        found = found.where((at > last["created_at"]) | ((at == last["created_at"]) & (HookRow.id > after)))
    return [_listed(row) for row in rows(found.order_by(HookRow.created_at, HookRow.id).limit(limit))]


def options_shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A hook's options as its readers see them."""
    signed = _signed(load()[row["source"]])
    own = {name: value for name, value in row["options"].items() if name != HIDDEN}
    return sealed_options.hidden(signed.sealed, own)


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A hook as it is listed."""
    return {
        "hook_id": row["id"],
        "source": _word(load()[row["source"]]),
        "workspace_id": row["workspace"],
        "project_id": row["project"],
        "live_secrets": len(row["secrets"]),
        **{name: row[name] for name in ("name", "unsigned", "rate_limit", "created_at")},
        "options": options_shown(row),
    }


def shown(
    adapter: Adapter,
    hook_id: str,
    project_id: str | None,
    secret: str | None,
    options: Mapping[str, Any],
    public_url: str | None = None,
) -> dict[str, Any]:
    """What the admin is told: where to point the vendor, with what, and how."""
    public_url = public_url or _public_url
    number = options.get(HIDDEN, "")
    path = adapter.doors[0].path.replace("<hook_id>", hook_id).replace("<project_number>", number)
    made = {
        "hook_id": hook_id,
        "source": _word(adapter),
        "path": path,
        "url": public_url.rstrip("/") + path,
        "secret": secret,
        "project_id": project_id,
    }
    if number:
        at = urlsplit(public_url)
        made["dsn"] = f"{at.scheme}://{hook_id}@{at.netloc}{at.path.rstrip('/')}/{number}"
    signed = _signed(adapter)
    advice = signed.advise(secret or "", options) if signed.advise else signed.advice
    if secret is None and signed.may_be_unsigned:
        advice = signed.unsigned_advice + UNSIGNED
    if "map" in signed.options and "map" not in options:
        advice += NO_MAP
    made["advice"] = advice.format(**{"dsn": "", **made})
    return made


def _usable(adapter: Adapter, secret: str | None) -> str:
    """The secret that was given, or one made anew. Raises HookError."""
    new_secret = _signed(adapter).new_secret
    if secret is None:
        if new_secret is None:
            raise _bad(f"{adapter.name} signs with a key of its own: give it as the secret")
        return new_secret()
    if not SHORTEST <= len(secret.strip()) <= len(secret) <= LONGEST:
        raise _bad(f"Must have {SHORTEST} to {LONGEST} characters")
    if any("\ud800" <= character <= "\udfff" for character in secret):
        raise _bad("Must be text")
    if why := _signed(adapter).unusable(secret):
        raise _bad(why)
    return secret


def _bad(why: str) -> HookError:
    return HookError(Fault("secret", why))


def _checked(signed: Signed, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are kept. Raises HookError."""
    try:
        kept = read_options(signed.options, options)
    except InvalidOption as error:
        found = (Fault(f"options.{fault.field}", fault.message) for fault in error.faults)
        raise HookError(*found) from None
    if len(dumps(kept)) > LONGEST_OPTIONS:
        raise HookError(Fault("options", f"Must have at most {LONGEST_OPTIONS} characters as JSON"))
    return sealed_options.sealed(signed.sealed, kept)


def _word(adapter: Adapter) -> str:
    """What admins call such a hook."""
    return _signed(adapter).made_as or adapter.name


def _sealed(secret: str | None) -> list[dict[str, Any]]:
    """A new secret as the table holds it; nothing for a sender that has none."""
    return [{"secret": encryption.encrypt(secret), "expires_at": None}] if secret else []


def _signed(adapter: Adapter) -> Signed:
    assert adapter.signed is not None, "only signed adapters have hooks"
    return adapter.signed


def _found(hook_id: str) -> dict[str, Any]:
    row = find_hook(hook_id)
    if row is None:
        raise HookError(Fault("hook_id", f"no hook {hook_id} here"))
    return row


def cut_ids(value: Any) -> Any:
    """A text, a JSON value or the pieces of a file with the ids of hooks cut, as in `hk_0a1b2c…`.

    Whoever knows that of an unsigned one can send through it.
    """
    if isinstance(value, str):
        return _ID.sub(r"\1…", value) if "hk_" in value else value
    if isinstance(value, dict):
        return {cut_ids(name): cut_ids(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [cut_ids(item) for item in value]
    if isinstance(value, bytes):
        return cut_ids(value.decode("utf-8", "replace")).encode() if b"hk_" in value else value
    return map(cut_ids, value) if isinstance(value, Iterator) else value
