"""Behind real proxies nobody's bytes reach another client's answer, however they are framed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server, running
from tests.server.constants import CROWDED, HASTY
from tests.server.framing import attacks, seed
from tests.server.proxies import PROXIES, SHARED, proxied
from tests.server.siege import besiege
from tests.server.victims import Tally, Victim, store_faults

ATTACKS = [60, pytest.param(2_000, marks=pytest.mark.long)]
# What most people have; the others are tried in the long run.
FIRST = ("nginx", "haproxy-safe")
TRIED = [name if name in FIRST else pytest.param(name, marks=pytest.mark.long) for name in PROXIES]
VICTIMS = 8


@dataclass
class Besieged:
    """A server for victims, and the key of another workspace for attackers."""

    server: Server
    strange_key: str


@contextmanager
def besieged(directory: Path, constants: dict[str, Any], threads: int) -> Iterator[Besieged]:
    with running(directory, constants, GATEWAY_WORKERS="1", GATEWAY_THREADS=str(threads)) as server:
        yield Besieged(server, str(server.run("init", "--workspace", "Attackers")["key"]))


@pytest.fixture(name="quiet", scope="module")
def _quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    with besieged(tmp_path_factory.mktemp("quiet"), HASTY, 16) as found:
        yield found


@pytest.fixture(name="busy", scope="module")
def _busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """A server that can take hardly anything."""
    with besieged(tmp_path_factory.mktemp("busy"), CROWDED, 2) as found:
        yield found


def check_siege(found: Besieged, proxy: str, count: int, directory: Path, *, busy: bool = False) -> Tally:
    """Each victim gets its own answers, and what was acknowledged to it is stored, once."""
    chosen, server, tally = seed(), found.server, Tally()
    made = list(attacks(random.Random(chosen), (found.strange_key, None, None), count))
    shared = VICTIMS if busy else SHARED
    with proxied(proxy, server.url.removeprefix("http://"), directory, shared=shared) as address:
        victims = [
            Victim(directory.name, number, address, server.tenant.key, tally, overloaded=busy)
            for number in range(VICTIMS)
        ]
        besiege(address, made, victims, chosen)

    wrong = tally.wrong + store_faults(tally, server.directory, server.tenant.workspace_id)
    shown = "\n".join([f"FRAMING_SEED={chosen} {dict(tally.counts)}", *wrong[:20], *tally.lost[:20]])
    assert not wrong, f"{len(wrong)} wrong, {len(tally.lost)} lost: {shown}"
    # One who is told to come later before its body is here may find its connection ended.
    assert busy or not tally.lost, f"{len(tally.lost)} lost: {shown}"
    assert tally.counts["attacks answered"] > count // 3
    return tally


@pytest.mark.parametrize("proxy", TRIED)
@pytest.mark.parametrize("count", ATTACKS)
def test_every_client_gets_its_own_answers(quiet: Besieged, proxy: str, count: int, tmp_path: Path) -> None:
    """While strangers attack, nobody's answer is another one's, and no request is lost."""
    tally = check_siege(quiet, proxy, count, tmp_path)

    assert tally.counts["right"] == tally.counts["requests"] > count


@pytest.mark.parametrize("proxy", TRIED)
@pytest.mark.parametrize("count", ATTACKS)
def test_overloaded(busy: Besieged, proxy: str, count: int, tmp_path: Path) -> None:
    """A client may be told to come later; what it is told else is true, and its own."""
    tally = check_siege(busy, proxy, count, tmp_path, busy=True)

    assert tally.counts["right"] > 0
    assert tally.counts["overloaded"] > 0
    assert tally.counts["right"] + tally.counts["overloaded"] + len(tally.lost) == tally.counts["requests"]
