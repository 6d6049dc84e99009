"""Files as they come: kept with a row in the record's transaction, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.files import attachments, store
from gateway.files.attachments import File, Kept
from models import Asset, UnclaimedFile
from models.database.base import rows, writing
from models.tables import asset
from tests.conftest import Tenant
from tests.files.test_file_kinds import PNG

pytestmark = pytest.mark.both


@pytest.fixture
def files(app: Flask, tmp_path: Path) -> Path:
    """A folder of files with room for 1,000 bytes of a workspace."""
    store.connect(Config(files_dir=str(tmp_path / "kept"), files_quota=1_000))
    return tmp_path / "kept"


def keep(tenant: Tenant, name: str, body: bytes, most: int = 500) -> Kept:
    return attachments.keep(tenant.workspace_id, File(name, [body]), most=most)


def make(tenant: Tenant, *kept: Kept) -> None:
    made = attachments.rows_of(kept, tenant.workspace_id, tenant.project_id, None, "native", now_ms())
    with writing():
        asset.keep(made)


def test_a_kept_file_gets_its_row(files: Path, tenant: Tenant) -> None:
    """Its bytes are there first, with a line that says for which row, and the row takes the line away."""
    kept = keep(tenant, "../shot", PNG)

    assert (kept.name, kept.size, kept.content_type, kept.refused) == ("shot.png", len(PNG), "image/png", "")
    assert b"".join(store.store().open(kept.digest)) == PNG
    assert [(row["sha256"], row["id"]) for row in rows(UnclaimedFile.select())] == [(kept.digest, kept.id)]
    make(tenant, kept)
    (row,) = rows(Asset.select())
    assert (row["id"], row["sha256"], row["status"]) == (kept.id, kept.digest, "ready")
    assert rows(UnclaimedFile.select()) == []


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("a.png", b"", "is empty"),
        ("a.svg", b"<svg/>", "is none of these: png, jpeg"),
        ("a.txt", b"x" * 501, "is larger than 500 bytes"),
    ],
)
def test_refused(files: Path, tenant: Tenant, name: str, body: bytes, words: str) -> None:
    """A refused file is named as it was, with why, and leaves nothing behind."""
    kept = keep(tenant, name, body)

    assert kept.name == name
    assert kept.refused.startswith(words)
    assert attachments.rows_of([kept], tenant.workspace_id, None, None, "native", 0) == []
    assert rows(UnclaimedFile.select()) == []
    assert not files.exists() or list(files.rglob("*")) == []


def test_quota(files: Path, tenant: Tenant, other: Tenant) -> None:
    """What a workspace has and what is on its way count; another workspace has room of its own."""
    make(tenant, keep(tenant, "a.txt", b"a" * 500))
    keep(tenant, "b.txt", b"b" * 400)

    refused = keep(tenant, "c.txt", b"c" * 101)

    assert refused.refused == "has no room: the files of this workspace may take 1,000 bytes"
    assert not keep(tenant, "d.txt", b"d" * 100).refused
    assert not keep(other, "c.txt", b"c" * 101).refused


def test_a_sender_that_breaks_off(files: Path, tenant: Tenant) -> None:
    """Half a file is none, and takes no room."""

    def chunks() -> Iterator[bytes]:
        yield PNG * 100
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        attachments.keep(tenant.workspace_id, File("a.png", chunks()), most=10_000)

    assert asset.used_bytes(tenant.workspace_id) == 0
    assert list(files.rglob("*")) == []
