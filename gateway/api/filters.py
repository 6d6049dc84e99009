"""A filter is a query string: the same text in an address, in the terminal, in the inbox and on a note."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import parse_qsl

from adapters.contract import Fault, invalid
from adapters.contract.record import CATEGORIES, ORIGINS, SENTIMENTS, TYPES
from gateway.api.query_parameters import moment_of, share_of, whole_of
from gateway.core.ids import now_ms
from models.queries.feedback_query import ANY_OF, MERGED, Filter
from models.queries.ordering import NEWEST_BY, SORTS, TIMES, time_of
from models.queries.priority import PRIORITIES
from models.tables import topic
from models.tables.feedback import STATUSES
from models.tables.search_words import read_query
from models.tables.user import ids_of

# The names of a filter's fields where they are others than those of models.queries.feedback_query.Filter.
SHORT = {"tags": "tag", "without_tags": "tag!"}
NONE = "none"  # as a topic: records that are about none; as an assignee: those that nobody takes care of
ME = "me"  # as a person: the one who asks
SNOOZED = {"only": True, "without": False, "with": None}
_LONG = {short: name for name, short in SHORT.items()}
WORDS: Mapping[str, Collection[str]] = {
    "type": TYPES,
    "category": CATEGORIES,
    "sentiment": SENTIMENTS,
    "category_origin": ORIGINS,
    "sentiment_origin": ORIGINS,
    "status": STATUSES,
}
PEOPLE = ("assignee", "mentioned")
_SEVERAL = ("author", "tag", "tag!", "topic", *PEOPLE)
BESIDE_FILTER = ("sort", "limit", "cursor", "fields")  # what a list's query has that is no filter
YES_OR_NO = ("yes", "no")
LONGEST = 500  # characters of a value
MOST = 50  # values of a field
_TOO_MANY = f"Must be at most {MOST} values"
UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}  # milliseconds
# A plus sign that nobody encoded has become a space.
_BARE_OFFSET = re.compile(r"(T[\d:.]+) (\d\d:?\d\d)$")


@dataclass(frozen=True)
class Asked:
    """A query string, read: the filter in it, its other parameters, and the names of all that it gives."""

    chosen: Filter
    rest: dict[str, str] = field(default_factory=dict)
    given: Collection[str] = ()


def parse(
    query: str, others: Collection[str] = (), *, now: int | None = None, me: str | None = None
) -> Filter:
    """The filter that a query string says, with or without a question mark before it.

    Its names are the fields of models.queries.feedback_query.Filter, with `tag` for tags and `tag!` for those
    that none may have. Times are ISO 8601, or how long ago (`7d`, `12h`, `30m`, `2w`) from `now`, which is in
    milliseconds UTC. `me` is the user's id where a person asks. Raises Refused: 400, every bad parameter
    named.
    """
    faults: list[Fault] = []
    asked = read(query, others, faults, now=now, me=me)
    if faults:
        raise invalid(*faults)
    return asked.chosen


def read(
    query: str,
    others: Collection[str],
    faults: list[Fault],
    *,
    now: int | None = None,
    me: str | None = None,
) -> Asked:
    """As `parse`, with the parameters named in `others` beside; what is wrong is added to `faults`."""
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
        given.setdefault(name, []).append(value)
    found: dict[str, Any] = {}
    rest: dict[str, str] = {}
    now = now_ms() if now is None else now
    for name, values in given.items():
        try:
            if name in others:
                rest[name] = _single(values)
            else:
                found[_LONG.get(name, name)] = _field(name, values, now, me)
        except ValueError as error:
            faults.append(Fault(name.replace("\0", "\ufffd"), str(error)))
    chosen = Filter(**{name: value for name, value in found.items() if value is not None})
    for low, high in (("since", "until"), ("min_impact", "max_impact")):
        least, most = getattr(chosen, low), getattr(chosen, high)
        if least is not None and most is not None and least > most:
            faults.append(Fault(high, f"Must not be below {low}"))
    return Asked(chosen, rest, given.keys())


def in_order(asked: Asked, faults: list[Fault], usual: Mapping[str, str] = NEWEST_BY) -> tuple[Filter, str]:
    """The filter of a list, and its order: `sort`, without one the `usual` of its time.

    A sort by one of the two times says which one `since` and `until` are about, too. What is wrong is added
    to `faults`.
    """
    sort = asked.rest.get("sort", usual[asked.chosen.time])
    if sort not in SORTS:
        faults.append(Fault("sort", f"Must be one of {', '.join(SORTS)}"))
        return asked.chosen, usual[asked.chosen.time]
    time = time_of(sort) or asked.chosen.time
    if "time" in asked.given and time != asked.chosen.time:
        faults.append(Fault("sort", f"Must not go by another time than {asked.chosen.time}, which time says"))
    return replace(asked.chosen, time=time), sort


def _field(name: str, values: list[str], now: int, me: str | None) -> Any:
    """The value of a filter's field. Raises ValueError, whose text is for whoever sent it."""
    if name in ANY_OF or name in _SEVERAL:
        every = [_several(value) for value in values]
        if sum(map(len, every)) > MOST:  # however often the field is given
            raise ValueError(_TOO_MANY)
        if name == "tag":
            return tuple(every)
        found = tuple(dict.fromkeys(item for several in every for item in several))
        if name == "topic":
            none = (None,) if NONE in found else ()
            return (*none, *topic.followed(item for item in found if item != NONE))
        if name in PEOPLE:
            return _people(name, found, me)
        allowed = WORDS.get(name)
        if allowed is not None and not set(found) <= set(allowed):
            raise ValueError(f"Must be one of {', '.join(allowed)}")
        return found
    if name not in _READ:
        raise ValueError("Unknown parameter")
    return _READ[name](_single(values), now)


