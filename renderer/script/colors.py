"""Colours as scripts write them: `#rrggbb`, `#rgb` or a CSS name."""

from __future__ import annotations

import re

from avatar_core.nearest import nearest

_HEX = re.compile(r"#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")


def hex_color(text: str) -> str | None:
    """``#rrggbb`` for a colour, None for anything else."""
    if _HEX.fullmatch(text):
        digits = text[1:].lower()
        return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))
    from PIL import ImageColor

    if text.lower() not in ImageColor.colormap:
        return None
    return "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(text))


def nearest_color(text: str) -> str | None:
    """The name of a colour that ``text`` may have been meant to be."""
    from PIL import ImageColor

    return nearest(text, ImageColor.colormap)
