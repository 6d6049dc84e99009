"""HTML in the texts of trackers and help desks, as plain text: comments go, links stay, nothing is run.

Read by the standard library's `html.parser`, which passes over its text once and builds no tree: a tree as
HTML 5 asks for it reopens unclosed elements again and again, so that a small text fills the memory.
What is allowed within Markdown: https://github.github.com/gfm, "HTML blocks" and "Raw HTML".
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin

LONGEST_TAG = 2_000  # characters of a tag with its attributes
BLOCK = re.compile(
    "address|article|aside|blockquote|body|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]"
    "|head|header|hr|html|legend|li|main|nav|ol|p|pre|section|summary|table|tbody|tfoot|thead|tr|ul"
)
INLINE = re.compile(
    "a|abbr|b|bdi|bdo|big|br|caption|cite|code|col|colgroup|del|dfn|em|font|i|img|ins|kbd|mark|picture|q|rp|rt|ruby"
    "|s|samp|small|source|span|strike|strong|sub|sup|td|th|time|tt|u|var|video|wbr"
)
UNREAD = ("script", "style", "title")  # what is in them is no text
UNREAD_END = re.compile(r"</(script|style|title)\b", re.IGNORECASE)
SHOWN = re.compile(r"(?i)(?:https?://|mailto:|tel:)\S")  # addresses that are kept

# A text that begins as HTML is HTML all through; otherwise only known tags are, and not `List<String>`.
DOCUMENT = re.compile(
    rf"\s*+<(?:!doctype\b|(?:{BLOCK.pattern}|span|a|b|strong|br|img)\b[^<>]{{0,{LONGEST_TAG}}}>)",
    re.IGNORECASE,
)
# What is looked for from left to right, so that nothing is tried twice over a text: in Markdown its code,
# which is no markup; comments; tags; any other `<`.
CODE = r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*+(?:\n(?! {0,3}(?P=fence))[^\n]*+)*+(?:\n[^\n]*+)?|`[^`\n]++`"
TAG = rf"</?(?P<name>[a-z][a-z0-9:-]{{0,20}})(?=[\s/>])[^<>]{{0,{LONGEST_TAG}}}>"
TOKEN = re.compile(rf"(?P<comment><!--)|{TAG}|<", re.IGNORECASE)
MARKDOWN_TOKEN = re.compile(rf"{CODE}|{TOKEN.pattern}", re.IGNORECASE | re.MULTILINE)


def plain(text: str, base: str = "") -> str:
    """Markdown or HTML with its HTML as plain text; Markdown's own marks and its code stay as they are.

    Links become "words (address)", cells of a table are parted by " | ". `base` is what relative addresses
    are relative to; without it they are left out.
    """
    text = text.replace("\r\n", "\n")
    if "<" not in text:
        return text.strip()
    reader = _Reader(base)
    is_html = DOCUMENT.match(text) is not None
    token = TOKEN if is_html else MARKDOWN_TOKEN
    reader.feed(_only_markup(_without_comments(text, token), token, is_html))
    reader.close()
    return reader.text


def _without_comments(text: str, token: re.Pattern[str]) -> str:
    """The text without comments outside code; of one that does not end only the mark goes."""
    parts, at, last = list[str](), 0, text.rfind("-->")
    while found := token.search(text, at):
        is_comment, end = found["comment"] is not None, found.end()
        parts.append(text[at : found.start() if is_comment else end])
        at = text.index("-->", end - 2) + 3 if is_comment and last >= end - 2 else end
    return "".join(parts) + text[at:]


def _only_markup(text: str, token: re.Pattern[str], is_html: bool) -> str:
    """The text as HTML in which nothing is a tag but what was meant as one."""
    closed = {found[1].lower(): found.start() for found in UNREAD_END.finditer(text)}

    def marked(match: re.Match[str]) -> str:
        name = (match["name"] or "").lower()
        if name in UNREAD:
            is_tag = match.start() <= closed.get(name, -1)  # else the rest would be lost
        else:
            is_tag = bool(name) and (is_html or bool(BLOCK.fullmatch(name) or INLINE.fullmatch(name)))
        return match[0] if is_tag else escape(match[0], quote=False)

    return token.sub(marked, text)


class _Reader(HTMLParser):
    """Gathers the text of one piece of HTML."""

    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self._base, self._parts = base, list[str]()
        self._unread = ""
        self._link: tuple[str, int] | None = None  # its address, and where its words begin
        self._cells = 0  # of this row so far

    @property
    def text(self) -> str:
        lines = "".join(self._parts).replace("\xa0", " ").splitlines()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in UNREAD:
            self._unread = tag
        elif BLOCK.fullmatch(tag):
            self._break()
            self._cells = 0 if tag == "tr" else self._cells
            self._parts += ["- "] if tag == "li" else []
        elif tag == "br":
            self._parts.append("\n")
        elif tag in ("td", "th"):
            self._parts += [" | "] if self._cells else []
            self._cells += 1
        elif tag == "img":
            words, address = (given.get("alt") or "").strip(), self._address(given.get("src"))
            self._parts.append(f"{words} ({address})" if words and address else words or address)
        elif tag == "a":
            self._end_link()
            if address := self._address(given.get("href")):
                self._link = address, len(self._parts)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unread:
            self._unread = ""
        elif tag == "a":
            self._end_link()
        elif BLOCK.fullmatch(tag):
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self._parts.append(data)

    def close(self) -> None:
        super().close()
        self._end_link()

    def _break(self) -> None:
        if self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append("\n")

    def _end_link(self) -> None:
        if self._link is None:
            return
        (address, begin), self._link = self._link, None
        words = "".join(self._parts[begin:]).strip()
        if words not in (address, address.removeprefix("mailto:")):
            self._parts.append(f" ({address})" if words else address)

    def _address(self, given: str | None) -> str:
        """An address that is kept: none that runs something, and no relative one without its base."""
        address = (given or "").strip()
        try:
            address = urljoin(self._base, address) if self._base and address[:1] == "/" else address
        except ValueError:
            return ""
        return address if SHOWN.match(address) else ""
