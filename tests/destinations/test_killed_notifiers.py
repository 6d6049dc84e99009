"""People are told of each record in one message, wherever the worker ends while it makes that."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from gateway.core.config import Config
from gateway.destinations import notifying
from models import Job, Outgoing
from models.tables import destination, notification, outgoing
from tests.conftest import Call, Tenant, until
from tests.destinations.conftest import Send, Subscribe, told
from tests.destinations.test_killed_senders import OK, PROGRAM, leases_end, worker
from tests.receivers import listening

pytestmark = pytest.mark.both(long=True)
PATH = "/gateway/v1/feedback"
# The kind of the tests, windows of 20 ms, and messages that show all.
NOTES = """
from gateway.destinations import found_kinds, notifying
from tests.destinations.conftest import NOTE
found_kinds.load = lambda: {"note": NOTE}
notifying.MINUTE, notifying.MOST_SHOWN = 2, 1_000_000
"""


def words(body: Any) -> list[str]:
    """The records that a message tells of, by their words."""
    parts = {name: part for one in body["parts"] for name, part in one.items()}
    if "Quote" in parts:
        return [parts["Quote"]["text"]]
    return [entry["text"] for entry in parts["Entries"]["entries"]]


@pytest.mark.parametrize("when", ["before", "behind"])
@pytest.mark.parametrize(
    ("module", "name"),
    [(notification, "put"), (notification, "quote"), (outgoing, "add_all"), (destination, "change")],
)
def test_where_it_ends(
    call: Call,
    subscribe: Subscribe,
    send: Send,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    when: str,
) -> None:
    """At each step of a transaction, first of the message at once, then of that which tells of many."""
    subscribe(9)
    act, ends = getattr(module, name), 0

    def end(*args: Any, **options: Any) -> Any:
        nonlocal ends
        if ends and when == "behind":
            act(*args, **options)
        if ends:
            ends -= 1
            raise MemoryError(name)
        return act(*args, **options)

    monkeypatch.setattr(module, name, end)
    texts = [f"The page {number} is empty" for number in range(5)]
    for minutes, text in enumerate(texts):
        assert call("POST", PATH, json={"text": text}).status_code == 201
        ends = 1
        send(minutes * 300)
        Job.delete().execute()
        send(minutes * 300)
    ends = 0
    send(3_600)
    told_of = [text for row in Outgoing.select() for text in words(json.loads(row.body))]
    assert sorted(told_of) == texts and Outgoing.select().count() < len(texts)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_notifiers_that_are_killed(
    call: Call,
    subscribe: Subscribe,
    send: Send,
    config: Config,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """kill -9 of the worker in the middle of windows: each record in one message, which has one id."""
    seen: dict[str, set[str]] = {}
    lock, requests = threading.Lock(), 0

    def act(sock: socket.socket, request: bytes) -> None:
        nonlocal requests
        if not request.endswith(b"}"):
            return
        got = told(request)
        with lock:
            requests += 1
            for text in words(got.body):
                seen.setdefault(text, set()).add(got.id)
        sock.sendall(OK)

    texts = []
    with listening(act) as port:
        subscribe(port)
        for cycle in range(30):
            for number in range(20):
                texts.append(f"The page {cycle}-{number} is empty")
            batch = [{"text": text} for text in texts[-20:]]
            assert call("POST", f"{PATH}/batch", json=batch).status_code == 200
            before = requests
            with worker(config, PROGRAM.replace("run_once(", NOTES + "run_once(")):
                until(lambda: requests > before)  # noqa: B023  # called at once
            leases_end()
        monkeypatch.setattr(notifying, "MOST_SHOWN", len(texts))
        for hours in range(1, 4):
            send(hours * 3_600)
    assert sorted(seen) == sorted(texts) and {len(ids) for ids in seen.values()} == {1}
