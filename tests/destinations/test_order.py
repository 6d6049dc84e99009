"""In which order deliveries go, and that who has many waiting costs nobody else anything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.ids import now_ms
from gateway.destinations import found_kinds, ladder, managing
from models import Outgoing
from models.database.base import database, writing
from models.tables import outgoing
from models.tables.outgoing import DEAD, HELD, SENT, WAITING
from tests import plans
from tests.conftest import Call
from tests.destinations.conftest import Add, Send, now_of, told
from tests.destinations.test_sending import OK, post
from tests.receivers import listening
from tests.walk import Ear

pytestmark = pytest.mark.both(long=True)
FIRST, SECOND, THIRD = TEXTS = ("The first page is empty", "The second page is empty", "The third is not")
REFUSED = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def row_of(text: str) -> Outgoing:
    (found,) = [row for row in Outgoing.select() if text in row.body]
    return found


def pause(made: dict[str, Any]) -> None:
    for state in ("paused", "enabled"):
        managing.change(now_of(made), {"state": state}, by="key_test")


def replay(made: dict[str, Any], **which: Any) -> None:
    assert managing.replay(now_of(made), by="key_test", **which) == 1


def forget(made: dict[str, Any], **which: Any) -> None:
    assert managing.forget(now_of(made), by="key_test", **which) == 1


def test_one_that_is_ordered(call: Call, add: Add, send: Send) -> None:
    """Nothing later is sent before what failed is taken, given up, or forgotten, while it is held, too."""
    seen: list[str] = []
    refusing = [True]

    def act(sock: socket.socket, request: bytes) -> None:
        text = told(request).body["data"]["text"]
        seen.append(text)
        sock.sendall(REFUSED if text == SECOND and refusing[0] else OK)

    def taken() -> None:
        refusing[0] = False

    tries = len(ladder.LADDER)
    cases: tuple[tuple[str, Callable[..., Any], int, list[str], list[str]], ...] = (
        ("taken", lambda made: taken(), 60, [SECOND, THIRD], [SENT] * 3),
        ("forgotten", lambda made: forget(made, delivery_id=row_of(SECOND).id), 0, [THIRD], [SENT] * 2),
        ("dead", lambda made: last_rung(), 60, [SECOND, THIRD], [SENT, DEAD, SENT]),
        ("held", pause, 9_000, [], [SENT, HELD, HELD]),
    )
    with listening(act) as port:
        for name, happens, seconds, more, states in cases:
            refusing[0] = True
            made = add(port, ordered=True)
            other = add(port, ordered=True, filter="category=praise")
            for text in TEXTS:
                post(call, text)
            send()
            assert seen == [FIRST, SECOND], name
            seen.clear()
            happens(made)
            send(seconds)
            assert seen == more, name
            assert [row.state for row in Outgoing.select().order_by(Outgoing.id)] == states, name
            if name == "held":
                refusing[0] = False
                post(call, "What comes then")
                send(9_060)
                assert seen == [] and tries
                replay(made, delivery_id=row_of(SECOND).id)
                send(9_120)
                forget(made)
                send(9_180)
                assert seen == [SECOND, "What comes then"]
            seen.clear()
            for one in (made, other):
                managing.delete(now_of(one), by="key_test")


def test_what_waits_is_sent_now(call: Call, add: Add, send: Send) -> None:
    """What is to be tried again later is tried at once when somebody says so, and is no replay by that."""
    answers, seen = [REFUSED, REFUSED, OK], list[str]()

    def act(sock: socket.socket, request: bytes) -> None:
        seen.append(told(request).headers.get("gateway-replay", "first"))
        sock.sendall(answers.pop(0))

    with listening(act) as port:
        made = add(port)
        post(call, FIRST)
        send()
        send(1)
        assert len(seen) == 1
        replay(made, state=WAITING)
        send(1)
        replay(made, delivery_id=row_of(FIRST).id)
        send(1)

    row = row_of(FIRST)
    assert (seen, row.state, row.rung, row.replay) == (["first"] * 3, SENT, 2, False)


def last_rung() -> None:
    Outgoing.update(rung=len(ladder.LADDER) - 1).where(Outgoing.state == WAITING).execute()


def test_what_people_read(add: Add, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes one at a time, in the order in which it was made."""
    webhook = found_kinds.load()["webhook"]
    chat = replace(webhook, render=None, write=lambda message: f'"{message.subject}"')
    monkeypatch.setattr(found_kinds, "load", lambda: {"webhook": chat})
    seen: list[str] = []
    under_way = threading.Semaphore(1)

    def act(sock: socket.socket, request: bytes) -> None:
        assert under_way.acquire(blocking=False)
        seen.append(told(request).id)
        under_way.release()
        sock.sendall(OK)

    with listening(act) as port:
        made = add(port)
        for _ in range(6):
            managing.test(now_of(made))
        send()
    assert len(seen) == 6 and seen == sorted(seen)


@pytest.mark.parametrize("many", [300, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_backlog(add: Add, many: int) -> None:
    """However much waits for one destination, no statement that looks for another's reads it."""
    slow, ordered, fine = add(9), add(9, ordered=True), add(9)
    now = now_ms()
    new = {"workspace_id": "ws_1", "feedback": None, "type": "feedback.created", "body": "{}"}
    new |= {"state": WAITING, "created_at": 0}
    waiting = [
        {**new, "id": f"msg_{number:06}", "destination": made["id"], "next_at": at + number}
        for first, made, at in ((0, slow, 0), (200_000, ordered, 0), (400_000, fine, now - 500_000))
        for number in range(first, first + (3 if made is fine else many))
    ]
    waiting[many]["next_at"] = now + 60_000  # the oldest of the ordered one has failed
    with writing():
        outgoing.add_all(waiting)
    busy = [row["id"] for row in waiting[:1]]
    ear = Ear()
    for analysed in (False, True):
        with ear.listening():
            found = outgoing.due(now, 16, 2, busy, [])
            assert [row["id"] for row in found] == ["msg_000001", "msg_000002", "msg_400000", "msg_400001"]
            assert [row["id"] for row in outgoing.due(now, 16, 2, [], [slow["id"], fine["id"]])] == []
            assert [row["id"] for row in outgoing.due(now + 60_000, 9, 2, [], [slow["id"]])][:1] == [
                "msg_200000"
            ]
            assert not outgoing.any_to_hold()
        if not analysed:
            database.execute_sql("ANALYZE")
    for sql, params in ear.heard.items():
        if database.obj.EMBEDDED:
            assert not plans.faults(sql, params, few=False), sql
            lines = [row[3] for row in database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()]
            assert not any("TEMP B-TREE" in line for line in lines), (sql, lines)
        else:
            assert sum(count for _, count in plans.read_by_server(sql, params)) < 50, sql
