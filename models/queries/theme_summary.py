"""What the records of a theme are: by time, by people and places, and the words that tell most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import SQL, fn

from models.database.base import database, rows
from models.tables.daily_count import DAY
from models.tables.feedback import Feedback
from models.tables.theme import LONGEST_QUOTE, ThemeMember

NEWEST = 2_000  # records whose pages are counted


def by_day(theme_ids: Sequence[str], since: int, until: int) -> list[tuple[str, int, int]]:
    """(row of a theme, when a day begins in milliseconds UTC, records), of days that have some, in order."""
    day = (ThemeMember.at / DAY * DAY).alias("day")  # of whole numbers
    found = ThemeMember.select(ThemeMember.theme, day, fn.COUNT(SQL("1")).alias("records"))
    found = found.where(_within(theme_ids, since, until)).group_by(ThemeMember.theme, SQL("day"))
    return [(row["theme"], int(row["day"]), row["records"]) for row in rows(found.order_by(SQL("day")))]


def by_category(theme_ids: Sequence[str], since: int, until: int) -> list[dict[str, Any]]:
    """Records by row of a theme and category, the most frequent first, with what they sum up to.

    {theme, category, records, score: sum of sentiment_score, impact: the highest, first, last: received at}.
    """
    number = fn.COUNT(SQL("1")).alias("records")
    found = ThemeMember.select(
        ThemeMember.theme,
        Feedback.category,
        number,
        fn.SUM(Feedback.sentiment_score).alias("score"),
        fn.MAX(Feedback.impact).alias("impact"),
        fn.MIN(Feedback.received_at).alias("first"),
        fn.MAX(Feedback.received_at).alias("last"),
    ).join(Feedback)
    found = found.where(_within(theme_ids, since, until)).group_by(ThemeMember.theme, Feedback.category)
    return rows(found.order_by(SQL("records").desc(), Feedback.category))


def counted_by(column: str, theme_id: str, since: int, until: int, limit: int) -> list[tuple[Any, int]]:
    """(value of a column of `feedback`, records), the most frequent first."""
    field, number = getattr(Feedback, column), fn.COUNT(SQL("1")).alias("records")
    found = ThemeMember.select(field.alias("value"), number).join(Feedback)
    found = found.where(_within([theme_id], since, until)).group_by(field)
    most = found.order_by(SQL("records").desc(), field).limit(limit)
    return [(row["value"], row["records"]) for row in rows(most)]


def pages(theme_id: str, since: int, until: int, limit: int) -> list[tuple[str, int]]:
    """(page, records), the most frequent first, of the NEWEST records."""
    page, url = (database.obj.member('"t2"."subject"', name) for name in ("page", "url"))
    named = SQL(f"COALESCE(NULLIF({page}, ''), {url})").alias("page")
    some = ThemeMember.select(named).join(Feedback).where(_within([theme_id], since, until))
    some = some.order_by(ThemeMember.feedback.desc()).limit(NEWEST).alias("some")
    counted = ThemeMember.select(SQL("page"), fn.COUNT(SQL("1")).alias("records")).from_(some)
    counted = counted.where(SQL("page <> ''")).group_by(SQL("page"))
    most = counted.order_by(SQL("records").desc(), SQL("page")).limit(limit)
    return [(row["page"], row["records"]) for row in rows(most)]


def closest_words(theme_id: str, since: int, until: int, limit: int) -> list[dict[str, Any]]:
    """The records closest to what a theme is about, with what is needed to quote them.

    {id, source, received_at, words: the beginning of the text, who: whoever said it or None, closeness}.
    """
    near = ThemeMember.select(ThemeMember.feedback, ThemeMember.closeness)
    near = near.where(_within([theme_id], since, until))
    near = near.order_by(ThemeMember.closeness.desc(), ThemeMember.feedback.desc()).limit(limit)
    near = near.alias("near")
    person = fn.COALESCE(Feedback.author_id, Feedback.author_email, Feedback.author_name)
    found = Feedback.select(
        Feedback.id,
        Feedback.source,
        Feedback.received_at,
        fn.SUBSTR(Feedback.text, 1, LONGEST_QUOTE).alias("words"),
        person.alias("who"),
        near.c.closeness,
    ).join(near, on=near.c.feedback_id == Feedback.id)
    return rows(found.order_by(near.c.closeness.desc(), Feedback.id.desc()))


def _within(theme_ids: Sequence[str], since: int, until: int) -> Any:
    return ThemeMember.theme.in_(list(theme_ids)) & (ThemeMember.at >= since) & (ThemeMember.at < until)
