"""Where requests end: whatever is sent, each request has one answer, and nothing follows a refusal."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from types import ModuleType

import httpx
import pytest

from tests.conftest import Server, running
from tests.server import chunks, heads, lengths
from tests.server.attack import Attack, Target
from tests.server.constants import HASTY
from tests.server.framing import TARGETS, attack_of, seed, target_of
from tests.server.judging import faults_of
from tests.server.peers import converse

MOST_WRONG = 4  # attacks that are told: a connection that hangs takes its time
ROUNDS = [1, pytest.param(25, marks=pytest.mark.long)]


@pytest.fixture(name="hasty", scope="module")
def _hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker that gives slow clients a second."""
    with running(tmp_path_factory.mktemp("hasty"), HASTY, GATEWAY_WORKERS="1") as server:
        yield server


def address_of(url: str) -> tuple[str, int]:
    parsed = httpx.URL(url)
    return parsed.host, parsed.port or 80


# What a path that reads no body, or refuses before it reads one, may forget to read.
UNREAD = (
    *("body: 200 kB", "chunked: 200 kB", "chunked: 200 kB at once"),
    *("chunk size: letters", "chunk size: long", "second chunk size: letters", "bad extension: LF"),
    *("bad trailer: folded", "bad trailer: no colon", "half behind chunk", "half behind trailers"),
)


def check(server: Server, rng: random.Random, chosen: int, made: Iterable[Attack]) -> None:
    """Has each of the attacks answered as it has to be."""
    wrong = []
    for attack in made:
        heard = converse(address_of(server.url), attack, rng)
        if faults := faults_of(attack, heard):
            wrong.append(f"{attack}\n  {'; '.join(faults)}")
        if len(wrong) == MOST_WRONG:
            break

    shown = "\n".join(wrong)
    assert not wrong, f"FRAMING_SEED={chosen}: {len(wrong)} attacks\n{shown}"
    assert httpx.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    "part",
    [pytest.param(chunks, marks=pytest.mark.long), lengths, heads],
    ids=lambda part: part.__name__.rpartition(".")[2],
)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_every_request_has_one_answer(hasty: Server, part: ModuleType, rounds: int) -> None:
    """Each kind of attack, to a door or another path, with or without a key."""
    rng = random.Random(chosen := seed())
    keys = (hasty.tenant.key, None, "sk_live_wrong")
    names = [*part.kinds()] * rounds
    check(hasty, rng, chosen, (attack_of(name, rng, target_of(rng, keys)) for name in names))


@pytest.mark.parametrize(("method", "path"), TARGETS)
def test_bodies_that_a_path_may_leave_unread(hasty: Server, method: str, path: str) -> None:
    """At every path, with a key and without one."""
    rng = random.Random(chosen := seed())
    targets = [Target(method, path, key) for key in (hasty.tenant.key, None)]
    check(hasty, rng, chosen, (attack_of(name, rng, target) for name in UNREAD for target in targets))
