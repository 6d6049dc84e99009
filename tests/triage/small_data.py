"""A data directory as `train` expects it, of the project's own sentences, every file small."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from gateway.triage.training.seeds import sentences

CATEGORY = ("maalej", "gplay8000", "vu_appstore", "scalabrino_rq1")
SENTIMENT = (
    "android_apps vu_appstore tweeteval potts germeval2017_dev pattern_nl pattern_fr pattern_de absa16_nl "
    "se_github se_jira se_pr se_javalib se_codereview"
)


def write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def make(directory: Path) -> Path:
    """Writes every file of the recipe into `directory`."""
    seeds = [row for row in sentences(60) if row[0] in ("en", "nl")]
    for index, name in enumerate(CATEGORY):
        chosen = seeds[index::5]
        write(
            directory / f"cat_{name}.csv",
            ({"text": t, "label": c, "lang": s, "source": name} for s, c, _, t in chosen),
        )
    for index, name in enumerate(SENTIMENT.split()):
        rows = [
            {"text": f"{t} {name}", "label": m, "lang": s, "source": name, "fold": str(number % 2)}
            for number, (s, _, m, t) in enumerate(seeds[index::4])
        ]
        write(directory / f"sent_{name}.csv", rows)
    for name in ("sent_senti4sd", "sent_umsab", "cat_nlbse24", "cat_vscode_kong", "cat_templates_nl"):
        rows = []
        for number, (language, category, mood, text) in enumerate(seeds[::2]):
            sentiment = name.startswith("sent")
            if not sentiment and category not in ("bug", "feature", "question"):
                continue
            label = mood if sentiment else category
            split = "test" if number % 3 == 0 else "train"
            spoken = ("en", "de", "fr", "es")[number % 4] if name == "sent_umsab" else language
            body = text if sentiment else f"{text}\n### Steps\n{text} {text}"
            rows.append({"text": body, "label": label, "lang": spoken, "source": name, "split": split})
            rows[-1] |= {"repo": f"repo{number % 5}"} if name == "cat_nlbse24" else {}
        write(directory / f"{name}.csv", rows)
    levels = ("blocker", "critical", "major", "minor", "trivial", "normal")
    bugs = [text for _, category, _, text in seeds if category == "bug"]
    titles = ({"text": t, "label": levels[i % 6], "lang": "en", "source": "bugs"} for i, t in enumerate(bugs))
    write(directory / "sev_bugzilla_titles.csv", titles)
    words = {"en": "crash", "nl": "crasht", "nl_score": "0.9", "de": "absturz|fehler", "de_score": "0.7|0.2"}
    words |= {"fr": "plante", "fr_score": "manual", "es": "", "es_score": ""}
    write(directory / "lexicon_en_xx.csv", [words])
    write(directory / "lexicon_valence.csv", [{"lang": "en", "term": "great", "valence": "0.8"}])
    return directory
