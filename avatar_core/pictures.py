"""Pictures as people have them: rotated by EXIF, in CMYK, 16 bits deep, with alpha, huge."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from avatar_core.backend import Size
from avatar_core.media_error import MediaError, require_file

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

log = logging.getLogger(__name__)

# 40 million pixels are 6300x6300, or 160 MB as RGBA: more than any frame can show.
MAX_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """``size`` is in pixels as shown, after EXIF rotation."""

    size: Size
    format: str
    has_alpha: bool


def probe_picture(path: Path) -> PictureInfo:
    """What the file says of its picture. Raises `MediaError`."""
    with _opened(path) as picture:
        width, height = picture.size
        if _says_how_it_was_held(picture) and _orientation(picture) in _SIDEWAYS:
            width, height = height, width
        return PictureInfo(Size(width, height), picture.format or "", _has_alpha(picture))


def load_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture upright, in sRGB, as RGB, or as RGBA where something is transparent.

    Of an animation, the first frame. A JPEG of more than ``max_pixels`` is decoded at a half, a
    quarter or an eighth of its size, which needs no more memory; any other picture as large is
    refused. Raises `MediaError`.
    """
    with _opened(path) as picture:
        _bound(picture, path, max_pixels)
        picture.load()
        # Decoding turns a TIFF by itself and then says so here: what is left is ours to do.
        orientation = _orientation(picture)
        return _upright(_as_rgb(_srgb(picture)), orientation)


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    require_file(path, "picture")
    with path.open("rb") as stream:
        picture = _recognised(stream, path)
        try:
            yield picture
        except (MediaError, MemoryError):
            raise
        except Exception as failure:
            # Decoders meet damage with whatever exception they happen to run into.
            log.debug("a picture could not be decoded", exc_info=True)
            raise MediaError(
                f"The picture is damaged or cut off: {failure}.",
                file=path,
                advice="Export or copy it again.",
            ) from failure
        finally:
            picture.close()


def _recognised(stream: BinaryIO, path: Path) -> ImageFile:
    """As `PIL.Image.open` does it, but without its limit of pixels: that one is a setting of the
    whole process, and hits JPEGs that can be decoded small."""
    from PIL import Image

    Image.init()
    head = stream.read(16)
    for name in FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        # An answer that is a text says that the format is known and its support missing.
        if factory is None or (accept is not None and accept(head) is not True):
            continue
        stream.seek(0)
        try:
            return factory(cast("io.BytesIO", stream), str(path))
        except Exception:
            log.debug("%s is not %s", path, name, exc_info=True)
    raise MediaError(
        "This is not a picture that can be read.",
        file=path,
        advice=f"Use one of {', '.join(FORMATS)}.",
    )


def _bound(picture: ImageFile, path: Path, max_pixels: int) -> None:
    """Keep the memory bounded: decode small where the format can, refuse where it cannot."""
    width, height = picture.size
    if width * height <= max_pixels:
        return
    # A progressive JPEG is kept whole in memory while it is decoded, however small it comes out.
    if picture.format in ("JPEG", "MPO") and not picture.info.get("progressive"):
        for step in (2, 4, 8):
            if (width // step) * (height // step) <= max_pixels:
                picture.draft(
                    "RGB" if picture.mode == "RGB" else picture.mode, _part(picture, step)
                )
                break
    if picture.size[0] * picture.size[1] > max_pixels:
        raise MediaError(
            f"The picture has {width} x {height} pixels, more than the {max_pixels:,} "
            "that can be handled.",
            file=path,
            advice="Scale it down; a few thousand pixels on a side are plenty.",
        )


def _part(picture: ImageFile, step: int) -> tuple[int, int]:
    return picture.size[0] // step, picture.size[1] // step


def _srgb(picture: Image) -> Image:
    """Colours as they look: the profile of a print or a phone applied, CMYK turned to RGB."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return picture
    from PIL import ImageCms

    mode = picture.mode if picture.mode in ("RGB", "RGBA") else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, source, target, outputMode=mode) or picture
    except (ImageCms.PyCMSError, OSError):
        log.debug("the colour profile is not usable", exc_info=True)
        return picture


def _as_rgb(picture: Image) -> Image:
    if picture.mode.startswith("I"):
        # Sixteen bits of grey: a plain conversion would clip everything above 255 to white.
        return picture.convert("I").point(lambda v: v * (1 / 256)).convert("L").convert("RGB")
    if picture.mode == "F":
        return _from_float(picture).convert("RGB")
    if not _has_alpha(picture):
        return picture.convert("RGB")
    rgba = picture.convert("RGBA")
    opaque = rgba.getchannel("A").getextrema()[0] == 255
    return rgba.convert("RGB") if opaque else rgba


def _from_float(picture: Image) -> Image:
    low, high = cast("tuple[float, float]", picture.getextrema())
    span = (high - low) or 1.0
    return picture.point(lambda v: v * (255 / span) + (-low * 255 / span)).convert("L")


def _says_how_it_was_held(picture: Image) -> bool:
    # Of a TIFF the library gives the size as shown by itself. A PNG may say it behind its pixels,
    # and they are decoded to get there: never more of them than `load_picture` takes.
    late = picture.format == "PNG" and "exif" not in picture.info
    small = picture.size[0] * picture.size[1] <= MAX_PIXELS
    return picture.format != "TIFF" and (small or not late)


def _orientation(picture: Image) -> int:
    """How the camera was held, 1 to 8 as EXIF counts; damaged EXIF says nothing."""
    try:
        return int(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:
        log.debug("the EXIF data is not usable", exc_info=True)
        return 1


def _upright(picture: Image, orientation: int) -> Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _has_alpha(picture: Image) -> bool:
    return "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info
