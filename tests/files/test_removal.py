"""Bytes that no asset has go; assets without bytes are told. Who comes at the same moment loses nothing."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from gateway.background import file_sweep, retention
from gateway.background.lease import run_once
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.files import attachments, removal, store
from gateway.files.attachments import File, Kept
from gateway.files.store import LocalStore, Stored
from models import Asset, Feedback, Job, Project, UnclaimedFile
from models.database.base import close, database, writing
from models.tables import asset
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both

PATH = "/gateway/v1/feedback"
DAY = 86_400


@pytest.fixture(name="folder")
def _folder(app: Flask, tmp_path: Path) -> Path:
    store.connect(Config(files_dir=str(tmp_path / "kept"), files_quota=0))
    return tmp_path / "kept"


def bytes_in(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def age(folder: Path, seconds: float = DAY) -> None:
    """As if everything there had been put so long ago."""
    for path in folder.rglob("*"):
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))
    UnclaimedFile.update(at=UnclaimedFile.at - int(seconds * 1000)).where(UnclaimedFile.at > 0).execute()


@pytest.fixture(name="attach")
def _attach(folder: Path, tenant: Tenant, call: Call) -> Callable[..., str]:
    """Stores a record with files of these words; its id."""

    def attach(*words: str) -> str:
        feedback_id = str(call("POST", PATH, json={"text": f"With {words}"}).json["id"])
        kept = [put(tenant, each) for each in words]
        add(tenant, kept, feedback_id)
        return feedback_id

    return attach


def put(tenant: Tenant, words: str | bytes) -> Kept:
    content = words.encode() if isinstance(words, str) else words
    return attachments.keep(tenant.workspace_id, File("a.txt", [content]), most=1_000_000)


def add(tenant: Tenant, kept: list[Kept], feedback_id: str | None = None) -> None:
    made = attachments.rows_of(kept, tenant.workspace_id, None, feedback_id, "native", now_ms())
    with writing():
        asset.keep(made)


def work() -> None:
    """As the background worker does an hour later."""
    Job.update(due_at=0, state=None).execute()
    assert run_once(file_sweep.SWEEP)


def test_bytes_go_with_the_last_that_has_them(attach: Callable[..., str], folder: Path, call: Call) -> None:
    """Two records have the same file: it goes with the second one."""
    first, second = attach("shared", "own"), attach("shared")

    assert call("DELETE", f"{PATH}/{first}").status_code == 204
    assert bytes_in(folder) == [b"shared"]
    assert call("DELETE", PATH, json={"ids": [second]}).json["deleted"] == 1
    assert bytes_in(folder) == []
    assert not Asset.select().count() + UnclaimedFile.select().count()


def test_a_thumbnail_goes_too(attach: Callable[..., str], folder: Path, tenant: Tenant, call: Call) -> None:
    """Also the one that another took the place of."""
    feedback_id = attach("picture")
    row = Asset.get()
    for words in ("small", "smaller"):
        kept = attachments.keep(
            tenant.workspace_id, File("a.txt", [words.encode()]), most=99, asset_id=row.id
        )
        Asset.update(thumbnail=kept.digest).where(Asset.id == row.id).execute()
    removal.release()
    assert bytes_in(folder) == [b"picture", b"smaller"]

    call("DELETE", f"{PATH}/{feedback_id}")

    assert bytes_in(folder) == []


def test_bytes_that_never_had_a_row(folder: Path, tenant: Tenant) -> None:
    """They stay for an hour, in which the row may come, and then they go; so does half a file."""
    put(tenant, "never")
    (folder / ".partial-1").write_bytes(b"half")
    work()
    assert len(bytes_in(folder)) == 2

    age(folder)
    work()

    assert bytes_in(folder) == []
    assert not UnclaimedFile.select().count()


def test_bytes_without_a_line(attach: Callable[..., str], folder: Path) -> None:
    """As after an older backup of the database: what nobody knows goes, what has a row stays."""
    attach("kept")
    LocalStore(folder).put([b"unknown"], 99)
    work()
    assert bytes_in(folder) == [b"kept", b"unknown"]

    age(folder)
    work()

    assert bytes_in(folder) == [b"kept"]


def test_a_row_whose_bytes_are_missing(attach: Callable[..., str], folder: Path) -> None:
    """It fails with the reason, and is ready again once they are back."""
    attach("kept", "lost")
    row = Asset.get(Asset.sha256 == hashlib.sha256(b"lost").hexdigest())
    LocalStore(folder).delete(row.sha256)
    work()
    row = Asset.get_by_id(row.id)
    assert (row.status, row.reason) == ("failed", "its bytes are missing")

    LocalStore(folder).put([b"lost"], 99)
    work()

    row = Asset.get_by_id(row.id)
    assert (row.status, row.reason) == ("ready", None)


def test_an_empty_store_fails_nothing(
    attach: Callable[..., str], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is not mounted is told, and no asset is given up for it."""
    attach("kept")
    folder.rename(folder.with_name("elsewhere"))
    work()

    assert Asset.get().status == "ready"
    assert "the store of files is empty" in caplog.text