def _people(name: str, named: tuple[str, ...], me: str | None) -> tuple[str | None, ...]:
    """The ids of people who are named by id, email address or as ME; NONE, where nobody may be, is None."""
    if ME in named and me is None:
        raise ValueError("me is a person at the inbox: name an email address")
    known = ids_of(item.lower() for item in named if "@" in item)
    found = [me if item == ME else known.get(item.lower(), item) for item in named]
    return tuple(None if item == NONE and name == "assignee" else item for item in found)


def _several(text: str) -> tuple[str, ...]:
    """Values by comma."""
    found = tuple(item.strip() for item in text.split(","))
    if not all(found):
        raise ValueError("Must not be empty")
    if len(found) > MOST:
        raise ValueError(_TOO_MANY)
    return tuple(_text(item) for item in found)


def _single(values: list[str]) -> str:
    if len(values) > 1:
        raise ValueError("Must be given once")
    return _text(values[0])


def _text(text: str, now: int = 0) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    if not text:
        raise ValueError("Must not be empty")
    if len(text) > LONGEST:
        raise ValueError(f"Must be at most {LONGEST} characters")
    return text


def _when(text: str, now: int) -> int:
    """A time, or how long ago, in milliseconds UTC."""
    if ago := re.fullmatch(r"-?(\d{1,5})([mhdw])", text, re.ASCII):
        return max(0, now - int(ago[1]) * UNITS[ago[2]])
    return moment_of(_BARE_OFFSET.sub(r"\1+\2", text))


def _yes_or_no(text: str, now: int) -> bool:
    if text not in YES_OR_NO:
        raise ValueError(f"Must be one of {', '.join(YES_OR_NO)}")
    return text == "yes"


def _one_of(words: Collection[str]) -> Callable[[str, int], str]:
    def read(text: str, now: int) -> str:
        if text not in words:
            raise ValueError(f"Must be one of {', '.join(words)}")
        return text

    return read


def _impact(text: str, now: int) -> int:
    return whole_of(text, 0, 14)


def _snoozed(text: str, now: int) -> bool | None:
    if text not in SNOOZED:
        raise ValueError(f"Must be one of {', '.join(SNOOZED)}")
    return SNOOZED[text]


_READ: Mapping[str, Callable[[str, int], Any]] = {
    "min_impact": _impact,
    "max_impact": _impact,
    **dict.fromkeys(("confidence_below", "any_confidence_below"), lambda text, now: share_of(text)),
    "since": _when,
    "until": _when,
    "time": _one_of(TIMES),
    "priority": _one_of(PRIORITIES),
    "replied": _yes_or_no,
    "merged": _one_of(MERGED),
    "snoozed": _snoozed,
    "q": lambda text, now: read_query(_text(text)),
    **dict.fromkeys(
        ("page", "trace_id", "incident_key", "alert_group", "external_id", "theme", "merged_into"), _text
    ),
}
_UNASKED = ("arrived_before",)  # what nobody's query says
NAMES = tuple(SHORT.get(item.name, item.name) for item in fields(Filter) if item.name not in _UNASKED)
