"""Every picture that came in gets a thumbnail, or a reason why not; one that is harmful harms only itself."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from gateway.background import thumbnails
from gateway.background.lease import run_once
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.files import attachments, store
from gateway.files.attachments import File
from models import Asset, Job, UnclaimedFile
from models.database.base import database, rows, writing
from models.queries import missing_thumbnails
from models.tables import asset
from tests.background.pictures import photograph, picture, png
from tests.conftest import Tenant

pytestmark = pytest.mark.both(long=True)

Add = Callable[[str, bytes], str]


@pytest.fixture(name="add")
def _add(app: Flask, tmp_path: Path, tenant: Tenant) -> Iterator[Add]:
    """Stores a file; returns the id of its asset."""
    store.connect(Config(files_dir=str(tmp_path / "kept")))

    def add(name: str, body: bytes) -> str:
        kept = attachments.keep(tenant.workspace_id, File(name, [body]), most=50_000_000)
        assert not kept.refused
        with writing():
            asset.keep(attachments.rows_of([kept], tenant.workspace_id, None, None, "native", now_ms()))
        return kept.id

    yield add


def make() -> None:
    """Has the work done now."""
    with writing():
        Job.delete().execute()
    assert run_once(thumbnails.MAKE)


def told(asset_id: str) -> dict[str, Any]:
    (row,) = rows(Asset.select().where(Asset.id == asset_id))
    return row


def test_a_thumbnail(add: Add) -> None:
    """It is in the store, without what the picture says of itself, and the row knows how large that is."""
    asset_id = add("photo.jpg", photograph("JPEG", orientation=6))
    make()
    row = told(asset_id)
    small = Image.open(io.BytesIO(b"".join(store.store().open(row["thumbnail"]))))

    assert (row["width"], row["height"], row["status"], row["reason"]) == (800, 1200, "ready", None)
    assert (small.format, small.size, dict(small.getexif())) == ("WEBP", (320, 480), {})
    assert rows(UnclaimedFile.select()) == []


def test_one_that_cannot_be_decoded_harms_no_other(add: Add) -> None:
    """It stays as it came, its row says why it has none, and those behind it get theirs."""
    broken = {
        add("bomb.png", png(10_000, 10_000)): "no thumbnail: more than 50 megapixels",
        add("cut.png", picture("PNG")[:-60]): "no thumbnail: damaged, or too large to decode",
        add("lie.png", b"\x89PNG\r\n\x1a\n<script></script>"): "no thumbnail: no picture that can be read",
    }
    well = add("well.png", picture("PNG"))
    make()

    assert {name: told(name)["reason"] for name in broken} == broken
    for name in broken:
        row = told(name)
        assert (row["status"], row["thumbnail"]) == ("ready", None)
        assert b"".join(store.store().open(row["sha256"]))
    assert told(well)["thumbnail"]


def test_only_pictures(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other files are not looked at, nor those whose bytes are yet to come, nor any twice."""
    text = add("a.txt", b"words")
    seen, coming = add("a.png", picture("PNG")), add("b.png", picture("PNG", (20, 10)))
    with writing():
        asset.change(coming, now_ms(), status="pending_upload")
    make()
    monkeypatch.setattr(thumbnails, "COMMAND", ["false"])
    make()

    assert told(seen)["thumbnail"]
    for name in (text, coming):
        assert (told(name)["thumbnail"], told(name)["reason"]) == (None, None)


def test_the_same_picture_twice(add: Add) -> None:
    """Both name the same bytes, large and small."""
    one, other = add("a.png", picture("PNG")), add("b.png", picture("PNG"))
    make()

    assert told(one)["thumbnail"] == told(other)["thumbnail"] != None  # noqa: E711
    assert len(list(store.store().digests())) == 2


def test_bytes_that_are_gone(add: Add) -> None:
    """A picture whose bytes somebody took away is passed over."""
    asset_id = add("a.png", picture("PNG"))
    store.store().delete(told(asset_id)["sha256"])
    make()

    assert told(asset_id)["reason"] == "no thumbnail: the file is gone"


