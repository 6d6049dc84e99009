"""Learns what people overruled: makes a model with their corrections, compares, installs or refuses.

A model is moved as little as the corrections need (see refit): the shipped one (seconds, no data), or one
trained anew from a data directory with the corrections among its texts (minutes). Either is judged by the
same gate against the model that is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway import triage
from gateway.triage.model import SHIPPED, Model, ModelError
from gateway.triage.training import gate
from gateway.triage.training.corrections import TASKS, Correction, of_task, to_measure, training_rows
from gateway.triage.training.heldout import HeldOut, held_out_sets
from gateway.triage.training.install import install
from gateway.triage.training.model_file import digests, export
from gateway.triage.training.refit import refit
from gateway.triage.training.train import Say, Trained, train

STIFFNESS = (0.1, 0.3, 1.0)  # tried in this order: the first that the gate lets pass
SHIPPED_MODEL = "shipped model"


class Adjusting:
    """Makes models of the shipped one, moved."""

    def __init__(self, steady: Sequence[str]) -> None:
        self.steady = steady

    def make(self, given: Sequence[Correction], stiffness: float, into: Path) -> None:
        """Writes a model that has learnt `given` into a directory."""
        refit(self.base(given), given, self.steady, into, stiffness)

    def base(self, given: Sequence[Correction]) -> Path:
        """The directory of the model to start from."""
        return SHIPPED


class Training(Adjusting):
    """Makes models anew, from data and corrections, and moves those."""

    def __init__(self, steady: Sequence[str], data: Path, old: Model, work: Path, say: Say) -> None:
        super().__init__(steady)
        self.data, self.old, self.work, self.say = data, old, work, say
        self.first: Trained | None = None
        self.made: dict[int, Path] = {}

    def base(self, given: Sequence[Correction]) -> Path:
        """A model trained with `given` among its texts, once; a later one shares what they do not change."""
        if len(given) not in self.made:
            trained = train(self.data, self.say, more=training_rows(given, self.old), like=self.first)
            self.first = self.first or trained
            self.made[len(given)] = self.work / f"trained-{len(given)}"
            export(trained, self.made[len(given)], digests(self.data))
        return self.made[len(given)]


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
    moving = data is None or adjust
    of_shipped = old.card.get("made_from") == SHIPPED_MODEL
    if moving and not of_shipped and old.version != Model.load(SHIPPED).version:
        raise ModelError(f"{out}: trained from data, so name --data to train it again, or another --out")
    sets = gate.without([*_judging(data, old, sentences, say), *gate.declared_sets(declared)], given)
    before = gate.scores(installed, sets, say)
    # A moved model starts from the shipped one each time, so small losses must not add up either.
    least = gate.scores(SHIPPED, sets, _silent) if moving and of_shipped else before
    held = to_measure(given)
    triage.load(installed)
    groups = [(name, "learnt", of_task(given, name)) for name in TASKS]
    groups += [(name, "held out", of_task(held, name)) for name in TASKS]
    old_right = [gate.right(texts, name) for name, _, texts in groups]
    with TemporaryDirectory() as directory:
        work, made = Path(directory), Path(directory, "made")
        maker = Adjusting(steady)
        if data is not None and not adjust:
            maker = Training(steady, data, old, work, say)
        new_right = [0] * len(groups)
        if held:
            say(f"without {len(held)} corrections, to measure on those")
            maker.make([one for one in given if one not in held], STIFFNESS[0], made)
            triage.load(made)
            new_right[len(TASKS) :] = [gate.right(texts, name) for name, _, texts in groups[len(TASKS) :]]
        for stiffness in STIFFNESS:
            say(f"with all {len(given)} corrections")
            maker.make(given, stiffness, made)
            after = gate.scores(made, sets, _silent)
            measures = gate.compare(before, after)
            new_right[: len(TASKS)] = [gate.right(texts, name) for name, _, texts in groups[: len(TASKS)]]
            both = [*measures, *gate.compare(least, after)]
            refusal = gate.refusal(both, sum(new_right[: len(TASKS)]), _labels(given))
            if not refusal:
                break
            say(f"not good enough: {refusal}")
        version = triage.version()
        if not refusal:
            origin = SHIPPED_MODEL if moving else "data"
            install(made, out, {"corrections": len(given), "made_from": origin})
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
