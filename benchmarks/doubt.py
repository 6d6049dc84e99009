"""How many of the wrong labels are among those that triage is unsure of, by where "unsure" begins.

    python -m benchmarks.doubt [--data DIR ...]

A record is as sure as the less sure of its category and its sentiment. The texts are the tests' own, which no
model learns from, with both labels; each DIR holds labelled CSV files as `feedback-gateway evaluate` takes
them, whose held-out parts have one label each: there the confidence is that of the label asked for. Of a set
with more texts than --most some are drawn, so that no set outweighs all others.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.contract.record import Record
from gateway import triage
from gateway.triage.model import Model
from gateway.triage.training.heldout import REST, held_out_sets
from tests.triage.test_kinds import LEAST, table

FIXTURES = Path(__file__).parent.parent / "tests" / "triage" / "fixtures"
SETS = ("sentences", "measuring_stick", "more_languages")
BEGINS = (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8)


class Answer(NamedTuple):
    """Whether what was asked of a text is right, and how sure triage was."""

    right: bool
    sure: float


def both(rows: Sequence[tuple[str, str, str]]) -> list[Answer]:
    """The answers to texts with a category and a sentiment: right only when both are."""
    labels = triage.label_all([(Record(text=text), None) for _, _, text in rows])
    return [
        Answer(
            (label.category, label.sentiment) == (category, sentiment),
            min(label.category_confidence, label.sentiment_confidence),
        )
        for (category, sentiment, _), label in zip(rows, labels, strict=True)
    ]


def own() -> Iterator[tuple[str, list[Answer]]]:
    """The tests' own sets, by name."""
    for name in SETS:
        with (FIXTURES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            yield (
                name,
                both([(row["category"], row["sentiment"], row["text"]) for row in csv.DictReader(file)]),
            )
    yield (
        "kinds of error",
        both([(category, mood, text) for kind in LEAST for _, category, mood, text in table(kind)]),
    )


def held_out(directory: Path, most: int) -> Iterator[tuple[str, list[Answer]]]:
    """The held-out sets of a directory that ask for a category or a sentiment."""
    sets, _ = held_out_sets(directory, Model.load().card["data"])
    for one in sets:
        if one.task not in ("category", "sentiment") or REST in {row.label for row in one.rows}:
            continue
        rows = one.rows if len(one.rows) <= most else random.Random(1).sample(list(one.rows), most)
        labels = triage.label_all([(Record(text=row.text, title=row.title), None) for row in rows])
        yield (
            f"{one.task} {one.name}",
            [
                Answer(getattr(label, one.task) == row.label, getattr(label, f"{one.task}_confidence"))
                for row, label in zip(rows, labels, strict=True)
            ],
        )


def line(name: str, answers: Sequence[Answer]) -> str:
    """A row of the table: of each beginning the share caught of what is wrong, and the share flagged."""
    wrong = [answer for answer in answers if not answer.right]
    cells = []
    for begin in BEGINS:
        flagged = sum(answer.sure < begin for answer in answers) / max(len(answers), 1)
        caught = sum(answer.sure < begin for answer in wrong) / max(len(wrong), 1)
        cells.append(f"{caught:.2f} of {flagged:.2f}")
    return f"{name:34} {len(answers):6} {len(wrong):6}  " + "  ".join(f"{cell:>12}" for cell in cells)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", action="append", type=Path, default=[], help="labelled CSV files")
    parser.add_argument("--most", type=int, default=1000, help="texts of a held-out set")
    asked = parser.parse_args()
    triage.load()
    print("Caught of the wrong ones, of all flagged, when less sure than")
    print(f"{'set':34} {'texts':>6} {'wrong':>6}  " + "  ".join(f"{begin:>12}" for begin in BEGINS))
    groups = [("all own texts", list(own()))]
    groups += [(f"all of {path.name}", list(held_out(path, asked.most))) for path in asked.data]
    for name, sets in groups:
        for one, answers in sets:
            print(line(one, answers))
        print(line(name, [answer for _, answers in sets for answer in answers]), flush=True)


if __name__ == "__main__":
    main()
