"""Labelled texts and where they come from: the pools the models learn from, and what is kept apart.

A data directory holds CSV files with the columns text, label, lang, source and sometimes split, fold
or stars. Three kinds of rows are never trained on: official test splits, one row in ten of every pool
(chosen by the text itself, so copies of one text stay on one side), and a set that is left out whole.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

from gateway.triage.training.composed import composed
from gateway.triage.training.seeds import kinds, scenes, sentences

csv.field_size_limit(sys.maxsize)
_SPACES = re.compile(r"\W+")
HOLD_OUT = 10
# What the project's own patterns and scenes count, and what they count in English, which has labelled texts
# of real people; the other languages have little else.
PATTERN_WEIGHT, ENGLISH_PATTERN_WEIGHT = 1.0, 0.4
SCENE_WEIGHT, ENGLISH_SCENE_WEIGHT = 4.0, 1.3
# The kinds of error count more in English, where they stand against most of the reviews.
KIND_WEIGHT, ENGLISH_KIND_WEIGHT = 4.0, 5.0
COMPOSED_WEIGHT, ENGLISH_COMPOSED_WEIGHT = 1.2, 1.5
WORDINGS = 6  # of each scene
COMPOSED = 40  # of each pattern
# How a wish may begin, too: such rows would teach that wishes are questions.
_POLITE = re.compile(
    r"\W*(?:(?:can|could|would|will|may|might|should) (?!i\b)"
    r"|any (?:chance|plans?)|why (?:not|can't)|how about)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text. `weight` says how far its label is trusted."""

    text: str
    label: str
    language: str
    source: str
    weight: float = 1.0
    split: str = ""
    stars: str = ""
    repository: str = ""
    document: str = ""
    title: str = ""


