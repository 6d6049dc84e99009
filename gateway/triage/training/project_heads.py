"""Learns the head of one project: what its people corrected, and what they resolved as it was.

A logistic regression on top of the models' answers, its ridge a prior that nothing is different here, so that
one odd correction moves little. Of a few strengths the one that answers most of the texts it was not shown
(each fifth in turn) as people did is taken, among those that leave the general texts as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.triage import clauses
from gateway.triage.model import Model, Scores
from gateway.triage.project_head import TASKS, Head, Strength
from gateway.triage.tokenizer import Text
from gateway.triage.tokenizer import read as read_text
from gateway.triage.training.corrections import Correction, same
from gateway.triage.training.gate import LARGEST_DROP, LEAST_LEARNT, LEAST_ROWS
from gateway.triage.training.project_space import Lesson, Space
from gateway.triage.training.scoring import macro_f1

# From the boldest to the most careful.
STRENGTHS = (
    Strength(0.1, 0.25, 0.5),
    Strength(0.1, 0.3, 0.9),
    Strength(0.3, 0.3, 0.9),
    Strength(1.0, 0.4, 1.0),
)
LEAST = 5  # corrections of a question before it is learnt
FOLDS = 5
CONFIRMED = 0.3  # weight of a record that was resolved as it was; of a correction it is 1
OTHERS = 400  # general texts that the project's are told from


@dataclass(frozen=True, slots=True)
class General:
    """A text of no project that is judged by, and its label."""

    text: Text
    scores: Scores
    task: str
    label: str
    set: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of it: `data` is the head, None when it is not good enough, and `refusal` why."""

    data: bytes | None
    refusal: str
    version: str
    corrections: int
    confirmations: int
    measured: list[dict[str, Any]]

    def document(self) -> dict[str, Any]:
        """All but the head, as JSON."""
        return {
            "refusal": self.refusal,
            "version": self.version,
            "corrections": self.corrections,
            "confirmations": self.confirmations,
            "measured": self.measured,
        }


def lessons(
    model: Model, corrected: Sequence[Correction], confirmed: Sequence[Correction]
) -> tuple[list[Lesson], int]:
    """Corrections first, then what was confirmed and nobody corrected elsewhere; how many are the former."""
    said = {same(one.text) for one in corrected}
    given = [(one, 1.0) for one in corrected]
    given += [(one, CONFIRMED) for one in confirmed if same(one.text) not in said]
    texts = [read_text(one.text) for one, _ in given]
    scores = clauses.score_all(model, texts)
    made = [
        Lesson(text, score, {task: str(one.label(task)) for task in TASKS if one.label(task)}, weight)
        for (one, weight), text, score in zip(given, texts, scores, strict=True)
    ]
    return made, len(corrected)


def learn(
    model: Model,
    given: Sequence[Lesson],
    corrections: int,
    others: Sequence[Text],
    general: Sequence[General],
) -> Learnt:
    """The head that has learnt `given`, of which so many first ones are corrections, if one is good enough.

    `others` are texts that the project's are told from, and `general` those that must stay as they are.
    """
    counts = (corrections, len(given) - corrections)
    said = given[:corrections]
    tasks = [name for name in TASKS if sum(name in one.labels for one in said) >= LEAST]
    if not tasks:
        return Learnt(None, f"fewer than {LEAST} texts were corrected", "", *counts, [])
    space = Space(model, [one.text for one in given], others)
    answered = {name: _answered(space, given, name) for name in tasks}
    outputs = {name: _by_ridge(space, given, name, range(len(given))) for name in tasks}
    likeness = space.likeness(range(len(given)))
    refusals: list[str] = []
    for number in _boldest_first(answered):
        strength = STRENGTHS[number]
        chosen = {name: by[strength.ridge] for name, by in outputs.items()}
        data = space.head(chosen, likeness, dict.fromkeys(tasks, strength))
        version = f"h{hashlib.sha256(data).hexdigest()[:8]}"
        head = Head(version, data, model)
        told = [part for name in tasks for part in _effects(given, corrections, name, answered[name][number])]
        refusal = _worse(told) or _unlearnt(head, said, tasks) or _forgets(head, general, tasks)
        if not refusal:
            return Learnt(data, "", version, *counts, told)
        refusals.append(refusal)
    return Learnt(None, refusals[-1], "", *counts, told)


