"""What a project learns from a hundred corrections of a domain that no training text is about.

    python -m benchmarks.learning [--draws N]

The texts (benchmarks/hearing_aids.tsv) are what owners of hearing aids write, labelled as their maker's team
does: how something sounds is a question for the fitter, small parts and appointments are other, whatever
names the Tresilo (a device called back) is a bug. Only texts that the shipped model answers otherwise are
drawn: 90 and 10 about the Tresilo are learnt, 25 and 5 others asked. `kept` are texts that it answers as the
team does and nobody corrected, without and with half of them resolved as they were.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from adapters.contract.record import Record
from gateway import triage
from gateway.core.area_rules import LearntHead, ProjectRules
from gateway.triage.training.corrections import Correction
from gateway.triage.training.learn_projects import Ground
from gateway.triage.training.project_heads import Learnt
from gateway.triage.training.seeds import sentences

TEXTS = Path(__file__).parent / "hearing_aids.tsv"
LEARNT, LEARNT_DEVICE = 90, 10
ASKED, ASKED_DEVICE = 25, 5
LEAST_FOLLOW = 10  # of those asked
DEVICE = "tresilo"


@dataclass(frozen=True, slots=True)
class Domain:
    """The texts by what the shipped model makes of them."""

    wrong: list[Correction]
    device: list[Correction]
    right: list[Correction]

    @classmethod
    def read(cls) -> Domain:
        domain = cls([], [], [])
        with TEXTS.open(encoding="utf-8", newline="") as file:
            for category, language, text in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                one = Correction(text, language, category)
                if answer(text) == category:
                    domain.right.append(one)
                elif DEVICE in text.lower():
                    domain.device.append(one)
                else:
                    domain.wrong.append(one)
        return domain


@dataclass(frozen=True, slots=True)
class Draw:
    """Which texts are learnt, and which are asked."""

    learnt: list[Correction]
    asked: list[Correction]
    device: list[Correction]

    @classmethod
    def of(cls, domain: Domain, seed: int) -> Draw:
        dice = random.Random(seed)
        wrong, device = (dice.sample(some, len(some)) for some in (domain.wrong, domain.device))
        return cls(
            wrong[:LEARNT] + device[:LEARNT_DEVICE],
            wrong[LEARNT : LEARNT + ASKED],
            device[LEARNT_DEVICE : LEARNT_DEVICE + ASKED_DEVICE],
        )


def answer(text: str, rules: ProjectRules | None = None) -> str:
    return triage.label(Record(text=text), rules).category


def follow(given: Sequence[Correction], rules: ProjectRules | None) -> int:
    """How many texts are answered as the team does."""
    return sum(answer(one.text, rules) == one.category for one in given)


def rules_of(learnt: Learnt) -> ProjectRules | None:
    return ProjectRules((), LearntHead(learnt.version, learnt.data)) if learnt.data else None


def microseconds(texts: Sequence[str], rules: ProjectRules | None) -> float:
    """What one label takes, the quickest of several rounds over the texts."""
    records = [Record(text=text) for text in texts]
    taken = []
    for _ in range(9):
        start = time.thread_time()
        for record in records:
            triage.label(record, rules)
        taken.append((time.thread_time() - start) / len(records) * 1e6)
    return min(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=12)
    draws = parser.parse_args().draws
    triage.load()
    domain = Domain.read()
    print(f"model {triage.version()}; {len(domain.wrong)} texts to correct, {len(domain.device)} about the")
    print(f"device, {len(domain.right)} that are right\n")
    print(
        "draw | follow of 25 before after | device of 5 before after | kept of all, half resolved | s    kB"
    )
    others = [text for *_, text in sentences(40)]
    before = [triage.label(Record(text=text)) for text in others]
    rules: ProjectRules | None = None
    followed, devices, bad = [], [], False
    with threadpool_limits(1):
        ground = Ground.of(triage.in_use())
        for seed in range(draws):
            draw = Draw.of(domain, seed)
            start = time.perf_counter()
            learnt = ground.learn_from(draw.learnt, [], [])
            seconds = time.perf_counter() - start
            rules = rules_of(learnt)
            if rules is None:
                print(f"{seed:4} | refused: {learnt.refusal}")
                bad = True
                continue
            half = domain.right[seed % 2 :: 2]
            rest = domain.right[1 - seed % 2 :: 2]
            helped = rules_of(ground.learn_from(draw.learnt, half, []))
            kept, resolved = follow(domain.right, rules), follow(rest, helped)
            follows, device = follow(draw.asked, rules), follow(draw.device, rules)
            followed.append(follows)
            devices.append(device)
            bad |= follows < LEAST_FOLLOW or device < ASKED_DEVICE
            without = [follow(some, None) for some in (draw.asked, draw.device)]
            print(
                f"{seed:4} | {without[0]:19} {follows:5} | {without[1]:18} {device:5} |"
                f" {kept:4} of {len(domain.right)}, {resolved:2} of {len(rest)}     |"
                f" {seconds:4.1f} {len(learnt.data or b'') / 1000:4.0f}"
            )
    same = [triage.label(Record(text=text)) for text in others] == before
    print(f"\nmean {statistics.mean(followed):.1f}, least {min(followed)} of 25; device {min(devices)} of 5")
    print(f"labels of {len(others)} texts without a head: {'as before' if same else 'CHANGED'}")
    words = [one.text for one in domain.wrong]
    without, with_head = microseconds(words, None), microseconds(words, rules)
    print(f"a label: {without:.0f} us without a head, {with_head:.0f} us with one")
    return int(bad or not same)


if __name__ == "__main__":
    sys.exit(main())
