"""The words of Jira's fields: texts in its wiki's markup, in HTML, or documents (ADF).

Wire facts: developer.atlassian.com/cloud/jira/platform/apis/document/structure ("Nodes" and "Marks") and
jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all.
"""

from __future__ import annotations

import re
from typing import Any

from adapters.common.markup import plain
from adapters.common.times import day_of
from adapters.common.untrusted_json import (
    first_scalar,
    first_text,
    first_url,
    list_of,
    object_of,
    objects_of,
    text_of,
)

LINES = ("paragraph", "heading", "codeBlock", "tableRow", "caption", "taskItem", "decisionItem", "rule")
CARDS = ("inlineCard", "blockCard", "embedCard")
# What stands for words in a line. Each is tried from its first character, and ends within so many.
LINK = re.compile(
    r"\[(?:([^\[\]|\n]{1,500})\|)?((?:https?://|mailto:)[^\[\]|\s]{1,2000})(?:\|[^\[\]|\n]{0,50})?\]"
)
PERSON = re.compile(r"\[~(?:accountid:)?([^\[\]\s]{1,130})\]")
IMAGE = re.compile(r"(?<![\w!])!([^!|\s]{1,500}\.\w{2,5})(?:\|[^!\n]{0,200})?!(?!\w)")
HEADING = re.compile(r"^[ \t]{0,10}(?:h[1-6]|bq)\.[ \t]+", re.MULTILINE)
COLOUR = re.compile(r"\{color(?::[#\w]{1,30})?\}")
FENCE = re.compile(r"\{(code|noformat|quote|panel)(?::[^{}\n]{0,200})?\}")


def words_of(value: Any) -> str:
    """A field's words: of a text without its markup, or of a document of Atlassian's, a line a paragraph."""
    if isinstance(value, str):
        return _text(value.replace("\r\n", "\n"))
    return re.sub(r"\n{3,}", "\n\n", "".join(_node(value))).strip()


def _text(text: str) -> str:
    """A text of the wiki, whose code stays as it is, or HTML."""
    parts, at, code = list[str](), 0, ""
    for mark in FENCE.finditer(text):
        if code and mark[1] != code:
            continue
        parts.append(text[at : mark.start()] if code else _marked(text[at : mark.start()]))
        code = mark[1] if not code and mark[1] in ("code", "noformat") else ""
        at = mark.end()
    return "".join([*parts, text[at:] if code else _marked(text[at:])]).strip()


def _marked(text: str) -> str:
    text = HEADING.sub("", COLOUR.sub("", text))
    text = LINK.sub(
        lambda found: f"{found[1]} ({found[2]})" if found[1] not in (None, found[2]) else found[2], text
    )
    text = IMAGE.sub(r"\1", PERSON.sub(r"@\1", text))
    kept = text.strip()
    return text.replace(kept, plain(kept), 1) if "<" in kept else text


def _node(node: Any) -> list[str]:
    if not isinstance(node, dict):
        return []
    kind, attributes = node.get("type"), object_of(node, "attrs")
    if kind == "hardBreak":
        return ["\n"]
    if kind == "text":
        return [_linked(node, text_of(node, "text"))]
    if kind in CARDS:
        address = first_url(attributes, "url") or first_url(object_of(attributes, "data"), "url")
        return [address, "" if kind == "inlineCard" or not address else "\n"]
    if kind == "media":
        address, words = first_url(attributes, "url"), first_text(attributes, "alt")
        return [
            f"{words} ({address})" if words and address else words or address,
            "\n" if words or address else "",
        ]
    if kind == "date":
        return [day_of(first_scalar(attributes, "timestamp"))]
    parts = [first_text(attributes, "text", "shortName", "title")] if "attrs" in node else []
    for number, child in enumerate(list_of(node, "content")):
        inner = _node(child)
        if kind == "tableRow":
            inner = [" | " if number else "", "".join(inner).strip()]
        parts += inner
    if kind == "listItem":
        parts = ["- ", *parts]
    return [*parts, "\n"] if kind in LINES else parts


def _linked(node: dict[str, Any], words: str) -> str:
    """A text with the address it leads to."""
    marks = (object_of(mark, "attrs") for mark in objects_of(node, "marks") if mark.get("type") == "link")
    address = next(filter(None, (first_url(mark, "href") for mark in marks)), "")
    return f"{words} ({address})" if address and address != words.strip() else words