def _by_ridge(space: Space, given: Sequence[Lesson], task: str, shown: Sequence[int]) -> dict[float, Any]:
    """The weights that the shown texts ask for, by what they cost."""
    return {
        ridge: space.fit(given, task, shown, ridge) for ridge in dict.fromkeys(one.ridge for one in STRENGTHS)
    }


def _answered(space: Space, given: Sequence[Lesson], task: str) -> list[list[bool]]:
    """For each strength, which texts get their labels from a head that was not shown them."""
    found = [[False] * len(given) for _ in STRENGTHS]
    ours = [place for place, lesson in enumerate(given) if task in lesson.labels]
    for fold in range(FOLDS):
        shown = [place for place in ours if place % FOLDS != fold]
        if not shown:
            continue
        outputs, likeness = _by_ridge(space, given, task, shown), space.likeness(shown)
        for number, strength in enumerate(STRENGTHS):
            data = space.head({task: outputs[strength.ridge]}, likeness, {task: strength})
            head = Head("", data, space.model)
            for place in ours:
                if place % FOLDS == fold:
                    lesson = given[place]
                    found[number][place] = _right(head.moved(lesson.text, lesson.scores), lesson, task)
    return found


def _boldest_first(answered: dict[str, list[list[bool]]]) -> list[int]:
    """The numbers of the strengths, the one that answers most texts first; of two alike the more careful."""
    right = [sum(sum(by[number]) for by in answered.values()) for number in range(len(STRENGTHS))]
    return sorted(range(len(STRENGTHS)), key=lambda number: (-right[number], -number))


def _effects(
    given: Sequence[Lesson], corrections: int, task: str, answered: Sequence[bool]
) -> list[dict[str, Any]]:
    """How many texts are answered as people said, by the models and by a head that was not shown them."""
    found = []
    for name, places in (
        ("corrected", range(corrections)),
        ("confirmed", range(corrections, len(given))),
    ):
        ours = [place for place in places if task in given[place].labels]
        old = sum(_right(given[place].scores, given[place], task) for place in ours)
        new = sum(answered[place] for place in ours)
        found.append({"task": task, "texts": name, "count": len(ours), "old": old, "new": new})
    return found


def _unlearnt(head: Head, given: Sequence[Lesson], tasks: Sequence[str]) -> str:
    """Why a head has not learnt enough of the corrections; empty when it has."""
    asked = [(lesson, task) for lesson in given for task in tasks if task in lesson.labels]
    right = sum(_right(head.moved(one.text, one.scores), one, task) for one, task in asked)
    if right < len(asked) * LEAST_LEARNT:
        return f"only {right} of {len(asked)} corrections were learnt"
    return ""


def _worse(effects: Sequence[dict[str, Any]]) -> str:
    """Why a head does not help with texts that it was not shown; empty when it does."""
    old, new = (sum(one[name] for one in effects) for name in ("old", "new"))
    if new < old:
        count = sum(one["count"] for one in effects)
        return (
            f"of {count} texts that people labelled, held out, {new} are answered as they said, {old} before"
        )
    return ""


def _forgets(head: Head, general: Sequence[General], tasks: Sequence[str]) -> str:
    """Why a head changes too much of what has nothing to do with its project; empty when it does not."""
    for task in tasks:
        ours = [one for one in general if one.task == task]
        after = [head.moved(one.text, one.scores) for one in ours]
        names = dict.fromkeys(one.set for one in ours)
        sets = [[at for at, one in enumerate(ours) if one.set == name] for name in names]
        for places in (range(len(ours)), *(some for some in sets if len(some) >= LEAST_ROWS)):
            truth = [ours[at].label for at in places]
            old = macro_f1(truth, [_best(ours[at].scores, task) for at in places])
            new = macro_f1(truth, [_best(after[at], task) for at in places])
            if old - new > LARGEST_DROP:
                return f"macro-F1 falls by more than {LARGEST_DROP}: {task} held out {old:.3f} to {new:.3f}"
    return ""


def _best(scores: Scores, task: str) -> str:
    chances = scores.category if task == "category" else scores.sentiment
    return max(chances, key=chances.__getitem__)


def _right(scores: Scores, lesson: Lesson, task: str) -> bool:
    return _best(scores, task) == lesson.labels.get(task)
