"""Praise, talk or a question whose clauses are read apart, too: what can be acted on wins.

"Lovely app, but the export is empty" is a bug to whoever mends it, though most of its words praise. Only
short texts that read as praise, question or talk are read a second time, all of a batch together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from gateway.triage.model import TOGETHER, Model, Scores
from gateway.triage.sentiment_experts import of_experts
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
    return score_all(model, [text])[0]


def score_all(model: Model, texts: Sequence[Text]) -> list[Scores]:
    """The scores of many texts, as `score` gives them one by one."""
    scores = model.score_all(texts)
    parts = ((at, some) for at, one in enumerate(scores) if (some := _apart(model, texts[at], one)))
    while these := list(islice(parts, TOGETHER)):
        _with_clauses(model, scores, these)
    return scores


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


def _apart(model: Model, text: Text, scores: Scores) -> list[Text]:
    """The clauses that are worth reading apart, as texts; none for most texts."""
    whole = likeliest(scores.category)
    if whole not in LEAST or len(text.tokens) > MOST_WORDS or text.script != "latin":
        return []
    if whole == "bug" and likeliest(scores.sentiment) != "positive":
        return []
    if model.reads_as_issue(text, scores.domain["issue"]):  # its expert reads all of it
        return []
    parts = clauses(text.tokens)
    if not 1 < len(parts) <= MOST_CLAUSES:
        return []
    return [replace(text, tokens=part, first=len(part), lines=1) for part in parts]


def _with_clauses(model: Model, scores: list[Scores], parts: Sequence[tuple[int, list[Text]]]) -> None:
    """Puts into the scores what can be acted on; the clauses of many texts are read together."""
    outputs = model.outputs([part for _, some in parts for part in some])
    chances = iter(model.chances(outputs, "category", ACTED_ON))
    chosen: list[tuple[int, str, int]] = []
    first = 0
    for at, some in parts:
        told = [dict(zip(ACTED_ON, next(chances), strict=True)) for _ in some]
        name, place = max(
            ((name, place) for place in range(len(some)) for name in ACTED_ON),
            key=lambda one: told[one[1]][one[0]],
        )
        if told[place][name] >= _least(scores[at], name):
            chosen.append((at, name, first + place))
        first += len(some)
    if chosen:
        read = model.scores(outputs, [place for _, _, place in chosen])
        for (at, name, _), clause in zip(chosen, read, strict=True):
            scores[at] = _mixed_scores(scores[at], name, clause)


def _least(scores: Scores, name: str) -> float:
    """How sure a clause has to be of what can be acted on, by what the whole text reads as."""
    annoyed = likeliest(scores.sentiment) == "negative"
    return LEAST[likeliest(scores.category)][name] - (LESS_IF_ANNOYED if name == "bug" and annoyed else 0.0)


def _mixed_scores(scores: Scores, name: str, clause: Scores) -> Scores:
    """The scores of a text one of whose clauses can be acted on as `name`."""
    bug = likeliest(scores.category) == "bug"
    category = scores.category if bug else _mixed(scores.category, clause.category)
    told = name == "bug" and not of_experts(scores.domain)  # those know whole comments, no clauses
    sentiment = _mixed(scores.sentiment, clause.sentiment) if told else scores.sentiment
    return replace(scores, category=category, sentiment=sentiment)


def _mixed(whole: dict[str, float], clause: dict[str, float]) -> dict[str, float]:
    return {name: (1 - SHARE) * chance + SHARE * clause[name] for name, chance in whole.items()}


def likeliest(chances: dict[str, float]) -> str:
    return max(chances, key=chances.__getitem__)
