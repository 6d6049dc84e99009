"""Secrets at rest: encrypted with the gateway's own key, readable again with it or an earlier one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from models.database.private_files import make_folder

_vault: MultiFernet | None = None
_newest = b""


class WrongKey(Exception):
    """A secret that was encrypted with a key which is not among those in GATEWAY_SECRET_KEY."""


class NoKey(Exception):
    """The file of the key is missing, cannot be read or written, or holds no key; the message names it."""


def connect(secret_key: str, path: Path, may_make: Callable[[], bool] = lambda: True) -> None:
    """Sets the key: `secret_key` (several, newest first, separated by commas), else that in the file `path`.

    When there is no such file it is made, readable by its owner only, if `may_make` says so. Raises NoKey.
    """
    global _vault, _newest
    words = [word.strip() for word in (secret_key or _kept(path, may_make)).split(",") if word.strip()]
    _vault = MultiFernet([Fernet(_derived(word)) for word in words])
    _newest = _derived(words[0])
    opens.cache_clear()


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


def opened(stored: str) -> str | None:
    """A stored secret in clear; None for one that was encrypted with another key."""
    try:
        return decrypt(stored)
    except WrongKey:
        return None


@lru_cache(maxsize=4096)
def opens(stored: str) -> bool:
    """Whether the key can read a stored secret; remembered, as both stay what they are."""
    return opened(stored) is not None


def key_for(purpose: str) -> str:
    """A key for something else than encrypting, that tells nothing about the gateway's own."""
    assert _newest, "connect() comes first"
    return hmac.new(_newest, purpose.encode(), hashlib.sha256).hexdigest()


def _derived(word: str) -> bytes:
    """A Fernet key from any long random text; not for passwords people think up."""
    return base64.urlsafe_b64encode(hashlib.sha256(word.encode()).digest())


def _kept(path: Path, may_make: Callable[[], bool]) -> str:
    try:
        if not path.exists():
            if not may_make():
                raise NoKey(f"{path} is missing")
            _make(path)
        kept = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise NoKey(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        kept = ""
    if not kept.strip(", "):
        raise NoKey(f"{path} holds no key")
    return kept


def _make(path: Path) -> None:
    """Makes the file. It is on the disk, whole, before anything is encrypted with it."""
    make_folder(path.parent)
    # Written under another name and then linked, so that nobody reads half a key.
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(fresh, "w", encoding="ascii", opener=_for_owner) as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker: that one's key counts
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
