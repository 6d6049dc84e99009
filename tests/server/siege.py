"""Attackers and victims on one address, at the same time."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Full, Queue

from tests.server.answers import NotHTTP, read_answers
from tests.server.attack import Attack
from tests.server.peers import converse
from tests.server.victims import Tally, Victim

ATTACKERS = 4  # threads
PATIENCE = 3.0  # seconds that an attacker waits for an end
ROUNDS = 8  # requests of victims for each attack
_STALL = 60.0  # seconds until the other side is taken for dead


def besiege(
    address: tuple[str, int], attacks: Sequence[Attack], victims: Sequence[Victim], seed: int
) -> Tally:
    """Runs the attacks while the victims act; returns when all is answered.

    Neither side gets far ahead of the other: every attack brings so many turns for the victims.
    """
    turns: Queue[int] = Queue(ROUNDS * 4)
    over = threading.Event()
    tally = victims[0].tally

    def attack(number: int) -> None:
        with suppress(Full):
            for _ in range(ROUNDS):
                turns.put(number, timeout=_STALL)
        heard = converse(address, attacks[number], random.Random(seed + number), patience=PATIENCE)
        with suppress(NotHTTP):
            if read_answers(heard.data, attacks[number].methods).finals:
                tally.note("attacks answered")

    def act(victim: Victim) -> None:
        while not (over.is_set() and turns.empty()):
            with suppress(Empty):
                turns.get(timeout=0.1)
                victim.act()
        victim.close()

    with ThreadPoolExecutor(len(victims)) as clients:
        acting = [clients.submit(act, victim) for victim in victims]
        try:
            with ThreadPoolExecutor(ATTACKERS) as attackers:
                for done in [attackers.submit(attack, number) for number in range(len(attacks))]:
                    done.result()
        finally:
            over.set()
        for one in acting:
            one.result()
    return tally
