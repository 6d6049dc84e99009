"""How much a piece of feedback matters, 0 to 14, as a sum of four parts that each say why.

    severity   0..5   how bad it is for whoever meets it: declared by the sender, else from category and words
    sentiment  0..3   how negative it is
    reach      0..3   how many reported it, or say they are hit
    area       0..3   where it is: rules on page, url, product, tags and words

More of any part never lowers the sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from adapters.contract.record import SENTIMENTS, Category, Reason, Record, Sentiment
from gateway.core.area_rules import Area
from gateway.triage.areas import DEFAULT_AREAS
from gateway.triage.phrases import bits_of, whole_words
from gateway.triage.severity_words import EVERYONE, MANY, SEVERE, STRONG
from gateway.triage.tokenizer import read

MOST_SEVERITY = 5
SEVERE_ODDS = 0.85
MINOR_ODDS = 0.15


_BASE: dict[Category, tuple[int, str]] = {
    "bug": (2, "a bug"),
    "feature": (1, "a wish"),
    "question": (1, "a question"),
    "praise": (0, "praise"),
    "other": (0, "no defect"),
}
# Most texts get the same reasons, made once.
_PLAIN = {category: Reason("severity", points, why) for category, (points, why) in _BASE.items()}
_CALM: dict[Sentiment, Reason] = {name: Reason("sentiment", 0, name) for name in SENTIMENTS}
_ONCE = Reason("reach", 0, "reported once")
_NO_AREA = Reason("area", 0, "no area that weighs more")
# Made before any word is met, for words give hints on the patterns that there are.
_SEVERE_BITS = reduce(or_, (pattern.bit for _, _, pattern in SEVERE))
_MANY_BITS = EVERYONE.bit | MANY.bit
_AREA_BITS = reduce(or_, (whole_words(rule.words).bit for rule in DEFAULT_AREAS if rule.words))


def severity(record: Record, category: Category, words: str, severe: float = 0.5) -> Reason:
    """0..5, as `_severity` says, with a word of the sender's that is on no scale."""
    reason = _severity(record, category, words, severe)
    return reason if record.severity_word is None else _with_word(reason, record.severity_word)


def _severity(record: Record, category: Category, words: str, severe: float) -> Reason:
    """0..5: what the sender declared, else by category and, of bugs, by the words.

    `severe` is the model's probability that a bug is severe; it decides where no words do.
    """
    if record.severity is not None:
        points = min(MOST_SEVERITY, max(0, record.severity))
        return Reason("severity", points, f"the sender says severity {points} of {MOST_SEVERITY}")
    base, why = _BASE[category]
    if category in ("bug", "other") and bits_of(words) & _SEVERE_BITS:
        for points, meaning, pattern in SEVERE:
            found = pattern.said(words)
            if found and (category == "bug" or points > 3):
                points = points if category == "bug" else 2
                return Reason("severity", points, f'{why}, {meaning}: "{found}"')
    if category == "bug" and severe >= SEVERE_ODDS:
        return Reason("severity", base + 1, f"{why} that reads like severe ones ({severe:.2f})")
    if category == "bug" and severe <= MINOR_ODDS:
        return Reason("severity", base - 1, f"{why} that reads like minor ones ({severe:.2f})")
    return _PLAIN[category]


def _with_word(reason: Reason, word: str) -> Reason:
    """A severity's reason that tells a word of no scale from a sender that says nothing."""
    why = f'{reason.why}; the sender says "{word[:40]}", which is on no known scale'
    return Reason(reason.part, reason.points, why)


def mood(sentiment: Sentiment, score: float, words: str) -> Reason:
    """0..3: nothing for positive, 1 for neutral leaning down, 2 for negative, 3 for strongly negative."""
    if sentiment == "negative":
        found = STRONG.said(words)
        if found:
            return Reason("sentiment", 3, f'negative, in strong words: "{found}"')
        return Reason("sentiment", 2, f"negative ({score:+.2f})")
    if sentiment == "neutral" and score <= -0.4:
        return Reason("sentiment", 1, f"neutral, leaning to negative ({score:+.2f})")
    return _CALM[sentiment]


