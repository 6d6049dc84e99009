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

from models.files import make_folder

_vault: MultiFernet | None = None
_newest = b""


class WrongKey(Exception):
    """No key, or a secret that was encrypted with one which is not among those in GATEWAY_SECRET_KEY."""


def connect(secret_key: str, path: Path) -> None:
    """Sets the key: `secret_key` (several, newest first, separated by commas), else that in the file `path`.

    The file is made on first use, readable by its owner only. Raises OSError when it cannot be, and
    WrongKey when there is none in it.
    """
    global _vault, _newest
    words = [word.strip() for word in (secret_key or _kept(path)).split(",") if word.strip()]
    if not words:
        raise WrongKey(f"{path} has no key in it")
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
    make_folder(path.parent)
    if not path.exists():
        # Written under another name and then linked, so that nobody reads half a key.
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(32))
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
    return path.read_text().strip()
