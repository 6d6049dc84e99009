"""The training texts of every question, put together from the sets, the seeds and translated copies."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.triage import features
from gateway.triage.training import rows as sources
from gateway.triage.training.rows import Row
from gateway.triage.training.translation import LANGUAGES as TRANSLATED
from gateway.triage.training.translation import Translator

SEEDS_PER_GROUP = 700
# Own sentences count more where sentiment is learnt: most labelled moods are those of tweets and of code.
MOOD_WEIGHT, ENGLISH_MOOD_WEIGHT, KIND_MOOD_WEIGHT = 1.5, 2.3, 2.5
SHORT_WORDS, SHORT_WEIGHT = 3, 1.5  # of the kinds: the category of few words must be known by these
COPY_WEIGHT = 0.3  # of translated reviews: more would pull the English ones off their mark
SEVERE = {"blocker": "severe", "critical": "severe", "major": "severe", "minor": "minor", "trivial": "minor"}
# Where talk comes from that has its own idea of what is neutral: technical talk, and tweets.
DOMAINS = {
    "senti4sd": "so",
    "se_javalib": "so",
    "se_github": "github",
    "se_pr": "github",
    "se_jira": "jira",
    "umsab": "tweet",
    "tweeteval": "tweet",
    "potts": "tweet",
}
EXPERTS = ("so", "github", "jira", "tweet")
TECHNICAL = ("so", "github", "jira")
NEIGHBOUR_WEIGHT = 0.1
DOMAIN_WEIGHTS = {"senti4sd": 7.0, "se_jira": 2.0}  # the smaller ones would be taken for the larger
EXPERT_WEIGHTS = {"se_pr": 0.3, "se_javalib": 0.1, "tweeteval": 0.3, "potts": 0.3}


@dataclass(frozen=True)
class Pools:
    """Rows by question; `label` is the answer. `held` are unseen rows to fit the temperatures on."""

    train: dict[str, list[Row]]
    held: dict[str, list[Row]]
    issues: list[Row]


def read_pools(data: Path, leave_out: Iterable[str] = ()) -> Pools:
    """The texts of every question; `leave_out` names sets to do without."""
    out = set(leave_out)
    translators = {name: Translator(data / "lexicon_en_xx.csv", name) for name in TRANSLATED}
    seeds = list(sources.seed_rows(SEEDS_PER_GROUP))
    plain_seeds = [row for row, _ in seeds]
    labelled = _without(sources.category_sets(data), out)
    category = _learnt({**labelled, **sources.weak_category_sets(data)}, out)
    for row in translated(category, translators, 0.6):
        category.append(replace(row, weight=row.weight * (COPY_WEIGHT if row.source in labelled else 1.0)))
    templates = sources.read(data / "cat_templates_nl.csv")
    category += [replace(row, source="templates_nl", weight=0.4) for row in templates]
    category += [category_row(row) for row in plain_seeds]
    moods = _without(sources.sentiment_sets(data), out)
    sentiment = _learnt(moods, out)
    copies = translated(sentiment, translators, 0.35)
    # Translated texts keep English words that were not in the list: they would teach that English is French.
    language = [replace(row, label=row.language, weight=1.0) for row in (*sentiment, *plain_seeds)]
    titles = [row for row in sources.read(data / "sev_bugzilla_titles.csv") if row.label in SEVERE]
    severity = [replace(row, label=SEVERE[row.label]) for row in titles]
    severe_held = [row for row in severity if sources.held_out(row)]
    severity = sources.training_part(severity)
    issues = sources.issue_rows(data)
    pool = {
        "category": category,
        "sentiment": sentiment + copies + [mood_row(row, mood) for row, mood in seeds],
        "language": _even(language, 9000),
        "severity": severity + translated(severity, translators, 0.15),
        "domain": _domains(sentiment, category + copies, issues),
        **{f"sentiment_{name}": expert_rows(sentiment, name) for name in EXPERTS},
    }
    held_sentiment = _held(moods)
    held = {  # of `so` too little is held out to say
        "category": _held(labelled),
        "sentiment": [row for row in held_sentiment if row.source not in DOMAINS],
        "severity": severe_held,
        **{
            f"sentiment_{name}": [row for row in held_sentiment if DOMAINS.get(row.source) == name]
            for name in EXPERTS
            if name != "so"
        },
    }
    return Pools(pool, held, issues)


def category_row(row: Row) -> Row:
    """One of the project's own sentences with its category."""
    short = row.source == "kinds" and len(row.text.split()) <= SHORT_WORDS
    return replace(row, weight=row.weight * SHORT_WEIGHT) if short else row