def reach(reports: int, words: str) -> Reason:
    """0..3: by the number of reports (2, 5 and 20 are the steps), or because the words speak of many."""
    if reports <= 1 and not bits_of(words) & _MANY_BITS:
        return _ONCE
    points = (reports >= 2) + (reports >= 5) + (reports >= 20)
    why = f"reported {reports} times" if reports > 1 else "reported once"
    everyone, many = EVERYONE.said(words), MANY.said(words)
    if everyone and points < 3:
        return Reason("reach", max(points, 2), f'{why}, said to hit all: "{everyone}"')
    if many and points < 1:
        return Reason("reach", 1, f'{why}, said to hit more than one: "{many}"')
    return Reason("reach", points, why)


def area(record: Record, words: str, rules: Sequence[Area] = DEFAULT_AREAS) -> Reason:
    """0..3: the hottest area of `rules` that page, url, product, tags or words point at."""
    best = _NO_AREA
    pages, names = list(_pages(record.subject)), _names(record)
    if rules is DEFAULT_AREAS:
        pages = list(filter(_hot, pages))
        if not (names or pages or bits_of(words) & _AREA_BITS):
            return best
    for rule in rules:
        if rule.points <= best.points:
            continue
        page = next((page for page in pages if page_in(page, rule.prefixes)), None) if pages else None
        name = next((name for name in rule.names if name in names), None) if names else None
        if page is not None:
            best = Reason("area", rule.points, f"{rule.name}: page {page[:80]}")
        elif name is not None:
            best = Reason("area", rule.points, f"{rule.name}: {name}")
        elif rule.points - 1 > best.points:
            found = whole_words(rule.words).said(words) if rule.words else _said(rule.phrases, words)
            if found:
                best = Reason("area", rule.points - 1, f'{rule.name}: "{found}"')
    return best


def _said(phrases: Iterable[str], words: str) -> str:
    """The first of the phrases that the words contain, whole words only."""
    spaced = f" {words} "
    return next((phrase for phrase in map(_folded, phrases) if phrase and f" {phrase} " in spaced), "")


@lru_cache(maxsize=4096)
def _folded(phrase: str) -> str:
    """A phrase as the words of a text are kept."""
    return read(phrase).words


def total(reasons: Iterable[Reason]) -> int:
    return sum([reason.points for reason in reasons])


@lru_cache(maxsize=4096)
def _hot(page: str) -> bool:
    """Whether the default areas have a page."""
    return any(page_in(page, rule.prefixes) for rule in DEFAULT_AREAS)


@lru_cache(maxsize=4096)
def page_in(page: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a path begins with one of the prefixes, whole segments only (language folders are skipped)."""
    return _beginning(prefixes).match(page) is not None


@lru_cache(maxsize=1024)
def _beginning(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    paths = "|".join(map(re.escape, prefixes))
    return re.compile(
        rf"(?:/[a-z]{{2}}(?:-[a-z]{{2}})?(?=/))?(?:{paths})(?:[/?#]|\Z)" if prefixes else r"(?!)"
    )


def _names(record: Record) -> set[str]:
    """Product and tags, and the tags without what stands before a colon."""
    product = record.subject.get("product")
    if not product and not record.tags:
        return set()
    names = {str(product or "").lower(), *(tag.lower() for tag in record.tags)}
    names |= {name.partition(":")[2] for name in names}
    return names - {""}


def _pages(subject: Any) -> Iterable[str]:
    for name in ("page", "url"):
        value = subject.get(name)
        if isinstance(value, str) and value:
            yield _path(value[:500])


@lru_cache(maxsize=4096)
def _path(address: str) -> str:
    """What stands behind the host of an address."""
    path = re.sub(r"^[a-z][a-z0-9+.-]*://[^/?#]*", "", address.strip().lower())
    return path if path.startswith("/") else "/" + path
