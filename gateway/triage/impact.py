"""How much a piece of feedback matters, 0 to 14, as a sum of four parts that each say why.

    severity   0..5   how bad it is for whoever meets it: declared by the sender, else from words and category
    sentiment  0..3   how negative it is
    reach      0..3   how many reported it, or say they are hit
    area       0..3   where it is: rules on page, url, product, tags and words

More of any part never lowers the sum.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from adapters.contract.record import SENTIMENTS, Category, Reason, Record, RecordType, Sentiment
from gateway.core.area_rules import Area
from gateway.triage.areas import DEFAULT_AREAS
from gateway.triage.guards import about_else, meant
from gateway.triage.harm import Heard, hear, tokens_of
from gateway.triage.phrases import Phrases, bits_of, whole_words
from gateway.triage.severity_words import EVERYONE, MANY, SEVERE, STRONG
from gateway.triage.spoken import Said
from gateway.triage.tokenizer import read
from gateway.triage.wording import quoted
from models.intake.telling import DECLARED, MACHINES, OVER

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
# What words of a crash (4) and of something that does not work (3) count where the text is no bug's.
_LESS: dict[Category, dict[int, int]] = {
    "feature": {4: 2},
    "question": {4: 3, 3: 2},
    "praise": {4: 2},
    "other": {4: 3, 3: 2},
}
# Most texts get the same reasons, made once.
_PLAIN = {category: Reason("severity", points, why) for category, (points, why) in _BASE.items()}
_CALM: dict[Sentiment, Reason] = {name: Reason("sentiment", 0, name) for name in SENTIMENTS}
_ONCE = Reason("reach", 0, "reported once")
_NO_AREA = Reason("area", 0, "no area that weighs more")
RESOLVED = Reason("severity", 0, OVER)
_TONELESS = Reason("sentiment", 0, "the tone of an alert does not count")
# Made before any word is met, for words give hints on the patterns that there are.
_SEVERE_BITS = reduce(or_, (pattern.bit for _, _, pattern in SEVERE))
_MANY_BITS = EVERYONE.bit | MANY.bit
_BY_WORDS = {rule.name: rule.points - 1 for rule in DEFAULT_AREAS}
_DENYING = 3  # points of words that are made of negations: "does not work"


def severity(
    record: Record, category: Category, words: str, severe: float = 0.5, heard: Heard | None = None
) -> Reason:
    """0..5, as `_severity` says, with a word of the sender's that is on no scale."""
    reason = _severity(record, category, words, severe, heard or hear(words))
    return reason if record.severity_word is None else _with_word(reason, record.severity_word)


def _severity(record: Record, category: Category, words: str, severe: float, heard: Heard) -> Reason:
    """0..5: what the sender declared, else the words, whatever the category, else the category.

    `severe` is the model's probability that a bug is severe; it decides where no words do. An alert that is
    over has none.
    """
    if record.type in MACHINES and record.state == "resolved":
        return RESOLVED
    if record.severity is not None:
        points = min(MOST_SEVERITY, max(0, record.severity))
        return Reason("severity", points, f"{DECLARED}{points} of {MOST_SEVERITY}")
    base, why = _BASE[category]
    best, meaning, denied = 0, "", heard.denied
    if heard.harm:
        _, best, harm, found = heard.harm
        meaning = f"{harm}: {quoted(found)}"
    bits = bits_of(words)
    if bits & _SEVERE_BITS:
        for points, told, phrases in SEVERE:
            counted = points if category == "bug" else _LESS[category].get(points, 0)
            if counted <= best or not bits & phrases.bit:
                continue
            found, unmeant = _meant(phrases, words, points == _DENYING, heard.said)
            denied = denied or unmeant
            if found:
                best, meaning = counted, f"{told}: {quoted(found)}"
                break
    if meaning and (category == "bug" or best > base):
        return Reason("severity", best, meaning if category == "other" else f"{why}, {meaning}")
    if category == "bug" and not denied:  # the model does not see what is denied
        if severe >= SEVERE_ODDS:
            return Reason("severity", base + 1, f"{why} that reads like severe ones ({severe:.2f})")
        if severe <= MINOR_ODDS:
            return Reason("severity", base - 1, f"{why} that reads like minor ones ({severe:.2f})")
    return _PLAIN[category]


def _meant(phrases: Phrases, words: str, denies: bool, said: Sequence[Said]) -> tuple[str, bool]:
    """The first words that match and mean it, and whether others match."""
    unmeant = False
    for first, found in phrases.matches(words):
        if meant(tokens_of(words), first, first + found.count(" "), denies, said):
            return found, unmeant
        unmeant = True
    return "", unmeant


