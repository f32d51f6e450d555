"""Text that is no caption: overlays of a scene, the watermark, the disclosure label."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_core.backend import Size
from renderer.captions import ass, layout
from renderer.captions.fonts import BUNDLED, ass_size
from renderer.captions.measure import text_width, wrapped_text
from renderer.captions.shapes import rounded_box
from renderer.script.models import Disclosure, Position, TextOverlay, Watermark

_LABEL_EM = 0.026
_WATERMARK_EMS = (0.026, 0.05)


@dataclass(frozen=True, slots=True)
class Label:
    """Lines at an anchor. ``em`` and the outline are in px; ``box`` lays a dark plate behind."""

    lines: tuple[str, ...]
    position: Position
    em: float
    color: str
    opacity: float = 1.0
    box: bool = False
    key: str = "color"

    @property
    def width(self) -> float:
        return max(text_width(line) for line in self.lines) * self.em

    @property
    def height(self) -> float:
        return len(self.lines) * self.em * layout.LINE_PITCH


def overlay_label(overlay: TextOverlay, size: Size) -> Label | None:
    """A text overlay; it shrinks where a word is wider than the picture's safe area."""
    em = overlay.scale * size.height
    lines = wrapped_text(overlay.text, layout.room(size) / em)
    return _fitted(lines, overlay.position, em, overlay.color, size)


def watermark_label(watermark: Watermark, size: Size) -> Label | None:
    """A watermark's words, as wide as ``scale`` says, but neither tiny nor huge."""
    words = " ".join((watermark.text or "").split())
    if not words:
        return None
    low, high = (share * min(size) for share in _WATERMARK_EMS)
    em = min(high, max(low, watermark.scale * size.width / max(text_width(words), 0.1)))
    return _fitted([words], watermark.position, em, "#FFFFFF", size, watermark.opacity)


def disclosure_label(disclosure: Disclosure, size: Size) -> Label | None:
    """The disclosure on a dark plate, so that it can be read over anything."""
    em = _LABEL_EM * min(size)
    lines = wrapped_text(disclosure.label or "", layout.room(size) * 0.8 / em)
    return _fitted(lines, disclosure.position, em, "#FFFFFF", size, box=True)


def _fitted(
    lines: list[str],
    position: Position,
    em: float,
    color: str,
    size: Size,
    opacity: float = 1.0,
    box: bool = False,
) -> Label | None:
    shown = tuple(line for line in lines if line.strip())
    if not shown:
        return None
    wide = max(text_width(line) for line in shown) * em
    high = len(shown) * em * layout.LINE_PITCH
    factor = min(1.0, layout.room(size) / wide if wide else 1.0, size.height * 0.9 / high)
    return Label(shown, position, em * factor, color, opacity, box)


def draw(
    document: ass.Document,
    label: Label,
    shelves: layout.Shelves,
    span: tuple[int, int],
    edge: float | None = None,
) -> None:
    """Put ``label`` into the document for ``span`` (ms), where there is room at its anchor."""
    pad = label.em * 0.45 if label.box else 0.0
    spot = shelves.place(label.position, label.height + pad, edge)
    if label.box:
        left, top = spot.corner(label.width, label.height)
        shape = rounded_box(
            left - pad, top - pad * 0.5, label.width + 2 * pad, label.height + pad, pad
        )
        document.event("Plate", *span, shape, layer=3)
    size = f"{{\\fs{ass_size(label.em):.2f}{_edges(label)}}}"
    tint = ass.color_tag(ass.color(label.color, key=label.key, opacity=label.opacity))
    for line, place in zip(label.lines, spot.lines(len(label.lines), label.em), strict=True):
        document.event("Label", *span, place.tag + size + tint + ass.escaped(line), layer=4)


def _edges(label: Label) -> str:
    if label.box:
        return r"\bord0\shad0"
    alpha = round(255 * (1 - label.opacity))
    return (
        rf"\bord{label.em * 0.07:.2f}\shad{label.em * 0.03:.2f}"
        rf"\3a&H{alpha:02X}&\4a&H{max(alpha, 128):02X}&"
    )


def add_styles(document: ass.Document) -> None:
    """The styles that `draw` uses; sizes come with each event."""
    document.style("Label", ass.plain_style(BUNDLED, 40))
    plate = ass.plain_style(BUNDLED, 40)
    plate.primarycolor = ass.color("#101418", opacity=0.62)
    document.style("Plate", plate)
