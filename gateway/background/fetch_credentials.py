"""What shows a sender's host that the gateway may have a file that the sender links to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.common import slack_files
from gateway.core import encryption, log
from models.tables import event
from models.tables.hook import find_hook

LOOKED_AT = 100  # events of a record in which the hook is looked for that told of a file


def headers_for(row: Mapping[str, Any]) -> Mapping[str, str]:
    """The headers with which an asset's file is asked for: of Slack's the bot token of the hook it came by.

    None for those that need none, and where the hook or its token is gone. A token goes to no other host
    than its vendor's.
    """
    if row["uploaded_via"] != "slack" or not row["feedback_id"]:
        return {}
    if not slack_files.OWN.match(row["source_url"]):
        return {}
    token = hook_token(row["feedback_id"], "bot_token")
    return {"Authorization": f"Bearer {token}"} if token else {}


def hook_token(feedback_id: str, option: str) -> str | None:
    """The token, a sealed option, with which the hook acts that a record came by; None where it has none."""
    for told in reversed(event.of(feedback_id, limit=LOOKED_AT, payloads=False)):
        hook = find_hook(str((told["detail"] or {}).get("key_id")))
        if hook is not None and (kept := hook["options"].get(option)):
            try:
                return encryption.decrypt(kept)
            except encryption.WrongKey:
                unread = "GATEWAY_SECRET_KEY cannot open the token of this hook"
                log.notice(unread, feedback_id, hook=log.hook_name(hook))
    return None


def without_signature(row: Mapping[str, Any]) -> str:
    """The address of a file that was asked for, without what Discord signs it with: that is used up."""
    address: str = row["source_url"]
    return address.partition("?")[0] if row["uploaded_via"] == "discord" else address
