"""Files by FLORA's own client: uploaded in each of its ways, listed and shown."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.background.pictures import picture
from tests.clients.conftest import Driver
from tests.clients.test_flora import Flora, keyed, refused
from tests.conftest import Server, running

SMALL = picture("PNG")
LARGE = SMALL + bytes(5 << 20)  # more than the client sends in one request
SHOWN = {
    "asset_id",
    "content_type",
    "created_at",
    "description",
    "failure_message",
    "height",
    "name",
    "project_id",
    "size_bytes",
    "status",
    "upload_content_type",
    "uploaded_via",
    "url",
    "width",
    "workspace_id",
}


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that knows its address, with a worker that may fetch from here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        bind = f"127.0.0.1:{free.getsockname()[1]}"
    directory = tmp_path_factory.mktemp("server")
    allowed = {"GATEWAY_BIND": bind, "GATEWAY_OUTBOUND_ALLOW": "127.0.0.1"}
    with running(directory, GATEWAY_BACKGROUND="on", **allowed) as server:
        yield server


@pytest.fixture(name="flora")
def _flora(server: Server, flora_driver: Driver) -> Flora:
    def flora(call: str, *args: Any, **options: Any) -> Any:
        options = {"baseURL": f"{server.url}/api/v1", "apiKey": server.tenant.key, **options}
        return flora_driver(options=options, call=call, args=args)

    return flora


@pytest.fixture(name="picture_at")
def _picture_at() -> Iterator[str]:
    """Where a server has a picture; elsewhere on it is nothing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            found = self.path == "/a/shot.png"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(SMALL if found else b"")

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as there:
        thread = threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{there.server_address[1]}/a/shot.png"
        there.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("body", "via", "requests"), [(SMALL, "direct", 2), (LARGE, "signed_url", 4)], ids=["direct", "signed"]
)
def test_upload(flora: Flora, server: Server, tmp_path: Path, body: bytes, via: str, requests: int) -> None:
    """The client picks the way by size; the asset is ready, and its address has the bytes."""
    file = tmp_path / "screen shot.png"
    file.write_bytes(body)
    outcome = flora(
        "assets.upload", str(file), {"workspace_id": server.tenant.workspace_id, "pollIntervalMs": 50}
    )
    told = outcome.data["data"]

    assert set(told) == SHOWN
    assert (told["status"], told["uploaded_via"], told["name"]) == ("ready", via, "screen shot.png")
    assert (told["content_type"], told["size_bytes"]) == ("image/png", len(body))
    assert len([request for request in outcome.requests if "/assets" in request["path"]]) == requests
    assert told["url"].startswith(f"{server.url}/files/{told['asset_id']}/screen%20shot.png?exp=")


def test_upload_from_an_address(flora: Flora, server: Server, picture_at: str) -> None:
    """The worker fetches it, from where its settings let it; what is not there fails the asset with why."""
    sent = {"workspace_id": server.tenant.workspace_id, "pollIntervalMs": 100, "pollTimeoutMs": 50_000}
    told = flora("assets.upload", picture_at, sent).data["data"]
    missing = flora("assets.upload", picture_at + "x", sent).failure

    assert (told["status"], told["uploaded_via"], told["name"]) == ("ready", "url", "shot.png")
    assert told["size_bytes"] == len(SMALL)
    assert "failed to process: answered 404" in missing["message"]


def test_what_cannot_be_kept(flora: Flora, server: Server, tmp_path: Path) -> None:
    """A file of another kind is refused by name; an address within is never asked."""
    file = tmp_path / "a.svg"
    file.write_text("<svg/>")
    sent = {"workspace_id": server.tenant.workspace_id}

    for what in (str(file), "https://169.254.169.254/latest"):
        failure = flora("assets.upload", what, sent).failure
        error = failure["body"]["error"]
        assert (failure["name"], error["code"]) == ("BadRequestError", "input_validation_error")
        assert error["fields"][0]["field"] in ("file", "source")


def test_steps(flora: Flora, server: Server) -> None:
    """Each step by itself: reserved, completed too early, not yet to be tried again, once by its key."""
    sent = {"workspace_id": server.tenant.workspace_id, "source": "signed-url"}
    made = flora("assets.create", sent, keyed("an asset")).data["data"]

    refused(flora("assets.create", sent, keyed("an asset")), "ConflictError", 409, "idempotency_duplicate")
    refused(flora("assets.complete", made["asset_id"]), "ConflictError", 409, "conflict")
    refused(flora("assets.retry", made["asset_id"]), "ConflictError", 409, "conflict")
    refused(flora("assets.retrieve", "asset_nobodys"), "NotFoundError", 404, "not_found")
    assert flora("assets.retrieve", made["asset_id"]).data["data"]["status"] == "pending_upload"


def test_paging(flora: Flora, server: Server) -> None:
    """The client walks all pages by itself, the newest first."""
    sent = {"workspace_id": server.tenant.workspace_id, "source": "signed-url"}
    made = [
        flora("assets.create", {**sent, "file_name": f"serie {n} &/?.png"}).data["data"]["asset_id"]
        for n in range(5)
    ]
    listed = flora("assets.list", {"query": "&/?", "limit": 2})

    assert [item["asset_id"] for item in listed.data["data"]] == made[::-1]
    assert len(listed.requests) == 3
    assert type(listed.data["data"][0]["created_at"]) is int
