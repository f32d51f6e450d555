"""Fitting a portrait into the size the layout shows."""

from __future__ import annotations

from PIL import Image, ImageFilter

from avatar_core.backend import Size

_BACKDROP = (232, 234, 238)
# A head with its shoulders needs about this share of an upright portrait of 4 to 5.
_FACE_SHARE, _UPRIGHT = 0.6, 1.25


def even(size: Size) -> Size:
    """``size`` rounded up to what yuv420p can hold: even, and at least 2x2."""
    return Size(max(2, size.width + size.width % 2), max(2, size.height + size.height % 2))


def fill(picture: Image.Image, size: Size, focus: float) -> Image.Image:
    """``picture`` scaled to cover ``size`` and cropped: in the middle across, at ``focus``
    (0 top, 1 bottom) down. What is transparent in it becomes a light backdrop.

    Where so wide a crop would cut through the face, the part with the face is shown whole, and
    the picture itself, blurred, fills the sides.
    """
    source = Size(*picture.size)
    if not cuts_face(source, size):
        return _cropped(picture, size, focus)
    height = min(source.height, source.width)
    middle = Size(max(1, round(size.height * source.width / height)), size.height)
    filled = _blurred(_cropped(picture, size, focus))
    filled.paste(_cropped(picture, middle, focus), ((size.width - middle.width) // 2, 0))
    return filled


def cuts_face(source: Size, target: Size) -> bool:
    """Whether a crop of ``source`` to the shape of ``target`` keeps too little of its height."""
    kept = source.width * target.height / target.width
    return kept < _FACE_SHARE * min(source.height, source.width * _UPRIGHT)


def _blurred(picture: Image.Image) -> Image.Image:
    # Blurred small: the radius, and so the time, would otherwise grow with the picture.
    small = picture.resize((64, max(1, round(64 * picture.height / picture.width))))
    soft = small.filter(ImageFilter.GaussianBlur(4)).resize(picture.size, Image.Resampling.BICUBIC)
    return soft.point(lambda value: value * 0.8)


def _cropped(picture: Image.Image, size: Size, focus: float) -> Image.Image:
    # Cropped before it is scaled: a strip of 10x4000 pixels would otherwise grow without bound.
    scaled = picture.resize(
        size, Image.Resampling.LANCZOS, box=crop_box(Size(*picture.size), size, focus)
    )
    return _on_backdrop(scaled) if scaled.mode == "RGBA" else scaled.convert("RGB")


def crop_box(source: Size, target: Size, focus: float) -> tuple[float, float, float, float]:
    """The part of ``source`` with the shape of ``target``: left, top, right, bottom."""
    scale = max(target.width / source.width, target.height / source.height)
    width = min(float(source.width), target.width / scale)
    height = min(float(source.height), target.height / scale)
    left, top = (source.width - width) / 2, (source.height - height) * focus
    return left, top, min(left + width, source.width), min(top + height, source.height)


def _on_backdrop(picture: Image.Image) -> Image.Image:
    backdrop = Image.new("RGBA", picture.size, (*_BACKDROP, 255))
    return Image.alpha_composite(backdrop, picture).convert("RGB")