def test_the_worker_deletes_what_could_not_be(
    attach: Callable[..., str], folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that cannot be written to fails no request; the bytes go with the next look."""
    feedback_id = attach("stuck")

    def fail(self: LocalStore, digest: str) -> None:
        raise OSError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "delete", fail)
        assert call("DELETE", f"{PATH}/{feedback_id}").status_code == 204
        assert bytes_in(folder) == [b"stuck"]
    assert UnclaimedFile.select().count() == 1

    Job.update(due_at=0).execute()
    assert run_once(file_sweep.SWEEP)

    assert bytes_in(folder) == []


@pytest.mark.parametrize("step", ["before the line", "before the rename", "before the row"])
def test_the_same_bytes_come_while_they_are_deleted(
    attach: Callable[..., str],
    folder: Path,
    tenant: Tenant,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """At whichever step of an upload the last record with these bytes is deleted, the upload has them."""
    feedback_id = attach("shared")
    deleted: list[int] = []

    def delete() -> None:
        def act() -> None:
            deleted.append(call("DELETE", f"{PATH}/{feedback_id}").status_code)
            close()

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()

    real_rename = os.rename
    real_put = LocalStore.put

    def rename(source: Path, target: Path) -> None:
        delete()
        real_rename(source, target)

    def put_later(
        self: LocalStore, chunks: Iterator[bytes], most: int, admit: store.Admit = store.admit_all
    ) -> Stored:
        def late(stored: Stored) -> None:
            delete()
            admit(stored)

        return real_put(self, chunks, most, late)

    with monkeypatch.context() as patch:
        if step == "before the line":
            patch.setattr(LocalStore, "put", put_later)
        if step == "before the rename":
            patch.setattr(os, "rename", rename)
        kept = put(tenant, "shared")
    if step == "before the row":
        delete()
    assert deleted == [204]
    removal.release()
    assert bytes_in(folder) == [b"shared"]
    add(tenant, [kept])
    work()
    assert bytes_in(folder) == [b"shared"]
    assert Asset.get().status == "ready"


def test_retention_counts_files(attach: Callable[..., str], folder: Path, call: Call, tenant: Tenant) -> None:
    """What a project keeps no longer goes with its files."""
    attach("one", "two")
    Feedback.update(received_at=1, last_seen_at=1).execute()
    call("PATCH", f"/gateway/v1/projects/{tenant.project_id}", json={"retention_days": 10})
    Project.update(retention_from=1).execute()
    (project,) = retention.retention.projects()

    assert retention.count(project)["files"] == 2
    assert retention.remove(project)["files"] == 2
    assert bytes_in(folder) == []


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
def test_erasure(attach: Callable[..., str], folder: Path, call: Call, tenant: Tenant, mode: str) -> None:
    """Files of the person's own records go at once, whatever becomes of the records; others' stay."""
    hers, his = attach("hers", "both"), attach("his", "both")
    Feedback.update(author_email="ada@example.com").where(Feedback.id == hers).execute()
    Asset.update(name="of ada@example.com (1).txt").where(Asset.feedback_id == his).execute()
    who = {"email": "ada@example.com", "mode": mode}
    dry = call("POST", "/gateway/v1/authors/erase", json={**who, "dry_run": True}).json
    held = call("POST", "/gateway/v1/authors/export", json={"email": who["email"]}).json
    assert dry["counts"]["files"] == 4
    assert [len(row["attachments"]) for row in held["records"]] == [2]

    done = call("POST", "/gateway/v1/authors/erase", json=who).json

    assert done["counts"]["files"] == 4
    assert bytes_in(folder) == [b"both", b"his"]
    assert {row.name for row in Asset.select()} == {"of [erased] (1).txt"}
    assert not UnclaimedFile.select().count()


@pytest.mark.parametrize("code", ["utf-8", "utf-16"])
def test_erasure_from_texts(
    folder: Path, tenant: Tenant, call: Call, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """A text that mentions the person goes, wherever in it; what cannot be read is told."""
    long = "x" * (store.CHUNK - 9)  # the address is cut where pieces are
    hers = [f"{long} Ada@example.com said so".encode(code), b'{"author": {"email": "ada\\u0040example.com"}}']
    others = [b"of bada@example.com", b"%PDF-1.7 ada@example.com"]
    add(tenant, [put(tenant, each) for each in [*hers, *others]])
    who = {"email": "ada@example.com"}
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "open", failing)
        done = call("POST", "/gateway/v1/authors/erase", json=who).json
    assert (done["counts"]["files"], len(bytes_in(folder))) == (0, 4)
    assert "texts that were uploaded" in " ".join(done["remains"])

    done = call("POST", "/gateway/v1/authors/erase", json=who).json

    assert done["counts"]["files"] == 2
    assert not any("texts" in each for each in done["remains"])
    assert bytes_in(folder) == sorted(others)


def failing(*_: object) -> None:
    raise OSError("away")


def test_two_that_sweep(attach: Callable[..., str], folder: Path) -> None:
    """Two hosts may do so at once."""
    attach("kept")
    for number in range(50):
        LocalStore(folder).put([str(number).encode()], 99)
    age(folder)
    errors: list[BaseException] = []

    def act() -> None:
        try:
            removal.sweep()
        except BaseException as error:
            errors.append(error)
        finally:
            if not database.is_closed():
                close()

    threads = [threading.Thread(target=act) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert bytes_in(folder) == [b"kept"]
