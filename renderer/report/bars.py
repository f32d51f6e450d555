"""Attempts as time bars: inline SVG in per cent of a scale that all scenes of the film share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from renderer.report.facts import Ending, Try
from renderer.report.markup import Markup, tag
from renderer.report.words import lasting, listed, price

# Told apart by letter and pattern as well: colours alone do not reach everybody.
LETTERS = {
    Ending.DELIVERED: "D",
    Ending.FAILED: "F",
    Ending.SKIPPED: "S",
    Ending.CACHED: "C",
    Ending.RESUMED: "R",
}
MEANING = {
    Ending.DELIVERED: "delivered",
    Ending.FAILED: "failed",
    Ending.SKIPPED: "left out",
    Ending.CACHED: "taken from an earlier render",
    Ending.RESUMED: "delivered by a job that was under way already",
}
_STEPS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_MOST_TICKS = 4
# In pixels: a bar, the lane above it, and one mark in that lane.
_HEIGHT, _LANE, _MARK = 22, 13, 13
# Per cent of the scale within which marks would cover each other.
_SAME_PLACE = 2.0
# Per cent of the scale below which a letter does not fit on a phone.
_ROOM_FOR_LETTER = 6.0


def patterns() -> Markup:
    """The patterns that the bars of the page are filled with; shows nothing itself."""
    stripes = tag("path", d="M0 8L8 0M-2 2L2 -2M6 10L10 6", class_="ink")
    dots = tag("circle", cx=3, cy=3, r=1.4, class_="ink-dot")
    lines = tag("path", d="M0 2H8", class_="ink")
    filled = {Ending.FAILED: stripes, Ending.CACHED: dots, Ending.RESUMED: lines}
    made = [
        tag(
            "pattern",
            tag("rect", width=8, height=8, class_=f"ground {ending}"),
            ink,
            id=f"fill-{ending}",
            width=8 if ending is Ending.FAILED else 6,
            height=8 if ending is Ending.FAILED else 6,
            patternUnits="userSpaceOnUse",
        )
        for ending, ink in filled.items()
    ]
    return tag("svg", tag("defs", made), class_="patterns", width=0, height=0, aria_hidden="true")


def bar(tries: Sequence[Try], span: float, label: str) -> Markup:
    """The attempts of one scene on a scale of ``span`` seconds; ``label`` names them to those who
    do not see the picture. What was left out took no time: it is marked above the bar."""
    heard = f"{label}: {listed([said(one) for one in tries])}" if tries else label
    left_out = [one for one in tries if one.ending is Ending.SKIPPED]
    lane = _LANE if left_out else 0
    return tag(
        "svg",
        tag("rect", y=lane, width="100%", height=_HEIGHT, class_="empty"),
        [_piece(one, span, lane) for one in tries if one.ending is not Ending.SKIPPED],
        [_mark(one, span, nth) for one, nth in _crowded(left_out, span)],
        class_="bar",
        width="100%",
        height=lane + _HEIGHT,
        role="img",
        aria_label=heard,
    )


def axis(span: float) -> Markup:
    """The scale in seconds below the bars."""
    marks = []
    for at in ticks(span):
        x = _share(at, span)
        side = "start" if x < 5 else "end" if x > 90 else "middle"
        marks.append(tag("line", x1=_percent(x), x2=_percent(x), y1=0, y2=4))
        marks.append(tag("text", _tick(at), x=_percent(x), y=14, text_anchor=side))
    return tag("svg", marks, class_="axis", width="100%", height=16, aria_hidden="true")


def swatch(ending: Ending) -> Markup:
    """A small square in an ending's colour, pattern and letter."""
    square = tag("rect", width="100%", height="100%", class_=f"fill {ending}")
    return tag(
        "svg", square, _letter(ending, "50%", 12),
        class_="swatch", width=16, height=16, aria_hidden="true",
    )  # fmt: skip


def ticks(span: float) -> list[float]:
    """Round numbers of seconds from 0 to ``span``, few enough for a phone."""
    if span <= 0:
        return [0.0]
    step = next((step for step in _STEPS if span / step <= _MOST_TICKS), span / _MOST_TICKS)
    return [step * number for number in range(int(span / step + 1e-9) + 1)]


def said(one: Try) -> str:
    """An attempt in words, without its reason."""
    why = f" ({one.category.replace('_', ' ')})" if one.category else ""
    notes = [f"{one.name} {MEANING[one.ending]}{why}"]
    if one.ending is not Ending.SKIPPED:
        notes.append(f"after {lasting(one.seconds)}")
    if one.call > 1:
        notes.append(f"call {one.call}")
    if one.step:
        notes.append(f"asked for less (step {one.step})")
    if one.resumed and one.ending is not Ending.RESUMED:
        notes.append("by a job that was under way already")
    if one.cost.amount:
        notes.append(f"cost {price([one.cost])}")
    return ", ".join(notes)


def _piece(one: Try, span: float, top: int) -> Markup:
    """A rectangle, and a line at its begin: what took next to no time is seen as well."""
    x = _share(one.begin, span)
    width = min(_share(one.seconds, span), 100.0 - x)
    at, middle = _percent(x), _percent(x + width / 2)
    return tag(
        "g",
        _hint(one),
        tag(
            "rect", x=at, y=top, width=_percent(width), height=_HEIGHT, class_=f"fill {one.ending}"
        ),
        tag("line", x1=at, x2=at, y1=top, y2=top + _HEIGHT, class_=f"edge {one.ending}"),
        _letter(one.ending, middle, top + 15) if width >= _ROOM_FOR_LETTER else None,
        class_=f"try {one.ending}",
    )


def _mark(one: Try, span: float, nth: int) -> Markup:
    """A tick with its letter; the ``nth`` of those that stand at one place."""
    x = _share(one.begin, span)
    # Away from the end of the scale, where there is no room on a phone.
    left = -_MARK * (nth + 1) if x > 90 else _MARK * nth
    return tag(
        "svg",
        _hint(one),
        tag("line", x1=0, x2=0, y1=0, y2=_LANE + _HEIGHT, class_="edge skipped"),
        tag("rect", x=left, y=0, width=_MARK - 1, height=_LANE - 1, class_="fill skipped"),
        _letter(one.ending, left + _MARK / 2, _LANE - 3),
        class_=f"try {one.ending}",
        x=_percent(x),
        width=1,
    )


def _hint(one: Try) -> Markup:
    return tag("title", f"{said(one)}: {one.message}" if one.left_behind else said(one))


def _letter(ending: Ending, x: str | float, y: float) -> Markup:
    return tag("text", LETTERS[ending], x=x, y=y, text_anchor="middle", class_="letter")


def _crowded(tries: Sequence[Try], span: float) -> Iterator[tuple[Try, int]]:
    """Each attempt with the number of those just before it at the same place of the scale."""
    nth, before = 0, -1.0
    for one in tries:
        here = _share(one.begin, span)
        nth = nth + 1 if here - before < _SAME_PLACE else 0
        before = here
        yield one, nth


def _share(seconds: float, span: float) -> float:
    """Per cent of the scale, never outside it."""
    return min(100.0, max(0.0, 100 * seconds / span)) if span > 0 else 0.0


def _percent(share: float) -> str:
    return f"{share:.3f}%"


def _tick(seconds: float) -> str:
    if seconds >= 60:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s"
