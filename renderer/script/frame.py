"""The size of a film's picture, from a preset, a size or an aspect ratio."""

from __future__ import annotations

from avatar_core.backend import Size
from renderer.presets import Preset
from renderer.script.mistakes import Mistakes
from renderer.script.models import Output

SMALLEST, LARGEST = 16, 7680


def frame_size(output: Output, preset: Preset, mistakes: Mistakes) -> Size:
    """Width and height in pixels, both even; a size that is impossible goes to ``mistakes``."""
    key = "output.size" if output.size else "output.aspect_ratio"
    width, height = _asked(output, preset)
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        mistakes.tell(
            f"a film of {width}x{height} pixels cannot be made.",
            key,
            f"Each side may have {SMALLEST} to {LARGEST} pixels.",
        )
        return preset.size
    size = Size(width // 2 * 2, height // 2 * 2)
    if output.size and size != (width, height):
        mistakes.warn(f"{width}x{height} is not even; the film is {size}.", key)
    return size


def _asked(output: Output, preset: Preset) -> tuple[int, int]:
    if output.size:
        width, height = output.size.split("x")
        return int(width), int(height)
    if output.aspect_ratio is None:
        return preset.size
    across, down = (int(part) for part in output.aspect_ratio.split(":"))
    short = min(preset.size)
    if not across or not down:
        return 0, 0
    if across <= down:
        return short, round(short * down / across)
    return round(short * across / down), short
