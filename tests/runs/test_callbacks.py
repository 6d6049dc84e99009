"""Callbacks of runs: what is sent, to whom, how often, and that none is lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.access import callback_secrets
from gateway.background.lease import Lease, run_once
from gateway.core import encryption, log, outbound
from gateway.core.config import Config
from gateway.core.ids import new_id, now_ms
from gateway.core.outbound import Forbidden
from gateway.runs import callbacks
from models import Audit, Callback, CallbackSecret, Job
from models.database.base import writing
from models.tables import job
from tests.conftest import ROOT, Tenant, until
from tests.receivers import Act, Authority, answering, listening, trusted

pytestmark = pytest.mark.both(long=True)
SECOND, DAY = 1_000, 86_400_000

Send = Callable[..., None]


@pytest.fixture(autouse=True)
def _allowed(tenant: Tenant) -> Iterator[None]:
    """Receivers of this machine are sent to."""
    outbound.connect(Config(outbound_allow="localhost"))
    yield
    outbound.connect(Config())


@pytest.fixture(name="authority")
def _authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    with trusted(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture(name="receive")
def _receive(authority: Authority) -> Callable[[Act], Any]:
    """A receiver that proves to be localhost."""
    return lambda act: listening(act, authority.serving("localhost"))


@pytest.fixture(name="send")
def _send(monkeypatch: pytest.MonkeyPatch) -> Send:
    """Sends what is due so many seconds after the test began."""
    began = now_ms()

    def send(seconds: float = 0) -> None:
        for module in (callbacks, callback_secrets):
            monkeypatch.setattr(module, "now_ms", lambda: began + round(seconds * SECOND))
        Job.delete().execute()
        assert run_once(callbacks.SEND)

    monkeypatch.setattr(callbacks, "now_ms", lambda: began)
    return send


def end(tenant: Tenant, port: int, *, path: str = "/cb", **run: Any) -> str:
    """Ends a run whose caller listens at a port; its callback's id."""
    row = {"id": new_id("run"), "workspace_id": tenant.workspace_id, "status": "completed"}
    with writing():
        callbacks.schedule({**row, "callback_url": f"https://localhost:{port}{path}", **run})
    return str(Callback.select().order_by(Callback.id.desc()).limit(1).get().id)


def told(request: bytes) -> tuple[dict[str, str], bytes]:
    """The headers of a request, with names in lower case, and its body."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


def proofs(headers: dict[str, str]) -> tuple[str, list[str]]:
    """The time and the signatures of a Flora-Signature."""
    time, *rest = [part.partition("=") for part in headers["flora-signature"].split(",")]
    assert time[0] == "t" and all(name == "v1" for name, _, _ in rest)
    return time[2], [proof for _, _, proof in rest]


def proof(secret: str, time: str, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()


def secret_of(tenant: Tenant) -> str:
    with writing():
        return callback_secrets.rotate(tenant.workspace_id)


def one(callback_id: str) -> Callback:
    return Callback.get_by_id(callback_id)


def test_a_run_that_has_ended(tenant: Tenant, receive: Any, send: Send) -> None:
    """Its caller is sent one signed event, which says what FLORA's says."""
    seen: list[bytes] = []
    secret = secret_of(tenant)
    with receive(answering("204 No Content", seen=seen)) as port:
        name = end(tenant, port, id="run_1", path="/cb?a=b")
        send()
        send(400)

    headers, body = told(seen[0])
    time, (mine,) = proofs(headers)
    event = json.loads(body)
    data = {"run_id": "run_1", "run_type": "technique", "workspace_id": tenant.workspace_id}
    assert seen[0].startswith(b"POST /cb?a=b HTTP/1.1\r\n") and len(seen) == 1
    assert (headers["flora-webhook-id"], headers["flora-event"]) == (name, "run.completed")
    assert headers["content-type"] == "application/json"
    assert mine == proof(secret, time, body) and abs(int(time) - now_ms() / 1000) < 300
    assert event == {
        "id": name,
        "type": "run.completed",
        "api_version": "2026-06-11",
        "created_at": event["created_at"],
        "data": {**data, "status": "completed"},
    }
    assert (one(name).state, one(name).status, one(name).attempt) == ("sent", 204, 1)


def test_a_run_that_failed(tenant: Tenant, receive: Any, send: Send) -> None:
    """A failure is told with its code and words; a run that wants no callback has none."""
    seen: list[bytes] = []
    with receive(answering("200 OK", seen=seen)) as port:
        end(tenant, port, status="failed", error_code="input_unreachable", error_message="No such file.")
        with writing():
            callbacks.schedule({"callback_url": None})
        send()

    headers, body = told(seen[0])
    assert headers["flora-event"] == "run.failed"
    data = json.loads(body)["data"]
    assert (data["error_code"], data["error_message"]) == ("input_unreachable", "No such file.")
    assert Callback.select().count() == 1


