"""The words of Slack's messages and forms: text, blocks, attachments and files, as somebody reads them.

Wire facts: docs.slack.dev, "Block Kit: blocks", "Rich text block", "Legacy: secondary message
attachments" and "File object". What a forwarded message has (`is_share`, `is_msg_unfurl`, `message_blocks`,
`files` of its own) is documented nowhere; the fields are those of slackapi/java-slack-sdk issue 1179.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from adapters.common.plain_text import slack_plain, slack_typed
from adapters.common.schemas import type_name
from adapters.common.untrusted_json import list_of, object_of, objects_of, text_of
from adapters.contract import Fault, invalid

# What holds words in a block, an element or a text object, in reading order; values may be those again.
HOLDERS = (
    *("pretext", "label", "title", "subtitle", "text", "description", "details", "output", "sources"),
    *("fields", "elements", "rows", "tasks", "accessory", "hero_image", "icon", "cards", "body", "footer"),
    *("actions", "file"),
)
LINKS = ("url", "image_url", "title_url", "video_url", "permalink")
BY_NAME = {"user": "@", "usergroup": "@", "channel": "#", "team": "", "broadcast": "@", "emoji": ":"}
# Elements of a text are written one after the other, all other parts on lines of their own.
INLINE = ("rich_text_section", "rich_text_preformatted", "rich_text_quote")


def words_of(message: dict[str, Any]) -> str:
    """Everything that a message says: its text, blocks, attachments and the names and links of its files."""
    said = slack_plain(_text(message)).strip()
    parts = [
        *_beside(said, blocks_of(message)),
        *map(_attachment, _attachments(message, said)),
        files_of(message),
    ]
    return "\n".join(filter(None, parts))


def blocks_of(part: Any, name: str = "blocks") -> str:
    """The words and links of the blocks under a name."""
    return _lines(map(_block, list_of(part, name)))


def files_of(part: Any) -> str:
    """A line for each file: its name with its link, then what is written or said in it, where shown."""
    return _lines(map(_file, objects_of(part, "files")))


def answer(given: Any) -> str:
    """What was typed or chosen in one input of a form, whatever its element's type."""
    if isinstance(given, str | int):
        return slack_typed(str(given)).strip()
    if isinstance(given, list):
        return ", ".join(filter(None, map(answer, given)))
    label = slack_plain(text_of(given, "text", "text"))  # of an option
    said = label or slack_typed(text_of(given, "value")) or _block(object_of(given, "rich_text_value"))
    said = said or files_of(given)
    if said or not isinstance(given, dict):
        return said.strip()
    return ", ".join(filter(None, (answer(given[name]) for name in given if name.startswith("selected_"))))


def is_typed(given: Any) -> bool:
    """Whether an input of a form was written in, and not chosen."""
    return bool(text_of(given, "value") or object_of(given, "rich_text_value"))


def _text(message: dict[str, Any]) -> str:
    """A message's `text`, which may be absent, but not of another type."""
    text = message.get("text")
    if text is None or isinstance(text, str):
        return text or ""
    raise invalid(Fault("text", f"Expected string, received {type_name(text)}"))


def _beside(said: str, more: str) -> Iterator[str]:
    """A text, and of what stands beside it what it does not say already: Slack writes most of it twice."""
    if not said:
        yield more
        return
    known = set(_said_in(said))
    rest = "\n".join(line for line in more.splitlines() if not known.issuperset(_said_in(line)))
    if known and rest and _in_a_row(said) in _in_a_row(more):
        yield more
        return
    yield said
    yield rest


def _in_a_row(words: str) -> str:
    return f" {' '.join(_said_in(words))} "


def _said_in(words: str) -> list[str]:
    """What two spellings of the same words have in common: emphasis, lists and people's names differ."""
    return re.findall(r"(?<![@#])\b\w+", words)


def _attachments(message: dict[str, Any], said: str) -> Iterator[dict[str, Any]]:
    """A message's attachments, but for previews of pages: a page's words are not those of who linked it."""
    for attachment in objects_of(message, "attachments"):
        is_message = any(
            attachment.get(f"is_{kind}") is True for kind in ("share", "msg_unfurl", "reply_unfurl")
        )
        if is_message or not said or not (attachment.get("original_url") or attachment.get("service_name")):
            yield attachment