def mood_row(row: Row, mood: str) -> Row:
    """One of the project's own sentences with its sentiment."""
    more = ENGLISH_MOOD_WEIGHT if row.language == "en" else MOOD_WEIGHT
    if row.source != "seeds":
        more = KIND_MOOD_WEIGHT
    return replace(row, label=mood, weight=row.weight * more)


def _without(sets: dict[str, list[Row]], out: set[str]) -> dict[str, list[Row]]:
    return {name: rows for name, rows in sets.items() if name not in out}


def _learnt(sets: dict[str, list[Row]], out: set[str]) -> list[Row]:
    rows = (row for rows in _without(sets, out).values() for row in rows)
    return sources.training_part(sources.distinct(rows))


def _held(sets: dict[str, list[Row]]) -> list[Row]:
    rows = (row for rows in sets.values() for row in rows)
    return [row for row in sources.distinct(rows) if sources.held_out(row)]


def expert_rows(rows: list[Row], domain: str) -> list[Row]:
    """What one expert learns from: its domain, weaker sources counting less, and a little of like domains."""
    chosen = []
    for row in rows:
        home = DOMAINS.get(row.source)
        if home == domain:
            chosen.append(replace(row, weight=EXPERT_WEIGHTS.get(row.source, 1.0)))
        elif home in TECHNICAL and domain in TECHNICAL:
            chosen.append(replace(row, weight=NEIGHBOUR_WEIGHT))
    return chosen


def domain_row(row: Row) -> Row:
    """A row labelled with the domain of its source."""
    return replace(row, label=DOMAINS[row.source], weight=DOMAIN_WEIGHTS.get(row.source, 1.0))


def _domains(sentiment: list[Row], general: list[Row], issues: list[Row]) -> list[Row]:
    """Texts labelled with where they come from: one of DOMAINS, `issue`, or `general`."""
    rows = [domain_row(row) for row in sentiment if row.source in DOMAINS]
    others = [row for row in sentiment if row.source not in DOMAINS and row.source != "se_codereview"]
    apart = (*DOMAINS, "seeds", "kinds", "composed", "weak_praise", "weak_question", "weak_other", "weak_bug")
    apart += ("vscode_titles", "nlbse_titles")
    plain = [row for row in general if row.source not in apart]
    dice = random.Random(7)
    everyday = dice.sample(others, min(12_000, len(others))) + dice.sample(plain, min(18_000, len(plain)))
    rows += [replace(row, label="general", weight=1.0) for row in everyday]
    rows += [replace(row, label="general", weight=3.0) for row in general if row.source == "seeds"]
    rows += [replace(row, label="issue", weight=3.0) for row in issues]
    # Short reports of users sound technical, too, but are neutral for other reasons.
    return rows + [replace(row, label="general", weight=1.0) for row in general if row.source == "kinds"]


def _even(rows: list[Row], most: int) -> list[Row]:
    """At most `most` rows of each language, drawn evenly."""
    dice = random.Random(5)
    chosen: list[Row] = []
    for language in features.LANGUAGES:
        same = [row for row in rows if row.language == language]
        chosen += same if len(same) <= most else dice.sample(same, most)
    return chosen


def translated(rows: list[Row], translators: dict[str, Translator], share: float) -> list[Row]:
    """Word-by-word copies of `share` of the short English rows, in every language."""
    dice = random.Random(11)
    short = [row for row in rows if row.language == "en" and len(row.text) < 220]
    copies: list[Row] = []
    for language, translator in translators.items():
        for row in dice.sample(short, int(len(short) * share)):
            copies.append(replace(row, text=translator.translate(row.text, dice), language=language))
    return copies
