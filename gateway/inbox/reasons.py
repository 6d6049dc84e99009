"""Why a record has its impact, in the reader's language; kept is the English of the API."""

from __future__ import annotations

import re

from gateway.inbox.words import _

# What gateway.triage.impact, gateway.reach and gateway.similar say, the more particular first.
FORMS = (
    "the sender says severity %(n)s of %(most)s",
    "%(why)s that reads like severe ones (%(n)s)",
    "%(why)s that reads like minor ones (%(n)s)",
    'negative, in strong words: "%(words)s"',
    "negative (%(n)s)",
    "neutral, leaning to negative (%(n)s)",
    "reported %(n)s times",
    "reported at least %(n)s times",
    "said in nearly the same words by at least %(n)s people",
    '%(why)s, said to hit all: "%(words)s"',
    '%(why)s, said to hit more than one: "%(words)s"',
    '%(why)s, %(what)s: "%(words)s"',
    "%(area)s: page %(page)s",
)
PHRASES = (
    *("a bug", "a wish", "a question", "praise", "no defect"),
    *("positive", "neutral", "negative", "reported once", "no area that weighs more"),
    *("an outage, a loss or a leak", "it crashes or loses work", "something does not work"),
    "a matter of looks or wording",
)
INNER = ("why", "what")  # blanks that hold a reason
# What fills each blank. Only the last of a form holds what a sender wrote, so one pass reads it.
_BLANKS = {"n": "[-+.0-9]+", "most": "[0-9]+", "why": "[a-z0-9 ]+", "what": "[a-z, ]+", "area": "[^:]*"}
_BLANK = re.compile(r"%\\\((\w+)\\\)s")


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(
        _BLANK.sub(lambda blank: f"(?P<{blank[1]}>{_BLANKS.get(blank[1], '.*')})", re.escape(form)), re.DOTALL
    )


_READ = [(form, _pattern(form)) for form in FORMS]


def reason(why: str) -> str:
    """A reason in the reader's language; one that is not known stays as it is."""
    if why in PHRASES:
        return _(why)
    for form, pattern in _READ:
        if found := pattern.fullmatch(why):
            blanks = found.groupdict()
            blanks |= {name: reason(said) for name, said in blanks.items() if name in INNER}
            return _(form, **blanks)
    return why