def _with_word(reason: Reason, word: str) -> Reason:
    """A severity's reason that tells a word of no scale from a sender that says nothing."""
    why = f'{reason.why}; the sender says "{word[:40]}", which is on no known scale'
    return Reason(reason.part, reason.points, why)


def mood(sentiment: Sentiment, score: float, words: str, kind: RecordType = "message") -> Reason:
    """0..3: nothing for positive, 1 for neutral leaning down, 2 for negative, 3 for strongly negative.

    Of a `kind` that no person words nothing.
    """
    if kind in MACHINES:
        return _TONELESS
    if sentiment == "negative":
        found = STRONG.said(words)
        if found and not _about_else(found, words):
            return Reason("sentiment", 3, f"negative, in strong words: {quoted(found)}")
        return Reason("sentiment", 2, f"negative ({score:+.2f})")
    if sentiment == "neutral" and score <= -0.4:
        return Reason("sentiment", 1, f"neutral, leaning to negative ({score:+.2f})")
    return _CALM[sentiment]


def reach(reports: int, words: str, kind: RecordType = "message", *, praised: bool = False) -> Reason:
    """0..3: by the number of reports (2, 5 and 20 are the steps), or because the words speak of many.

    That everybody likes it hits nobody, and an alert's words are a program's.
    """
    said = bits_of(words) & _MANY_BITS and not praised and kind not in MACHINES
    if reports <= 1 and not said:
        return _ONCE
    points = (reports >= 2) + (reports >= 5) + (reports >= 20)
    why = f"reported {reports} times" if reports > 1 else "reported once"
    if not said:
        return Reason("reach", points, why)
    everyone, many = EVERYONE.said(words), MANY.said(words)
    if everyone and points < 3:
        return Reason("reach", max(points, 2), f"{why}, said to hit all: {quoted(everyone)}")
    if many and points < 1:
        return Reason("reach", 1, f"{why}, said to hit more than one: {quoted(many)}")
    return Reason("reach", points, why)


def area(
    record: Record,
    words: str,
    own: Sequence[Area] = (),
    off: Collection[str] = (),
    heard: Heard | None = None,
    *,
    praised: bool = False,
) -> Reason:
    """0..3: the hottest area that page, url, product, tags or words point at.

    That is one of a project's `own`, or a usual one that is not `off`; of equal ones that of the project.
    Words that tell of an area's harm come before those that name an area. Where somebody praises it, and
    where a program words it, the words of the usual areas do not count.
    """
    best = _NO_AREA
    pages, names = list(_pages(record.subject)), _names(record)
    for rule in own:
        found = _found(rule, words) if rule.points - 1 > best.points else ""
        best = _hotter(best, rule, pages, names, found)
    named = dict[str, str]()
    if record.type not in MACHINES:
        heard = heard or hear(words)
        if heard.harm:
            where, _, _, found = heard.harm
            if where not in off and _BY_WORDS[where] > best.points:
                best = Reason("area", _BY_WORDS[where], f"{where}: {quoted(found)}")
        named = {} if praised else heard.named
    rules: Sequence[Area] = DEFAULT_AREAS
    if not names:  # as mostly; then few areas are left to be asked, if any
        known = _of_pages(tuple(pages))
        rules = [one for one in rules if one.name in named or one.name in known] if named or known else ()
    for rule in rules:
        if rule.points > best.points and rule.name not in off:
            best = _hotter(best, rule, pages, names, named.get(rule.name, ""))
    return best


def _hotter(best: Reason, rule: Area, pages: Sequence[str], names: Collection[str], found: str) -> Reason:
    """The area of a rule where pages, names or the words `found` meet it and it weighs more, else `best`."""
    if rule.points <= best.points:
        return best
    page = next((page for page in pages if page_in(page, rule.prefixes)), None) if pages else None
    if page is not None:
        return Reason("area", rule.points, f"{rule.name}: page {page[:80]}")
    name = next((name for name in rule.names if name in names), None) if names else None
    if name is not None:
        return Reason("area", rule.points, f"{rule.name}: {name}")
    if found and rule.points - 1 > best.points:
        return Reason("area", rule.points - 1, f"{rule.name}: {quoted(found)}")
    return best


def _found(rule: Area, words: str) -> str:
    """The words of a text that an area of a project is known by."""
    return whole_words(rule.words).said(words) if rule.words else _said(rule.phrases, words)


def _about_else(found: str, words: str) -> bool:
    tokens = [*tokens_of(words), *found.split()]
    return about_else(tokens, len(tokens) - found.count(" ") - 1, len(tokens) - 1)


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
def _of_pages(pages: tuple[str, ...]) -> frozenset[str]:
    """The default areas that have one of some pages, by name."""
    return frozenset(
        rule.name for rule in DEFAULT_AREAS if any(page_in(page, rule.prefixes) for page in pages)
    )


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
