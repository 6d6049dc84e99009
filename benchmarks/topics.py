"""How often a text is given the right one of a project's own topics, and none where it is about none.

    python -m benchmarks.topics [--fit]

Projects are drawn from the labelled texts of tests/alike: some topics, by a name or the words of a good name,
with so many examples each; their other texts are sorted, and as many that are about none of them. The curve
that makes confidences of scores was fitted to half of the projects of the first table (`--fit` does so anew);
the texts of the second one were not looked at for it.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway import triage
from gateway.triage.topics import Given, Scored, Sorter
from tests.alike import themes, two_languages

DRAWS = 12  # projects of each kind
EXAMPLES = (0, 1, 3, 6)


class Answer(NamedTuple):
    """What a text was given, how sure, what it is about (None: nothing), and what it scored."""

    given: str | None
    wanted: str | None
    scored: Scored


Blocks = list[tuple[str, list[str]]]


def english_and_dutch() -> tuple[Blocks, list[str]]:
    return [(" ".join(sorted(words)), texts) for words, texts in two_languages()], themes()["none"]


def others() -> tuple[Blocks, list[str]]:
    every = themes()
    return [(name, texts) for name, texts in every.items() if name != "none"], every["none"]


def unnamed() -> tuple[Blocks, list[str]]:
    """Those of the first table by names that say nothing."""
    blocks, none = english_and_dutch()
    return [(f"Qx{number}", texts) for number, (_, texts) in enumerate(blocks)], none


def asked(blocks: Blocks, none: list[str], count: int, examples: int, seed: int) -> Iterator[Answer]:
    """A project of so many topics with so many examples each, asked about all other texts."""
    dice = random.Random(f"{count} {examples} {seed}")
    chosen = dice.sample(blocks, count)
    strange = [text for block in blocks if block not in chosen for text in block[1]]
    shown, left = [], []
    for name, texts in chosen:
        mixed = dice.sample(texts, len(texts))
        shown += [Given(text, name) for text in mixed[:examples]]
        left += [(text, name) for text in mixed[examples:]]
    left += [(text, None) for text in dice.sample(strange + none, min(len(left), len(strange + none)))]
    sorter = Sorter.learnt(triage.in_use(), {name: (name, "") for name, _ in chosen}, shown)
    for text, wanted in left:
        yield Answer(sorter.sort(text)[0], wanted, sorter.scored(text))


def table(title: str, texts: Callable[[], tuple[Blocks, list[str]]], counts: tuple[int, ...]) -> None:
    """Prints how it goes by number of examples."""
    print(f"\n{title}\n\n| examples each | texts of a topic: right, none, another | given to texts of none |")
    print("|---|---|---|")
    for examples in EXAMPLES:
        blocks, none = texts()
        if min(len(block[1]) for block in blocks) <= examples:
            continue
        found = [
            answer
            for count in counts
            for seed in range(DRAWS)
            for answer in asked(blocks, none, count, examples, seed)
        ]
        ours = [answer for answer in found if answer.wanted is not None]
        apart = [answer for answer in found if answer.wanted is None]
        right = sum(answer.given == answer.wanted for answer in ours) / len(ours)
        silent = sum(answer.given is None for answer in ours) / len(ours)
        wrong = sum(answer.given is not None for answer in apart) / len(apart)
        print(f"| {examples} | {right:.2f}, {silent:.2f}, {1 - right - silent:.2f} | {wrong:.2f} |")


def fit() -> None:
    """Prints the curve that fits half of the draws of the first table."""
    from sklearn.linear_model import LogisticRegression

    rows, labels = [], []
    blocks, none = english_and_dutch()
    for examples in range(8):
        for count in (3, 10, 20):
            for seed in range(0, DRAWS, 2):
                for answer in asked(blocks, none, count, examples, seed):
                    one = answer.scored
                    if one.score > 0:
                        margin = (one.score - one.second) / one.score
                        rows.append([math.log(one.score), margin, math.log1p(examples)])
                        labels.append(one.topic == answer.wanted)
    found = LogisticRegression(C=100, max_iter=1000).fit(rows, labels)
    print(" ".join(f"{value:.2f}" for value in (*found.coef_[0], found.intercept_[0])))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fit", action="store_true", help="fit the curve anew")
    triage.load()
    if options.parse_args().fit:
        fit()
        return
    table("Projects of 10 and 20 topics, English and Dutch", english_and_dutch, (10, 20))
    table("The same by names that say nothing", unnamed, (10, 20))
    table("Projects of 5 topics by a name of one word", others, (5,))


if __name__ == "__main__":
    main()
