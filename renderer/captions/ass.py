"""The little of the ASS format that burning needs: text that cannot inject, colours, times."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable

import pysubs2

from avatar_core.errors import InputError

_WORD_JOINER = "\u2060"


def escaped(text: str) -> str:
    """User text as ASS text: nothing in it can act as an override tag or a line break.

    ASS has no escape for a backslash, so an invisible word joiner follows it (as ffmpeg's own
    subtitle decoders do); line breaks become spaces.
    """
    visible = "".join(c for c in " ".join(text.split()) if unicodedata.category(c) != "Cc")
    return visible.replace("\\", f"\\{_WORD_JOINER}").replace("{", r"\{").replace("}", r"\}")


def color(value: str, *, key: str = "color", opacity: float = 1.0) -> pysubs2.Color:
    """``#RRGGBB``, ``#RRGGBBAA`` or a CSS name; raises `InputError` for an unknown name."""
    from PIL import ImageColor

    try:
        red, green, blue, *rest = ImageColor.getrgb(value)
    except ValueError:
        raise InputError(
            f"{value!r} is not a colour.",
            key=key,
            advice="Write #RRGGBB, #RRGGBBAA or a CSS name such as white or gold.",
        ) from None
    alpha = (rest[0] if rest else 255) * opacity
    # ASS counts transparency, not opacity.
    return pysubs2.Color(red, green, blue, 255 - round(alpha))


def color_tag(value: pysubs2.Color) -> str:
    """An override for the letters' colour from here on."""
    return rf"{{\1c&H{value.b:02X}{value.g:02X}{value.r:02X}&\1a&H{value.a:02X}&}}"


def instant(frame: int, fps: int) -> int:
    """A time in ms (whole centiseconds, as ASS counts) that lies between two frames.

    The renderer cuts a frame's time to whole ms, so a time equal to the frame's own could fall
    on either side; one just before it shows the text from exactly this frame (up to 99 fps).
    """
    return max(0, 10 * (math.ceil(round(frame * 100 / fps, 6)) - 1))


def plain_style(
    font: str, size: float, change: Callable[[pysubs2.SSAStyle], None] | None = None
) -> pysubs2.SSAStyle:
    """A bold white style without outline; ``size`` in px of line height."""
    style = pysubs2.SSAStyle(fontname=font, fontsize=round(size, 2), bold=True)
    style.outline = style.shadow = 0
    style.marginl = style.marginr = style.marginv = 0
    style.primarycolor = style.secondarycolor = pysubs2.Color(255, 255, 255)
    if change is not None:
        change(style)
    return style


class Document:
    """An ASS document whose coordinates are the film's pixels and which never wraps by itself."""

    def __init__(self, width: int, height: int) -> None:
        self._file = pysubs2.SSAFile()
        self._file.styles.clear()
        self._file.info.clear()
        self._file.info.update(
            {
                "ScriptType": "v4.00+",
                "PlayResX": str(width),
                "PlayResY": str(height),
                "LayoutResX": str(width),
                "LayoutResY": str(height),
                "WrapStyle": "2",
                "ScaledBorderAndShadow": "yes",
                "Kerning": "yes",
                "YCbCr Matrix": "None",
            }
        )

    def style(self, name: str, style: pysubs2.SSAStyle) -> None:
        """Define a style; a second definition replaces the first."""
        self._file.styles[name] = style

    def event(self, style: str, start: int, end: int, text: str, layer: int = 0) -> None:
        """Show ``text`` (ASS text: escape what users wrote) from ``start`` to ``end`` in ms."""
        self._file.events.append(
            pysubs2.SSAEvent(start=start, end=end, text=text, style=style, layer=layer)
        )

    def __len__(self) -> int:
        return len(self._file.events)

    def text(self) -> str:
        """The whole document."""
        return self._file.to_string("ass")
