"""Authors' addresses as digests, and who wants no more mail.

A digest is made with a key of the workspace that is sealed: it tells nobody an address, and is the same for
whoever writes the address, so that what somebody wants holds after they were erased.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import partial

from gateway.core import encryption
from gateway.core.ids import now_ms
from gateway.core.mail_rules import BadAddress, address
from gateway.files.addresses import absolute
from models.database.base import serialise, writing
from models.tables import reply

PATH = "/unsubscribe"
_LINK = "unsubscribe"  # what the signature of a link is for


def digests(workspace_id: str) -> Callable[[str], str]:
    """What makes digests of addresses, within the open transaction: a key is made where there is none.

    Raises encryption.WrongKey.
    """
    serialise([f"address key {workspace_id}"])
    if (key := _key(workspace_id)) is None:
        key = secrets.token_urlsafe(32)
        reply.keep_address_key(workspace_id, encryption.encrypt(key))
    return partial(_made, key)


def known(workspace_id: str, author: str) -> str | None:
    """An address as a digest; None while there is none at all. Raises encryption.WrongKey."""
    key = _key(workspace_id)
    return None if key is None else _made(key, author)


def has_unsubscribed(workspace_id: str, author: str) -> bool:
    """Whether an address wants no mail of a workspace. Raises encryption.WrongKey."""
    found = known(workspace_id, author)
    return found is not None and bool(reply.unsubscribed(workspace_id, [found]))


def unsubscribe_url(workspace_id: str, address_digest: str) -> str:
    """Where whoever has an address says that they want no more mail. Raises encryption.WrongKey."""
    signature = _signature(workspace_id, address_digest)
    return absolute(f"{PATH}/{workspace_id}/{address_digest}/{signature}")


def is_right(workspace_id: str, address_digest: str, sent: str) -> bool:
    """Whether a link was made here."""
    try:
        right = _signature(workspace_id, address_digest)
    except encryption.WrongKey:
        return False
    return bool(right) and hmac.compare_digest(right.encode(), sent.encode("utf-8", "replace"))


def unsubscribe(workspace_id: str, address_digest: str) -> None:
    """Notes that an address wants no more mail; to say it again changes nothing."""
    with writing():
        reply.unsubscribe(workspace_id, address_digest, now_ms())


def plain(text: str) -> str:
    """An address as it is compared: one person's is the same in any case."""
    try:
        return address(text).casefold()
    except BadAddress:
        return text.strip().casefold()


def _key(workspace_id: str) -> str | None:
    sealed = reply.address_key(workspace_id)
    return None if sealed is None else encryption.decrypt(sealed)


def _signature(workspace_id: str, address_digest: str) -> str:
    key = _key(workspace_id)
    return "" if key is None else _mac(key, f"{_LINK} {address_digest}")


def _made(key: str, author: str) -> str:
    return _mac(key, plain(author))


def _mac(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
