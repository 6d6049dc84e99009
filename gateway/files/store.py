"""Where the bytes of files are: by their SHA-256, so that the same bytes are there once."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from gateway.core.config import BadSetting, Config
from gateway.core.ids import new_ulid
from models.database.private_files import make_folder

CHUNK = 262_144  # bytes that are read at once
DIGEST = re.compile("[0-9a-f]{64}")
_PARTIAL = ".partial-"  # how the name of a file begins that is not whole yet


class TooLarge(Exception):
    """A file that has more bytes than it may; nothing of it is kept."""


class Missing(Exception):
    """Bytes that are not in the store; the message is their digest."""


@dataclass(frozen=True)
class Stored:
    """Bytes in the store: their SHA-256 in hexadecimal, and how many they are."""

    digest: str
    size: int


Admit = Callable[[Stored], object]


def admit_all(stored: Stored) -> None:
    """Takes whatever comes."""


class Store(Protocol):
    """Bytes by their digest. All of it may raise OSError, such as for a full disk."""

    def put(self, chunks: Iterable[bytes], most: int, admit: Admit = admit_all) -> Stored:
        """Keeps bytes, at most so many of them; they are durable when it returns.

        `admit` is called once it is known what they are and before they are kept under their digest: what
        it raises ends it, and nothing is kept. Raises TooLarge and what `chunks` raise.
        """
        ...

    def open(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces. Raises Missing."""
        ...

    def delete(self, digest: str) -> None:
        """Deletes bytes, if they are there. Within a transaction: it must not wait for long."""
        ...

    def digests(self) -> Iterator[tuple[str, float]]:
        """Every digest in ascending order with the seconds since it was last put."""
        ...

    def tidy(self, seconds: float) -> int:
        """Removes what was begun longer ago than that and never ended; how much there was."""
        ...


class LocalStore:
    """A folder of files that nobody but their owner may read; any number of processes may use it at once."""

    def __init__(self, folder: Path, fsync: bool = True) -> None:
        self._folder = folder
        self._fsync = fsync  # without it a crash of the machine may lose what was kept

    def put(self, chunks: Iterable[bytes], most: int, admit: Admit = admit_all) -> Stored:
        """As Store says. The same bytes once more take the place of those that are there."""
        make_folder(self._folder)
        partial = self._folder / f"{_PARTIAL}{new_ulid()}"
        try:
            with open(partial, "xb", opener=_for_owner) as file:
                stored = written(file, chunks, most)
                file.flush()
                self._sync(file.fileno())
            admit(stored)
            path = self._path(stored.digest)
            if not path.parent.is_dir():
                make_folder(path.parent)
                self._sync_folder(self._folder)
            os.rename(partial, path)
            self._sync_folder(path.parent)
        finally:
            partial.unlink(missing_ok=True)
        return stored

    def open(self, digest: str) -> Iterator[bytes]:
        """As Store says; what is deleted meanwhile is read to its end all the same."""
        try:
            return _Pieces(self._path(digest).open("rb"))
        except FileNotFoundError:
            raise Missing(digest) from None

    def delete(self, digest: str) -> None:
        path = self._path(digest)
        with suppress(FileNotFoundError):
            path.unlink()
            self._sync_folder(path.parent)

    def digests(self) -> Iterator[tuple[str, float]]:
        now = time.time()
        with suppress(FileNotFoundError):
            for folder in sorted(path for path in self._folder.iterdir() if len(path.name) == 2):
                for name in sorted(os.listdir(folder)):
                    with suppress(FileNotFoundError):
                        if DIGEST.fullmatch(name):
                            yield name, now - (folder / name).stat().st_mtime

    def tidy(self, seconds: float) -> int:
        """As Store says."""
        gone, before = 0, time.time() - seconds
        for path in self._folder.glob(f"{_PARTIAL}*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    gone += 1
        return gone

    def _path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise Missing(digest)
        return self._folder / digest[:2] / digest

    def _sync(self, number: int) -> None:
        if self._fsync:
            os.fsync(number)

    def _sync_folder(self, path: Path) -> None:
        folder = os.open(path, os.O_RDONLY)
        try:
            self._sync(folder)
        finally:
            os.close(folder)


class _Pieces:
    """A file's bytes in pieces; it is closed at its end, or when nobody wants more of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> bytes:
        piece = b"" if self._file.closed else self._file.read(CHUNK)
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        self._file.close()

    __del__ = close


def written(file: IO[bytes], chunks: Iterable[bytes], most: int) -> Stored:
    """Writes bytes, at most so many, and says what they are. Raises TooLarge and what `chunks` raise."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise TooLarge(most)
        digest.update(chunk)
        file.write(chunk)
    return Stored(digest.hexdigest(), size)


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


_store: Store | None = None
_quota = _largest = _upload = 0


def connect(config: Config) -> None:
    """Sets where this process keeps files, and how many bytes they may have. Opens nothing yet."""
    global _store, _quota, _largest, _upload
    _quota, _largest, _upload = config.files_quota, config.max_file, config.max_upload
    if config.files_url:
        from gateway.files.s3 import S3Store  # and only now, as few have its extra

        _store = S3Store(config.files_url)
    else:
        _store = LocalStore(config.files_path)


def check_folder(config: Config) -> None:
    """Makes the folder of files where it is absent. Raises BadSetting when nothing can be kept in it."""
    if config.files_url:
        return
    try:
        make_folder(config.files_path)
        if not os.access(config.files_path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        why = f"cannot use {config.files_path}: {error.strerror}"
        raise BadSetting(f"GATEWAY_FILES_DIR: {why}") from None


def store() -> Store:
    """Where this process keeps files."""
    assert _store is not None, "connect() comes first"
    return _store


def quota() -> int:
    """Bytes that the files of a workspace may take; 0 is any number."""
    return _quota


def largest() -> int:
    """Bytes that a file may have which comes with something else."""
    return _largest


def largest_upload() -> int:
    """Bytes that the files of a request may have together, and one that is uploaded alone."""
    return _upload
