"""Processes that keep files: one that dies at each of its lines, and some that do so at once.

    python -m tests.files.uploading busy|EVERY DATABASE_URL FOLDER KEY FEEDBACK_ID

It dies at each line, or at every so many.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.app import create_app
from gateway.core.config import Config
from models.database.base import sqlite_path

TRACED = (
    "gateway/files/store.py",
    "gateway/files/attachments.py",
    "gateway/files/removal.py",
    "gateway/api/attachments.py",
    "models/tables/asset.py",
    "models/tables/unclaimed_file.py",
)
ROUNDS = 20
SHARED = [f"shared {number}".encode() for number in range(4)]


class Client:
    """Sends files to a record."""

    def __init__(self, client: FlaskClient, key: str, feedback_id: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._path = f"/gateway/v1/feedback/{feedback_id}/attachments"

    def warm_up(self) -> None:
        """Does what is done once, without a look into the database: children of this process need not."""
        assert self._client.get("/nothing/here").status_code == 404

    def send(self, body: bytes) -> TestResponse:
        data = {"file": (BytesIO(body), "a.txt")}
        return self._client.post(self._path, data=data, headers=self._headers)

    def clear(self) -> None:
        """Deletes what killed ones left, before the record has as many files as it may."""
        for one in self._client.get(self._path, headers=self._headers).json["data"]:  # type: ignore[index]
            self.delete(one["id"])

    def delete(self, asset_id: str) -> TestResponse:
        return self._client.delete(f"{self._path}/{asset_id}", headers=self._headers)


def dying(at: int) -> Any:
    """A tracer that ends the process as kill -9 does when so many lines were traced."""
    left = at

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def lacking(url: str, folder: Path) -> list[str]:
    """The digests of assets that have no file in the folder."""
    connection = sqlite3.connect(sqlite_path(url))
    try:
        rows = connection.execute("SELECT sha256 FROM asset WHERE status = 'ready'").fetchall()
    finally:
        connection.close()
    return [digest for (digest,) in rows if not (folder / digest[:2] / digest).exists()]


def killed(client: Client, url: str, folder: Path, every: int) -> int:
    """Has a process keep two files and delete one, killed so many lines later each time; how many were."""
    step = 0
    while True:
        child = os.fork()
        if child == 0:
            client.clear()
            sys.settrace(dying(step))
            client.send(b"same")
            sent = client.send(f"other {step}".encode())
            client.delete(sent.json["data"][0]["id"])  # type: ignore[index]
            sys.settrace(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert not lacking(url, folder), f"a row without bytes after step {step}"
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return step
        assert os.WTERMSIG(status) == signal.SIGKILL
        step += every


def busy(client: Client) -> None:
    """Keeps and deletes files that others keep and delete, too."""
    random.seed(os.getpid())
    for _ in range(ROUNDS):
        body = random.choice(SHARED)
        answer = client.send(body)
        assert answer.status_code in (200, 201), answer.text
        if random.random() < 0.7:
            (one,) = answer.json["data"]  # type: ignore[index]
            deleted = client.delete(one["id"])
            assert deleted.status_code in (204, 404), deleted.text
    assert client.send(b"last").status_code in (200, 201)


def main(what: str, url: str, folder: str, key: str, feedback_id: str) -> None:
    config = Config(
        database_url=url, files_dir=folder, rate_limit="1000000/minute", log_level="error", files_quota=0
    )
    client = Client(create_app(config).test_client(), key, feedback_id)
    if what == "busy":
        busy(client)
    else:
        client.warm_up()
        print(killed(client, url, Path(folder), int(what)))


if __name__ == "__main__":
    main(*sys.argv[1:])
