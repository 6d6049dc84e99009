"""What /gateway/v1/themes is asked with, and what it answers."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from adapters.common.schemas import Text
from adapters.contract.description import Shown, listed, text, time, whole
from gateway.api.schemas.answers import page_of
from gateway.api.themes import MOST, MOST_QUOTES, QUOTES


class PeriodQuery(Schema):
    since = time()
    until = time()


class ThemesQuery(PeriodQuery):
    project = Text()
    limit = whole(minimum=1, maximum=MOST)


class ThemeQuery(PeriodQuery):
    quotes = whole(minimum=0, maximum=MOST_QUOTES, default=QUOTES)


class QuotesQuery(PeriodQuery):
    limit = whole(minimum=1, maximum=MOST_QUOTES, default=QUOTES)


class ThemeExample(Shown):
    id = text()
    title = text()


class DayCount(Shown):
    day = time()
    count = whole(minimum=1)


class Theme(Shown):
    id = text()
    label = text()
    terms = fields.List(fields.String())
    count = whole(minimum=0)
    previous = whole(minimum=0)
    change = fields.Float(allow_none=True)
    people = whole(minimum=0)
    trend = listed(DayCount)
    sentiment = fields.Float(allow_none=True, metadata={"minimum": -1, "maximum": 1})
    impact = fields.Integer(allow_none=True, metadata={"minimum": 0, "maximum": 14})
    categories = fields.Dict(values=whole(minimum=0))
    first_at = time(allow_none=True)
    last_at = time(allow_none=True)
    examples = listed(ThemeExample)


class Themes(page_of(Theme)):  # type: ignore[misc]
    since = time()
    until = time()
    covered_since = time(allow_none=True)
    computed_at = time(allow_none=True)


def _counted(name: str) -> fields.List[Any]:
    """How many records have each value of a field."""
    one: dict[str, fields.Field[Any]] = {
        name: text(allow_none=name == "language"),
        "count": whole(minimum=1),
    }
    return listed(Shown.from_dict(one, name=f"{name.title()}Count"))


class ThemeQuote(Shown):
    id = text()
    source = text()
    received_at = time()
    text = text()  # the last: it hides what makes such fields


class Heir(Shown):
    id = text()
    label = text()


class ThemeShown(Theme):
    """One theme; of one that ended, `became` are those that its records are in."""

    project = text(allow_none=True)
    pages = _counted("page")
    languages = _counted("language")
    sources = _counted("source")
    quotes = listed(ThemeQuote)
    since = time()
    until = time()
    covered_since = time()
    computed_at = time()
    ended_at = time(allow_none=True)
    became = listed(Heir)
