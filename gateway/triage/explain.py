"""Why a text got its labels: the words and signs that weighed most, for and against, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from adapters.contract.record import Record
from gateway.core.area_rules import LearntHead
from gateway.triage import clauses, features
from gateway.triage.arrays import Floats
from gateway.triage.harm import hear
from gateway.triage.located import Located
from gateway.triage.model import Model, Scores
from gateway.triage.phrases import Words
from gateway.triage.project_head import added, moved
from gateway.triage.tokenizer import Text, read
from gateway.triage.verdict import decide_category, decide_sentiment, decide_with_harm
from gateway.triage.wording import NUMBER, SIGNALS, Kind, Told, Wording, sentences, within

MOST_PARTS = 8
SMALLEST = 0.01
_QUOTED = re.compile(r': "([^"]+)"$')  # how a reason of an impact ends that quotes words
Parts = list[tuple[Told, Floats]]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (not included) of a record's `field`: its title or its text."""

    field: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Weight:
    """Words of the text, as it has them, or a sign in plain words; a positive weight speaks for the label."""

    name: str
    weight: float
    kind: Kind
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """Words as the text has them."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ImpactQuote(Quote):
    """Words that the reason of a `part` of the impact quotes."""

    part: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What decided category and sentiment, the heaviest first, and which expert was asked.

    `clause` carried the category where clauses were read apart, and `sentence` is the one of a report that
    speaks most for it. `impact` has the words that reasons of the impact quote, as they are written.
    """

    category: tuple[Weight, ...]
    category_by: str
    sentiment: tuple[Weight, ...]
    sentiment_by: str
    clause: Quote | None
    sentence: Quote | None
    impact: tuple[ImpactQuote, ...]


class _Reading(NamedTuple):
    """A text as a model read it, how much that counts, and its tokens as they know where they stand."""

    share: float
    text: Text
    tokens: Sequence[str]


class Clause(NamedTuple):
    """A clause that counts as much as clauses.SHARE, and as what it can be acted on; its tokens.

    It `carries` the category, unless it only tells how a bug sounds.
    """

    label: str
    tokens: slice
    carries: bool


def clause_of(model: Model, text: Text, scores: Scores) -> Clause | None:
    """The clause that changed what a text reads as to `scores`, as gateway.triage.clauses says; or None."""
    whole = model.score(text)
    if (whole.category, whole.sentiment) == (scores.category, scores.sentiment):
        return None
    parts = clauses.clauses(text.tokens)
    told = model.score_all([clauses.part_of(text, part) for part in parts])
    sure = {(name, place): one.category[name] for place, one in enumerate(told) for name in clauses.ACTED_ON}
    label, place = max(sure, key=sure.__getitem__)
    return Clause(label, parts[place], whole.category != scores.category)


