"""Writers and a follower of one workspace's changes, killed and started again at random.

    python -m tests.following DIRECTORY KILLS     with the gateway's settings and its KEY in the environment

The follower keeps what it knows in a file of its own, as a warehouse would; what that has at last, a test
compares with the gateway's table.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.app import create_app
from gateway.background import retention
from gateway.core.config import Config
from models.database.base import close, writing
from models.intake import commit
from models.tables.feedback import Feedback
from models.tables.workspace import Project
from tests import remembered

WRITERS = 8
FEED, LIST = "/gateway/v1/changes", "/gateway/v1/feedback"
NAMES = "Anna", "Ben", "Cleo"

Call = Callable[..., Any]


class Warehouse:
    """A table of records and the cursor up to which it is right, in a file, changed together."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA synchronous = off")  # a kill loses nothing that was written
        self._file.execute("CREATE TABLE IF NOT EXISTS record (id TEXT PRIMARY KEY, data TEXT)")
        self._file.execute("CREATE TABLE IF NOT EXISTS cursor (at TEXT)")

    def records(self) -> dict[str, Any]:
        """What it knows, by id."""
        return {name: json.loads(data) for name, data in self._file.execute("SELECT id, data FROM record")}

    def follow(self, call: Call, limit: int = 20) -> bool:
        """Reads a page; whether there was something new."""
        with self._together():
            known = self._file.execute("SELECT at FROM cursor").fetchone()
            query = {"limit": limit, **({"cursor": known[0]} if known else {})}
            answer = call("GET", FEED, query_string=query)
            if answer.status_code == 503:
                return True
            assert answer.status_code == 200, answer.text
            for change in answer.json["data"]:
                if change["data"] is None:
                    self._file.execute("DELETE FROM record WHERE id = ?", (change["id"],))
                else:
                    row = change["id"], json.dumps(change["data"])
                    self._file.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", row)
            self._file.execute("DELETE FROM cursor")
            self._file.execute("INSERT INTO cursor VALUES (?)", (answer.json["next_cursor"],))
            return bool(answer.json["data"])

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")


def write(call: Call, dice: random.Random) -> None:
    """Does one thing to the workspace's records."""
    query = {"limit": 20, "sort": dice.choice(["received_at", "-received_at"])}
    answer = call("GET", LIST, query_string=query)
    ids = [record["id"] for record in answer.json["data"]] if answer.status_code == 200 else []
    name = dice.choice(NAMES)
    kind = dice.choices(
        ["create", "batch", "change", "tag", "delete", "count", "retention", "erase"],
        [30, 10, 20, 15, 12, 8, 4, 1],
    )[0]
    text = f"{name} says that page {dice.randrange(10**6)} is empty"
    author = {"email": f"{name}@example.test".lower()}
    if kind == "create" or not ids:
        call("POST", LIST, json={"text": text, "author": author})
    elif kind == "batch":
        call("POST", f"{LIST}/batch", json=[{"text": f"{text} ({n})"} for n in range(5)])
    elif kind == "change":
        change = {"status": dice.choice(["open", "resolved"]), "category": dice.choice(["bug", "praise"])}
        call("PATCH", f"{LIST}/{dice.choice(ids)}", json=change)
    elif kind == "tag":
        tags = {"add": [name], "remove": [dice.choice(NAMES)]}
        call("PATCH", LIST, json={"ids": dice.sample(ids, min(3, len(ids))), "change": {"tags": tags}})
    elif kind == "delete":
        call("DELETE", f"{LIST}/{dice.choice(ids)}")
    elif kind == "count":  # as background work does, without a word in the history
        with writing():
            Feedback.update(votes=Feedback.votes + 1).where(Feedback.id == dice.choice(ids)).execute()
    elif kind == "retention":
        old = dict.fromkeys(("received_at", "last_seen_at", "updated_at"), 1)
        with writing():
            Feedback.update(old).where(Feedback.id.in_(dice.sample(ids, min(5, len(ids))))).execute()
        for project in Project.select().dicts():
            retention.remove({**project, "retention_days": 1})
    else:
        mode = dice.choice(["delete", "anonymise"])
        call("POST", "/gateway/v1/authors/erase", json={**author, "mode": mode})


def _caller() -> Call:
    client, headers = (
        create_app(Config.from_env()).test_client(),
        {"Authorization": f"Bearer {os.environ['KEY']}"},
    )

    def call(method: str, path: str, **options: Any) -> Any:
        return client.open(path, method=method, headers=headers, **options)

    return call


def _life(number: int, directory: Path, done: int) -> None:
    """A writer, or the follower (number 0), until killed; each thing that was done is told to `done`."""
    call, dice, parent = _caller(), random.Random(os.urandom(8)), os.getppid()
    warehouse = None if number else Warehouse(directory / "warehouse.db")
    os.set_blocking(done, False)
    while os.getppid() == parent:
        if warehouse is None:
            with suppress(Exception):  # the database may be busy
                write(call, dice)
        elif not warehouse.follow(call):
            time.sleep(0.05)
        with suppress(BlockingIOError):
            os.write(done, b".")


class _Child:
    """Somebody who lives until killed."""

    def __init__(self, number: int, directory: Path) -> None:
        self._told, done = os.pipe()
        self._id = os.fork()
        if self._id == 0:
            try:
                _life(number, directory, done)
            finally:
                traceback.print_exc()
                os._exit(1)
        os.close(done)

    def kill(self, dice: random.Random) -> None:
        """Kills it amid its third thing, or a later one."""
        for _ in range(2):
            os.read(self._told, 1)
        select.select([self._told], [], [], dice.uniform(0, 0.05))
        os.kill(self._id, signal.SIGKILL)
        _, status = os.waitpid(self._id, 0)
        os.close(self._told)
        assert os.WIFSIGNALED(status), "it had ended by itself"


def main() -> None:
    """Kills somebody again and again, and everybody at last."""
    directory, kills = Path(sys.argv[1]), int(sys.argv[2])
    with remembered.compiling_once(directory):
        _caller()  # what takes long is done once, for all
        commit.stop()
        close()
        _kill_all_the_time(directory, kills)


def _kill_all_the_time(directory: Path, kills: int) -> None:
    alive = {number: _Child(number, directory) for number in range(WRITERS + 1)}
    dice = random.Random(0)
    for _ in range(kills):
        number = dice.choice([0, 0, *alive])
        alive[number].kill(dice)
        alive[number] = _Child(number, directory)
    for child in alive.values():
        child.kill(dice)


if __name__ == "__main__":
    main()