def _attachment(attachment: dict[str, Any]) -> str:
    """An attachment's words, links and files; a forwarded message says whose words they are."""
    message = [object_of(entry, "message") for entry in list_of(attachment, "message_blocks")]
    blocks = "\n".join(filter(None, (blocks_of(attachment), *map(blocks_of, message))))
    text = slack_plain(text_of(attachment, "text")).strip()
    said = "\n".join(filter(None, _beside(text, blocks)))
    link, author = text_of(attachment, "from_url"), slack_plain(text_of(attachment, "author_name"))
    title = _linked(slack_plain(text_of(attachment, "title")), text_of(attachment, "title_link"))
    fields = (
        ": ".join(filter(None, (slack_plain(text_of(field, key)).strip() for key in ("title", "value"))))
        for field in objects_of(attachment, "fields")
    )
    if author and said and not title:
        said, author = f"{author}: {said}", ""
    lines = [
        slack_plain(text_of(attachment, "pretext")),
        title,
        said,
        *fields,
        text_of(attachment, "image_url"),
        files_of(attachment),
        *(
            _linked(_block(action.get("text")), text_of(action, "url"))
            for action in objects_of(attachment, "actions")
        ),
    ]
    lines = [line for line in lines if line.strip()] or [slack_plain(text_of(attachment, "fallback"))]
    lines += [author, slack_plain(text_of(attachment, "footer")), link]
    return "\n".join(line for line in lines if line.strip())


def _block(part: Any) -> str:
    """The words and links in a block, an element, a text object, or an array of them."""
    if isinstance(part, str):
        return slack_plain(part)
    if isinstance(part, list):
        return _lines(map(_block, part))
    if not isinstance(part, dict):
        return ""
    kind = text_of(part, "type")
    if kind in BY_NAME:
        name = text_of(part, f"{kind}_id") or text_of(part, "range") or text_of(part, "name")
        return f":{name}:" if kind == "emoji" and name else BY_NAME[kind] + name
    if kind == "text":
        return text_of(part, "text")
    if kind == "date":
        return text_of(part, "fallback")
    if kind == "file" and isinstance(part.get("file"), dict):
        return _file(object_of(part, "file"))
    inner = list_of(part, "elements")
    if kind in INLINE or (kind == "link" and not inner):
        said = "".join(map(_block, inner)) or text_of(part, "text")
        return _linked(said, text_of(part, "url")).strip("\n") if kind == "link" else said.strip("\n")
    if kind == "rich_text_list":
        return _lines(f"- {_block(item)}" for item in inner)
    if kind == "table":
        return _lines(" | ".join(map(_block, row)) for row in list_of(part, "rows") if isinstance(row, list))
    said = _lines(_block(part[name]) for name in HOLDERS if name in part)
    said = said or slack_plain(text_of(part, "alt_text"))
    if kind in ("section", "header", "context", "rich_text"):
        return said
    link = next(filter(None, (text_of(part, name) for name in LINKS)), "") or text_of(
        part, "slack_file", "url"
    )
    return _linked(said, link)


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part.strip())


def _file(file: dict[str, Any]) -> str:
    """A file's name with its link; an email's subject and text, a snippet's beginning, what a clip says."""
    name = text_of(file, "name") or text_of(file, "title")
    link = next(
        filter(None, (text_of(file, key) for key in ("permalink", "external_url", "url_private", "url"))), ""
    )
    written = text_of(file, "plain_text") or text_of(file, "preview_plain_text") or text_of(file, "preview")
    heard = text_of(file, "transcription", "preview", "content")
    subject = text_of(file, "subject")
    alt = text_of(file, "alt_txt")
    return _lines((_linked(name, link), alt, subject if subject != name else "", heard, written.strip()))


def _linked(words: str, address: str) -> str:
    if not re.match(r"[a-z][a-z0-9+.-]*:\S", address, re.IGNORECASE):
        return words
    address = address.removeprefix("mailto:")
    return f"{words} ({address})" if words and words != address else address
