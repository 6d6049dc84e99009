"""The files of a record on its page: shown, added and deleted, in both languages and without JavaScript."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.background import thumbnails
from gateway.background.lease import run_once
from gateway.core.ids import now_ms
from models import Asset
from models.database.base import rows, writing
from models.tables import asset
from tests.background.pictures import picture
from tests.conftest import Call, Tenant
from tests.inbox.conftest import ELSEWHERE, Reader

pytestmark = pytest.mark.both

Make = Callable[..., Reader]


@pytest.fixture(name="record")
def _record(call: Call) -> str:
    return str(call("POST", "/gateway/v1/feedback", json={"text": "See the picture"}).json["id"])


def add(reader: Reader, record: str, *files: tuple[str, bytes], **options: Any) -> Any:
    sent = {"file": [(io.BytesIO(body), name) for name, body in files]}
    return reader.post(f"/records/{record}/files", sent, content_type="multipart/form-data", **options)


def files_on(reader: Reader, record: str, **options: Any) -> str:
    """The section of the page."""
    page = reader.get(f"/records/{record}", **options).text
    found = re.search(r'<section aria-labelledby="files">.*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def test_added_and_shown(reader: Make, record: str) -> None:
    """Each with its name, kind and size, to be saved; a picture with its thumbnail once that is made."""
    ann = reader("triager")
    done = add(ann, record, ("shot.png", picture("PNG")), ("log.txt", b"x" * 1_500))
    before = files_on(ann, record)
    assert run_once(thumbnails.MAKE)
    after = files_on(ann, record)

    assert (done.status_code, done.headers["Location"]) == (303, f"/records/{record}#files")
    assert "<img" not in before
    assert re.search(r'<a href="/files/asset_\w+/log.txt" download>log.txt</a>', before)
    assert "text/plain · 1.5 kB" in before
    assert re.search(r'<img src="/files/asset_\w+/shot.png\?size=thumbnail" alt="shot.png"', after)
    assert "1200 × 800" in after


def test_refused_ones_are_named(reader: Make, record: str) -> None:
    """The others are kept."""
    ann = reader("triager")
    add(ann, record, ("a.svg", b"<svg/>"), ("a.txt", b"words"))
    page = ann.get(f"/records/{record}").text

    assert "1 added. a.svg is none of these" in page
    assert Asset.select().count() == 1
    assert add(ann, record, ("b.svg", b"<svg/>")).status_code == 400


def test_too_large_a_form(reader: Make, record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it is read."""
    monkeypatch.setattr("gateway.files.store._upload", 1_000)

    assert add(reader("triager"), record, ("a.txt", b"x" * 2_000)).status_code == 413


def test_deleted(reader: Make, record: str) -> None:
    """One, and no other."""
    ann = reader("triager")
    add(ann, record, ("a.txt", b"a"), ("b.txt", b"b"))
    first = asset.of_feedback([record])[0]
    done = ann.post(f"/records/{record}/files/{first['id']}/delete")

    assert done.status_code == 303
    assert [row["name"] for row in asset.of_feedback([record])] == ["b.txt"]


def test_what_could_not_be_had(reader: Make, record: str, tenant: Tenant) -> None:
    """A link that was not fetched stays a link, with why; one that is no web address leads nowhere."""
    ann = reader("triager")
    add(ann, record, ("a.txt", b"a"), ("b.txt", b"b"), ("c.txt", b"c"))
    one, two, three = (row["id"] for row in asset.of_feedback([record]))
    gone = {"status": "failed", "reason": "answered 404"}
    with writing():
        asset.change(one, now_ms(), **gone, source_url="https://files.example.com/a.txt")
        asset.change(two, now_ms(), **gone, source_url="javascript:alert(1)")
        asset.change(three, now_ms(), status="pending_upload")
    found = files_on(ann, record)

    assert '<a href="https://files.example.com/a.txt" rel="noopener noreferrer nofollow">a.txt</a>' in found
    assert found.count("not here: answered 404") == 2
    assert "javascript:" not in found
    assert "on its way" in found
    assert '"/files/' not in found


def test_names_are_words(reader: Make, record: str) -> None:
    """Whatever a file is called, the page only says it."""
    ann = reader("triager")
    add(ann, record, ('"><script>alert(1)</script>.png', picture("PNG")))
    with writing():
        Asset.update(name='"><script>alert(1)</script>').execute()
    assert run_once(thumbnails.MAKE)

    assert "<script>alert" not in ann.get(f"/records/{record}").text


def test_who_only_looks(reader: Make, record: str, stranger: Reader) -> None:
    """A viewer sees files and changes none; who is not signed in is sent to sign in."""
    add(reader("triager"), record, ("a.txt", b"a"))
    (row,) = rows(Asset.select())
    vic = reader("viewer")

    assert "a.txt" in files_on(vic, record) and "<form" not in files_on(vic, record)
    assert add(vic, record, ("b.txt", b"b")).status_code == 403
    assert vic.post(f"/records/{record}/files/{row['id']}/delete").status_code == 403
    assert "/sign-in" in add(stranger, record, ("b.txt", b"b")).headers["Location"]
    assert Asset.select().count() == 1


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_forms_of_other_pages(reader: Make, record: str, headers: dict[str, str]) -> None:
    """They add nothing."""
    assert add(reader("triager"), record, ("a.txt", b"a"), headers=headers).status_code == 400
    assert Asset.select().count() == 0


def test_anothers_record(reader: Make, record: str, other: Tenant) -> None:
    """Nothing can be added to it or taken from it."""
    add(reader("triager"), record, ("a.txt", b"a"))
    (row,) = rows(Asset.select())
    bob = reader("triager", other)

    assert add(bob, record, ("b.txt", b"b")).status_code == 404
    assert bob.post(f"/records/{record}/files/{row['id']}/delete").status_code == 404
    assert Asset.select().count() == 1


def test_the_readers_may_have_them(reader: Make, record: str, other: Tenant, client: FlaskClient) -> None:
    """The page's links lead to the bytes for who is signed in there, and for nobody else."""
    ann = reader("viewer")
    add(reader("triager"), record, ("a.txt", b"words"))
    (row,) = rows(Asset.select())
    path = f"/files/{row['id']}/a.txt"

    assert ann.get(path).data == b"words"
    assert reader("viewer", other).get(path).status_code == 404
    assert client.get(path).status_code == 401


def test_in_dutch(reader: Make, record: str) -> None:
    ann = reader("triager")
    add(ann, record, ("a.txt", b"x" * 1_500))
    found = files_on(ann, record, headers={"Accept-Language": "nl"})

    assert "Bestanden" in found and "Toevoegen" in found and "1,5 kB" in found
