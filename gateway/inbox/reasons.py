"""Why a record has its impact, in people's words and language; kept is the English of the API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.inbox.i18n import _
from gateway.triage.areas import DEFAULT_AREAS

# What gateway.triage.impact, models.tables.impact_reasons and gateway.background.similar say, the more
# particular first.
FORMS = (
    '%(why)s; the sender says "%(words)s", which is on no known scale',
    "the sender says severity %(n)s of %(most)s",
    "%(why)s that reads like severe ones (%(n)s)",
    "%(why)s that reads like minor ones (%(n)s)",
    'negative, in strong words: "%(words)s"',
    "negative (%(n)s)",
    "neutral, leaning to negative (%(n)s)",
    "reported at least %(n)s times",
    "reported %(n)s times",
    "said in nearly the same words by at least %(n)s people",
    "%(n)s people",
    '%(why)s, said to hit all: "%(words)s"',
    '%(why)s, said to hit more than one: "%(words)s"',
    '%(why)s, %(what)s: "%(words)s"',
    "%(area)s: page %(page)s",
    '%(what)s: "%(words)s"',
)
PHRASES = (
    *("a bug", "a wish", "a question", "praise", "no defect"),
    *("positive", "neutral", "negative", "reported once", "no area that weighs more"),
    *("an outage, a loss or a leak", "it crashes or loses work", "something does not work"),
    *("a matter of looks or wording", "it is resolved", "the tone of an alert does not count"),
    *("somebody cannot get in", "somebody cannot buy", "somebody cannot pay, or waits for money"),
    *("money is taken wrongly", "data is lost", "data of others is open, or an account is not safe"),
    "everything is down, or nobody can work",
)
AREAS = tuple(area.name for area in DEFAULT_AREAS)
INNER = ("why", "what", "area")  # blanks that hold a reason, or an area's name
# What is told otherwise to people: without numbers that are the model's own.
SPOKEN = {
    "negative (%(n)s)": "it sounds negative",
    'negative, in strong words: "%(words)s"': 'it sounds negative, in strong words: "%(words)s"',
    "neutral, leaning to negative (%(n)s)": "it sounds neutral, leaning to negative",
    "positive": "it sounds positive",
    "neutral": "it sounds neutral",
    "negative": "it sounds negative",
    "%(why)s that reads like severe ones (%(n)s)": "%(why)s that reads like severe ones",
    "%(why)s that reads like minor ones (%(n)s)": "%(why)s that reads like minor ones",
    "%(area)s: page %(page)s": "it is about %(area)s: page %(page)s",
    "no area that weighs more": "it is about nothing that weighs more",
    "no defect": "nothing is wrong",
}
ASKED = {"severity": "how bad", "sentiment": "how it sounds", "reach": "how many", "area": "about what"}


def parts_of(form: str) -> list[str]:
    """The texts of a form, and the names of the blanks between them."""
    return re.split(r"%\((\w+)\)s", form)


_PARTS = {form: parts_of(form) for form in FORMS}


def reason(why: str) -> str:
    """A reason in people's words and the reader's language; one that is not known stays as it is."""
    if why in PHRASES or why in AREAS:
        return _(SPOKEN.get(why, why))
    for form in FORMS:
        filled = blanks(_PARTS[form], why)
        if filled is not None:
            told = {name: reason(said) if name in INNER else said for name, said in filled.items()}
            return _(SPOKEN.get(form, form), **told)
    return why


def part(name: str) -> str:
    """A part of an impact, in people's words and the reader's language."""
    return _(ASKED.get(name, name))


def as_written(
    reasons: Iterable[Mapping[str, Any]], quotes: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Reasons that quote words as their text has them: they are kept without case and accents."""
    written = {quote["part"]: quote["name"] for quote in quotes}
    told = []
    for reason in reasons:
        before, quoted, _words = reason["why"].rpartition(': "')
        name = written.get(reason["part"]) if quoted else None
        told.append({**reason, "why": f'{before}: "{name}"' if name else reason["why"]})
    return told


def blanks(parts: list[str], why: str) -> dict[str, str] | None:
    """What stands in the blanks of a form when `why` is one of its kind."""
    begin, end = parts[0], parts[-1]
    if len(why) < len(begin) + len(end) or not (why.startswith(begin) and why.endswith(end)):
        return None
    rest, found = why[len(begin) : len(why) - len(end)], {}
    for name, text in zip(parts[1:-2:2], parts[2:-1:2], strict=True):
        found[name], there, rest = rest.partition(text)
        if not there:
            return None
    found[parts[-2]] = rest
    return None if '"' in found.get("area", "") else found
