"""Parts of messages in Markdown, for the programs that read it; what is escaped differs between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from gateway.destinations import message_text
from gateway.destinations.message import Entries, Facts, Heading, Link, Paragraph, Part, Quote

_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)  # may make code of a line
_BEGINNING = re.compile(r"^(\xa0*)(?=[#+=-]|\d{1,9}[.)])", re.MULTILINE)  # a heading, list or rule
_URL = "!#$%&'*+,/:;=?@~"  # stand as they are in the target of a link


@dataclass(frozen=True, slots=True)
class Markdown:
    """A dialect of Markdown: `marks` are the characters that a backslash takes the meaning of."""

    marks: str

    def text(self, parts: Sequence[Part], most: int) -> str:
        """The parts one below the other, each text of `most` characters at most, escaped."""
        return "\n\n".join(found for part in parts for found in self._blocks(part, most))

    def line(self, text: str, most: int) -> str:
        """A text in a line, escaped."""
        return message_text.cut(message_text.in_one_line(text), most, self.escaped)

    def escaped(self, text: str) -> str:
        """A text that is read as it stands."""
        marked = re.sub(f"[{re.escape(self.marks)}]", r"\\\g<0>", message_text.inert(text))
        indented = _INDENT.sub(lambda found: "\xa0" * len(found[0]), marked)
        return _BEGINNING.sub(rf"\1{message_text.BREAK}", indented)

    def _blocks(self, part: Part, most: int) -> Iterator[str]:
        match part:
            case Heading(text):
                yield f"**{self.line(text, most)}**"
            case Paragraph(text):
                yield message_text.cut(text, most, self.escaped)
            case Quote(text) if message_text.clean(text):
                yield "\n".join(
                    f"> {line}" for line in message_text.cut(text, most, self.escaped).split("\n")
                )
            case Facts() if part.pairs:
                yield self.line(message_text.facts_of(part), most)
            case Entries(entries):
                yield "\n".join(self._entry(message_text.entry_of(one), one.url, most) for one in entries)
            case Link(label, url) if message_text.web_url(url):
                yield self._link(label, url, most)

    def _entry(self, text: str, url: str, most: int) -> str:
        """An item of a list; its address is a link behind it, for a sender's words name no link."""
        link = f" {self._link('Open', url, most)}" if message_text.web_url(url) else ""
        return f"- {self.line(text, most)}{link}"

    def _link(self, label: str, url: str, most: int) -> str:
        return f"[{self.line(label, most)}]({quote(url, safe=_URL)})"
