"""Files that are linked: fetched once they can be had, and left as links where they cannot."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from peewee import OperationalError

from gateway.background import fetching
from gateway.background.lease import run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.core.ids import new_id, now_ms
from gateway.files import attachments
from gateway.files.store import store
from models import Asset, Fetch, Job, UnclaimedFile
from models.database.base import writing
from models.tables import asset
from tests.conftest import Tenant
from tests.receivers import Act, answering, listening

pytestmark = pytest.mark.both(long=True)

MOST = 1_000
WORK = fetching.work(MOST)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)

Look = Callable[..., None]


@pytest.fixture(autouse=True)
def _allowed(tenant: Tenant) -> Iterator[None]:
    """Files of this machine are fetched."""
    outbound.connect(Config(outbound_allow="127.0.0.1"))
    yield
    outbound.connect(Config())


@pytest.fixture(name="look")
def _look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Fetches what is due so many seconds after the test began."""
    began = now_ms()

    def look(seconds: float = 0) -> None:
        monkeypatch.setattr(fetching, "now_ms", lambda: began + round(seconds * 1000))
        Job.delete().execute()
        assert run_once(WORK)

    return look


def link(tenant: Tenant, url: str, **columns: Any) -> str:
    """Stores an asset whose file is at an address; its id."""
    kept = attachments.Kept("shot.png", content_type="application/octet-stream", id=new_id("asset"))
    (row,) = attachments.rows_of([kept], tenant.workspace_id, None, None, "slack", now_ms())
    row |= {"sha256": None, "status": "pending_upload", "source_url": url, **columns}
    with writing():
        asset.keep([row])
    return str(row["id"])


def one(asset_id: str) -> Any:
    return Asset.get_by_id(asset_id)


def test_a_file_is_fetched(tenant: Tenant, look: Look) -> None:
    """Its bytes are kept, it is what they are, and it is not fetched once more."""
    seen: list[bytes] = []
    with listening(answering("200 OK", "Content-Type: text/html", body=PNG, seen=seen)) as port:
        name = link(tenant, f"http://127.0.0.1:{port}/shot")
        look()
        look(1000)

    row = one(name)
    assert (row.status, row.content_type, row.size, row.reason) == ("ready", "image/png", len(PNG), None)
    assert b"".join(store().open(row.sha256)) == PNG
    assert row.source_url.endswith("/shot")
    assert len(seen) == 1 and seen[0].startswith(b"GET /shot HTTP/1.1\r\n")
    assert UnclaimedFile.select().count() == Fetch.select().count() == 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answering("404 Not Found"), "answered 404"),
        (answering("403 Forbidden"), "answered 403"),
        (answering("302 Found", "Location: https://example.com/"), "answered 302, and is not followed"),
        (answering("200 OK", body=b"<!doctype html><script>alert(1)</script>"), "is none of these"),
        (answering("200 OK", body=PNG + bytes(MOST)), "has 1056 bytes, of at most 1000"),
        (answering("200 OK"), "is empty"),
    ],
    ids=["missing", "forbidden", "moved", "a page", "large", "empty"],
)
def test_a_file_that_cannot_be_had(tenant: Tenant, look: Look, answer: Act, why: str) -> None:
    """It failed at once, with why; the link stays."""
    with listening(answer) as port:
        name = link(tenant, f"http://127.0.0.1:{port}/shot")
        look()
    row = one(name)
    assert row.status == "failed" and row.reason.startswith(why)
    assert row.sha256 is None and row.source_url.endswith("/shot")
    assert Fetch.select().count() == 0


def test_where_nothing_is_fetched_from(tenant: Tenant, look: Look) -> None:
    """A link into the network of the gateway is none to follow: it failed at once, with why."""
    names = [link(tenant, url) for url in ("https://169.254.169.254/a.png", "https://10.0.0.1/", "file:///a")]
    look()
    assert {one(name).status for name in names} == {"failed"}
    assert all(one(name).reason and one(name).source_url for name in names)


def test_what_may_pass(tenant: Tenant, look: Look) -> None:
    """A server in trouble is asked again after 10 s, a minute and five; then the file failed."""
    seen: list[bytes] = []
    with listening(answering("503 Service Unavailable", seen=seen)) as port:
        name = link(tenant, f"http://127.0.0.1:{port}/shot")
        counts = []
        for seconds in (0, 9, 10, 69, 70, 369):
            look(seconds)
            counts.append(len(seen))
        assert (counts, one(name).status) == ([1, 1, 2, 2, 3, 3], "pending_upload")
        look(370)
        look(5000)
    assert len(seen) == 4
    assert (one(name).status, one(name).reason) == ("failed", "answered 503")
    assert Fetch.select().count() == 0


