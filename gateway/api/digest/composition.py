"""Figures as words: which blocks a digest is made of, in a language."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent

from gateway.api.digest.as_html import html
from gateway.api.digest.as_markdown import markdown
from gateway.api.digest.blocks import Block, Grid, Heading, Items, Link, Paragraph, Part, Said
from gateway.api.digest.figures import MOST_HELD, Figures
from gateway.core.languages import catalogue, locale_of

FORMATS: dict[str, str] = {"md": "text/markdown", "html": "text/html"}
MOST_NAME = 80  # characters of a source, a theme or a topic
MOST_QUOTE = 140  # characters of what somebody said in a theme
MOST_SOURCES = 12
_FOLDER = Path(__file__).parent

Row = dict[str, Any]


def digest(figures: Figures, form: str, language: str, url: str) -> str:
    """The digest of some figures in one of FORMATS; `url` is where the inbox is."""
    title, blocks = whole(figures, language, url)
    blocks = [Heading(title, 1), *blocks]
    return markdown(blocks) if form == "md" else html(blocks, language, title)


def whole(figures: Figures, language: str, url: str) -> tuple[str, list[Block]]:
    """Its title, and all of it that stands below."""
    page = _Page(figures, language, url)
    return page.title(), [*page.summary(), *page.numbers()]


def summary(figures: Figures, language: str, url: str) -> tuple[str, list[Block]]:
    """What is most worth to be told, for one screen: its title, and the rest of it."""
    page = _Page(figures, language, url)
    return page.title(), [*page.summary(), page.way_back()]


class _Page:
    """The words of one digest."""

    def __init__(self, figures: Figures, language: str, url: str) -> None:
        self._figures, self._url, self._locale = figures, url, locale_of(language)
        self._words = catalogue(_FOLDER, language)

    def title(self) -> str:
        """What it is called."""
        of = Said(self._figures.project, MOST_NAME).text if self._figures.project else ""
        return self._("Feedback of %(project)s", project=of) if of else self._("Feedback")

    def summary(self) -> Iterator[Block]:
        """What matters, from the most general to what is to be done."""
        found = self._figures
        yield Paragraph([self._when()])
        yield Paragraph([self._total()])
        if found.total["count"] or found.total["previous_count"]:
            yield from self._counts("category")
        if found.themes:
            yield Heading(self._("Growing themes"))
            yield Items([*map(self._theme, found.themes)])
        if found.topics:
            yield Heading(self._("Growing topics"))
            lines = [
                [Said(one["name"], MOST_NAME), *self._numbers(one["count"], one["previous"])]
                for one in found.topics
            ]
            yield Grid([self._("Name"), self._("Now"), self._("Before")], lines)
        if found.open:
            yield Heading(self._("Open, of the highest impact"))
            yield Items([*map(self._record, found.open)])
        if found.resolved_count:
            yield Heading(self._("Resolved"))
            done = self._count(
                "%(number)s record was resolved.", "%(number)s records were resolved.", found.resolved_count
            )
            yield Paragraph([done])
            yield Items([*map(self._record, found.resolved)])
        if found.unsure:
            yield Heading(self._("Longest unsure"))
            yield Paragraph([self._("Triage is not sure of these labels: a look at them teaches it.")])
            yield Items([*map(self._unsure, found.unsure)])
        if notes := [*self._notes()]:
            yield Heading(self._("To look after"))
            yield Items([(note, ()) for note in notes])

    def way_back(self) -> Block:
        """Where all of it is to be read."""
        period = self._figures.period
        path = f"/digest?period={period.first}..{period.last}&zone={period.zone.key}"
        return Paragraph([Link(self._("Read all of it in the inbox"), self._at_inbox(path))])

    def numbers(self) -> Iterator[Block]:
        """What else was counted."""
        if self._figures.total["count"] or self._figures.total["previous_count"]:
            yield from self._counts("sentiment")
            yield from self._counts("source")

    def _(self, text: str, **values: Any) -> str:
        said = self._words.gettext(text)
        return said % values if values else said

    def _count(self, one: str, many: str, number: int) -> str:
        return self._words.ngettext(one, many, number) % {"number": self._number(number)}

    def _number(self, value: int) -> str:
        return str(format_decimal(value, locale=self._locale))

    def _numbers(self, *values: int) -> list[Part]:
        return [*map(self._number, values)]

    def _date(self, day: date) -> str:
        return str(format_date(day, "d MMMM y", locale=self._locale))

    def _when(self) -> str:
        period = self._figures.period
        first, last = self._date(period.first), self._date(period.last)
        if first == last:
            return self._("%(day)s (%(zone)s)", day=first, zone=period.zone.key)
        return self._("From %(first)s to %(last)s (%(zone)s)", first=first, last=last, zone=period.zone.key)

    def _total(self) -> str:
        total = self._figures.total
        if not total["count"] and not total["previous_count"]:
            return self._("Nothing came in, and nothing in the period before.")
        if not total["count"]:
            before = self._count("%(number)s record", "%(number)s records", total["previous_count"])
            return self._("Nothing came in; in the period before it was %(before)s.", before=before)
        came = self._count("%(number)s record came in", "%(number)s records came in", total["count"])
        if not total["previous_count"]:
            return self._("%(came)s, and none in the period before.", came=came)
        trend = self._trend(total)
        before = self._number(total["previous_count"])
        return self._(
            "%(came)s, %(before)s in the period before (%(trend)s).", came=came, before=before, trend=trend
        )

    def _trend(self, row: Row) -> str:
        """By which share a count has grown; new where there was none."""
        if row["trend"] is None:
            return self._("new") if row["count"] else ""
        if row["trend"] == 0:
            return self._("the same")
        share = str(format_percent(abs(row["trend"]), locale=self._locale))
        return ("+" if row["trend"] > 0 else "\N{MINUS SIGN}") + share

    def _counts(self, name: str) -> Iterator[Block]:
        """How many there were of each category, sentiment or source."""
        heading, column = {
            "category": (self._("By category"), self._("Category")),
            "sentiment": (self._("By sentiment"), self._("Sentiment")),
            "source": (self._("By source"), self._("Source")),
        }[name]
        rows = self._figures.counts[name]
        called: Callable[[str], Part] = _source if name == "source" else self._
        yield Heading(heading)
        yield Grid(
            [column, self._("Now"), self._("Before"), self._("Trend")],
            [
                [called(row[name]), *self._numbers(row["count"], row["previous_count"]), self._trend(row)]
                for row in rows[:MOST_SOURCES]
            ],
        )
        if len(rows) > MOST_SOURCES:
            more = self._number(len(rows) - MOST_SOURCES)
            yield Paragraph([self._("And %(number)s more.", number=more)])

    def _theme(self, one: Row) -> tuple[Sequence[Part], Sequence[Part]]:
        """A theme, which leads to its records, with words of some."""
        link = Link(Said(one["name"], MOST_NAME), self._at_inbox(f"/inbox?theme={one['id']}"))
        told = [self._number(one["count"]), self._("%(number)s before", number=self._number(one["previous"]))]
        if one["people"]:
            told.append(self._count("%(number)s person", "%(number)s people", one["people"]))
        quotes: list[Part] = []
        for words in filter(str.strip, (said["words"] for said in one["quotes"])):
            quotes += [" " if quotes else "", "\N{LEFT DOUBLE QUOTATION MARK}", Said(words, MOST_QUOTE)]
            quotes.append("\N{RIGHT DOUBLE QUOTATION MARK}")
        return [link, f" ({', '.join(told)})"], quotes

    def _link(self, row: Row) -> Part:
        """A record's title, which leads to it."""
        words = Said(row["title"], MOST_NAME) if row["title"].strip() else row["id"]
        return Link(words, self._at_inbox(f"/records/{row['id']}"))

    def _at_inbox(self, path: str) -> str:
        return quote(f"{self._url}{path}", safe=":/%[]@&=+,;~?")

    def _record(self, row: Row) -> tuple[Sequence[Part], Sequence[Part]]:
        impact = self._("impact %(impact)s", impact=row["impact"])
        about = f" ({impact}, {self._(row['category'])}, {self._at(row['received_at'])})"
        return [self._link(row), about], self._more(row)

    def _unsure(self, row: Row) -> tuple[Sequence[Part], Sequence[Part]]:
        about = f" ({self._(row['category'])}, {self._(row['sentiment'])}, {self._at(row['received_at'])})"
        return [self._link(row), about], self._more(row)

    def _more(self, row: Row) -> Sequence[Part]:
        """What it says beyond its title."""
        text, title = row["text"].strip(), row["title"].rstrip("…").strip()
        return [Said(text)] if text and (not text.startswith(title) or len(text) > len(title)) else []

    def _at(self, milliseconds: int) -> str:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return str(
            format_datetime(at, "d MMM y HH:mm", tzinfo=self._figures.period.zone, locale=self._locale)
        )

    def _notes(self) -> Iterator[list[Part]]:
        if held := self._figures.held:
            number = self._count(
                "%(number)s delivery is in quarantine: nobody could read it.",
                "%(number)s deliveries are in quarantine: nobody could read them.",
                held,
            )
            yield [number if held < MOST_HELD else self._("A thousand deliveries or more are in quarantine.")]
        for one in self._figures.failing[:MOST_SOURCES]:
            link = Link(_source(one["name"]), self._at_inbox(f"/settings/destinations/{one['id']}"))
            if one["reason"]:
                yield [self._("A destination is disabled:") + " ", link, " (", Said(one["reason"]), ")"]
            else:
                since = self._("since %(time)s", time=self._at(one["since"]))
                yield [self._("A destination takes nothing:") + " ", link, f" ({since})"]
        if quiet := self._figures.quiet:
            yield [
                self._("Hooks that were used in the period before and not in this one:") + " ",
                *_names(quiet),
            ]
        if silent := self._figures.silent:
            yield [self._("Silent, though heard in the period before:") + " ", *_names(silent)]


def _names(names: Sequence[str]) -> list[Part]:
    """Some names in a row."""
    shown: list[Part] = []
    for name in names[:MOST_SOURCES]:
        shown += [", ", _source(name)] if shown else [_source(name)]
    return shown


def _source(name: str) -> Said:
    return Said(name, MOST_NAME)
