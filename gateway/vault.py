"""Secrets at rest: encrypted with the gateway's own key, readable again with it or an earlier one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_vault: MultiFernet | None = None
_newest = b""


class WrongKey(Exception):
    """A secret that was encrypted with a key which is not among those in GATEWAY_SECRET_KEY."""


def connect(secret_key: str, path: Path) -> None:
    """Sets the key: `secret_key` (several, newest first, separated by commas), else that in the file `path`.

    The file is made on first use, readable by its owner only.
    """
    global _vault, _newest
    words = [word.strip() for word in (secret_key or _kept(path)).split(",") if word.strip()]
    _vault = MultiFernet([Fernet(_derived(word)) for word in words])
    _newest = _derived(words[0])


def encrypt(text: str) -> str:
    """A secret as it is stored."""
    assert _vault is not None, "connect() comes first"
    return _vault.encrypt(text.encode()).decode()


def decrypt(stored: str) -> str:
    """A stored secret in clear. Raises WrongKey."""
    assert _vault is not None, "connect() comes first"
    try:
        return _vault.decrypt(stored.encode()).decode()
    except InvalidToken:
        raise WrongKey("GATEWAY_SECRET_KEY cannot read this secret") from None


def key_for(purpose: str) -> str:
    """A key for something else than encrypting, that tells nothing about the gateway's own."""
    assert _newest, "connect() comes first"
    return hmac.new(_newest, purpose.encode(), hashlib.sha256).hexdigest()


def _derived(word: str) -> bytes:
    """A Fernet key from any long random text; not for passwords people think up."""
    return base64.urlsafe_b64encode(hashlib.sha256(word.encode()).digest())


def _kept(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # Written under another name and then linked, so that nobody reads half a key.
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(32))
        try:
            os.link(fresh, path)
        finally:
            fresh.unlink()
    return path.read_text().strip()