def test_it_comes_at_last(tenant: Tenant, look: Look) -> None:
    """A file that breaks off is none; whole, a little later, it is kept."""
    answers = iter([PNG[:20], PNG])

    def act(sock: socket.socket, request: bytes) -> None:
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PNG)}\r\n\r\n".encode() + next(answers))

    with listening(act) as port:
        name = link(tenant, f"http://127.0.0.1:{port}/shot")
        look()
        assert one(name).status == "pending_upload"
        look(10)
    assert (one(name).status, one(name).size) == ("ready", len(PNG))


def test_an_address_that_the_api_was_given_may_have_more(tenant: Tenant, look: Look) -> None:
    """FLORA's assets of an address may be larger than what comes with feedback."""
    with listening(answering("200 OK", body=PNG + bytes(MOST))) as port:
        url = f"http://127.0.0.1:{port}/"
        names = [link(tenant, url, uploaded_via=via) for via in ("url", "discord")]
        look()
    assert [one(name).status for name in names] == ["ready", "failed"]


def test_a_slow_server(tenant: Tenant, look: Look) -> None:
    """While one file comes slowly, others are fetched."""
    others = threading.Event()

    def slow(sock: socket.socket, request: bytes) -> None:
        assert others.wait(50)
        answering("200 OK", body=PNG)(sock, request)

    def last(sock: socket.socket, request: bytes) -> None:
        answering("200 OK", body=PNG)(sock, request)
        others.set()

    with (
        listening(slow) as first,
        listening(answering("200 OK", body=PNG)) as second,
        listening(last) as third,
    ):
        names = [link(tenant, f"http://127.0.0.1:{port}/") for port in (first, *[second] * 9, third)]
        look()
    assert {one(name).status for name in names} == {"ready"}


def test_slow_files_of_a_workspace(tenant: Tenant, other: Tenant, look: Look) -> None:
    """While all that one workspace wants comes slowly, another's files are fetched."""
    arrived = threading.Event()

    def slow(sock: socket.socket, request: bytes) -> None:
        assert arrived.wait(50)
        answering("200 OK", body=PNG)(sock, request)

    def quick(sock: socket.socket, request: bytes) -> None:
        answering("200 OK", body=PNG)(sock, request)
        arrived.set()

    with listening(slow) as first, listening(quick) as second:
        names = [link(tenant, f"http://127.0.0.1:{first}/") for _ in range(3 * fetching.AT_ONCE)]
        names.append(link(other, f"http://127.0.0.1:{second}/"))
        look()
    assert {one(name).status for name in names} == {"ready"}


def test_an_asset_that_is_gone(tenant: Tenant, look: Look) -> None:
    """One that is deleted while its file comes stays so, and nothing is left to do for it."""

    def act(sock: socket.socket, request: bytes) -> None:
        Asset.delete().execute()
        answering("200 OK", body=PNG)(sock, request)

    with listening(act) as port:
        link(tenant, f"http://127.0.0.1:{port}/")
        look()
    assert Asset.select().count() == Fetch.select().count() == 0
    assert UnclaimedFile.select().count() == 1  # which the sweep takes


def test_a_file_that_breaks_what_reads_it(
    tenant: Tenant, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours with one file leaves that one failed; a database that is away leaves it for later."""
    real = attachments.keep

    def keep(workspace_id: str, file: attachments.File, **more: Any) -> attachments.Kept:
        if file.name == "bad":
            raise ZeroDivisionError
        if file.name == "later":
            raise OperationalError("away")
        return real(workspace_id, file, **more)

    monkeypatch.setattr(attachments, "keep", keep)
    with listening(answering("200 OK", body=PNG)) as port:
        names = [link(tenant, f"http://127.0.0.1:{port}/", name=word) for word in ("bad", "later", "good")]
        look()
    assert [one(name).status for name in names] == ["failed", "pending_upload", "ready"]
    assert one(names[0]).reason == "cannot be read"


def test_one_that_is_asked_for_again(tenant: Tenant, look: Look) -> None:
    """An asset that failed and is set to wait again has all its tries."""
    name = link(tenant, "http://127.0.0.1:9/")
    for seconds in (0, 10, 70, 370):
        look(seconds)
    assert one(name).status == "failed"
    with listening(answering("200 OK", body=PNG)) as port:
        Asset.update(status="pending_upload", source_url=f"http://127.0.0.1:{port}/").execute()
        look(371)
    assert one(name).status == "ready"
