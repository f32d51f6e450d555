"""The font of the card: one with Vietnamese letters that comes as a package, else Pillow's own."""

from __future__ import annotations

import functools
import logging
from pathlib import Path

from PIL import ImageFont

log = logging.getLogger(__name__)

_PROBE_SIZE = 24.0


def font(size: float, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of about ``size`` pixels, at least 1."""
    pixels = max(1.0, size)
    path = _file("SemiBold" if bold else "Medium")
    if path is not None:
        try:
            return ImageFont.truetype(str(path), pixels)
        except OSError:
            log.debug("the font %s cannot be used", path, exc_info=True)
    return ImageFont.load_default(pixels)


def drawable(text: str) -> str:
    """``text`` without the characters for which the font has no shape (they show as boxes)."""
    return " ".join("".join(c for c in text if c.isspace() or _has_shape(c)).split())


@functools.cache
def _file(weight: str) -> Path | None:
    try:
        from fontpkg_be_vietnam_pro import ROOT
    except ImportError:
        return None
    path = Path(ROOT) / "files" / f"BeVietnamPro-{weight}.ttf"
    return path if path.is_file() else None


@functools.lru_cache(maxsize=4096)
def _has_shape(character: str) -> bool:
    probe = font(_PROBE_SIZE)
    # A private-use character no font defines is drawn as the box for missing ones.
    missing = probe.getmask("\U0010fffe")
    shape = probe.getmask(character)
    return shape.size != missing.size or bytes(shape) != bytes(missing)
