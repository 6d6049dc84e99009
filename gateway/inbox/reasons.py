"""Why a record has its impact, in the reader's language; kept is the English of the API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.inbox.i18n import _

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
INNER = ("why", "what")  # blanks that hold a reason


def parts_of(form: str) -> list[str]:
    """The texts of a form, and the names of the blanks between them."""
    return re.split(r"%\((\w+)\)s", form)


_PARTS = {form: parts_of(form) for form in FORMS}


def reason(why: str) -> str:
    """A reason in the reader's language; one that is not known stays as it is."""
    if why in PHRASES:
        return _(why)
    for form in FORMS:
        filled = blanks(_PARTS[form], why)
        if filled is not None:
            return _(form, **{name: reason(said) if name in INNER else said for name, said in filled.items()})
    return why


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