class Explainer:
    """Explains one record, whose title and text are read as `words` has them, of a project with this head."""

    def __init__(self, model: Model, record: Record, words: Located, head: LearntHead | None) -> None:
        self._model, self._head = model, head
        # What the sender declared needs no words: explained is what would be said without it.
        self._record = replace(record, category=None, sentiment=None, sentiment_score=None)
        self._title = len(record.title)
        self._original = f"{record.title}\n{record.text}"
        self._located = read(words)
        self._text = read(str(words))

    def explain(self, reasons: Iterable[Any], given: Mapping[str, str]) -> Explanation:
        """The weights behind the predicted labels, against the mean of the other classes' weights.

        `reasons` are those of the record's impact, some of which quote words, `given` the labels that are
        explained instead.
        """
        model, text = self._model, self._text
        scores = clauses.score(model, text)
        apart = clause_of(model, text, scores)
        told, taught = scores, dict[str, dict[str, dict[str, float]]]()
        if self._head is not None:
            told, taught = moved(model, text, scores, self._head)[0], added(model, text, self._head)
        harm = told is scores and hear(Words.of(text.tokens, scores.hints)).harm
        decide = decide_with_harm if harm else decide_category
        category = given.get("category") or decide(self._record, text, told)[0]
        sentiment = given.get("sentiment") or decide_sentiment(self._record, text, told)[0]
        whole = _Reading(1.0, text, self._located.tokens)
        by_category = by_sentiment = [whole]
        clause = None
        if apart is not None:
            alone = clauses.part_of(text, apart.tokens)
            both = [
                whole._replace(share=1 - clauses.SHARE),
                _Reading(clauses.SHARE, alone, self._located.tokens[apart.tokens]),
            ]
            if apart.carries and category == apart.label:
                by_category, clause = both, self._quote(apart.tokens.start, apart.tokens.stop - 1)
            if apart.label == "bug":
                by_sentiment = both
        by = max(scores.domain, key=scores.domain.__getitem__)
        issue = by == "issue" and model.reads_as_issue(text, scores.domain["issue"])
        issue = issue and category in model.issue.classes
        sounds = self._parts(by_sentiment, scores)
        parts = sounds if by_category is by_sentiment else self._parts(by_category, scores)
        parts = self._issue_parts() if issue else parts
        start, classes = 0, model.issue.classes
        if not issue:
            start, classes = model.heads["category"][0], model.classes["category"]
        weighed = _weighed(
            [*parts, *self._taught(taught.get("category"), start, classes)], start, classes, category
        )
        mood = f"sentiment_{by}" if f"sentiment_{by}" in model.classes else "sentiment"
        start, classes = model.heads[mood][0], model.classes[mood]
        moods = _weighed(
            [*sounds, *self._taught(taught.get("sentiment"), start, classes)], start, classes, sentiment
        )
        return Explanation(
            category=self._heaviest(weighed),
            category_by="issue" if issue else "general",
            sentiment=self._heaviest(moods),
            sentiment_by=by if mood != "sentiment" else "general",
            clause=clause,
            sentence=self._sentence(weighed) if issue else None,
            impact=tuple(self._impact(reasons)),
        )

    def _parts(self, readings: Iterable[_Reading], scores: Scores) -> Parts:
        """What each feature of some readings adds to the outputs, with how it is told."""
        found = []
        for reading in readings:
            wording = Wording(self._original, reading.tokens)
            feelings = self._feelings(reading.tokens, scores.language)
            for name, row in self._model.parts(reading.text, scores.language):
                if told := wording.tell(name):
                    spans = told.spans or feelings.get(told.name, ())
                    found.append((told._replace(spans=spans), row * np.float32(reading.share)))
        return found

    def _taught(
        self, added: Mapping[str, Mapping[str, float]] | None, start: int, classes: list[str]
    ) -> Iterator[tuple[Told, Floats]]:
        """What a project has learnt of each token, as `_parts` has it."""
        wording = Wording(self._original, self._located.tokens)
        for token, labels in (added or {}).items():
            if told := wording.tell(str(token)):
                row = np.zeros(start + len(classes), np.float32)
                row[start:] = [labels[name] for name in classes]
                yield told, row

    def _feelings(self, tokens: Sequence[str], language: str) -> dict[str, tuple[tuple[int, int], ...]]:
        """Where the words stand that are counted as kind or unhappy."""
        known, found = self._model.lexicon.telling_in(language), dict[str, list[tuple[int, int]]]()
        for token in tokens:
            value = (known[str(token)] or ("", 0.0))[1]
            if value and isinstance(token, Located) and token.span and token[0].isalpha():
                phrase = SIGNALS["positive" if value > 0 else "negative"]
                found.setdefault(phrase, []).append(token.span)
        return {phrase: tuple(spans) for phrase, spans in found.items()}

    def _issue_parts(self) -> Parts:
        """The same of the expert on issue reports, which names first line and rest apart."""
        tokens, first = self._located.report(), self._located.first
        title = Wording(self._original, tokens[:first], features.TITLE)
        body = Wording(self._original, tokens[first:], features.BODY)
        told = (
            (title.tell(name) or body.tell(name), row) for name, row in self._model.issue.parts(self._text)
        )
        return [(said, row) for said, row in told if said]

    def _sentence(self, weighed: Iterable[tuple[Told, float]]) -> Quote | None:
        """The sentence whose words speak most for a label; None where there is only one."""
        tokens = self._located.report()
        wording, best, most = Wording(self._original, tokens), None, 0.0
        found = list(sentences(wording, self._original, tokens))
        for first, last in found if len(found) > 1 else ():
            quote = wording.quoted(first, last)
            if quote:
                start, end = quote.spans[0][0], quote.spans[-1][1]
                weight = sum(value for told, value in weighed if within(told.spans, start, end))
                if weight > most:
                    best, most = quote, weight
        return Quote(best.name, self._spans(best.spans)) if best else None

    def _quote(self, first: int, last: int) -> Quote | None:
        while first < last and self._located.tokens[last] == ".":
            last -= 1  # a comma, or a stop that nobody misses
        quote = Wording(self._original, self._located.tokens[first : last + 1]).quoted(0, last - first)
        return Quote(quote.name, self._spans(quote.spans)) if quote else None

    def _impact(self, reasons: Iterable[Any]) -> Iterator[ImpactQuote]:
        """The words that reasons of an impact quote, which they do without case and accents."""
        spoken = [NUMBER if token == "0" else str(token) for token in self._located.tokens]
        for reason in reasons:
            found = _QUOTED.search(reason["why"])
            words = [NUMBER if word == "0" else word for word in found[1].split()] if found else []
            for first in range(len(spoken) - len(words) + 1) if words else ():
                if spoken[first : first + len(words)] == words:
                    if quote := self._quote(first, first + len(words) - 1):
                        yield ImpactQuote(quote.name, quote.spans, reason["part"])
                    break

    def _heaviest(self, weighed: Iterable[tuple[Told, float]]) -> tuple[Weight, ...]:
        heaviest = sorted(weighed, key=lambda part: -abs(part[1]))[:MOST_PARTS]
        return tuple(
            Weight(told.name, round(weight, 3), told.kind, self._spans(told.spans))
            for told, weight in heaviest
            if abs(weight) >= SMALLEST
        )

    def _spans(self, spans: Iterable[tuple[int, int]]) -> tuple[Span, ...]:
        """Places in title and text; none reaches from one into the other."""
        found, body = [], self._title + 1
        for start, end in spans:
            if start < self._title:
                found.append(Span("title", start, min(end, self._title)))
            if end > body:
                found.append(Span("text", max(start, body) - body, end - body))
        return tuple(found)


def _weighed(parts: Parts, start: int, classes: list[str], label: str) -> list[tuple[Told, float]]:
    """How much all that is told in the same words speaks for `label`."""
    total: dict[tuple[str, str], float] = {}
    named: dict[tuple[str, str], Told] = {}
    chosen = classes.index(label)
    for told, outputs in parts:
        values = outputs[start : start + len(classes)]
        against = (float(np.sum(values)) - float(values[chosen])) / (len(classes) - 1)
        key = told.kind, told.name.casefold()
        known = named.setdefault(key, told)
        named[key] = known._replace(spans=tuple(dict.fromkeys((*known.spans, *told.spans))))
        total[key] = total.get(key, 0.0) + float(values[chosen]) - against
    return [(named[key], weight) for key, weight in total.items()]
