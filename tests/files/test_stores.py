"""What holds of every store: a folder, and a bucket behind HTTP that stands in for S3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.config import Config
from gateway.files import store as stores
from gateway.files.s3 import S3Store
from gateway.files.store import CHUNK, Missing, Store, Stored, TooLarge
from tests.files import bucket as s3
from tests.files.bucket import Bucket


@pytest.fixture(name="bucket")
def _bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with s3.serving() as bucket:
        yield bucket


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leaves the process' store as it was."""
    before = stores._store, stores._quota
    yield
    stores._store, stores._quota = before


def connected(**setting: str) -> Store:
    """The store that a setting leads to."""
    stores.connect(Config(**setting))  # type: ignore[arg-type]
    return stores.store()


def in_bucket(bucket: Bucket, name: str = "files") -> Store:
    return connected(files_url=f"s3://{name}?endpoint={bucket.url}&region=eu-west-1")


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each kind of store."""
    if request.param == "folder":
        return connected(files_dir=str(tmp_path / "files"))
    return in_bucket(request.getfixturevalue("bucket"), "files/a/b")


every_store = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@every_store
@given(chunks=st.lists(st.binary(max_size=3_000), max_size=8))
def test_what_is_put_is_read(store: Store, chunks: list[bytes]) -> None:
    """Whatever the bytes are and however they come, they are there under their digest."""
    body = b"".join(chunks)
    stored = store.put(iter(chunks), len(body))

    assert stored == Stored(hashlib.sha256(body).hexdigest(), len(body))
    assert b"".join(store.open(stored.digest)) == body
    assert stored.digest in dict(store.digests())


@every_store
@given(bodies=st.lists(st.binary(max_size=20), max_size=12), gone=st.sets(st.integers(0, 11)))
def test_the_list_is_what_was_put_and_not_deleted(store: Store, bodies: list[bytes], gone: set[int]) -> None:
    """Each digest once, ascending, and young."""
    before = dict(store.digests())
    for digest in before:
        store.delete(digest)
    put = [store.put([body], 20).digest for body in bodies]
    deleted = {put[number] for number in gone if number < len(put)}
    for digest in deleted:
        store.delete(digest)

    found = list(store.digests())

    assert [digest for digest, _ in found] == sorted(set(put) - deleted)
    assert all(-60 < seconds < 3_600 for _, seconds in found)


def test_a_large_file_comes_in_pieces(store: Store) -> None:
    """None has more bytes than others."""
    body = bytes(range(256)) * (5 * CHUNK // 512)
    stored = store.put((body[at : at + 999] for at in range(0, len(body), 999)), len(body))
    pieces = list(store.open(stored.digest))

    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= CHUNK


def test_one_byte_too_many(store: Store) -> None:
    """Nothing of it is there, and no more of it is asked for."""
    asked = []

    def chunks() -> Iterator[bytes]:
        for number in range(10):
            asked.append(number)
            yield b"12345"

    with pytest.raises(TooLarge):
        store.put(chunks(), 9)
    assert (asked, list(store.digests())) == ([0, 1], [])


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("broken")])
def test_what_breaks_off_leaves_nothing(store: Store, error: Exception) -> None:
    """While the bytes come, and when they are not admitted."""

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise error

    def refuse(stored: Stored) -> None:
        raise error

    with pytest.raises(type(error)):
        store.put(chunks(), 9)
    with pytest.raises(type(error)):
        store.put([b"whole"], 9, refuse)
    assert list(store.digests()) == []


def test_deleted(store: Store) -> None:
    """It is told at once, and to delete twice is no error."""
    stored = store.put([b"abc"], 3)
    for _ in range(2):
        store.delete(stored.digest)

    with pytest.raises(Missing):
        store.open(stored.digest)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64])
def test_only_digests_name_bytes(store: Store, digest: str) -> None:
    """Nothing else is looked for, wherever it may lead."""
    with pytest.raises(Missing):
        store.open(digest)


class TestBucket:
    """What is a bucket's alone."""

    def test_where_it_lies(self, bucket: Bucket) -> None:
        """Below the folder, by two letters, as on a disk; other things in the bucket are left alone."""
        store = in_bucket(bucket, "files/a/b")
        bucket.put("a/b/readme.txt", b"x")
        bucket.put("elsewhere/" + "a" * 64, b"x")
        stored = store.put([b"abc"], 3)

        assert f"a/b/{stored.digest[:2]}/{stored.digest}" in bucket.objects
        assert [digest for digest, _ in store.digests()] == [stored.digest]

    def test_it_is_tried_again(self, bucket: Bucket) -> None:
        """A server that is not well for a moment keeps the file all the same."""
        bucket.failing += [500, 503]
        store = in_bucket(bucket)

        assert b"".join(store.open(store.put([b"abc"], 3).digest)) == b"abc"

    @pytest.mark.parametrize("status", [403, 500])
    def test_a_server_that_fails(self, bucket: Bucket, status: int) -> None:
        """It is told as a disk's failures are, and never as if the file were not there."""
        bucket.failing += [status] * 20
        store = in_bucket(bucket)

        with pytest.raises(OSError, match="the bucket files cannot be used"):
            store.put([b"abc"], 3)
        with pytest.raises(OSError, match="the bucket files cannot be used"):
            store.open("a" * 64)

    def test_no_such_bucket(self, bucket: Bucket) -> None:
        """That is no missing file either."""
        with pytest.raises(OSError, match="the bucket other cannot be used"):
            in_bucket(bucket, "other").open("a" * 64)

    def test_no_credentials(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is asked of anybody without them."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

        with pytest.raises(OSError, match="the bucket files cannot be reached"):
            in_bucket(bucket).delete("a" * 64)


def test_a_bucket_that_does_not_delete_is_not_waited_for(bucket: Bucket) -> None:
    """Others wait to write meanwhile: one try, within seconds, where whatever else is tried again."""
    store = in_bucket(bucket)
    stored = store.put([b"bytes"], 5)
    bucket.failing[:] = [503] * 2
    with pytest.raises(OSError):
        store.delete(stored.digest)
    assert bucket.failing == [503]
    assert b"".join(store.open(stored.digest)) == b"bytes"
    assert isinstance(store, S3Store)
    limits = store._brief_client.meta.config
    assert limits.connect_timeout + limits.read_timeout <= 3
    store.delete(stored.digest)
    assert not dict(store.digests())
