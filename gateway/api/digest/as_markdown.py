"""Blocks as Markdown (CommonMark with the tables of GitHub)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.api.digest.blocks import Block, Heading, Items, Link, Paragraph, Part, Quote, Said

# What means something anywhere in a line, what begins a list or a rule, and what makes an address a link.
_SIGNS = re.compile(r"[\\`*_\[\]<>#|~&!$@^{}]|^[-+=](?=[\s=-]|$)|:(?=//)|(?<=www)\.", re.I)
_ORDINAL = re.compile(r"^(\d{1,9})([.)])")


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as one text."""
    return "\n\n".join(map(_block, blocks)) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_escaped(block.text)}"
    if isinstance(block, Paragraph):
        return _words(block.parts)
    if isinstance(block, Items):
        return "\n".join(_item(*item) for item in block.items)
    if isinstance(block, Quote):
        return "\n".join(f"> {_escaped(line)}\\" if line else ">" for line in block.lines).removesuffix("\\")
    align = ["---", *["---:"] * (len(block.columns) - 1)]
    lines = [map(_escaped, block.columns), align, *(map(_part, line) for line in block.lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _item(first: Sequence[Part], second: Sequence[Part]) -> str:
    more = _words(second)
    return f"- {_words(first)}" + (f"\\\n  {more}" if more else "")


def _words(parts: Sequence[Part]) -> str:
    return "".join(map(_part, parts)).strip()


def _part(part: Part) -> str:
    if isinstance(part, Link):
        return f"[{_part(part.text) or ' '}](<{part.url}>)"
    return _escaped(part.text if isinstance(part, Said) else part)


def _escaped(text: str) -> str:
    return _ORDINAL.sub(r"\1\\\2", _SIGNS.sub(lambda sign: f"\\{sign[0]}", text))
