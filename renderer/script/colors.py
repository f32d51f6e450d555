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
    return _named().get(text.lower())


def nearest_color(text: str) -> str | None:
    """The name of a colour that ``text`` may have been meant to be."""
    return nearest(text, _named())


def _named() -> dict[str, str]:
    from PIL import ImageColor

    return {name: value for name, value in ImageColor.colormap.items() if isinstance(value, str)}
