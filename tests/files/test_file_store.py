"""The store: bytes by their digest, durable when it says so, whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.files.store import CHUNK, LocalStore, Missing, Stored, TooLarge


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "files")


def everything(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_put_is_read(store: LocalStore, tmp_path: Path) -> None:
    """Bytes come back as they were, in pieces, from a file that only its owner may read."""
    body = os.urandom(CHUNK + 1)

    stored = store.put([body[:10], b"", body[10:]], len(body))

    digest = hashlib.sha256(body).hexdigest()
    assert stored == Stored(digest, len(body))
    assert list(map(len, store.open(digest))) == [CHUNK, 1]
    assert b"".join(store.open(digest)) == body
    path = tmp_path / "files" / digest[:2] / digest
    assert path.stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]


def test_the_same_bytes_are_there_once(store: LocalStore, tmp_path: Path) -> None:
    """Who puts what is there already changes nothing but its age."""
    first = store.put([b"abc"], 3)
    path = tmp_path / "files" / first.digest[:2] / first.digest
    os.utime(path, (1, 1))

    assert store.put([b"a", b"bc"], 3) == first
    assert everything(tmp_path) == [first.digest]
    ((digest, seconds),) = store.digests()
    assert digest == first.digest
    assert seconds < 3_600


def test_digests_ascend(store: LocalStore) -> None:
    """They come in the order in which rows are read, so that the two can be laid side by side."""
    put = [store.put([str(number).encode()], 9).digest for number in range(300)]

    assert [digest for digest, _ in store.digests()] == sorted(put)


def test_what_is_too_large_leaves_nothing(store: LocalStore, tmp_path: Path) -> None:
    """One byte too many ends it, and no more is asked for."""
    asked = []

    def chunks() -> Iterator[bytes]:
        for number in range(10):
            asked.append(number)
            yield b"12345"

    with pytest.raises(TooLarge):
        store.put(chunks(), 9)

    assert asked == [0, 1]
    assert everything(tmp_path) == []


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("broken")])
def test_a_sender_that_breaks_off_leaves_nothing(store: LocalStore, tmp_path: Path, error: Exception) -> None:
    """What is raised while bytes come, or by who admits them, is raised on."""

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise error

    def refuse(stored: Stored) -> None:
        raise error

    with pytest.raises(type(error)):
        store.put(chunks(), 9)
    with pytest.raises(type(error)):
        store.put([b"whole"], 9, refuse)

    assert everything(tmp_path) == []


def test_deleted_bytes_are_gone(store: LocalStore, tmp_path: Path) -> None:
    """Who reads already reads to the end; who comes later is told, and to delete twice is no error."""
    stored = store.put([b"x" * (CHUNK + 1)], CHUNK + 1)
    reading = store.open(stored.digest)
    next(reading)

    store.delete(stored.digest)
    store.delete(stored.digest)

    assert next(reading) == b"x"
    assert list(reading) == []
    with pytest.raises(Missing):
        store.open(stored.digest)
    assert everything(tmp_path) == []


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64])
def test_only_digests_name_bytes(store: LocalStore, digest: str) -> None:
    """Nothing else is looked for, wherever it may lead."""
    with pytest.raises(Missing):
        store.open(digest)


def test_tidy_removes_what_never_ended(store: LocalStore, tmp_path: Path) -> None:
    """A file of a process that is gone goes once it is old; one that may still grow stays."""
    folder = tmp_path / "files"
    folder.mkdir()
    old, new = folder / ".partial-1", folder / ".partial-2"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))

    assert store.tidy(3_600) == 1
    assert everything(tmp_path) == [new.name]
