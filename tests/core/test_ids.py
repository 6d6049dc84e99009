"""Identifiers: in order, and never the same twice, also after a fork."""

from __future__ import annotations

import os

import pytest

from gateway.core import ids
from gateway.core.ids import DRAWN, is_ours, new_id, new_ulid


def test_ids_only_grow() -> None:
    """Those of one process are in the order in which they were made, however many a millisecond."""
    made = [new_id("fb") for _ in range(DRAWN * 3)]
    assert made == sorted(set(made))
    assert all(is_ours("fb", name) for name in made)


def test_a_fork_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parent and child share nothing that ids are made of: no random part is used by both.

    Neither from what was drawn before, nor by counting on within a millisecond, which never ends here.
    """
    monkeypatch.setattr(ids._generator, "clock", lambda: 5)
    new_ulid()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, "".join(new_ulid() for _ in range(DRAWN)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="ascii") as pipe:
        theirs = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    parts = {theirs[at + 10 : at + 26] for at in range(0, len(theirs), 26)}
    ours = {new_ulid()[10:] for _ in range(DRAWN)}
    assert len(theirs) == 26 * DRAWN
    assert not parts & ours


def test_ids_grow_though_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """By up to a minute. Set back further it is believed, and ids stay unique."""
    steps = [0, 86_400_000, 86_390_000, 86_345_000, 86_405_000, 0, 3_600_000, 3_599_000]
    made = []
    for step in steps:
        monkeypatch.setattr(ids, "now_ms", lambda step=step: 1_790_000_000_000 + step)
        made.append([new_ulid() for _ in range(50)])
    day, back = [name for some in made[:5] for name in some], [name for some in made[5:] for name in some]

    assert day == sorted(day)
    assert back == sorted(back)
    assert back[0] < day[50]
    assert len({*day, *back}) == 50 * len(steps)