def test_bytes_that_cannot_be_read(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad block of the disk holds up no other picture; once it can be read it has its turn."""
    bad, well = add("a.png", picture("PNG")), add("b.png", picture("PNG", (20, 10)))
    digest, read = told(bad)["sha256"], type(store.store()).open

    def broken(self: Any, wanted: str) -> Iterator[bytes]:
        if wanted == digest:
            raise OSError("bad block")
        return read(self, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(type(store.store()), "open", broken)
        make()
    assert (told(bad)["thumbnail"], told(bad)["reason"]) == (None, None)
    assert told(well)["thumbnail"]
    make()
    assert told(bad)["thumbnail"]


def test_a_store_that_is_away_is_left(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """After as many as are looked for at once, whatever else there is."""
    tried = []
    for side in (10, 20, 30):
        add(f"{side}.png", picture("PNG", (side, 10)))

    def away(self: Any, wanted: str) -> Iterator[bytes]:
        tried.append(wanted)
        raise OSError("away")

    monkeypatch.setattr(thumbnails, "AT_ONCE", 2)
    monkeypatch.setattr(type(store.store()), "open", away)
    make()
    assert len(tried) == 2


def test_the_process_has_no_secrets(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """What decodes a stranger's bytes knows neither keys nor the database's password."""
    for name in ("GATEWAY_SECRET_KEY", "GATEWAY_DATABASE_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    show = 'import json, os; print(json.dumps({"refusal": " ".join(sorted(os.environ))}))'
    monkeypatch.setattr(thumbnails, "COMMAND", [sys.executable, "-c", show])
    asset_id = add("a.png", picture("PNG"))
    make()

    known = told(asset_id)["reason"].removeprefix("no thumbnail: ").split()
    assert set(known) <= {*thumbnails.NEEDED, "LC_CTYPE"}  # which Python sets itself


@pytest.mark.parametrize("changed", [{"status": "failed", "reason": asset.MISSING}, {"sha256": "0" * 64}])
def test_bytes_that_change_meanwhile(
    add: Add, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thumbnail of other bytes, or a reason for them, is not noted."""
    asset_id = add("a.png", picture("PNG"))
    whole = thumbnails._told

    def told_late(*words: Any) -> dict[str, Any]:
        found = whole(*words)
        with writing():
            asset.change(asset_id, now_ms(), **changed)
        monkeypatch.setattr(thumbnails, "_told", lambda *words: {"reason": "no thumbnail: once is enough"})
        return {**found, "reason": "no thumbnail"}

    monkeypatch.setattr(thumbnails, "_told", told_late)
    make()

    row = told(asset_id)
    assert row["thumbnail"] is None
    assert {name: row[name] for name in changed} == changed


def test_no_copy_has_a_name(add: Add, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A worker that is killed leaves no picture behind, which nobody would find to erase."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    look = "import json, os, sys; print(json.dumps({'refusal': str(os.listdir(sys.argv[1]))}))"
    monkeypatch.setattr(thumbnails, "COMMAND", [sys.executable, "-c", look, str(folder)])
    made = add("a.png", picture("PNG"))
    make()
    assert told(made)["reason"] == "no thumbnail: []"


def test_one_that_takes_too_long(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is ended."""
    monkeypatch.setattr(thumbnails, "PATIENCE", 0.0)
    asset_id = add("a.png", picture("PNG"))
    make()

    assert told(asset_id)["reason"] == "no thumbnail: it takes too long to decode"


def test_one_that_is_deleted_meanwhile(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thumbnail belongs to nobody, which the sweep is told."""
    asset_id = add("a.png", picture("PNG"))
    whole = thumbnails._told

    def told_late(*words: Any) -> dict[str, Any]:
        found = whole(*words)
        with writing():
            asset.delete([asset_id])
        return found

    monkeypatch.setattr(thumbnails, "_told", told_late)
    make()

    assert rows(Asset.select()) == []
    assert {digest for digest, _ in store.store().digests()} == {
        row["sha256"] for row in rows(UnclaimedFile.select())
    }


def test_what_there_is_to_do_is_found_at_once(add: Add, kind: str) -> None:
    """Through an index of those pictures alone, however many other files there are."""
    if kind != "sqlite":  # a server scans a table of a few rows, whatever indexes it has
        return
    (plan,) = database.execute_sql(f"EXPLAIN QUERY PLAN {missing_thumbnails._DUE}", ("", 1)).fetchall()

    assert plan[3] == "SEARCH asset USING INDEX asset_pictures (status=? AND id>?)"
