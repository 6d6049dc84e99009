"""Files of records over HTTP: sent, shown, downloaded and taken away."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from gateway.core.config import Config
from gateway.files import addresses, store
from gateway.files.store import LocalStore, Stored
from gateway.intake import uploads
from models import Asset, Event, UnclaimedFile
from models.database.base import writing
from models.intake import attached
from models.tables import asset
from tests.conftest import Call, Tenant
from tests.files.test_file_kinds import PNG
from tests.files.test_removal import bytes_in

PATH = "/gateway/v1/feedback"
SIZES = uploads.Sizes(words=1_000, file=500, upload=1_000)


@pytest.fixture(name="folder", autouse=True)
def _folder(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of files: 500 bytes of each, 1,000 of a request, 2,000 of a workspace."""
    store.connect(Config(files_dir=str(tmp_path / "kept"), files_quota=2_000))
    monkeypatch.setattr(uploads, "_sizes", SIZES)
    return tmp_path / "kept"


@pytest.fixture(name="feedback_id")
def _feedback_id(call: Call) -> str:
    return str(call("POST", PATH, json={"text": "The map is blank"}).json["id"])


Send = Callable[..., Any]


@pytest.fixture(name="send")
def _send(call: Call, feedback_id: str) -> Send:
    """Sends files, each a name and bytes."""

    def send(*files: tuple[str, bytes], to: str = feedback_id, **more: Any) -> Any:
        data = {"file": [(BytesIO(body), name) for name, body in files]}
        return call("POST", f"{PATH}/{to}/attachments", data=data, content_type="multipart/form-data", **more)

    return send


