"""Plain text: titles out of words, and the markup of chats taken away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from adapters.contract.ansi import without_ansi

TITLE = 200  # characters of the longest title
# What Python takes for white space, inside brackets of a regular expression: `\s` of other dialects is less.
SPACE = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

SLACK_TOKEN = re.compile(r"<([^<>]*)>")
# Those of them that nobody types by hand.
SLACK_SURE = re.compile(r"<((?:[@#][A-Z0-9]{2,30}(?=[|>])|!|https?://|mailto:|tel:)[^<>]*)>")
SLACK_ENTITY = re.compile("&(?:lt|gt|amp);")
SLACK_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
DISCORD_TOKEN = re.compile(
    r"<(?:(?P<sign>@[!&]?|#)(?P<id>\d{1,20})|/(?P<command>[^<>:]{1,120}):\d{1,20}|a?:(?P<emoji>\w{1,40}):\d{1,20}"
    r"|t:(?P<unix>-?\d{1,12})(?::[a-zA-Z])?|id:(?P<guide>[a-z-]{1,40})(?::\d{1,20})?)>",
    re.ASCII,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a tool puts before the name of a rule: "[FIRING:1] ", "[RESOLVED] ", "[FIRING:1, RESOLVED:2] ".
STATUS_PREFIX = re.compile(
    r"\A\s*+\[(?:FIRING|RESOLVED)(?::\d{1,6})?(?:,\s?RESOLVED:\d{1,6})?\]\s*+", re.IGNORECASE
)


def without_status(title: str) -> str:
    """A title that Alertmanager's or Grafana's template made, without the status and the count before it.

    Source: prometheus/alertmanager, template/default.tmpl, `__subject`.
    """
    return STATUS_PREFIX.sub("", title) or title


def first_line(words: str, most: int = TITLE) -> str:
    """The first line that has words, with single spaces, cut to `most` characters."""
    line = next((line for line in without_ansi(words).splitlines() if line.strip()), "")
    return " ".join(line.split())[:most]


def one_line(words: str) -> str:
    """A title: white space as single spaces, cut with an ellipsis."""
    line = " ".join(without_ansi(words).split())
    return line if len(line) <= TITLE else line[: TITLE - 1] + "…"


def sentence(where: str, what: str, on: str) -> str:
    """What happened where and on which branch, without the parts that are absent."""
    return f"{where}: {what} on {on}".removeprefix(": ").removesuffix(" on ")


def cut_line(words: str) -> str:
    """A title: white space as single spaces, merely cut."""
    return " ".join(without_ansi(words).split())[:TITLE]


def slack_plain(text: str) -> str:
    """Slack's markup as plain text, emoji and emphasis left as they are.

    The three entities are resolved last, exactly once, and no others: `&amp;lt;` is a typed `&lt;`.
    """
    return SLACK_ENTITY.sub(lambda entity: SLACK_ENTITIES[entity[0]], SLACK_TOKEN.sub(_slack_token, text))


def slack_typed(text: str) -> str:
    """The same of words that were typed into a form or behind a command, where `<` may be meant as it is."""
    flat = SLACK_SURE.sub(_slack_token, text)
    return SLACK_ENTITY.sub(lambda entity: SLACK_ENTITIES[entity[0]], flat)


def _slack_token(match: re.Match[str]) -> str:
    body, _, label = match[1].partition("|")
    if body.startswith("!date^"):
        return label
    if body.startswith("!subteam^"):
        return "@" + (label or body[len("!subteam^") :]).removeprefix("@")
    if body.startswith("!"):
        return "@" + (label or body[1:].partition("^")[0]).lstrip("@")
    if body[:1] in ("@", "#"):
        return body[0] + (label or body[1:])
    url = body.removeprefix("mailto:")
    return url if label in ("", url, body) else f"{label} ({url})"


def discord_plain(text: str, names: Mapping[str, str]) -> str:
    """Discord's markup as plain text, emphasis left as it is.

    `names` are those of users, roles and channels by id; an unknown one keeps its id.
    """

    def token(match: re.Match[str]) -> str:
        if match["id"]:
            return match["sign"][0] + names.get(match["id"], match["id"])
        if match["command"]:
            return f"/{match['command']}"
        if match["emoji"]:
            return f":{match['emoji']}:"
        return f"#{match['guide']}" if match["guide"] else _moment(match[0], int(match["unix"]))

    return DISCORD_TOKEN.sub(token, text)


def _moment(written: str, seconds: int) -> str:
    try:
        return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M UTC}"
    except OverflowError:
        return written