def read(path: Path) -> list[Row]:
    """The rows of one CSV file; raises FileNotFoundError, or KeyError when a column is missing."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                row["text"] or "",
                row["label"],
                row["lang"],
                row["source"],
                split=row.get("split") or row.get("fold") or "",
                stars=row.get("stars") or "",
                title=row.get("title") or "",
                repository=row.get("repo") or "",
                document=row.get("doc") or "",
            )
            for row in csv.DictReader(file)
            if row["text"]
        ]


def fingerprint(text: str) -> int:
    """The same number for texts that differ only in case, marks and spaces."""
    return crc32(_SPACES.sub(" ", text.lower()).strip().encode("utf-8", "surrogatepass"))


def held_out(row: Row) -> bool:
    """Whether a row belongs to the tenth of its pool that no model is trained on.

    Sets with an official test split are judged on that, and give all other rows to the training.
    """
    if row.split in ("train", "val"):
        return False
    return fingerprint(row.document or row.text) % HOLD_OUT == 0


def _named(rows: Iterable[Row], source: str, weight: float = 1.0) -> list[Row]:
    return [replace(row, source=source, weight=weight) for row in rows]


def _title_only(row: Row) -> Row:
    title = row.title or row.text.partition("\n")[0]
    return replace(row, text=title[:200])


def category_sets(data: Path) -> dict[str, list[Row]]:
    """The app-review sets with categories, by name, every label one of the five."""
    maalej = read(data / "cat_maalej.csv")
    gplay = [row for row in read(data / "cat_gplay8000.csv") if row.label in ("bug", "feature")]
    scalabrino = [row for row in read(data / "cat_scalabrino_rq1.csv") if row.label != "usability"]
    return {
        "maalej": _named(maalej, "maalej", 2.0),
        "scalabrino_rq1": _named(scalabrino, "scalabrino_rq1", 2.0),
        "vu_appstore": _named(read(data / "cat_vu_appstore.csv"), "vu_appstore", 1.0),
        "gplay8000": _named(gplay, "gplay8000", 1.4),
    }


def weak_category_sets(data: Path) -> dict[str, list[Row]]:
    """Titles of issues, and rows whose category follows from another label (what short praise looks like)."""
    vscode = read(data / "cat_vscode_kong.csv")
    nlbse = [row for row in read(data / "cat_nlbse24.csv") if row.split == "train"]
    android = [row for row in read(data / "sent_android_apps.csv") if row.label == "positive"]
    praise = [replace(row, label="praise") for row in some(android, 2000)]
    asked = [
        replace(row, label="question")
        for name in ("sent_senti4sd.csv", "sent_se_javalib.csv")
        for row in read(data / name)
        if row.split != "test"
        and row.text.rstrip().endswith("?")
        and len(row.text) < 220
        and not _POLITE.match(row.text)
    ]
    jira = [row for row in read(data / "sent_se_jira.csv") if row.label == "neutral" and "?" not in row.text]
    tweets = [row for row in read(data / "sent_umsab.csv") if row.split == "train" and row.label == "neutral"]
    severe = ("critical", "major", "blocker")
    titles = [row for row in read(data / "sev_bugzilla_titles.csv") if row.label in severe]
    bugs = [replace(row, label="bug") for row in some(titles, 1500)]
    # Of other languages there are more tweets than anything else; many would make every sentence "other".
    tweets = [row for row in tweets if row.language == "en"] + [
        row for name in ("de", "fr", "es") for row in some([r for r in tweets if r.language == name], 150)
    ]
    other = [replace(row, label="other") for row in (*some(jira, 1000), *tweets)]
    return {
        "vscode_titles": _named((_title_only(row) for row in vscode), "vscode_titles", 0.6),
        "nlbse_titles": _named((_title_only(row) for row in nlbse), "nlbse_titles", 0.8),
        "weak_praise": _named(praise, "weak_praise", 0.4),
        "weak_question": _named(asked, "weak_question", 0.8),
        "weak_other": _named(other, "weak_other", 0.5),
        "weak_bug": _named(bugs, "weak_bug", 0.4),
    }


def issue_rows(data: Path) -> list[Row]:
    """Whole issue reports: bug, feature or question."""
    nlbse = [row for row in read(data / "cat_nlbse24.csv") if row.split == "train"]
    vscode = read(data / "cat_vscode_kong.csv")
    return [*_named(nlbse, "nlbse"), *_named(vscode, "vscode", 0.1)]


def sentiment_sets(data: Path) -> dict[str, list[Row]]:
    """The labelled sentiment sets by name, training parts only, every label one of the three."""
    sets: dict[str, list[Row]] = {}
    weights = {
        "senti4sd": 1.0,
        "se_github": 1.0,
        "se_jira": 1.0,
        "se_pr": 1.0,
        "se_javalib": 1.0,
        "se_codereview": 0.7,
        "android_apps": 0.5,
        "vu_appstore": 0.8,
        "umsab": 1.0,
        "tweeteval": 0.7,
        "potts": 0.4,
        "germeval2017_dev": 0.7,
        "pattern_nl": 0.8,
        "pattern_fr": 0.8,
        "pattern_de": 0.8,
        "absa16_nl": 1.0,
    }
    official = {fingerprint(row.text) for row in read(data / "sent_umsab.csv") if row.split == "test"}
    for name, weight in weights.items():
        rows = read(data / f"sent_{name}.csv")
        if name != "tweeteval":
            rows = [row for row in rows if row.split != "test"]
        rows = [row for row in rows if row.label in ("positive", "neutral", "negative")]
        sets[name] = _named((row for row in rows if fingerprint(row.text) not in official), name, weight)
    return sets


def seed_rows(per_group: int, wordings: int = WORDINGS) -> Iterator[tuple[Row, str]]:
    """The project's own sentences with their category, and their sentiment beside it."""
    for language, category, sentiment, text in sentences(per_group):
        weight = ENGLISH_PATTERN_WEIGHT if language == "en" else PATTERN_WEIGHT
        yield Row(text, category, language, "seeds", weight), sentiment
    for language, category, sentiment, text in scenes(wordings):
        weight = ENGLISH_SCENE_WEIGHT if language == "en" else SCENE_WEIGHT
        yield Row(text, category, language, "seeds", weight), sentiment
    for language, category, sentiment, text in kinds():
        weight = ENGLISH_KIND_WEIGHT if language == "en" else KIND_WEIGHT
        yield Row(text, category, language, "kinds", weight), sentiment
    for language, category, sentiment, text in composed(COMPOSED):
        weight = ENGLISH_COMPOSED_WEIGHT if language == "en" else COMPOSED_WEIGHT
        yield Row(text, category, language, "composed", weight), sentiment


def some(rows: list[Row], count: int) -> list[Row]:
    """A fixed sample: the rows with the smallest fingerprints."""
    return sorted(rows, key=lambda row: (fingerprint(row.text), row.text))[:count]


def training_part(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not held_out(row)]


def distinct(rows: Iterable[Row]) -> list[Row]:
    """The rows without repeats of the same text, the first one kept."""
    seen: dict[int, Row] = {}
    for row in rows:
        seen.setdefault(fingerprint(row.text + "|" + row.language), row)
    return list(seen.values())
