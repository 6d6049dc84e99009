"""Plain text: titles out of words, and the markup of chats taken away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

TITLE = 200  # characters of the longest title
# What Python takes for white space, inside brackets of a regular expression: `\s` of other dialects is less.
SPACE = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

SLACK_TOKEN = re.compile(r"<([^<>]*)>")
SLACK_ENTITY = re.compile("&(?:lt|gt|amp);")
SLACK_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
DISCORD_TOKEN = re.compile(
    r"<(?:(?P<sign>@[!&]?|#)(?P<id>\d{1,20})|/(?P<command>[^<>:]{1,120}):\d{1,20}|a?:(?P<emoji>\w{1,40}):\d{1,20}"
    r"|t:(?P<unix>-?\d{1,12})(?::[a-zA-Z])?|id:(?P<guide>[a-z-]{1,40})(?::\d{1,20})?)>",
    re.ASCII,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def first_line(words: str, most: int = TITLE) -> str:
    """The first line that has words, with single spaces, cut to `most` characters."""
    line = next((line for line in words.splitlines() if line.strip()), "")
    return " ".join(line.split())[:most]


def one_line(words: str) -> str:
    """A title: white space as single spaces, cut with an ellipsis."""
    line = " ".join(words.split())
    return line if len(line) <= TITLE else line[: TITLE - 1] + "…"


def cut_line(words: str) -> str:
    """A title: white space as single spaces, merely cut."""
    return " ".join(words.split())[:TITLE]


def slack_plain(text: str) -> str:
    """Slack's markup as plain text, emoji and emphasis left as they are.

    The three entities are resolved last, exactly once, and no others: `&amp;lt;` is a typed `&lt;`.
    """
    return SLACK_ENTITY.sub(lambda entity: SLACK_ENTITIES[entity[0]], SLACK_TOKEN.sub(_slack_token, text))


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
