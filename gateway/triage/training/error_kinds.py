"""Texts that are easily taken for another kind, in tables of their own, and how a model does on each.

A table is a text file named after its kind; [nl bug negative] starts a group of lines that have this
language, category and sentiment. Nothing learns from them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapters.contract.record import Record
from gateway import triage
from gateway.triage.training.rows import Row

_HEADING = re.compile(r"\[(\w\w) (\w+) (\w+)\]")


def tables(path: Path) -> dict[str, list[tuple[Row, str]]]:
    """The tables of a directory by kind, each row labelled with its category, its sentiment beside it."""
    files = sorted(path.glob("*.txt")) if path.is_dir() else ()
    return {file.stem: rows for file in files if (rows := list(_table(file)))}


def _table(file: Path) -> Iterator[tuple[Row, str]]:
    language = category = sentiment = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if found := _HEADING.fullmatch(line):
            language, category, sentiment = found.groups()
        elif line and not line.startswith("# "):
            yield Row(line, category, language, file.stem), sentiment


def scores(path: Path) -> dict[str, Any]:
    """By kind: rows, and the shares that the model in use answers right, of categories by language, too."""
    result = {}
    for kind, table in tables(path).items():
        labels = triage.label_all([(Record(text=row.text), None) for row, _ in table])
        of_language = Counter(row.language for row, _ in table)
        answered = list(zip(table, labels, strict=True))
        right = Counter(row.language for (row, _), one in answered if one.category == row.label)
        moods = sum(one.sentiment == mood for (_, mood), one in answered)
        result[kind] = {
            "rows": len(table),
            "category": round(right.total() / len(table), 4),
            "sentiment": round(moods / len(table), 4),
            "languages": {name: round(right[name] / count, 4) for name, count in of_language.items()},
        }
    return result
