"""One ASS document for a scene's segment: captions, text overlays, watermark, disclosure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from avatar_core.backend import Size
from renderer.captions import ass, labels, layout
from renderer.captions.cues import Cue
from renderer.captions.fonts import installed_font
from renderer.captions.styles import Painter
from renderer.script.models import Captions, Disclosure, Position, TextOverlay, Watermark

MIDDLE: tuple[Position, ...] = ("left", "center", "right")


@dataclass(frozen=True, slots=True)
class Subtitles:
    """An ASS document and the frames on which its picture changes.

    ``changes`` starts with 0 and rises; from each to the next the picture stands still. Frames
    of an animation are listed one by one; None would mean that nothing is known.
    """

    text: str
    changes: tuple[int, ...] | None


@dataclass
class Clock:
    """Turns seconds into spans of the segment and remembers where the picture changes."""

    frames: int
    fps: int
    changes: set[int] = field(default_factory=lambda: {0})

    def span(self, start: float, end: float) -> tuple[int, int] | None:
        """The frames from ``start`` to ``end`` (seconds) that lie in the segment."""
        first = max(0, round(start * self.fps))
        last = min(self.frames, round(end * self.fps))
        return (first, last) if first < last else None

    def shown(self, span: tuple[int, int], animated: int = 0) -> tuple[int, int]:
        """Note a span of frames, the first ``animated`` of them in motion; gives it in ms."""
        first, last = span
        self.changes |= {first, last, *range(first, min(last, first + animated + 1))}
        start, end = (ass.instant(frame, self.fps) for frame in span)
        # The last frame's end must not depend on rounding.
        return start, end if last < self.frames else end + 1000

    def all_changes(self) -> tuple[int, ...]:
        return tuple(sorted(frame for frame in self.changes if frame < self.frames))


def subtitles_document(
    size: Size,
    frames: int,
    fps: int,
    *,
    cues: Sequence[Cue] = (),
    captions: Captions | None = None,
    overlays: Sequence[TextOverlay] = (),
    offset: float = 0.0,
    scene_start: float = 0.0,
    watermark: Watermark | None = None,
    watermark_span: tuple[int, int] | None = None,
    disclosure: Disclosure | None = None,
) -> Subtitles | None:
    """Everything written in a segment of ``frames`` frames; None when there is nothing.

    Times are in seconds: cues count from the narration's start, which is ``offset`` after the
    segment's first frame; overlays count from the scene's start, ``scene_start`` after it. A
    watermark that is a picture is drawn by others: ``watermark_span`` is where (px from the upper
    edge to its top and bottom), so that words keep clear of it.
    Raises `InputError` for a colour that does not exist.
    """
    document = ass.Document(*size)
    clock, shelves = Clock(frames, fps), layout.Shelves(size)
    labels.add_styles(document)
    if watermark is not None and watermark_span is not None:
        shelves.keep_clear(watermark.position, *watermark_span)
    _draw_fixed(document, clock, shelves, size, watermark, disclosure)
    burnt = captions if captions is not None and captions.burn and cues else None
    edge = {"top": 0.0, "bottom": 0.0}
    if burnt is not None:
        margin = layout.caption_margin(size, burnt, shelves)
        edge[burnt.position] = margin + layout.caption_height(size, burnt)
        if burnt.position == "center":
            shelves.reserve(MIDDLE, layout.caption_height(size, burnt) / 2 + shelves.gap)
        _draw_captions(document, clock, size, burnt, margin, [c.shifted(offset) for c in cues])
    for overlay in overlays:
        _draw_overlay(document, clock, shelves, size, overlay, scene_start, edge)
    return Subtitles(document.text(), clock.all_changes()) if len(document) else None


def _draw_fixed(
    document: ass.Document,
    clock: Clock,
    shelves: layout.Shelves,
    size: Size,
    watermark: Watermark | None,
    disclosure: Disclosure | None,
) -> None:
    whole = clock.shown((0, clock.frames))
    fixed = [
        labels.disclosure_label(disclosure, size) if disclosure is not None else None,
        labels.watermark_label(watermark, size) if watermark is not None else None,
    ]
    for label in filter(None, fixed):
        labels.draw(document, label, shelves, whole)


def _draw_captions(
    document: ass.Document,
    clock: Clock,
    size: Size,
    style: Captions,
    margin: float,
    cues: Sequence[Cue],
) -> None:
    painter = Painter(size, style, margin, installed_font(style.font))
    painter.add_styles(document)
    for cue in cues:
        for moment in painter.moments(cue):
            span = clock.span(moment.start, moment.end)
            if span is None:
                continue
            animated = round(moment.animated * clock.fps) + 1 if moment.animated else 0
            times = clock.shown(span, animated)
            for layer, (name, text) in enumerate(moment.events):
                document.event(name, *times, text, layer=layer)


def _draw_overlay(
    document: ass.Document,
    clock: Clock,
    shelves: layout.Shelves,
    size: Size,
    overlay: TextOverlay,
    scene_start: float,
    edge: dict[str, float],
) -> None:
    end = clock.frames / clock.fps if overlay.end is None else scene_start + overlay.end
    span = clock.span(scene_start + overlay.start, end)
    label = labels.overlay_label(overlay, size)
    if span is None or label is None:
        return
    margin = max(0.08 * size.height, edge.get(layout.row(overlay.position), 0.0))
    labels.draw(document, label, shelves, clock.shown(span), edge=margin)
