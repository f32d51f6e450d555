"""Fitting a portrait into the size that a layout shows, the same way in every backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avatar_core.backend import Size

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]
_BACKDROP = (232, 234, 238)
# A head with its shoulders needs about this share of an upright portrait of 4 to 5.
_FACE_SHARE, _UPRIGHT = 0.6, 1.25


@dataclass(frozen=True, slots=True)
class Placement:
    """Which part of a portrait is shown (``box``: left, top, right, bottom in its pixels), how
    large, and how far from the frame's left edge; beside it the frame shows a blurred copy."""

    box: Box
    size: Size
    x: int = 0

    def shown(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the portrait is in the frame."""
        left, top, right, bottom = self.box
        across = (x - left) * self.size.width / (right - left)
        return across + self.x, (y - top) * self.size.height / (bottom - top)


def even(size: Size) -> Size:
    """``size`` rounded up to what yuv420p can hold: even, and at least 2x2."""
    return Size(max(2, size.width + size.width % 2), max(2, size.height + size.height % 2))


def placed(source: Size, target: Size, focus: float, keep: Box | None = None) -> Placement:
    """The portrait scaled to cover ``target`` and cropped: in the middle across, at ``focus``
    (0 top, 1 bottom) down, moved where ``keep`` (the face) would not be in it otherwise.

    Where so wide a crop would cut through the face, the part with the face is shown whole, and
    the picture itself, blurred, fills the sides.
    """
    if not cuts_face(source, target):
        return Placement(crop_box(source, target, focus, keep), target)
    height = min(source.height, source.width)
    middle = Size(max(1, round(target.height * source.width / height)), target.height)
    box = crop_box(source, middle, focus, keep)
    return Placement(box, middle, (target.width - middle.width) // 2)


def fill(picture: Image, size: Size, focus: float, keep: Box | None = None) -> Image:
    """``picture`` as `placed` says, as RGB. What is transparent in it becomes a light backdrop."""
    source = Size(*picture.size)
    placement = placed(source, size, focus, keep)
    shown = _cropped(picture, placement.size, placement.box)
    if placement.size == size:
        return shown
    filled = _blurred(_cropped(picture, size, crop_box(source, size, focus, keep)))
    filled.paste(shown, (placement.x, 0))
    return filled


def cuts_face(source: Size, target: Size) -> bool:
    """Whether a crop of ``source`` to the shape of ``target`` keeps too little of its height."""
    kept = source.width * target.height / target.width
    return kept < _FACE_SHARE * min(source.height, source.width * _UPRIGHT)


def crop_box(source: Size, target: Size, focus: float, keep: Box | None = None) -> Box:
    """The part of ``source`` with the shape of ``target``: left, top, right, bottom. ``keep``
    is in it; of one that is larger, the middle."""
    scale = max(target.width / source.width, target.height / source.height)
    width = min(float(source.width), target.width / scale)
    height = min(float(source.height), target.height / scale)
    left, top = (source.width - width) / 2, (source.height - height) * focus
    if keep is not None:
        left = _moved(left, width, keep[0], keep[2], source.width)
        top = _moved(top, height, keep[1], keep[3], source.height)
    return left, top, min(left + width, source.width), min(top + height, source.height)


def _moved(start: float, length: float, first: float, last: float, end: float) -> float:
    """A window moved as little as needed for ``first`` to ``last`` to be in it."""
    if last - first > length:
        # Not all of it goes in: across its middle, of a face the eyes and the mouth.
        start = (first + last - length) / 2
    else:
        start = min(max(start, last - length), first)
    return min(max(start, 0.0), end - length)


def _blurred(picture: Image) -> Image:
    from PIL import Image, ImageFilter

    # Blurred small: the radius, and so the time, would otherwise grow with the picture.
    small = picture.resize((64, max(1, round(64 * picture.height / picture.width))))
    soft = small.filter(ImageFilter.GaussianBlur(4))
    return soft.resize(picture.size, Image.Resampling.BICUBIC).point(lambda value: value * 0.8)


def _cropped(picture: Image, size: Size, box: Box) -> Image:
    from PIL import Image

    # Cropped before it is scaled: a strip of 10x4000 pixels would otherwise grow without bound.
    scaled = picture.resize(size, Image.Resampling.LANCZOS, box=box)
    return _on_backdrop(scaled) if scaled.mode == "RGBA" else scaled.convert("RGB")


def _on_backdrop(picture: Image) -> Image:
    from PIL import Image

    backdrop = Image.new("RGBA", picture.size, (*_BACKDROP, 255))
    return Image.alpha_composite(backdrop, picture).convert("RGB")