def test_the_ladder(
    tenant: Tenant,
    receive: Any,
    send: Send,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not taken is sent again after 10 s, a minute and five, with the same body, and no more."""
    seen: list[bytes] = []
    monkeypatch.setattr(log.logger, "propagate", True)
    caplog.set_level("WARNING", log.logger.name)
    with receive(answering("302 Found", "Location: /other", seen=seen)) as port:
        name = end(tenant, port)
        counts = []
        for seconds in (0, 9.9, 10, 69.9, 70, 369.9, 370, 2000):
            send(seconds)
            counts.append(len(seen))

    assert counts == [1, 1, 2, 2, 3, 3, 4, 4]
    assert len({told(request)[1] for request in seen}) == 1
    assert len({proofs(told(request)[0])[0] for request in seen}) == 4
    assert (one(name).state, one(name).status, one(name).attempt) == ("dead", 302, 4)
    assert one(name).why == "answered 302"
    given_up = [record for record in caplog.records if "given up" in record.getMessage()]
    assert {record.facts["why"] for record in given_up} == {"answered 302"}  # type: ignore[attr-defined]


def test_the_next_look_is_when_the_next_is_due(tenant: Tenant, send: Send) -> None:
    """The work says to come again for the next try, so that it is not late."""
    end(tenant, 9)
    send()
    row = Job.get_by_id(callbacks.NAME)
    assert callbacks.SEND.prompt
    assert 9_000 < row.due_at - row.finished_at <= 10_000
    assert job.hurried(row.due_at - 1, [callbacks.NAME]) == []
    assert job.hurried(row.due_at, [callbacks.NAME]) == [callbacks.NAME]
    end(tenant, 9)
    assert job.hurried(row.finished_at) == [callbacks.NAME]


def test_a_secret_that_is_rotated(tenant: Tenant, receive: Any, send: Send) -> None:
    """For a day both secrets sign, from then on the new one alone."""
    seen: list[bytes] = []
    old, new = secret_of(tenant), secret_of(tenant)
    with receive(answering("200 OK", seen=seen)) as port:
        end(tenant, port)
        send()
        later = DAY / SECOND + 1
        Callback.update(state="waiting").execute()
        send(later)

    both, alone = (told(request) for request in seen)
    time, mine = proofs(both[0])
    assert mine == [proof(secret, time, both[1]) for secret in (new, old)]
    time, mine = proofs(alone[0])
    assert mine == [proof(new, time, alone[1])]
    assert old.startswith("whsec_") and old != new


def test_secrets_are_sealed(tenant: Tenant, other: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is stored sealed, told once, noted without its text, and each workspace's own."""
    made = secret_of(tenant)
    with writing():
        assert callback_secrets.live(tenant.workspace_id) == [made]
        (theirs,) = callback_secrets.live(other.workspace_id)
        assert callback_secrets.live(other.workspace_id) == [theirs] != [made]
    stored = json.dumps([row.secrets for row in CallbackSecret.select()])
    assert made not in stored and theirs not in stored
    notes = [row for row in Audit.select() if row.action == "callback_secret.rotated"]
    assert [row.workspace_id for row in notes] == [tenant.workspace_id] and made not in repr(notes[0].detail)


def test_a_secret_of_another_key(tenant: Tenant, receive: Any, send: Send, tmp_path: Path) -> None:
    """A secret that cannot be opened signs nothing; a new one does, without it."""
    seen: list[bytes] = []
    secret_of(tenant)
    with receive(answering("200 OK", seen=seen)) as port:
        name = end(tenant, port)
        encryption.connect("another key, of thirty-two characters", tmp_path / "none")
        send()
        assert "rotate" in one(name).why and seen == []
        secret_of(tenant)
        send(10)
    assert len(proofs(told(seen[0])[0])[1]) == 1


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://10.0.0.1/", "http://localhost/", "https://a@b/", "https://[", "x"]
)
def test_where_nothing_is_sent(tenant: Tenant, send: Send, url: str) -> None:
    """An address is refused when a run is started, and once more when its callback is sent."""
    with pytest.raises(Forbidden):
        callbacks.check(url)
    name = end(tenant, 0, callback_url=url)
    send()
    assert one(name).state == "waiting" and one(name).why and one(name).status is None
    callbacks.check("https://localhost:8443/")


