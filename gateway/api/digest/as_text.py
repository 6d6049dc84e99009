"""Blocks as plain text, for programs and people who show no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from gateway.api.digest.blocks import Block, Heading, Items, Link, Paragraph, Part, Quote, Said

WIDTH = 76  # characters of a line, but for addresses, which are never broken


def text(blocks: Sequence[Block]) -> str:
    """The blocks as one text."""
    return "\n\n".join(map(_block, blocks)) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        line = _filled(block.text)
        return f"{line}\n{('=' if block.level == 1 else '-') * max(map(len, line.splitlines()), default=0)}"
    if isinstance(block, Paragraph):
        return "\n".join([_filled(_words(block.parts)), *_addresses(block.parts)])
    if isinstance(block, Quote):
        return "\n".join(_filled(line, "> ") or ">" for line in block.lines)
    if isinstance(block, Items):
        return "\n".join(_item(*item) for item in block.items)
    lines = [[*map(_part, line)] for line in ([block.columns] if block.columns else []) + [*block.lines]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_row(line, widths, bool(block.columns)) for line in lines)


def _row(line: Sequence[str], widths: Sequence[int], counts: bool) -> str:
    """The first cell begins its column, and so do others but numbers, which end theirs."""
    put = str.rjust if counts else str.ljust
    cells = (put(cell, width) for cell, width in zip(line[1:], widths[1:], strict=True))
    return "  ".join([line[0].ljust(widths[0]), *cells]).rstrip()


def _item(first: Sequence[Part], second: Sequence[Part]) -> str:
    lines = [_filled(_words(first), "- ", "  ")]
    if second:
        lines.append(_filled(_words(second), "  "))
    return "\n".join([*lines, *(f"  {address}" for address in _addresses([*first, *second]))])


def _filled(words: str, first: str = "", other: str | None = None) -> str:
    other = first if other is None else other
    return fill(
        words,
        WIDTH,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _addresses(parts: Sequence[Part]) -> list[str]:
    return [part.url for part in parts if isinstance(part, Link)]


def _words(parts: Sequence[Part]) -> str:
    return "".join(map(_part, parts))


def _part(part: Part) -> str:
    if isinstance(part, Link):
        return _part(part.text)
    return part.text if isinstance(part, Said) else part
