"""Languages, times and numbers as the reader knows them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta, get_day_names
from babel.numbers import format_decimal
from flask import g, has_app_context, request
from markupsafe import Markup, escape

from gateway.core.languages import LANGUAGES, catalogue, locale_of

_FOLDER = Path(__file__).parent / "languages"


@lru_cache(maxsize=1024)  # of a cookie's making
def zone_of(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None for anything else."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zones() -> list[str]:
    """The names of zones that people choose from."""
    return sorted(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/"))
    )


def choose(user: dict[str, Any] | None) -> None:
    """Settles the language and zone of this request: the user's choice, else what the browser says."""
    best = request.accept_languages.best_match(list(LANGUAGES)) or "en"
    chosen = (user or {}).get("user_language") or best
    g.language = chosen if chosen in LANGUAGES else "en"
    g.locale = locale_of(g.language)
    name = (user or {}).get("user_zone") or request.cookies.get("zone", "")
    g.zone = (zone_of(name) if 0 < len(name) < 64 else None) or UTC


def _(text: str, **values: Any) -> str:
    """A text in the reader's language, with its %(name)s filled in; HTML, as `ago` is, stays HTML."""
    language = g.get("language", "en") if has_app_context() else "en"  # a command has no reader
    said = catalogue(_FOLDER, language).gettext(text) if text else ""
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(said) % values  # which escapes what is no HTML
    return said % values if values else said


def moment(value: str | int | None) -> datetime | None:
    """A time of the API (ISO 8601, or milliseconds UTC) in the reader's zone."""
    if value is None:
        return None
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).astimezone(g.zone)
    return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(g.zone)


def full_time(value: str | int | None) -> str:
    """A time to the second with its zone."""
    at = moment(value)
    if at is None:
        return ""
    return f"{format_datetime(at, 'medium', locale=g.locale, tzinfo=g.zone)} {at.tzname()}"


def ago(value: str | int | None) -> Markup:
    """A time as one reads it in a list: how long ago, or the day when that is long; the rest on hover."""
    at = moment(value)
    if at is None:
        return Markup("")
    since = datetime.now(UTC) - at
    seconds = since.total_seconds()
    if -360 < seconds < 60:  # also what a clock says that is a little ahead
        said = _("now")
    elif 0 <= seconds < 6 * 86_400:
        said = format_timedelta(-since, add_direction=True, format="narrow", locale=g.locale)
    else:
        said = format_date(
            at, "d MMM" if at.year == datetime.now(g.zone).year else "d MMM y", locale=g.locale
        )
    iso = at.astimezone(UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, full_time(value), said)


def day(value: int) -> str:
    """A day of a chart; `value` is milliseconds UTC."""
    at = moment(value)
    return "" if at is None else format_date(at, "d MMM", locale=g.locale)


def weekdays() -> list[str]:
    """The days of the week, Monday first."""
    names = get_day_names(locale=g.locale)
    return [names[day] for day in range(7)]


def language(code: str | None) -> str:
    """What a language is called; what is no code of one stays as it is."""
    try:
        return str(Locale.parse(code or "").get_display_name(g.locale) or code)
    except (ValueError, UnknownLocaleError):
        return code or ""


def number(value: float) -> str:
    """A number with the reader's separators."""
    return str(format_decimal(value, locale=g.locale))


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "day": day,
    "full_time": full_time,
    "number": number,
}
