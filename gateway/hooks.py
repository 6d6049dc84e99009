"""Hooks: addresses for senders that sign, made, listed, rotated and ended by the admin."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.contract import Adapter, Signed
from gateway import audit, vault
from gateway.ids import now_ms
from models.base import dumps, rows
from models.hook import HookRow, find_hook

LONGEST_OPTIONS = 32_768  # characters of a hook's options as JSON: each delivery is read by them
OVERLAP = 24 * 3600 * 1000  # milliseconds an old secret still works after a rotation
UNSIGNED = """\
Let the sender send to {url}
Whoever knows this address can send through it: keep it as a secret."""

_public_url = ""


class HookError(ValueError):
    """A hook that cannot be made or changed as asked; the message says why, `field` what is wrong."""

    def __init__(self, message: str, field: str = "secret") -> None:
        super().__init__(message)
        self.field = field


def connect(public_url: str) -> None:
    """Sets the address that senders are told."""
    global _public_url
    _public_url = public_url


def kinds(adapters: Mapping[str, Adapter]) -> dict[str, Adapter]:
    """What `hook create` can make: adapters that are signed, by the word the admin uses."""
    return {a.signed.made_as or a.name: a for a in adapters.values() if a.signed is not None}


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
    by: str = audit.COMMAND_LINE,
) -> dict[str, Any]:
    """Stores a new hook and returns what its sender needs, the secret for the last time. Raises HookError."""
    signed = _signed(adapter)
    if unsigned and not signed.may_be_unsigned:
        raise HookError(f"{adapter.name} proves its origin; unsigned is for senders that cannot", "unsigned")
    if secret is not None or not unsigned:
        secret = _usable(adapter, secret)
    hook_id = f"hk_{secrets.token_hex(16)}"
    options = dict(options or {})
    if len(dumps(options)) > LONGEST_OPTIONS:
        raise HookError(f"must have at most {LONGEST_OPTIONS} characters as JSON", "options")
    if "<project_number>" in adapter.doors[0].path:
        options["project_number"] = str(secrets.randbelow(10**9) + 1)
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
    audit.note(workspace_id, by, "hook.created", hook_id, source=adapter.name, project_id=project_id)
    return shown(adapter, hook_id, project_id, secret, options, public_url)


def rotate_hook(
    adapter: Adapter,
    hook_id: str,
    secret: str | None,
    public_url: str | None = None,
    *,
    by: str = audit.COMMAND_LINE,
) -> dict[str, Any]:
    """Gives a hook a new secret; the old one works for another day. Raises HookError."""
    row = _found(hook_id)
    secret = _usable(adapter, secret)
    now = now_ms()
    older = [{**item, "expires_at": item["expires_at"] or now + OVERLAP} for item in row["secrets"]]
    # One that cannot be opened proves nothing: a lost key is mended by giving each hook a new secret.
    live = [item for item in older if item["expires_at"] > now and vault.opens(item["secret"])][:1]
    HookRow.update(secrets=[*_sealed(secret), *live]).where(HookRow.id == hook_id).execute()
    audit.note(row["workspace"], by, "hook.rotated", hook_id)
    return shown(adapter, hook_id, row["project"], secret, row["options"], public_url)


def delete_hook(hook_id: str, *, by: str = audit.COMMAND_LINE) -> None:
    """Ends a hook; what came through it stays. Raises HookError."""
    row = _found(hook_id)
    HookRow.update(deleted_at=now_ms()).where(HookRow.id == hook_id).execute()
    audit.note(row["workspace"], by, "hook.deleted", hook_id)


def list_hooks(workspace_id: str | None = None, project_id: str | None = None) -> list[dict[str, Any]]:
    """The hooks that are not deleted, without their secrets; None means all of them."""
    found = HookRow.select().where(HookRow.deleted_at.is_null())
    if workspace_id is not None:
        found = found.where(HookRow.workspace == workspace_id)
    if project_id is not None:
        found = found.where(HookRow.project == project_id)
    names = ("name", "unsigned", "rate_limit", "created_at")
    return [
        {
            "hook_id": row["id"],
            "source": row["source"],
            "workspace_id": row["workspace"],
            "project_id": row["project"],
            "live_secrets": len(row["secrets"]),
            **{name: row[name] for name in names},
        }
        for row in rows(found.order_by(HookRow.created_at, HookRow.id))
    ]


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
    number = options.get("project_number", "")
    path = adapter.doors[0].path.replace("<hook_id>", hook_id).replace("<project_number>", number)
    made = {
        "hook_id": hook_id,
        "source": _signed(adapter).made_as or adapter.name,
        "path": path,
        "url": public_url.rstrip("/") + path,
        "secret": secret,
        "project_id": project_id,
    }
    if number:
        at = urlsplit(public_url)
        made["dsn"] = f"{at.scheme}://{hook_id}@{at.netloc}{at.path.rstrip('/')}/{number}"
    signed = _signed(adapter)
    advice = UNSIGNED if secret is None and signed.may_be_unsigned else signed.advice
    made["advice"] = advice.format(**{"dsn": "", **made})
    return made


def _usable(adapter: Adapter, secret: str | None) -> str:
    """The secret that was given, or one made anew. Raises HookError."""
    new_secret = _signed(adapter).new_secret
    if secret is None:
        if new_secret is None:
            raise HookError(f"{adapter.name} signs with a key of its own: give it as the secret")
        return new_secret()
    if not secret.strip():
        raise HookError("must not be blank: anybody could sign with it")
    if any("\ud800" <= character <= "\udfff" for character in secret):
        raise HookError("must be text")
    return secret


def _sealed(secret: str | None) -> list[dict[str, Any]]:
    """A new secret as the table holds it; nothing for a sender that has none."""
    return [{"secret": vault.encrypt(secret), "expires_at": None}] if secret else []


def _signed(adapter: Adapter) -> Signed:
    assert adapter.signed is not None, "only signed adapters have hooks"
    return adapter.signed


def _found(hook_id: str) -> dict[str, Any]:
    row = find_hook(hook_id)
    if row is None:
        raise HookError(f"no hook {hook_id} here")
    return row
