"""Pictures made ready for composition: raw pixels in the size in which they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.backend import Size
from avatar_core.errors import InputError
from avatar_core.pictures import load_picture
from renderer.compose.layouts import anchored
from renderer.compose.spec import BackgroundLayer, PictureLayer, Shape

if TYPE_CHECKING:
    from PIL import Image

# Masks are drawn this much larger and shrunk: Pillow draws hard edges.
_SUPERSAMPLING = 4
_CORNER_RADIUS = 0.12
_BLUR_SHRINK = 12
_WALL = "#e8ecf1"


@dataclass(frozen=True, slots=True)
class Plate:
    """Raw pixels in a file (``rgb24``, ``rgba`` or ``gray``) and where they stand in the frame.

    Raw, because packing and unpacking a PNG takes longer than composing it.
    """

    path: Path
    size: Size
    pixels: str
    x: int = 0
    y: int = 0


def background_plate(layer: BackgroundLayer, size: Size, path: Path) -> Plate:
    """The colour or picture background, filling ``size``."""
    from PIL import Image

    plain = Image.new("RGB", size, _rgb(layer.color))
    if layer.kind == "image" and layer.src is not None:
        picture = _load(layer.src)
        plain = _FITS[layer.fit](picture, plain)
    return _save(plain, path)


def picture_plate(layer: PictureLayer, size: Size, path: Path) -> Plate:
    """An overlay in its final size, its opacity multiplied into its alpha."""
    picture = _load(layer.src).convert("RGBA")
    width = max(2, round(size.width * layer.scale))
    height = max(2, round(picture.height * width / picture.width))
    if height > size.height:
        width, height = max(2, round(width * size.height / height)), size.height
    picture = _resized(picture, Size(width, height))
    if layer.opacity < 1:
        picture.putalpha(picture.getchannel("A").point(lambda value: value * layer.opacity))
    x, y = anchored(Size(*picture.size), layer.position, size)
    return _save(picture, path, x, y)


def mask_plate(shape: Shape, size: Size, path: Path) -> Plate:
    """The outline of a presenter: white inside, soft at the edge."""
    return _save(shape_mask(shape, size), path)


def card_plate(size: Size, path: Path) -> Plate:
    """A plain wall behind a transparent presenter that shares the frame with a picture."""
    from PIL import Image

    return _save(Image.new("RGB", size, _WALL), path)


def backing_plate(shape: Shape, size: Size, path: Path) -> Plate:
    """What lies under a presenter cut to ``shape``: a soft shadow, a white ring, a plain wall.

    ``x`` and ``y`` are relative to the presenter's box.
    """
    from PIL import Image, ImageFilter

    short = min(size)
    ring, blur, pad = (
        max(2, round(short * 0.012)),
        max(2, short // 40),
        max(4, short // 12) // 2 * 2,
    )
    canvas = Size(size.width + 2 * pad, size.height + 2 * pad)
    outline = shape_mask(shape, Size(size.width + 2 * ring, size.height + 2 * ring))
    shadow = Image.new("L", canvas, 0)
    shadow.paste(outline.point(lambda value: value * 0.45), (pad - ring, pad - ring + blur // 2))
    shadow = shadow.filter(ImageFilter.GaussianBlur(blur))
    backing = Image.new("RGBA", canvas, (0, 0, 0, 0))
    backing.putalpha(shadow)
    white = Image.new("RGBA", outline.size, (255, 255, 255, 255))
    white.putalpha(outline)
    backing.alpha_composite(white, (pad - ring, pad - ring))
    wall = Image.new("RGB", size, _WALL)
    backing.paste(wall, (pad, pad), shape_mask(shape, size))
    return _save(backing, path, -pad, -pad)


def shape_mask(shape: Shape, size: Size) -> Image.Image:
    """A grey picture of ``size``, 255 within the shape."""
    from PIL import Image, ImageDraw

    if shape == "rect":
        return Image.new("L", size, 255)
    large = (size.width * _SUPERSAMPLING, size.height * _SUPERSAMPLING)
    mask = Image.new("L", large, 0)
    draw, corner = ImageDraw.Draw(mask), (large[0] - 1, large[1] - 1)
    if shape == "circle":
        draw.ellipse((0, 0, *corner), fill=255)
    else:
        draw.rounded_rectangle((0, 0, *corner), min(large) * _CORNER_RADIUS, fill=255)
    return mask.resize(size, Image.Resampling.BOX)


def _rgb(color: str) -> tuple[int, ...]:
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(color)[:3]
    except ValueError:
        raise InputError(
            f"{color!r} is no colour.",
            key="background",
            advice='Write "#rrggbb" or an English name such as "navy".',
        ) from None


def _load(path: Path) -> Image.Image:
    return load_picture(path)


def _cover(picture: Image.Image, plain: Image.Image) -> Image.Image:
    wanted = Size(*plain.size)
    scale = max(wanted.width / picture.width, wanted.height / picture.height)
    width, height = wanted.width / scale, wanted.height / scale
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    box = (left, top, min(left + width, picture.width), min(top + height, picture.height))
    return _laid_over(plain, _resized(picture, wanted, box), (0, 0))


def _contain(picture: Image.Image, plain: Image.Image) -> Image.Image:
    wanted = Size(*plain.size)
    scale = min(wanted.width / picture.width, wanted.height / picture.height)
    inner = Size(max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    corner = ((wanted.width - inner.width) // 2, (wanted.height - inner.height) // 2)
    return _laid_over(plain, _resized(picture, inner), corner)


def _blur(picture: Image.Image, plain: Image.Image) -> Image.Image:
    from PIL import Image, ImageEnhance, ImageFilter

    # Blurred small and blown up: the eye sees no difference, the clock does.
    small = Size(max(2, plain.width // _BLUR_SHRINK), max(2, plain.height // _BLUR_SHRINK))
    backdrop = _cover(picture, Image.new("RGB", small, plain.getpixel((0, 0))))
    backdrop = backdrop.filter(ImageFilter.GaussianBlur(2.5))
    backdrop = ImageEnhance.Brightness(backdrop).enhance(0.75)
    return _contain(picture, backdrop.resize(plain.size, Image.Resampling.BICUBIC))


_FITS = {"cover": _cover, "contain": _contain, "blur": _blur}


def _resized(
    picture: Image.Image, size: Size, box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    from PIL import Image

    if picture.size == size and box in (None, (0, 0, *size)):
        return picture
    # `reducing_gap` shrinks huge photographs in two steps, several times faster.
    return picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _laid_over(plain: Image.Image, top: Image.Image, corner: tuple[int, int]) -> Image.Image:
    if top.mode == "RGBA":
        plain.paste(top, corner, top)
    elif top.size == plain.size:
        return top.convert("RGB")
    else:
        plain.paste(top, corner)
    return plain


def _save(picture: Image.Image, path: Path, x: int = 0, y: int = 0) -> Plate:
    path.write_bytes(picture.tobytes())
    pixels = {"RGB": "rgb24", "RGBA": "rgba", "L": "gray"}[picture.mode]
    return Plate(path, Size(*picture.size), pixels, x, y)