def test_a_file_is_kept_and_downloaded(call: Call, send: Send, feedback_id: str) -> None:
    """Its record lists it, its history says so, and its bytes come to be saved and never shown."""
    before = call("GET", f"{PATH}/{feedback_id}").json["updated_at"]
    answer = send(("d\u00e9j\u00e0 vu.png", PNG))

    assert answer.status_code == 201, answer.text
    (shown,) = answer.json["data"]
    assert answer.json["refused"] == []
    assert (shown["content_type"], shown["size"], shown["status"]) == ("image/png", len(PNG), "ready")
    assert call("GET", f"{PATH}/{feedback_id}/attachments").json == {"data": [shown], "next_cursor": None}
    record = call("GET", f"{PATH}/{feedback_id}?expand=attachments,events").json
    assert record["attachments"] == [shown]
    assert record["updated_at"] > before
    event = record["events"]["data"][-1]
    assert (event["type"], event["detail"]["asset_id"]) == ("attached", shown["id"])
    assert "vu" not in json.dumps(event)

    got = call("GET", shown["path"])
    assert got.data == PNG
    assert got.headers["Content-Disposition"] == (
        "attachment; filename=\"d_j_ vu.png\"; filename*=UTF-8''d%C3%A9j%C3%A0%20vu.png"
    )
    assert got.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert got.headers["Cache-Control"] == "private, no-cache"
    assert got.headers["Content-Length"] == str(len(PNG))
    again = call("GET", shown["path"], headers={"If-None-Match": got.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_an_export_tells_of_files(call: Call, send: Send) -> None:
    """By name, size, type and digest, in either format."""
    (shown,) = send(("shot.png", PNG)).json["data"]
    told = {name: shown[name] for name in ("id", "name", "size", "content_type", "sha256")}

    (line,) = call("GET", "/gateway/v1/export").text.splitlines()
    assert json.loads(line)["attachments"] == [told]
    table = call("GET", "/gateway/v1/export?format=csv&fields=attachments").text
    assert "shot.png" in table


REFUSED = {
    "a.svg": (b"<svg/>", "is none of these: png, jpeg"),
    "a.html": (b"<!doctype html>", "is none of these"),
    "fake.png": (b"words", "is none of these"),
    "large.txt": (b"x" * 501, "is larger than 500 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_file_is_told_and_others_stay(send: Send, folder: Path, name: str) -> None:
    """Each file by itself; when nothing is left to keep, the request is refused."""
    body, why = REFUSED[name]
    answer = send((name, body), ("good.txt", b"fine"))

    assert answer.status_code == 201
    assert [one["name"] for one in answer.json["data"]] == ["good.txt"]
    (refused,) = answer.json["refused"]
    assert refused["name"] == name
    assert refused["reason"].startswith(why)
    alone = send((name, body))
    assert alone.status_code == 400
    assert alone.json["errors"][0]["message"].startswith(f"{name} {why}")
    assert bytes_in(folder) == [b"fine"]


def test_more_than_a_request_may_bring(send: Send) -> None:
    """The sixth file, and what is over the size of all together."""
    six = send(*((f"{number}.txt", str(number).encode()) for number in range(6))).json
    assert (len(six["data"]), six["refused"]) == (
        5,
        [{"name": "5.txt", "reason": "is one more than the 5 that are kept"}],
    )
    large = send(*((f"{letter}.txt", letter.encode() * 400) for letter in "abc")).json
    assert len(large["data"]) == 2
    assert large["refused"][0]["reason"] == "has no room: the files of a request may have 1,000 bytes"


def test_more_than_a_workspace_may_have(send: Send, call: Call, feedback_id: str) -> None:
    """A file over the quota is refused by name, the words stay; what is deleted makes room."""
    for letter in "abcd":
        assert send((f"{letter}.txt", letter.encode() * 500)).status_code == 201
    full = send(("e.txt", b"e" * 500))
    assert full.status_code == 400
    assert full.json["errors"] == [
        {
            "field": "file",
            "message": "e.txt has no room: the files of this workspace may take 2,000 bytes",
        }
    ]
    first = call("GET", f"{PATH}/{feedback_id}/attachments").json["data"][0]

    assert call("DELETE", f"{PATH}/{feedback_id}/attachments/{first['id']}").status_code == 204
    assert send(("e.txt", b"e" * 500)).status_code == 201


def test_more_than_a_record_may_have(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are refused."""
    monkeypatch.setattr("gateway.api.attachments.MOST", 2)
    assert attached.MOST > 2
    told = send(*((f"{number}.txt", str(number).encode()) for number in range(3))).json

    assert len(told["data"]) == 2
    assert told["refused"] == [{"name": "2.txt", "reason": "is one more than the 2 of a record"}]


def test_sent_again_it_is_there_once(send: Send, folder: Path) -> None:
    """A retry finds its files; the same bytes under another name are another file."""
    first = send(("a.txt", b"same"), ("a.txt", b"same"))
    again = send(("a.txt", b"same"))

    assert (first.status_code, again.status_code) == (201, 200)
    assert len({one["id"] for one in first.json["data"] + again.json["data"]}) == 1
    assert send(("b.txt", b"same")).status_code == 201
    assert Asset.select().count() == 2
    assert bytes_in(folder) == [b"same"]


def test_a_deleted_file_leaves_no_byte(send: Send, call: Call, folder: Path, feedback_id: str) -> None:
    """Its history says that it was there, and nothing of what it held."""
    (shown,) = send(("secret.txt", b"secret words")).json["data"]
    path = f"{PATH}/{feedback_id}/attachments/{shown['id']}"

    assert call("DELETE", path).status_code == 204
    assert call("DELETE", path).status_code == 404
    assert call("GET", shown["path"]).status_code == 404
    assert bytes_in(folder) == []
    assert not UnclaimedFile.select().count()
    assert Event.select().where(Event.type == "detached").count() == 1


@pytest.mark.parametrize(
    ("content_type", "data", "status"),
    [
        ("application/json", b"{}", 400),
        ("multipart/form-data", b"--b--", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"; file', 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="empty.txt"\r\n\r\n\r\n--b--\r\n',
            400,
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf',
            400,
        ),
    ],
)
def test_what_is_no_form(
    call: Call, folder: Path, feedback_id: str, content_type: str, data: bytes, status: int
) -> None:
    """It is refused, and half a file is none."""
    answer = call("POST", f"{PATH}/{feedback_id}/attachments", data=data, content_type=content_type)

    assert answer.status_code == status
    assert Asset.select().count() == 0


def test_no_room_on_the_disk(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a file alone is told to try again; beside another it is refused by name."""
    real, full = LocalStore.put, [True, True, False]

    def put(self: LocalStore, *args: Any) -> Stored:
        if full.pop(0):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *args)

    monkeypatch.setattr(LocalStore, "put", put)
    alone = send(("a.txt", b"words"))
    assert alone.status_code == 503 and alone.headers["Retry-After"]
    both = send(("a.txt", b"words"), ("b.txt", b"more"))
    assert both.status_code == 201
    assert both.json["refused"] == [{"name": "a.txt", "reason": "could not be stored"}]


def test_who_may(
    call: Call, send: Send, tenant: Tenant, other: Tenant, new_key: Callable[..., str], feedback_id: str
) -> None:
    """Sending needs `ingest`, downloading `read`, deleting `triage`; another workspace finds nothing."""
    (shown,) = send(("a.txt", b"words")).json["data"]
    one = f"{PATH}/{feedback_id}/attachments/{shown['id']}"

    def bearer(*scopes: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {new_key(None, scopes=scopes)}"}

    assert send(("b.txt", b"b"), headers=bearer("read", "triage")).status_code == 403
    assert send(("b.txt", b"b"), headers=bearer("ingest")).status_code == 201
    assert call("GET", shown["path"], headers=bearer("ingest")).status_code == 403
    assert call("GET", shown["path"], headers={"Authorization": ""}).status_code == 401
    assert call("DELETE", one, headers=bearer("read", "ingest")).status_code == 403
    for method, path in (
        ("GET", shown["path"]),
        ("DELETE", one),
        ("GET", f"{PATH}/{feedback_id}/attachments"),
    ):
        assert call(method, path, headers=other.headers).status_code == 404
    assert send(("c.txt", b"c"), headers=other.headers).status_code == 404
    assert call("DELETE", one, headers=bearer("triage")).status_code == 204


def test_a_signed_address(call: Call, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no key, holds for its time and its file alone, and is void when a byte of it is another."""
    first, second = send(("a.txt", b"one"), ("b.txt", b"two")).json["data"]
    url = urlsplit(addresses.signed_url(first, 60))
    nobody = {"Authorization": ""}

    assert call("GET", f"{url.path}?{url.query}", headers=nobody).data == b"one"
    turned = url.query[:-1] + ("0" if url.query[-1] != "0" else "1")
    for path, query in (
        (url.path, turned),
        (url.path, url.query.replace("exp=", "exp=9")),
        (url.path, url.query.partition("&")[2]),
        (url.path, "exp=x&sig=\u00e9"),
        (second["path"], url.query),
    ):
        assert call("GET", f"{path}?{query}", headers=nobody).status_code == 404
    now = time.time_ns()
    monkeypatch.setattr("gateway.core.ids.time.time_ns", lambda: now + 61 * 10**9)
    assert call("GET", f"{url.path}?{url.query}", headers=nobody).status_code == 404


def test_what_is_not_here(call: Call, send: Send, folder: Path) -> None:
    """A file that failed, or whose bytes are gone, and a thumbnail that was never made."""
    (shown,) = send(("shot.png", PNG)).json["data"]
    assert call("GET", f"{shown['path']}?size=thumbnail").status_code == 404
    assert call("GET", f"{shown['path']}?size=huge").status_code == 400
    store.store().delete(shown["sha256"])
    assert call("GET", shown["path"]).status_code == 404
    Asset.update(status="failed").execute()
    assert call("GET", shown["path"]).status_code == 404
    assert asset.document(Asset.select().dicts().first())["path"] is None


def test_a_thumbnail_is_shown(call: Call, send: Send) -> None:
    """It is what the gateway has drawn: the one thing that has no Content-Disposition."""
    (shown,) = send(("shot.png", PNG)).json["data"]
    small = store.store().put([b"RIFF"], 9)
    with writing():
        Asset.update(thumbnail=small.digest).execute()
    shown = asset.document(Asset.select().dicts().first())

    got = call("GET", shown["thumbnail_path"])
    assert got.data == b"RIFF"
    assert got.headers["Content-Type"] == "image/webp"
    assert "Content-Disposition" not in got.headers
    assert got.headers["Content-Security-Policy"].startswith("sandbox")
