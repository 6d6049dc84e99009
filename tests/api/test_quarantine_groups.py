"""What is held for the same reason is counted, replayed and discarded together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from gateway.api.admin import quarantine_groups
from gateway.intake import replay
from models import Audit, Feedback, Quarantine
from models.database.base import writing
from tests.conftest import Call, Tenant

PATH = "/gateway/v1/quarantine"
pytestmark = pytest.mark.both(long=True)


@pytest.fixture(name="hold")
def _hold(call: Call) -> Any:
    """Sends deliveries through a hook whose map reads no field "words", and such as are no JSON."""
    made = call("POST", "/gateway/v1/hooks", json={"source": "generic", "options": {"map": {"text": "said"}}})
    hook, bearer = made.json["hook_id"], {"Authorization": f"Bearer {made.json['secret']}"}

    def hold(*bodies: bytes) -> str:
        for body in bodies:
            call("POST", f"/hooks/generic/{hook}", data=body, headers=bearer)
        return str(hook)

    return hold


def groups(call: Call) -> list[tuple[str, int]]:
    return [(row["source"], row["count"]) for row in call("GET", f"{PATH}/groups").json["data"]]


def reasons(call: Call) -> list[str]:
    return [row["reason"] for row in call("GET", f"{PATH}/groups").json["data"]]


def test_counted(call: Call, hold: Any, other: Tenant) -> None:
    """Groups are told with how many they are, the newest first, and lead to their deliveries."""
    hold(b'{"words": 1}', b"no JSON", b'{"words": 2}', b'{"words": 3}')
    newest, older = reasons(call)

    assert groups(call) == [("generic", 3), ("generic", 1)]
    assert len(call("GET", PATH, query_string={"reason": newest}).json["data"]) == 3
    assert len(call("GET", PATH, query_string={"reason": older, "source": "generic"}).json["data"]) == 1
    first = call("GET", f"{PATH}/groups?limit=1").json
    second = call("GET", f"{PATH}/groups?limit=1&cursor={first['next_cursor']}").json
    assert [row["count"] for page in (first, second) for row in page["data"]] == [3, 1]
    assert second["next_cursor"] is None
    assert call("GET", f"{PATH}/groups", headers=other.headers).json["data"] == []


def test_replayed(call: Call, hold: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a group are sent through today's adapter, the oldest first, as often as time allows for."""
    hook = hold(b'{"words": "1"}', b'{"words": "2"}', b"no JSON", b'{"words": "3"}', b'{"word": "4"}')
    (reason, _) = reasons(call)
    call("PATCH", f"/gateway/v1/hooks/{hook}", json={"options": {"map": {"text": "words"}}})
    ticks = iter(range(100))
    monkeypatch.setattr(quarantine_groups, "clock", lambda: next(ticks) * 2.0)
    body: dict[str, Any] = {"source": "generic", "reason": reason}
    first = call("POST", f"{PATH}/replay", json=body).json
    assert (first["replayed"], first["held"]) == (2, 0)
    second = call("POST", f"{PATH}/replay", json={**body, "cursor": first["next_cursor"]}).json

    assert (second["replayed"], second["held"], second["next_cursor"]) == (1, 1, None)
    assert sorted(row.text for row in Feedback.select()) == ["1", "2", "3"]
    assert {row.id for row in Feedback.select()} == {*first["feedback_ids"], *second["feedback_ids"]}
    assert [row.detail for row in Audit.select().where(Audit.action == "quarantine.replayed")] == [
        {"replayed": 2, "held": 0},
        {"replayed": 1, "held": 1},
    ]


def test_discarded(call: Call, hold: Any, other: Tenant) -> None:
    """Those of a group are gone for good, and no others; one can be discarded alone."""
    hold(b'{"words": 1}', b"no JSON", b'{"words": 2}', b"no")
    newest, older = reasons(call)
    theirs = call("POST", f"{PATH}/discard", json={"source": "generic"}, headers=other.headers).json
    assert theirs == {"discarded": 0}
    assert call("POST", f"{PATH}/discard", json={"source": "generic", "reason": older}).json == {
        "discarded": 2
    }
    left = [row.id for row in Quarantine.select()]
    assert (len(left), reasons(call)) == (2, [newest])
    assert call("DELETE", f"{PATH}/{left[0]}").status_code == 204
    assert call("DELETE", f"{PATH}/{left[0]}").status_code == 404
    assert call("POST", f"{PATH}/discard", json={"reason": newest}).status_code == 400

    assert [row.id for row in Quarantine.select()] == left[1:]
    assert Audit.select().where(Audit.action == "quarantine.discarded").count() == 3


@pytest.mark.parametrize("more", [b"", b', {"word": "theirs"}'])
def test_discarded_while_it_is_replayed(
    call: Call, hold: Any, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    """What somebody discards after a replay has read it is not stored, all of it or the part that is read."""
    hook = hold(b'{"all": [{"words": "mine"}%s]}' % more)
    (reason,) = reasons(call)
    (held,) = call("GET", PATH).json["data"]
    wanted = {"options": {"map": {"text": "words", "items": "all"}}}
    call("PATCH", f"/gateway/v1/hooks/{hook}", json=wanted)
    store = replay.store_part

    def late(*told: Any, **more: Any) -> Any:
        with writing():
            Quarantine.delete().execute()
        return store(*told, **more)

    row = Quarantine.get_by_id(held["id"]).__data__
    monkeypatch.setattr(replay, "store_part", late)
    together = call("POST", f"{PATH}/replay", json={"source": "generic", "reason": reason}).json
    with writing():
        Quarantine.insert(row).execute()
    alone = call("POST", f"{PATH}/{held['id']}/replay")

    assert (together["replayed"], together["held"], alone.status_code) == (0, 0, 404)
    assert Feedback.select().count() == 0


def test_replayed_and_discarded_at_once(call: Call, hold: Any) -> None:
    """Of many that are replayed and discarded at the same moment each is stored or discarded, never both."""
    hook = hold(*(b'{"words": "%d"}' % n for n in range(40)))
    (reason,) = reasons(call)
    call("PATCH", f"/gateway/v1/hooks/{hook}", json={"options": {"map": {"text": "words"}}})
    group = {"source": "generic", "reason": reason}
    newest_first = [row["id"] for row in call("GET", PATH, query_string={"limit": 40}).json["data"]]
    with ThreadPoolExecutor(3) as pool:
        replaying = [pool.submit(call, "POST", f"{PATH}/replay", json=group) for _ in range(2)]
        told = pool.map(partial(call, "DELETE"), [f"{PATH}/{name}" for name in newest_first])
        discarded = [answer.status_code for answer in told].count(204)
        stored = {name for one in replaying for name in one.result().json["feedback_ids"]}

    assert Feedback.select().count() == len(stored) == 40 - discarded
    assert Quarantine.select().where(Quarantine.replayed_at.is_null()).count() == 0
