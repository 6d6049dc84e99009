"""The labelled texts a model is judged on: never trained on, each set with the rule that kept it apart.

Of the sets the recipe learns from (gateway.triage.training.rows) that is the official test split, or the
tenth that training leaves alone. Any other CSV file is a set of its own: text, and either label and lang
or category, sentiment and language. What `label` says tells the question: one of the five categories (or
"rest" for neither bug nor feature), or one of the three sentiments; rows with other labels are no part.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.triage.training import rows as sources
from gateway.triage.training.model_file import digests
from gateway.triage.training.pools import SEVERE
from gateway.triage.training.rows import Row, held_out

TWEETS = ("en", "de", "fr", "es")
REST = "rest"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One set: `task` is category, sentiment or severity; `foreign` when the recipe does not know it."""

    task: str
    name: str
    rows: list[Row]
    foreign: bool = False


def held_out_sets(data: Path, learnt: Mapping[str, str]) -> tuple[list[HeldOut], str]:
    """The sets of a data directory or one CSV file, and a remark when the recipe's own are not all there.

    `learnt` has the digests of the files that the model was trained on, by name (from its card): of those
    only the held-out part counts. Raises FileNotFoundError for a directory without CSV files, KeyError
    for a file without the columns.
    """
    if data.is_file():
        return foreign_sets(data), ""
    found = digests(data)
    try:
        added = [one for name in found if name not in learnt for one in foreign_sets(data / name)]
        return recipe_sets(data) + added, ""
    except FileNotFoundError as error:
        missing = Path(error.filename or "").name
    sets = [
        one
        for name, digest in found.items()
        for one in foreign_sets(data / name, trained_on=learnt.get(name) == digest)
    ]
    if not sets:
        raise FileNotFoundError(f"no labelled texts in {data}")
    return sets, f"{data} has no {missing}: every file is judged as a set of its own"


def recipe_sets(data: Path) -> list[HeldOut]:
    """The held-out parts of the recipe's own sets; raises FileNotFoundError when a file is missing."""
    issues = [row for row in sources.read(data / "cat_nlbse24.csv") if row.split == "test"]
    sets = [HeldOut("category", "nlbse24_test", issues)]
    sets += _tenths("category", sources.category_sets(data))
    stack = [row for row in sources.read(data / "sent_senti4sd.csv") if row.split == "test"]
    sets.append(HeldOut("sentiment", "senti4sd_test", stack))
    tweets = [row for row in sources.read(data / "sent_umsab.csv") if row.split == "test"]
    for name in TWEETS:
        same = [row for row in tweets if row.language == name]
        sets.append(HeldOut("sentiment", f"umsab_{name}_test", same))
    sets += _tenths("sentiment", sources.sentiment_sets(data))
    bugs = sources.read(data / "sev_bugzilla_titles.csv")
    bugs = [replace(row, label=SEVERE[row.label]) for row in bugs if row.label in SEVERE]
    return [one for one in [*sets, *_tenths("severity", {"bugzilla": bugs})] if one.rows]


def _tenths(task: str, sets: dict[str, list[Row]]) -> list[HeldOut]:
    return [
        HeldOut(task, f"{name}_held_out", [row for row in rows if held_out(row)])
        for name, rows in sets.items()
    ]


def foreign_sets(path: Path, *, trained_on: bool = False) -> list[HeldOut]:
    """The sets of one CSV file by question, none when no row has a label we know; see the module."""
    rows: dict[str, list[Row]] = {"category": [], "sentiment": []}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            for label in (line.get("category"), line.get("sentiment"), line.get("label")):
                task = "category" if label in (*CATEGORIES, REST) else "sentiment"
                if label and line["text"] and (task == "category" or label in SENTIMENTS):
                    language = line.get("lang") or line.get("language") or ""
                    split = line.get("split") or ""
                    rows[task].append(Row(line["text"], label, language, path.stem, split=split))
    sets = []
    for task, labelled in rows.items():
        tested = [row for row in labelled if row.split == "test"]
        if not tested and trained_on:
            tested = [row for row in labelled if held_out(row)]
        if tested or (labelled and not trained_on):
            sets.append(HeldOut(task, path.stem, tested or labelled, foreign=True))
    return sets
