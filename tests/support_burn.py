"""Burning an ASS document onto a grey ground and looking at the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar_core.backend import Size
from avatar_core.ffmpeg import run_ffmpeg
from avatar_core.speech import TimedWord
from renderer.captions.fonts import filter_value, fonts_dir

GROUND = 110
Frames = NDArray[np.int16]


def burn(text: str, size: Size, frames: int, fps: int, folder: Path) -> Frames:
    """The document's frames over flat grey, shape (frames, height, width, 3), minus the ground."""
    (folder / "t.ass").write_text(text, encoding="utf-8")
    grey = f"0x{GROUND:02x}{GROUND:02x}{GROUND:02x}"
    ground = f"color={grey}:size={size.width}x{size.height}:rate={fps},format=rgb24"
    chain = f"ass=t.ass:fontsdir={filter_value(fonts_dir())}"
    sink = ["-frames:v", str(frames), "-pix_fmt", "rgb24", "-f", "rawvideo", "t.rgb"]
    run_ffmpeg(["-f", "lavfi", "-i", ground, "-vf", chain, *sink], cwd=folder)
    raw = np.frombuffer((folder / "t.rgb").read_bytes(), np.uint8)
    return raw.reshape(frames, size.height, size.width, 3).astype(np.int16) - GROUND


def inked(frame: Frames) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what was drawn (px, right and bottom exclusive)."""
    drawn = np.abs(frame).max(axis=2) > 24
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def spoken(text: str, seconds_per_word: float = 0.4, start: float = 0.05) -> list[TimedWord]:
    """Words said one after the other at an even pace."""
    return [
        TimedWord(word, start + i * seconds_per_word, start + (i + 0.9) * seconds_per_word)
        for i, word in enumerate(text.split())
    ]
