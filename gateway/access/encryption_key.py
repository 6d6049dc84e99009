"""The secrets that the database holds sealed: is the gateway's key the one they were sealed with?"""

from __future__ import annotations

from typing import Any

from gateway.core import encryption
from gateway.core.config import BadSetting, Config
from gateway.core.ids import now_ms
from models.database.base import close, database
from models.tables.callback import any_secret
from models.tables.destination import any_at_all
from models.tables.hook import live_secrets
from models.tables.reply import any_address_key

REMEDY_OF_CALLBACKS = (
    "put that key back; if it is lost for good, set a new one and run "
    "`feedback-gateway workspace callback-secret --rotate`"
)
REMEDY_OF_DESTINATIONS = (
    "put that key back; if it is lost for good, set a new one, "
    "give each destination its `url` anew and rotate it"
)
REMEDY_OF_MAIL = "put that key back"
REMEDY = "put that key back; if it is lost for good, set a new one and run `feedback-gateway hook rotate ID`"


def connect(config: Config) -> None:
    """Sets the key that secrets are sealed with. Raises BadSetting, also when that key's file is gone.

    A key is made only where nothing is sealed yet: another one than before would open none of it.
    """
    try:
        encryption.connect(config.secret_key, config.secret_path, lambda: not _holds_any())
    except encryption.NoKey as error:
        hooks = _sealed()
        needed = f"; the secrets of {len(hooks)} hook(s) here need it: {REMEDY}" if hooks else ""
        if not hooks and any_secret():
            needed = f"; the secret of callbacks needs it: {REMEDY_OF_CALLBACKS}"
        elif not hooks and any_at_all():
            needed = f"; the destinations here need it: {REMEDY_OF_DESTINATIONS}"
        elif not hooks and any_address_key():
            needed = f"; the digests of who wants no mail need it: {REMEDY_OF_MAIL}"
        raise BadSetting(f"GATEWAY_SECRET_KEY: is not set, and {error}{needed}") from None


def check() -> None:
    """Raises BadSetting when the database holds sealed secrets and none of them can be opened."""
    closed, lost = unreadable()
    if lost:
        raise BadSetting(
            f"GATEWAY_SECRET_KEY: opens none of the secrets of {len(closed)} hook(s) here, "
            f"which were sealed with another key: {REMEDY}"
        )


def unreadable() -> tuple[list[dict[str, Any]], bool]:
    """The hooks (as of `live_secrets`) with a secret that cannot be opened, and whether no secret can."""
    hooks = _sealed()
    closed = [hook for hook in hooks if not all(map(encryption.opens, hook["secrets"]))]
    return closed, bool(hooks) and not any(
        encryption.opens(text) for hook in hooks for text in hook["secrets"]
    )


def _holds_any() -> bool:
    """Whether anything is sealed here, with no connection left that was not open before."""
    closed = database.obj.is_closed()
    try:
        return bool(_sealed()) or any_secret() or any_at_all() or any_address_key()
    finally:
        if closed:
            close()


def _sealed() -> list[dict[str, Any]]:
    return live_secrets(now_ms())
