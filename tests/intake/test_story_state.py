"""Since when a story is resolved: the same for any order of what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.intake.story_state import MOST_ENDS, RANKS, StoryState, moment_of, state_of
from models.intake.telling import Told

Said = tuple[str, bool]  # a state key, and whether it is what happened

KEYS = st.builds("{:016d}:{}:{}".format, st.integers(0, 9), st.integers(1, 5), st.sampled_from("ab"))
SAID = st.lists(st.tuples(KEYS, st.booleans()), max_size=9)


def told(*said: Said) -> StoryState:
    state = StoryState()
    for key, itself in said:
        state.add(key, itself=itself)
    return state


def resolved_at(said: list[Said]) -> int | None:
    """The rule in other words, from all that was said, oldest first."""
    since: list[Said] = []
    for key, itself in sorted(said):
        since = [*since, (key, itself)] if state_of(key) == "resolved" else []
    happened = [moment_of(key) for key, itself in since if itself]
    return min(happened or [moment_of(key) for key, _ in since], default=None)


@given(data=st.data(), said=SAID)
def test_any_order_follows_the_rule(data: st.DataObject, said: list[Said]) -> None:
    state = told(*said)

    assert state.resolved_at == resolved_at(said)
    assert told(*data.draw(st.permutations([*said, *said[:2]]))) == state
    assert StoryState.of(state.newest, state.resolved_at, state.kept) == state


@given(said=SAID, at=st.integers(0, 9))
def test_what_is_remembered_joins(said: list[Said], at: int) -> None:
    """What came before the record was known counts as if it had come after."""
    state = told(*said[at:])
    state.join(told(*said[:at]))

    assert state == told(*said)


def key(at: int, state: str) -> str:
    return f"{at:016d}:{RANKS[state]}:k"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([(5, "resolved", True), (7, "resolved", True)], 5),  # a branch that is green again and again
        ([(5, "resolved", True), (4, "resolved", False)], 5),  # a comment from just before the end
        ([(6, "resolved", False), (8, "resolved", False)], 6),  # the end itself never came
        ([(5, "resolved", True), (6, "triggered", True), (7, "resolved", True)], 7),
        ([(5, "resolved", True), (6, "triggered", False), (7, "resolved", False)], 7),
        ([(5, "resolved", True), (6, "acknowledged", True)], None),
        ([(5, "triggered", True), (5, "resolved", True)], 5),
        ([(5, "resolved", True), (5, "retracted", True)], None),
    ],
)
def test_the_rule(said: list[tuple[int, str, bool]], expected: int | None) -> None:
    assert told(*((key(at, state), itself) for at, state, itself in said)).resolved_at == expected


def test_many_ends() -> None:
    """What is kept is bounded: the first end and the newest, so that the moment does not drift."""
    state = told(*((key(at, "resolved"), True) for at in range(0, 2000, 2)))

    assert (state.resolved_at, len(state.ends), state.ends[-1]) == (0, MOST_ENDS, 1998)
    state.add(key(1993, "triggered"), itself=True)
    assert state.resolved_at == 1994


OLD = ["2:0000000000000003:1:k", '{"k":[],"f":{},"n":{},"t":0,"w":"","s":true,"r":null}']


@pytest.mark.parametrize("content_key", OLD)
def test_records_of_older_versions(content_key: str) -> None:
    """They kept the newest state only, and when it was resolved."""
    known = {"content_key": content_key, "state_key": key(7, "resolved"), "resolved_at": 5}
    row = {**known, "tags": [], "impact_reasons": []}
    state = Told.of({**row, "subject": {}, "source": "monitor", "triggers": 1}).state
    state.add(key(9, "resolved"), itself=True)
    assert state.resolved_at == 5
    state.add(key(8, "triggered"), itself=True)

    assert state.resolved_at == 9