def test_a_slow_receiver(tenant: Tenant, receive: Any, send: Send) -> None:
    """While one receiver takes its time with each of many callbacks, those of another arrive."""
    arrived, quick = threading.Semaphore(0), 12
    all_arrived = threading.Event()

    def slow(sock: socket.socket, request: bytes) -> None:
        all_arrived.wait(60)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def fast(sock: socket.socket, request: bytes) -> None:
        arrived.release()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def watch() -> None:
        for _ in range(quick):
            arrived.acquire()
        all_arrived.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with receive(slow) as first, receive(fast) as second:
        for _ in range(3 * callbacks.AT_ONCE):
            end(tenant, first)
        for _ in range(quick):
            end(tenant, second)
        send()
    watcher.join()
    assert {row.state for row in Callback.select()} == {"sent"}


def test_a_callback_that_breaks_what_sends_it(
    tenant: Tenant, receive: Any, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours with one callback leaves it to be tried again, and the others are sent."""
    real = outbound.request

    def request(method: str, url: str, *args: Any) -> outbound.Answer:
        if url.endswith("bad"):
            raise ZeroDivisionError
        return real(method, url, *args)

    monkeypatch.setattr(outbound, "request", request)
    with receive(answering("200 OK")) as port:
        names = [end(tenant, port, path=path) for path in ("/bad", "/good")]
        send()
    assert [one(name).state for name in names] == ["waiting", "sent"]
    assert one(names[0]).why == "could not be sent"


def test_a_process_that_is_to_end(tenant: Tenant, receive: Any) -> None:
    """What is under way when the worker is stopped is noted; nothing else is begun."""
    stopping = threading.Event()

    def act(sock: socket.socket, request: bytes) -> None:
        stopping.set()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with receive(act) as port:
        names = [end(tenant, port) for _ in range(callbacks.OF_A_HOST + 1)]
        assert job.claim("callbacks", "me", now_ms(), now_ms() + 60_000)
        with pytest.raises(Exception, match="callbacks"):
            callbacks.send(Lease("callbacks", "me", stopping.is_set))
    states = [one(name).state for name in names]
    assert states.count("sent") >= 1 and states[-1] == "waiting"


def test_a_worker_that_is_killed(
    tenant: Tenant, receive: Any, config: Config, authority: Authority, tmp_path: Path
) -> None:
    """A worker that is killed while its request is answered leaves the callback to the next one."""
    seen: list[bytes] = []
    begun = threading.Event()

    def act(sock: socket.socket, request: bytes) -> None:
        seen.append(request)
        if len(seen) == 1:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            begun.set()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    program = (
        "from gateway.background.lease import run_once\n"
        "from gateway.access import encryption_key\n"
        "from gateway.core import outbound, storage\n"
        "from gateway.core.config import Config\n"
        "from gateway.runs import callbacks\n"
        "config = Config.from_env()\n"
        "storage.open_database(config); encryption_key.connect(config); outbound.connect(config)\n"
        "run_once(callbacks.SEND)\n"
    )
    environ = {
        **os.environ,
        "GATEWAY_DATABASE_URL": config.database_url,
        "GATEWAY_DATA_DIR": config.data_dir,
        "GATEWAY_SECRET_KEY": config.secret_key,
        "GATEWAY_OUTBOUND_ALLOW": "localhost",
    }
    with receive(act) as port:
        name = end(tenant, port)
        worker = subprocess.Popen([sys.executable, "-c", program], env=environ, cwd=ROOT)
        until(begun.is_set)
        assert one(name).state == "waiting"
        Job.update(leased_until=0).execute()
        subprocess.run([sys.executable, "-c", program], env=environ, cwd=ROOT, check=True, timeout=100)
    assert one(name).state == "sent" and len(seen) == 2
    assert len({told(request)[1] for request in seen}) == 1


def test_a_worker(tenant: Tenant, receive: Any, config: Config, authority: Authority) -> None:
    """The worker that people run sends what is due without being told, and again what was not taken."""
    seen: list[bytes] = []
    environ = {
        **os.environ,
        "GATEWAY_DATABASE_URL": config.database_url,
        "GATEWAY_DATA_DIR": config.data_dir,
        "GATEWAY_SECRET_KEY": config.secret_key,
        "GATEWAY_OUTBOUND_ALLOW": "localhost",
    }
    command = [sys.executable, "-m", "gateway.cli", "worker"]
    with receive(answering("500 Oh", seen=seen)) as port, subprocess.Popen(command, env=environ) as worker:
        try:
            name = end(tenant, port)
            until(lambda: one(name).attempt == 1)
            Callback.update(next_at=1).execute()
            Job.update(due_at=2).where(Job.name == callbacks.NAME).execute()
            until(lambda: one(name).attempt == 2)
        finally:
            worker.terminate()
    assert len(seen) == 2 and worker.returncode == 0


def test_old_ones_go(tenant: Tenant, send: Send) -> None:
    """A callback is kept for thirty days."""
    end(tenant, 9)
    Callback.update(state="dead").execute()
    send(29 * DAY / SECOND)
    assert Callback.select().count() == 1
    send(31 * DAY / SECOND)
    assert Callback.select().count() == 0
