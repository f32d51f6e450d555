"""Sizes and frame rates by name, as a script's `output.preset` and the settings give them."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_core.backend import Size
from renderer.script.fields import Quality


@dataclass(frozen=True, slots=True)
class Preset:
    """A way to put a film out; ``quality`` None leaves it to the script and the settings."""

    size: Size
    fps: int = 30
    quality: Quality | None = None
    meant_for: str = ""


_UPRIGHT = Preset(Size(1080, 1920), meant_for="phones held upright")

PRESETS: dict[str, Preset] = {
    "shorts": _UPRIGHT,
    "tiktok": _UPRIGHT,
    "reels": _UPRIGHT,
    "youtube": Preset(Size(1920, 1080), meant_for="wide screens"),
    "square": Preset(Size(1080, 1080), meant_for="feeds"),
    "draft": Preset(Size(540, 960), fps=15, quality="draft", meant_for="a quick look"),
}
DEFAULT_PRESET = "shorts"
