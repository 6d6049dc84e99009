"""Charts as SVG, drawn here, each with a title and a description for who cannot see it.

Colours come from the style sheet by class, since pages allow no inline style. What is drawn above a label may
be a link. None of them is reached by Tab, which would stop a hundred times: the table behind a chart has the
same links, and the script gives a chart one stop and the arrow keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import count

from markupsafe import Markup

from adapters.contract.record import CATEGORIES
from gateway.inbox.i18n import _

WIDTH, WIDER, HEIGHT = 640, 1180, 190  # of a chart in half a page, in a whole one, and of both
LEFT, BOTTOM, TOP = 34, 20, 8
LABEL = 80  # what a label needs, also on a phone, where it is written larger
_TICKS = 4
_numbers = count(1)

_SVG = Markup(
    '<svg class="chart" viewBox="0 0 {width} {height}" role="{role}" aria-labelledby="c{id}t c{id}d">'
    '<title id="c{id}t">{title}</title><desc id="c{id}d">{desc}</desc>{body}</svg>'
)
# By position, which takes a third of the time of names: there are hundreds of them.
_RECT = Markup(
    '<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"><title>%s</title></rect>'
)
_LINK = Markup(
    '<a href="%s" tabindex="-1" aria-label="%s">'
    '<rect class="room" x="%.1f" y="0" width="%.1f" height="%d"/>%s</a>'
)
_SPARK = Markup(
    '<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
    "{body}</svg>"
)
_BAR = Markup('<rect x="%d" y="%.1f" width="%.1f" height="%.1f"/>')
_TEXT = Markup('<text x="{x}" y="{y}"{anchor}>{text}</text>')
_MARK = Markup('<circle class="mark" cx="{x}" cy="{y}" r="3"><title>{told}</title></circle>')
_LINE = Markup('<path class="{kind}" d="{d}"/>')
_MIDDLE, _END = Markup(' text-anchor="middle"'), Markup(' text-anchor="end"')


def stacked(
    title: str,
    desc: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[int]],
    width: int = WIDTH,
    links: Sequence[str] = (),
) -> Markup:
    """Bars on top of each other, one pile for each label; the names of series are their classes.

    With `links` each pile leads to the address of its label.
    """
    piles = [sum(values) for values in zip(*series.values(), strict=True)] or [0]
    top = _ceiling(max(piles))
    step = (width - LEFT) / max(1, len(labels))
    wide = max(1.0, min(step * 0.72, 44.0))
    parts = [_grid(top, width), _below(labels, step)]
    said = {name: _(name) if name in CATEGORIES else _("records") for name in series}
    for number, label in enumerate(labels):
        y = float(HEIGHT - BOTTOM)
        bars = []
        for name, values in series.items():
            high = values[number] / top * (HEIGHT - BOTTOM - TOP)
            if not values[number]:
                continue
            y -= high
            x = LEFT + step * number + (step - wide) / 2
            told = f"{label}: {said[name]} {values[number]}"
            bars.append(_RECT % (name, x, y, wide, high, told))
        pile = sum(values[number] for values in series.values())
        parts.append(_linked(links, number, f"{label}: {pile}", step, bars))
    return _svg(title, desc, width, Markup("").join(parts), links)


def spark(values: Sequence[int]) -> Markup:
    """A few bars without words, beside a number that says it."""
    most = max(values, default=0) or 1
    bars = [
        _BAR % (4 * number, 20 - 20 * value / most, 3, 20 * value / most)
        for number, value in enumerate(values)
        if value
    ]
    return _SPARK.format(width=4 * max(1, len(values)), height=20, body=Markup("").join(bars))


def _linked(links: Sequence[str], number: int, told: str, step: float, drawn: Sequence[Markup]) -> Markup:
    """What is drawn above a label, as a link as wide and high as there is room, when there is anything."""
    body = Markup("").join(drawn)
    if not links or not drawn:
        return body
    return _LINK % (links[number], told, LEFT + step * number, step, HEIGHT - BOTTOM, body)


def line(
    title: str,
    desc: str,
    labels: Sequence[str],
    values: Sequence[float | None],
    links: Sequence[str] = (),
) -> Markup:
    """One line between -1 and 1; a gap where there is no value. With `links` each value leads somewhere."""
    step = (WIDTH - LEFT) / max(1, len(labels))
    middle, half = (HEIGHT - BOTTOM + TOP) / 2, (HEIGHT - BOTTOM - TOP) / 2
    points = [
        None if value is None else (LEFT + step * (number + 0.5), middle - value * half)
        for number, value in enumerate(values)
    ]
    drawn, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        drawn.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        pen = "L"
    marks = []
    for number, (label, value, point) in enumerate(zip(labels, values, points, strict=True)):
        if point is None or value is None:
            continue
        told = f"{label}: {value:+.2f}"
        mark = _MARK.format(x=_short(point[0]), y=_short(point[1]), told=told)
        marks.append(_linked(links, number, told, step, [mark]))
    axis = [
        _LINE.format(kind="grid", d=f"M{LEFT} {_short(y)}H{WIDTH}") for y in (TOP, middle, HEIGHT - BOTTOM)
    ]
    words = [
        _TEXT.format(x=LEFT - 6, y=_short(y + 4), anchor=_END, text=text)
        for y, text in ((TOP, "+1"), (middle, "0"), (HEIGHT - BOTTOM, "−1"))
    ]
    parts = [*axis, *words, _below(labels, step), _LINE.format(kind="trend", d="".join(drawn)), *marks]
    return _svg(title, desc, WIDTH, Markup("").join(parts), links)


def _svg(title: str, desc: str, width: int, body: Markup, links: Sequence[str]) -> Markup:
    """A drawing; one with links is no picture, or nobody who cannot see it would be told of them."""
    shown = {"title": title, "desc": desc, "body": body, "role": "group" if links else "img"}
    return _SVG.format(width=width, height=HEIGHT, id=next(_numbers), **shown)


def _grid(top: int, width: int) -> Markup:
    """Lines across, with what they stand for."""
    parts = []
    for tick in range(_TICKS + 1):
        if top * tick % _TICKS:
            continue
        y = HEIGHT - BOTTOM - tick / _TICKS * (HEIGHT - BOTTOM - TOP)
        parts.append(_LINE.format(kind="grid", d=f"M{LEFT} {_short(y)}H{width}"))
        parts.append(
            _TEXT.format(x=LEFT - 6, y=_short(y + 4), anchor=_END, text=_brief(top * tick // _TICKS))
        )
    return Markup("").join(parts)


def _below(labels: Sequence[str], step: float) -> Markup:
    """As many labels as have room."""
    every = max(1, math.ceil(LABEL / step))
    return Markup("").join(
        _TEXT.format(x=_short(LEFT + step * (number + 0.5)), y=HEIGHT - 5, anchor=_MIDDLE, text=label)
        for number, label in enumerate(labels)
        if number % every == 0
    )


def _ceiling(value: int) -> int:
    """The next round number that is not less, so that a quarter of it is one, too."""
    if value <= _TICKS:
        return _TICKS
    size: int = 10 ** (len(str(value)) - 1)
    return next(n for n in (size, 2 * size, 4 * size, 8 * size, 10 * size, 20 * size) if n >= value)


def _brief(value: int) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else str(value)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
