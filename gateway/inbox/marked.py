"""The words that decided, marked in the title and the text of a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

from gateway.inbox.i18n import _

SHOWN = 6  # parts of an explanation that a page shows
Marks = dict[str, list[tuple[int, int, str]]]  # of a field: from, to, and the label it speaks for


def marks_of(row: Mapping[str, Any]) -> Marks:
    """Where words stand that speak for the labels of a record, of those that its page shows."""
    marks: Marks = {"title": [], "text": []}
    for label in ("category", "sentiment"):
        for part in row["explanation"][label][:SHOWN]:
            for span in part["spans"] if part["weight"] > 0 else ():
                marks[span["field"]].append((span["start"], span["end"], label))
    if row["text"].startswith(row["title"].rstrip("…")):  # the title is the text, or begins it
        marks["title"] += marks["text"]
    return marks


def marked(text: str, marks: Iterable[tuple[int, int, str]]) -> Markup:
    """A text for a page, with those of its words marked and the rest as it is."""
    changes: dict[int, list[tuple[str, int]]] = {0: [], len(text): []}
    for start, end, label in marks:
        if start < len(text):
            changes.setdefault(start, []).append((label, 1))
            changes.setdefault(min(end, len(text)), []).append((label, -1))
    parts, here = list[Markup](), Counter[str]()  # by label, how many marks there are at a place
    for start, end in pairwise(sorted(changes)):
        for label, more in changes[start]:
            here[label] += more
        said = ", ".join(_(label) for label in sorted(+here))
        form = '<mark title="{1}">{0}</mark>' if said else "{0}"
        parts.append(Markup(form).format(escape(text[start:end]), said))
    return Markup("").join(parts)
