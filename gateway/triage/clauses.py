"""Praise, talk or a question whose clauses are read apart, too: what can be acted on wins.

"Lovely app, but the export is empty" is a bug to whoever mends it, though most of its words praise. Only
short texts that read as praise, question or talk are read a second time, all of a batch together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from gateway.triage.model import Model, Scores
from gateway.triage.tokenizer import Text

MOST_WORDS, MOST_CLAUSES = 60, 6
LEAST_WORDS = 2
ACTED_ON = ("bug", "feature")
# How sure a clause has to be of a bug or a wish, by what the whole text reads as; chosen on held-out reviews.
LEAST = {
    "praise": {"bug": 0.7, "feature": 0.7},
    "question": {"bug": 0.7, "feature": 0.7},
    "other": {"bug": 0.8, "feature": 0.8},
    "bug": {"bug": 0.5, "feature": 2.0},
}
LESS_IF_ANNOYED = 0.2  # what a bug needs less where the whole text sounds negative
SHARE = 0.65  # of the clause in the answer
# Words that turn from praise to what is amiss or missing; a clause begins with them.
_TURNS = """
but however though although except unfortunately only sadly yet
maar helaas alleen behalve toch jammer echter hoewel ofschoon
aber leider nur allerdings jedoch schade trotzdem obwohl ausser
mais malheureusement seulement sauf pourtant dommage helas cependant toutefois
pero aunque lastima salvo solo excepto embargo
"""
TURNS = frozenset(_TURNS.split())


def score(model: Model, text: Text) -> Scores:
    """The scores of one text, its clauses read apart where that may tell more."""
    return _acted_on(model, [text], [model.score(text)])[0]


def score_all(model: Model, texts: Sequence[Text]) -> list[Scores]:
    """The scores of many texts, as `score` gives them one by one."""
    return _acted_on(model, texts, model.score_all(texts))


def clauses(tokens: Sequence[str]) -> list[list[str]]:
    """The clauses of a text, each with its marks; what is too short to say anything goes with the next."""
    found: list[list[str]] = [[]]
    words = 0
    for token in tokens:
        if token in TURNS and words >= LEAST_WORDS:
            found.append([])
            words = 0
        found[-1].append(token)
        if token[0] in ".!?" and words >= LEAST_WORDS:
            found.append([])
            words = 0
        words += token[0].isalpha()
    if len(found) > 1 and words < LEAST_WORDS:
        rest = found.pop()
        found[-1] += rest
    return found


def _acted_on(model: Model, texts: Sequence[Text], scores: list[Scores]) -> list[Scores]:
    """The scores with what can be acted on; the clauses of all texts are read together, which costs less."""
    parts = {at: some for at, one in enumerate(scores) if (some := _apart(model, texts[at], one))}
    told = iter(model.score_all([part for some in parts.values() for part in some]) if parts else ())
    for at, some in parts.items():
        scores[at] = _with_clauses(scores[at], list(islice(told, len(some))))
    return scores


def _apart(model: Model, text: Text, scores: Scores) -> list[Text]:
    """The clauses that are worth reading apart, as texts; none for most texts."""
    whole = max(scores.category, key=scores.category.__getitem__)
    if whole not in LEAST or len(text.tokens) > MOST_WORDS or text.script != "latin":
        return []
    if whole == "bug" and max(scores.sentiment, key=scores.sentiment.__getitem__) != "positive":
        return []
    if model.reads_as_issue(text, scores.domain["issue"]):  # its expert reads all of it
        return []
    parts = clauses(text.tokens)
    if not 1 < len(parts) <= MOST_CLAUSES:
        return []
    return [replace(text, tokens=part, first=len(part), lines=1) for part in parts]


def _with_clauses(scores: Scores, told: Sequence[Scores]) -> Scores:
    whole = max(scores.category, key=scores.category.__getitem__)
    sure = {(name, place): one.category[name] for place, one in enumerate(told) for name in ACTED_ON}
    name, place = max(sure, key=sure.__getitem__)
    annoyed = max(scores.sentiment, key=scores.sentiment.__getitem__) == "negative"
    if sure[name, place] < LEAST[whole][name] - (LESS_IF_ANNOYED if name == "bug" and annoyed else 0.0):
        return scores
    clause = told[place]
    category = _mixed(scores.category, clause.category) if whole != "bug" else scores.category
    sentiment = _mixed(scores.sentiment, clause.sentiment) if name == "bug" else scores.sentiment
    return replace(scores, category=category, sentiment=sentiment)


def _mixed(whole: dict[str, float], clause: dict[str, float]) -> dict[str, float]:
    return {name: (1 - SHARE) * chance + SHARE * clause[name] for name, chance in whole.items()}
