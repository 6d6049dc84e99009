"""What people overruled, as texts to learn from: read, brought to one per text, and a share held out.

A text counts once, however often it came (numbers, case and marks make no other text), with the newest
answer. One text in five, chosen by the text itself, is kept from a first fit that only measures; what is
installed has learnt from all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from peewee import DatabaseError

from adapters.contract.record import Record
from gateway.triage import words_of
from gateway.triage.model import Model
from gateway.triage.tokenizer import read as read_text
from gateway.triage.training.rows import Row
from models.database.base import NoDatabase, close, connect, named
from models.database.sqlite import reason
from models.queries import corrections as overruled

TASKS = ("category", "sentiment")
HELD_SHARE = 5  # one in so many
ENOUGH = 20  # corrections before a share is held out
DECLARED = 2000  # records with labels of their senders are enough to judge by
WEIGHT = 1.0  # of a correction among training texts: moving the model does the rest


@dataclass(frozen=True, slots=True)
class Correction:
    """One text as triage reads it and what people say of it; None where nobody said otherwise."""

    text: str
    language: str | None
    category: str | None = None
    sentiment: str | None = None

    def label(self, task: str) -> str | None:
        return self.category if task == "category" else self.sentiment

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the share that measures."""
        return same(self.text) % HELD_SHARE == 0


def corrections(rows: Iterable[Mapping[str, Any]], *origins: str) -> list[Correction]:
    """The distinct texts among `rows` of feedback, the newest first, with the labels of these origins.

    Texts without a word teach nothing.
    """
    found: dict[int, Correction] = {}
    for row in rows:
        text = words_of(Record(text=row["text"], title=_own_title(row["title"], row["text"])))
        if not any(token[0].isalpha() for token in read_text(text).tokens):
            continue
        said = {task: row[task] for task in TASKS if row[f"{task}_origin"] in origins}
        known = found.get(same(text))
        if known is None:
            found[same(text)] = Correction(text, row["language"], **said)
        else:
            category, sentiment = (known.label(task) or said.get(task) for task in TASKS)
            found[same(text)] = Correction(known.text, known.language, category, sentiment)
    return list(found.values())


def read_labelled(
    database_url: str, workspace_id: str | None = None
) -> tuple[list[Correction], list[Correction]]:
    """What people overruled in a database, and what senders declared (the newest of it).

    Raises ValueError with one line when there is no database of ours.
    """
    try:
        connect(database_url, present=True)
    except NoDatabase as error:
        raise ValueError(str(error)) from None
    try:
        corrected = overruled.labelled("corrected", workspace_id)
        declared = overruled.labelled("declared", workspace_id, DECLARED)
    except DatabaseError as error:
        raise ValueError(f"database {named(database_url)}: {reason(error)}") from None
    finally:
        close()
    return corrections(corrected, "corrected"), corrections(declared, "declared")


def of_task(given: Iterable[Correction], task: str) -> list[Correction]:
    """Those that say something about one question."""
    return [one for one in given if one.label(task) is not None]


def to_measure(given: Sequence[Correction]) -> list[Correction]:
    """The share that measures; none when there are too few to spare any."""
    return [one for one in given if one.held_out] if len(given) >= ENOUGH else []


def training_rows(given: Iterable[Correction], model: Model) -> dict[str, list[Row]]:
    """Corrections as rows to train on, by question; experts get what `model` would ask them about."""
    rows: dict[str, list[Row]] = {"category": [], "sentiment": []}
    for one in given:
        text = read_text(one.text)
        domains = model.score(text).domain
        experts = [name for name in domains if f"sentiment_{name}" in model.classes]
        for task in TASKS:
            label = one.label(task)
            if label is None:
                continue
            row = Row(one.text, label, one.language or "en", "corrections", WEIGHT)
            rows[task].append(row)
            if task == "sentiment":
                for name in experts:
                    part = replace(row, weight=WEIGHT * domains[name])
                    rows.setdefault(f"sentiment_{name}", []).append(part)
            elif label in model.card["issue_classes"] and model.reads_as_issue(text, domains["issue"]):
                rows.setdefault("issue", []).append(row)
    return rows


def _own_title(title: str, text: str) -> str:
    """The title unless it was made from the text, whose first line it then is, cut at a word."""
    return "" if text.strip().startswith(title.removesuffix("…").rstrip()) else title


def same(text: str) -> int:
    """A number that texts share when triage reads the same words."""
    return crc32(" ".join(read_text(text).tokens).encode("utf-8", "surrogatepass"))
