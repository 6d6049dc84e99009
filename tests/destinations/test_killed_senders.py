"""Workers and whole hosts that are killed while deliveries are under way, as real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from gateway.core.config import Config
from gateway.destinations import ladder, managing
from models import Job, Outgoing
from models.database.base import writing
from tests.conftest import ROOT, Call, Tenant, running, until
from tests.destinations.conftest import Add, Send, now_of, told
from tests.destinations.test_sending import OK, PATH
from tests.receivers import listening

pytestmark = pytest.mark.both(long=True)
REFUSED = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
EVENTS = ["feedback.created", "feedback.status_changed"]
ROUNDS = 100_000  # of attempts at a delivery: what is refused here is never given up
PROGRAM = """
from gateway.background.lease import run_once
from gateway.access import encryption_key
from gateway.core import outbound, storage
from gateway.core.config import Config
from gateway.destinations import ladder, links, sender
config = Config.from_env()
storage.open_database(config); encryption_key.connect(config); outbound.connect(config)
links.connect(config)
sender.BREATH = 0.02
ladder.LADDER = (0,) + (20,) * 99_999  # milliseconds
run_once(sender.SEND)
"""


class Receiver:
    """Takes every third request and refuses the others; what it was told, and what it took, in their order.

    With `once` it refuses each delivery the first time, and takes it the second.
    """

    def __init__(self, once: bool = False) -> None:
        self.ids: dict[tuple[str, str], set[str]] = {}  # of each change
        self.firsts: list[tuple[str, str]] = []
        self.requests = 0
        self.too_early: list[tuple[str, str]] = []
        self._once, self._taken, self._lock = once, set[tuple[str, str]](), threading.Lock()

    def __call__(self, sock: socket.socket, request: bytes) -> None:
        if not request.endswith(b"}"):  # who sent it was killed before all of it was here
            return
        got = told(request)
        change = (got.body["type"], got.body["data"]["id"])
        with self._lock:
            self.requests += 1
            seen = got.id in self.ids.setdefault(change, set())
            self.ids[change].add(got.id)
            if change not in self.firsts:
                if not self._taken.issuperset(self.firsts):
                    self.too_early.append(change)
                self.firsts.append(change)
            takes = seen if self._once else self.requests % 3 == 0
            if takes:
                self._taken.add(change)
        sock.sendall(OK if takes else REFUSED)


@contextmanager
def worker(config: Config, program: str = PROGRAM) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sends, until the block ends, when it is killed."""
    settings = {"DATABASE_URL": config.database_url, "DATA_DIR": config.data_dir}
    settings |= {"SECRET_KEY": config.secret_key, "OUTBOUND_ALLOW": "localhost"}
    environ = {**os.environ, **{f"GATEWAY_{name}": value for name, value in settings.items()}}
    with subprocess.Popen([sys.executable, "-c", program], env=environ, cwd=ROOT) as process:
        yield process
        process.kill()


def leases_end() -> None:
    """Two minutes later: whoever is dead has nothing any more."""
    with writing():
        Job.update(leased_until=0, due_at=0).execute()


def change_some(call: Call, name: str) -> Iterator[tuple[str, str]]:
    """Two records that begin, of which one is resolved; each change once it is acknowledged."""
    for number in range(2):
        record = call("POST", PATH, json={"text": f"The page {name}-{number} is empty"}).json["id"]
        yield "feedback.created", record
    assert call("PATCH", f"{PATH}/{record}", json={"status": "resolved"}).status_code == 200
    yield "feedback.status_changed", record


def all_sent() -> bool:
    return not Outgoing.select().where(Outgoing.state != "sent").exists()


@pytest.mark.parametrize(
    "cycles", [1, pytest.param(75, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])]
)
def test_workers_that_are_killed(
    call: Call,
    add: Add,
    send: Send,
    config: Config,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    cycles: int,
) -> None:
    """Each acknowledged change is received, with one id; by who is ordered, as they were made."""
    free, ordered = Receiver(), Receiver()
    made: list[tuple[str, str]] = []
    with listening(free) as first, listening(ordered) as second:
        add(first, events=EVENTS)
        add(second, events=EVENTS, ordered=True)
        for cycle in range(cycles):
            before = free.requests + ordered.requests + 1
            made += change_some(call, str(cycle))
            with worker(config):
                until(lambda: free.requests + ordered.requests > before)  # noqa: B023  # called at once
            leases_end()
        monkeypatch.setattr(ladder, "LADDER", (0, *[0] * ROUNDS))
        send(3_600)  # later than all of this took
    for receiver in (free, ordered):
        assert set(receiver.ids) == set(made)
        assert {len(ids) for ids in receiver.ids.values()} == {1}
    assert ordered.firsts == made and not ordered.too_early
    assert all_sent() and Outgoing.select().count() == 2 * len(made)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("cycles", [25])
def test_hosts_that_are_killed(
    call: Call, add: Add, send: Send, config: Config, tenant: Tenant, tmp_path: Path, cycles: int
) -> None:
    """The same when every process of a host is killed at once, while it is sent to, too."""
    (tmp_path / "key").write_text(tenant.key)
    settings = {"GATEWAY_DATABASE_URL": config.database_url, "GATEWAY_DATA_DIR": config.data_dir}
    settings |= {"GATEWAY_SECRET_KEY": config.secret_key} if config.secret_key else {}
    settings |= {"GATEWAY_BACKGROUND": "on", "GATEWAY_OUTBOUND_ALLOW": "localhost"}
    receiver = Receiver(once=True)
    acknowledged: list[str] = []

    def feed(url: str) -> None:
        """Sends some records a second until nobody is there."""
        ended = threading.Event()
        with suppress(httpx.TransportError), httpx.Client(headers=tenant.headers, trust_env=False) as client:
            while (answer := client.post(url + PATH, json={"text": "The page is empty"})).status_code == 201:
                acknowledged.append(answer.json()["id"])
                ended.wait(0.2)

    with listening(receiver) as port:
        made = add(port)
        for _ in range(cycles):
            before, known = receiver.requests + 3, len(acknowledged)
            with running(tmp_path, **settings) as server:
                feeding = threading.Thread(target=feed, args=(server.url,))
                feeding.start()
                until(lambda: receiver.requests > before and len(acknowledged) > known)  # noqa: B023
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait()
                feeding.join()
            leases_end()
        seconds = 3_600  # later than all of this took
        while not all_sent() or seconds == 3_600:
            send(seconds)
            seconds += 400
    told_of = {record for _, record in receiver.ids}
    assert told_of >= set(acknowledged) and {len(ids) for ids in receiver.ids.values()} == {1}
    assert told_of == {row.feedback_id for row in Outgoing.select()}
    assert now_of(made)["state"] == "enabled" and managing.shown(now_of(made))["dead"] == 0
