"""Praise, talk or a question whose clauses are read apart, too: what can be acted on wins.

"Lovely app, but the export is empty" is a bug to whoever mends it, though most of its words praise. Only
short texts that read as praise, question or talk are read a second time, all of a batch together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, starmap

from gateway.triage.model import TOGETHER, Model, Outputs, Scores
from gateway.triage.sentiment_experts import of_experts
from gateway.triage.tokenizer import ENDS, Text

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
LEAST_OF_ALL = min(map(min, (least.values() for least in LEAST.values()))) - LESS_IF_ANNOYED
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
_PARTS = TURNS | ENDS


def score(model: Model, text: Text) -> Scores:
    """The scores of one text, its clauses read apart where that may tell more."""
    return score_all(model, [text])[0]


def score_all(model: Model, texts: Sequence[Text]) -> list[Scores]:
    """The scores of many texts, as `score` gives them one by one."""
    scores: list[Scores] = []
    for start in range(0, len(texts), TOGETHER):
        scores += _score_together(model, texts[start : start + TOGETHER])
    return scores


def clauses(tokens: Sequence[str]) -> list[slice]:
    """The places of a text's clauses, each with its marks.

    What is too short to say anything goes with the next.
    """
    if _PARTS.isdisjoint(tokens):  # as of most short texts
        return [slice(0, len(tokens))]
    ends, start = [0], 0
    for place in [place for place, token in enumerate(tokens) if token in _PARTS]:
        if _says(tokens, start, place):
            start = place if tokens[place] in TURNS else place + 1
            ends.append(start)
    if len(ends) == 1 or _says(tokens, start, len(tokens)):
        ends.append(len(tokens))
    else:
        ends[-1] = len(tokens)
    return [*starmap(slice, pairwise(ends))]


def _says(tokens: Sequence[str], start: int, end: int) -> bool:
    """Whether there are words enough between two places to say anything."""
    words = 0
    for token in tokens[start:end]:
        words += token[0].isalpha()
        if words == LEAST_WORDS:
            return True
    return False


def _score_together(model: Model, texts: Sequence[Text]) -> list[Scores]:
    """The scores of texts whose words are summed together, and then those of their clauses."""
    outputs = model.outputs(texts)
    scores = model.scores(outputs)
    apart = [(at, some) for at, text in enumerate(texts) if (some := _apart(model, text, scores[at]))]
    if apart:
        _with_clauses(model, outputs, scores, apart)
    return scores


def _apart(model: Model, text: Text, scores: Scores) -> list[slice]:
    """The places of the clauses that are worth reading apart; none for most texts."""
    if len(text.tokens) > MOST_WORDS or text.script != "latin":
        return []
    whole = likeliest(scores.category)
    if whole not in LEAST or (whole == "bug" and likeliest(scores.sentiment) != "positive"):
        return []
    if model.reads_as_issue(text, scores.domain["issue"]):  # its expert reads all of it
        return []
    parts = clauses(text.tokens)
    return parts if 1 < len(parts) <= MOST_CLAUSES else []


def _with_clauses(
    model: Model, whole: Outputs, scores: list[Scores], apart: Sequence[tuple[int, list[slice]]]
) -> None:
    """Puts into the scores what can be acted on; the clauses of many texts are read together."""
    parts = [(at, part) for at, some in apart for part in some]
    outputs = model.outputs_of_parts(whole, [part_of(whole.texts[at], part) for at, part in parts], parts)
    chances = model.chances(outputs, "category", ACTED_ON)
    chosen: list[tuple[int, str, int]] = []
    first = 0
    for at, some in apart:
        told = chances[first : first + len(some)]
        surest = max(map(max, told))
        if surest >= LEAST_OF_ALL:  # as few are
            place = next(place for place, chance in enumerate(told) if surest in chance)
            name = ACTED_ON[told[place].index(surest)]
            if surest >= _least(scores[at], name):
                chosen.append((at, name, first + place))
        first += len(some)
    if chosen:
        read = model.readings(outputs, [place for _, _, place in chosen])
        for (at, name, _), clause in zip(chosen, read, strict=True):
            scores[at] = _mixed_scores(scores[at], name, *clause)


def part_of(text: Text, part: slice) -> Text:
    """Some tokens of a text as a text of one line."""
    tokens = text.tokens[part]
    return Text(
        tokens,
        len(tokens),
        text.full,
        text.raw_length,
        1,
        text.markdown,
        text.shouting,
        text.has_code,
        text.has_trace,
        text.script,
    )


def _least(scores: Scores, name: str) -> float:
    """How sure a clause has to be of what can be acted on, by what the whole text reads as."""
    annoyed = likeliest(scores.sentiment) == "negative"
    return LEAST[likeliest(scores.category)][name] - (LESS_IF_ANNOYED if name == "bug" and annoyed else 0.0)


def _mixed_scores(
    scores: Scores, name: str, category: dict[str, float], sentiment: dict[str, float]
) -> Scores:
    """The scores of a text one of whose clauses, of such probabilities, can be acted on as `name`."""
    bug = likeliest(scores.category) == "bug"
    told = name == "bug" and not of_experts(scores.domain)  # those know whole comments, no clauses
    return replace(
        scores,
        category=scores.category if bug else _mixed(scores.category, category),
        sentiment=_mixed(scores.sentiment, sentiment) if told else scores.sentiment,
    )


def _mixed(whole: dict[str, float], clause: dict[str, float]) -> dict[str, float]:
    return {name: (1 - SHARE) * chance + SHARE * clause[name] for name, chance in whole.items()}


def likeliest(chances: dict[str, float]) -> str:
    return max(chances, key=chances.__getitem__)
