"""Learns what people overruled: makes a model with their corrections, compares, installs or refuses.

Two ways to make it: anew from a data directory with the corrections among its texts (minutes), or from
the shipped model, moved as little as the corrections need (seconds, no data; see refit). Either is judged
by the same gate against the model that is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from gateway import triage
from gateway.triage.model import SHIPPED, Model, ModelError
from gateway.triage.training import gate
from gateway.triage.training.corrections import TASKS, Correction, of_task, to_measure, training_rows
from gateway.triage.training.export import digests, export
from gateway.triage.training.heldout import HeldOut, held_out_sets
from gateway.triage.training.install import install
from gateway.triage.training.refit import refit
from gateway.triage.training.train import Say, Trained, train

STIFFNESS = (0.1, 0.3, 1.0)  # tried in this order: the first that the gate lets pass


class Maker(Protocol):
    """One way to make a model that has learnt corrections."""

    def tries(self) -> Sequence[float]:
        """The strengths to try until one is accepted."""
        ...

    def make(self, given: Sequence[Correction], strength: float, into: Path) -> None:
        """Writes a model into a directory."""
        ...


class Adjusting:
    """The shipped model, moved."""

    def __init__(self, steady: Sequence[str]) -> None:
        self.steady = steady

    def tries(self) -> Sequence[float]:
        return STIFFNESS

    def make(self, given: Sequence[Correction], strength: float, into: Path) -> None:
        refit(SHIPPED, given, self.steady, into, strength)


class Training:
    """A model anew, from data and corrections; what the second one shares with the first is kept."""

    def __init__(self, data: Path, model: Model, say: Say) -> None:
        self.data, self.model, self.say = data, model, say
        self.first: Trained | None = None

    def tries(self) -> Sequence[float]:
        return (1.0,)

    def make(self, given: Sequence[Correction], strength: float, into: Path) -> None:
        rows = training_rows(given, self.model)
        made = train(self.data, self.say, more=rows, like=self.first)
        self.first = self.first or made
        export(made, into, digests(self.data))


@dataclass(frozen=True, slots=True)
class Effect:
    """How many of some corrections a model answers as people said."""

    task: str
    corrections: str  # "learnt", or "held out": unknown to the model that was asked
    count: int
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `refusal` says why the model, `version`, was not installed; empty when it was."""

    refusal: str
    version: str
    old_version: str
    effects: list[Effect]
    measures: list[gate.Measure]

    def document(self) -> dict[str, Any]:
        """The outcome as JSON."""
        held = [asdict(one) | {"difference": one.difference, "too_much": one.lost} for one in self.measures]
        shown = {"installed": not self.refusal, "refusal": self.refusal}
        shown |= {"version": self.version, "old_version": self.old_version}
        return {**shown, "corrections": [asdict(one) for one in self.effects], "held_out": held}

    def __str__(self) -> str:
        lines = [f"old {self.old_version}, new {self.version}", "", "corrections answered as people said"]
        for one in self.effects:
            kind = f"{one.task}, {one.corrections}"
            lines.append(f"  {kind:25} {one.count:6} texts: old {one.old}, new {one.new}")
        return "\n".join([*lines, "", gate.table(self.measures)])


def learn(
    given: Sequence[Correction],
    declared: Sequence[Correction],
    data: Path | None,
    adjust: bool,
    out: Path,
    say: Say,
) -> Outcome:
    """Makes a model that has learnt `given` and installs it in `out` if it is good enough (see gate).

    `declared` are texts that senders labelled, to judge by. Without `data`, or with `adjust`, the shipped
    model is moved. Raises ModelError, and OSError, KeyError or ValueError for data that cannot be used.
    """
    installed = out if (out / "model.json").exists() else SHIPPED
    old = Model.load(installed)
    steady, sentences = gate.own_sentences()
    maker: Maker
    if data is None or adjust:
        if installed is out and "refit" not in old.card:
            raise ModelError(f"{out}: trained from data, so name --data to train it again, or another --out")
        maker = Adjusting(steady)
    else:
        maker = Training(data, old, say)
    sets = gate.without([*_judging(data, old, sentences, say), *gate.declared_sets(declared)], given)
    before = gate.scores(installed, sets, say)
    held = to_measure(given)
    groups = [(name, "learnt", of_task(given, name)) for name in TASKS]
    groups += [(name, "held out", of_task(held, name)) for name in TASKS]
    old_right = [gate.right(texts, name) for name, _, texts in groups]
    with TemporaryDirectory() as made:
        new_right = [0] * len(groups)
        if held:
            say(f"without {len(held)} corrections, to measure on those")
            maker.make([one for one in given if one not in held], maker.tries()[0], Path(made))
            triage.load(Path(made))
            new_right[len(TASKS) :] = [gate.right(texts, name) for name, _, texts in groups[len(TASKS) :]]
        for strength in maker.tries():
            say(f"with all {len(given)} corrections")
            maker.make(given, strength, Path(made))
            measures = gate.compare(before, gate.scores(Path(made), sets, _silent))
            new_right[: len(TASKS)] = [gate.right(texts, name) for name, _, texts in groups[: len(TASKS)]]
            refusal = gate.refusal(measures, sum(new_right[: len(TASKS)]), _labels(given))
            if not refusal:
                break
            say(f"not good enough: {refusal}")
        version = triage.version()
        if not refusal:
            install(Path(made), out, {"corrections": len(given)})
    effects = [
        Effect(name, kind, len(texts), *pair)
        for (name, kind, texts), pair in zip(groups, zip(old_right, new_right, strict=True), strict=True)
        if texts
    ]
    triage.load(SHIPPED)
    return Outcome(refusal, version, old.version, effects, measures)


def _labels(given: Sequence[Correction]) -> int:
    """How many labels people gave."""
    return sum(len(of_task(given, name)) for name in TASKS)


def _judging(data: Path | None, old: Model, sentences: list[HeldOut], say: Say) -> list[HeldOut]:
    if data is None:
        say("no --data: judged by the project's own sentences, which the shipped model knows")
        return sentences
    sets, remark = held_out_sets(data, old.card["data"])
    if remark:
        say(remark)
    return sets


def _silent(message: str) -> None:
    """Says nothing: the sets were named once."""
