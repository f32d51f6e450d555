"""Films made for measuring: real pictures and recordings, no network, no speech engine."""

from __future__ import annotations

import json
import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write_recording(path: Path, seconds: float, pitch: float, rate: int = 24000) -> None:
    """A sound with the ups and downs of speech: syllables four times a second."""
    t = np.arange(round(seconds * rate)) / rate
    syllables = np.clip(np.sin(2 * math.pi * 4 * t), 0, 1)
    sound = np.sin(2 * math.pi * pitch * t) * syllables * 12000
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(sound.astype("<i2").tobytes())


def draw_picture(path: Path, seed: int, size: tuple[int, int] = (1080, 1920)) -> None:
    """Gradients, edges and texture: neither trivial nor impossible to compress."""
    rng = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 200 / width, y * 200 / height, (x + y) * 120 / (width + height)], axis=-1)
    tiles = rng.integers(0, 60, (height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1)
    Image.fromarray((base[: tiles.shape[0], : tiles.shape[1]] + tiles).clip(0, 255).astype("uint8")
                    ).save(path)  # fmt: skip


def write_film(folder: Path, scenes: int, seconds: float, **more: Any) -> Path:
    """A script of ``scenes`` scenes, each a still presenter in a circle over a picture."""
    draw_picture(folder / "portrait.png", 0, (480, 600))
    for i in range(min(scenes, 10)):
        draw_picture(folder / f"back{i}.jpg", i + 1)
    for i in range(scenes):
        write_recording(folder / f"voice{i}.wav", seconds, 120 + i)
    film = {
        "title": "Measured",
        "output": {"preset": "shorts"},
        "speakers": {"lan": {"portrait": "portrait.png", "avatar": {"layout": "circle"}}},
        "scenes": [
            {
                "id": f"s{i}",
                "speaker": "lan",
                "audio": f"voice{i}.wav",
                "text": f"This is the caption of scene number {i}.",
                "background": f"back{i % 10}.jpg",
            }
            for i in range(scenes)
        ],
        **more,
    }
    path = folder / "film.json"
    path.write_text(json.dumps(film), encoding="utf-8")
    return path
