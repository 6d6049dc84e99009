"""Blocks as an HTML page that mail programs show: styles within, no script, nothing to fetch."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from gateway.api.digest.blocks import Block, Heading, Items, Link, Paragraph, Part, Quote, Said

_FONT = "font-family:system-ui,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_BODY = f"margin:0;padding:24px;background:#ffffff;color:#1c2430;{_FONT};font-size:15px;line-height:1.5"
_WRAP = "overflow-wrap:anywhere;word-break:break-word"
_CELL = "padding:4px 12px 4px 0;border-bottom:1px solid #d9dde3;vertical-align:top"
_PAGE = Markup(
    '<!doctype html>\n<html lang="{}"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light">'
    "<title>{}</title></head>\n"
    f'<body style="{_BODY}">\n'
    f'<div style="max-width:640px;margin:0 auto;{_WRAP}">\n{{}}\n</div></body></html>\n'
)
_HEADINGS = {
    1: Markup('<h1 style="font-size:22px;line-height:1.3;margin:0 0 8px">{}</h1>'),
    2: Markup('<h2 style="font-size:17px;line-height:1.3;margin:28px 0 8px">{}</h2>'),
}
_PARAGRAPH = Markup('<p style="margin:0 0 12px">{}</p>')
_ITEMS = Markup('<ul style="margin:0 0 12px;padding-left:20px">\n{}\n</ul>')
_ITEM = Markup('<li style="margin:0 0 8px">{}{}</li>')
_SECOND = Markup('<br><span style="color:#4a5565">{}</span>')
_QUOTE = Markup(
    '<blockquote style="margin:0 0 12px;padding:4px 0 4px 12px;border-left:3px solid #c3c9d2">{}</blockquote>'
)
_GRID = Markup('<table style="border-collapse:collapse;margin:0 0 12px">\n{}\n{}\n</table>')
_LINE = Markup("<tr>{}</tr>")
_CELLS = {
    True: Markup(f'<td style="{_CELL};text-align:left">{{}}</td>'),
    False: Markup(f'<td style="{_CELL};text-align:right">{{}}</td>'),
}
_HEADS = {
    True: Markup(f'<th scope="col" style="{_CELL};text-align:left">{{}}</th>'),
    False: Markup(f'<th scope="col" style="{_CELL};text-align:right">{{}}</th>'),
}
_LINK = Markup('<a href="{}" style="color:#0b57d0">{}</a>')
_SAID = Markup("<bdi>{}</bdi>")


def html(blocks: Sequence[Block], language: str, title: str) -> str:
    """The blocks as one page."""
    return str(_PAGE.format(language, title, Markup("\n").join(map(_block, blocks))))


def _block(block: Block) -> Markup:
    if isinstance(block, Heading):
        return _HEADINGS[block.level].format(block.text)
    if isinstance(block, Paragraph):
        return _PARAGRAPH.format(_words(block.parts))
    if isinstance(block, Items):
        return _ITEMS.format(Markup("\n").join(_item(*item) for item in block.items))
    if isinstance(block, Quote):
        return _QUOTE.format(Markup("<br>").join(_SAID.format(line) for line in block.lines))
    head = _line(block.columns, _HEADS) if block.columns else ""
    cells = _CELLS if block.columns else dict.fromkeys((True, False), _CELLS[True])
    return _GRID.format(head, Markup("\n").join(_line(line, cells) for line in block.lines))


def _line(parts: Sequence[Part], cells: dict[bool, Markup]) -> Markup:
    return _LINE.format(
        Markup("").join(cells[number == 0].format(_part(part)) for number, part in enumerate(parts))
    )


def _item(first: Sequence[Part], second: Sequence[Part]) -> Markup:
    return _ITEM.format(_words(first), _SECOND.format(_words(second)) if second else "")


def _words(parts: Sequence[Part]) -> Markup:
    return Markup("").join(map(_part, parts))


def _part(part: Part) -> Markup:
    if isinstance(part, Link):
        return _LINK.format(part.url, _part(part.text))
    return _SAID.format(part.text) if isinstance(part, Said) else escape(part)
