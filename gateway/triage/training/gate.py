"""Whether a model may replace another: old and new on the same held-out texts, set by set.

A set, language or mean may lose LARGEST_DROP of macro-F1, no more. In a set of fewer than LEAST_ROWS
texts one answer alone is that much: those are shown, and count in what all sets give together, however
few that are. And most corrections must have been learnt: people contradict each other, or all that the
model is held to, if not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters.contract.record import Record
from gateway import triage
from gateway.triage.model import Model
from gateway.triage.training.corrections import Correction, of_task, same
from gateway.triage.training.evaluate import Say, scores_of
from gateway.triage.training.heldout import HeldOut
from gateway.triage.training.report import sets_of
from gateway.triage.training.rows import Row, fingerprint
from gateway.triage.training.seeds import scenes, sentences

LARGEST_DROP = 0.01
LEAST_ROWS = 100
LEAST_LEARNT = 0.5  # of the corrections
SENTENCES_PER_GROUP = 120
WORDINGS = 2  # of each scene


@dataclass(frozen=True, slots=True)
class Measure:
    """One held-out macro-F1 of both models; `rows` is None of a mean over sets."""

    name: str
    rows: int | None
    old: float
    new: float

    @property
    def difference(self) -> float:
        return round(self.new - self.old, 4)

    @property
    def decides(self) -> bool:
        """Whether it may refuse a model: means, all sets together, and what is large enough."""
        return self.rows is None or self.rows >= LEAST_ROWS or self.name.endswith(" held_out")

    @property
    def lost(self) -> bool:
        return self.decides and self.difference < -LARGEST_DROP


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Measure]:
    """Every macro-F1 that both have."""
    after = dict(_all(new))
    return [
        Measure(name, scores.get("rows"), scores["macro_f1"], after[name]["macro_f1"])
        for name, scores in _all(old)
        if name in after
    ]


def refusal(measures: Iterable[Measure], learnt: int, corrections: int) -> str:
    """Why a model that answers `learnt` of the corrections is not good enough; empty when it is."""
    lost = dict.fromkeys(f"{one.name} {one.old:.3f} to {one.new:.3f}" for one in measures if one.lost)
    if lost:
        return f"macro-F1 falls by more than {LARGEST_DROP}: {', '.join(lost)}"
    if learnt < corrections * LEAST_LEARNT:
        return f"only {learnt} of {corrections} corrections were learnt"
    return ""


def table(measures: Iterable[Measure]) -> str:
    """Old, new and difference, for people."""
    lines = [f"{'held out':45} {'rows':>6} {'old':>7} {'new':>7} {'difference':>10}"]
    for one in measures:
        mark = "  too much" if one.lost else "" if one.decides else "  (small: counts only with the others)"
        rows = "" if one.rows is None else str(one.rows)
        lines.append(f"{one.name:45} {rows:>6} {one.old:7.3f} {one.new:7.3f} {one.difference:+10.4f}{mark}")
    return "\n".join(lines)


def scores(directory: Path, sets: Sequence[HeldOut], say: Say) -> dict[str, Any]:
    """The scores of the model in `directory`, which is the one in use afterwards."""
    triage.load(directory)
    return scores_of(sets, Model.load(directory), say)


def right(given: Sequence[Correction], task: str) -> int:
    """How many of the texts the model in use answers as people said."""
    return sum(getattr(triage.label(Record(text=one.text)), task) == one.label(task) for one in given)


def without(sets: Iterable[HeldOut], given: Iterable[Correction]) -> list[HeldOut]:
    """The sets without texts that were corrected: a model that learnt them is not judged on them."""
    learnt = {same(one.text) for one in given}
    kept = [replace(one, rows=[row for row in one.rows if same(row.text) not in learnt]) for one in sets]
    return [one for one in kept if one.rows]


def own_sentences() -> tuple[list[str], list[HeldOut]]:
    """Sentences of the project's own writing: some to hold a model in place, the others to judge it by.

    The shipped model has learnt from them: they show what a new one forgets, not how good it is.
    """
    steady: list[str] = []
    judged: dict[str, list[Row]] = {"category": [], "sentiment": []}
    for language, category, sentiment, text in (*sentences(SENTENCES_PER_GROUP), *scenes(WORDINGS)):
        if fingerprint(text) % 2:
            steady.append(text)
        else:
            judged["category"].append(Row(text, category, language, "sentences"))
            judged["sentiment"].append(Row(text, sentiment, language, "sentences"))
    return steady, [HeldOut(task, "own sentences", rows, foreign=True) for task, rows in judged.items()]


def declared_sets(declared: Sequence[Correction]) -> list[HeldOut]:
    """What senders themselves said of their feedback, as sets to judge by."""
    sets = []
    for task in ("category", "sentiment"):
        rows = [
            Row(one.text, str(one.label(task)), one.language or "", "declared")
            for one in of_task(declared, task)
        ]
        if rows:
            sets.append(HeldOut(task, "declared by senders", rows, foreign=True))
    return sets


def _all(result: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from sets_of(result)
    for task, languages in result["languages"].items():
        for name, found in languages.items():
            yield f"{task} in {name}", found
