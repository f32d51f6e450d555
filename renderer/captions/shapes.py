"""Vector shapes in ASS drawing commands."""

from __future__ import annotations

# The distance of the control points that makes a cubic Bézier follow a quarter of a circle.
_ARC = 0.5523


def rounded_box(left: float, top: float, width: float, height: float, radius: float) -> str:
    """An event's text that draws a filled rectangle with round corners; all values in px."""
    r = max(0.0, min(radius, width / 2, height / 2))
    right, bottom, k = left + width, top + height, r * (1 - _ARC)
    path = [
        f"m {_p(left + r, top)} l {_p(right - r, top)}",
        f"b {_p(right - k, top)} {_p(right, top + k)} {_p(right, top + r)}",
        f"l {_p(right, bottom - r)}",
        f"b {_p(right, bottom - k)} {_p(right - k, bottom)} {_p(right - r, bottom)}",
        f"l {_p(left + r, bottom)}",
        f"b {_p(left + k, bottom)} {_p(left, bottom - k)} {_p(left, bottom - r)}",
        f"l {_p(left, top + r)}",
        f"b {_p(left, top + k)} {_p(left + k, top)} {_p(left + r, top)}",
    ]
    # \p3 counts in quarters of a pixel, so that corners are smooth.
    return r"{\an7\pos(0,0)\bord0\shad0\p3}" + " ".join(path) + r"{\p0}"


def _p(x: float, y: float) -> str:
    return f"{round(x * 4)} {round(y * 4)}"
