"""Makes every picture, film and sound that the example scripts use; all of it is original.

Only needed after changing a drawing in ``art/`` or a formula here:

    pip install -e . resvg-py
    python examples/make_assets.py
"""

from __future__ import annotations

import io
import math
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from avatar_core.ffmpeg import run_ffmpeg

ART = Path(__file__).parent / "art"
TARGET = Path(__file__).parent.parent / "renderer" / "demo" / "assets"
Array = NDArray[np.float64]

FPS = 30
TEA_SIZE = (720, 1280)
TEA_SECONDS = 5
RATE = 44_100
GUEST_TEXT = "Hello from the tea shop! I just recorded myself, and dropped the file in."


def pictures() -> None:
    """The drawings as pixels; resvg draws them the same on every machine that has the fonts."""
    import resvg_py

    for name, suffix in [("presenter", "png"), ("minh", "png"), ("script", "jpg"),
                         ("shop", "jpg"), ("relay", "jpg")]:  # fmt: skip
        drawn = resvg_py.svg_to_bytes(svg_path=str(ART / f"{name}.svg"))
        picture = Image.open(io.BytesIO(bytes(drawn))).convert("RGB")
        picture.save(TARGET / f"{name}.{suffix}", optimize=True, quality=88)


def tea_film() -> None:
    """Five seconds of milk tea with pearls, without a seam between its end and its start."""
    width, height = TEA_SIZE
    run_ffmpeg(
        [
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FPS)),
            *("-i", "pipe:0", "-an", "-c:v", "libx264", "-preset", "veryslow", "-crf", "27"),
            *("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"),
            *("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"),
            *("-movflags", "+faststart", str(TARGET / "tea.mp4")),
        ],
        feed=(frame.tobytes() for frame in tea_frames()),
    )


def tea_frames() -> Iterator[Image.Image]:
    frames = TEA_SECONDS * FPS
    pearls, bubbles = _pearls(), _bubbles()
    for number in range(frames):
        yield _tea_frame(number / frames, pearls, bubbles)


# Layers of tea from the milk at the top to the syrup at the bottom: height, swell, waves, colour.
_LAYERS = [
    (0.24, 26, 1, 1, "#f3dcc0"),
    (0.36, 34, 2, -1, "#e6c197"),
    (0.50, 30, 1, 1, "#d3a06c"),
    (0.64, 38, 2, 1, "#b97d48"),
    (0.79, 28, 1, -1, "#96592d"),
]


def _tea_frame(
    t: float, pearls: list[tuple[float, ...]], bubbles: list[tuple[float, ...]]
) -> Image.Image:
    width, height = TEA_SIZE
    picture = Image.new("RGB", TEA_SIZE, "#fdf3e3")
    draw = ImageDraw.Draw(picture)
    x = np.linspace(0, width, 121)
    for level, swell, waves, direction, color in _LAYERS:
        angle = 2 * math.pi * (waves * x / width + direction * t)
        y = level * height + swell * np.sin(angle) + 0.35 * swell * np.sin(2 * angle + level * 9)
        edge = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        draw.polygon([*edge, (width, height), (0, height)], fill=color)
    picture = picture.filter(ImageFilter.GaussianBlur(1.2))
    draw = ImageDraw.Draw(picture, "RGBA")
    for px, phase, radius, drift in bubbles:
        _bubble(draw, px, (phase - t * drift) % 1.0, radius, t)
    for px, py, radius, phase in pearls:
        _pearl(draw, px, py, radius, 2 * math.pi * (t + phase))
    return picture


def _bubble(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, t: float) -> None:
    width, height = TEA_SIZE
    # Bubbles rise through the tea only, and fade where they appear and vanish.
    cx = x * width + 14 * math.sin(2 * math.pi * (t + x * 7))
    cy = height * (0.30 + 0.72 * y)
    strength = int(80 * min(1.0, 6 * y, 6 * (1 - y)))
    draw.ellipse(
        (cx - radius, cy - radius, cx + radius, cy + radius), fill=(255, 246, 228, strength)
    )


def _pearl(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float) -> None:
    width, height = TEA_SIZE
    cx, cy = x * width + 10 * math.cos(angle), y * height + 12 * math.sin(angle)
    draw.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill="#33190f")
    inner = radius * 0.86
    draw.ellipse((cx - inner, cy - inner, cx + inner * 0.8, cy + inner * 0.8), fill="#4a281a")
    gleam, gx, gy = radius * 0.24, cx - radius * 0.38, cy - radius * 0.42
    draw.ellipse((gx - gleam, gy - gleam, gx + gleam, gy + gleam), fill=(226, 186, 156, 210))


def _pearls() -> list[tuple[float, ...]]:
    dice = np.random.default_rng(12)
    rows = [(0.97, 46, 9), (0.91, 44, 8), (0.855, 40, 6), (0.80, 34, 3)]
    return [
        ((i + 0.5) / n + dice.uniform(-0.03, 0.03), y + dice.uniform(-0.012, 0.012),
         radius + dice.uniform(-5, 5), dice.uniform())
        for y, radius, n in reversed(rows)
        for i in range(n)
    ]  # fmt: skip


def _bubbles() -> list[tuple[float, ...]]:
    dice = np.random.default_rng(7)
    return [
        (dice.uniform(0.04, 0.96), dice.uniform(), dice.uniform(5, 20), float(dice.integers(1, 3)))
        for _ in range(26)
    ]


# Two bars of four beats each at 84 beats a minute, played twice with another melody.
_CHORDS = [(53, 60, 64, 69), (52, 59, 64, 67), (50, 57, 60, 65), (55, 59, 62, 65)]
_MELODY = [
    (0, 76), (1.5, 72), (2.5, 74), (4, 71), (5.5, 67), (8, 72), (9, 74), (10, 69), (12, 71),
    (13.5, 74), (16, 76), (17.5, 79), (18.5, 77), (20, 76), (21.5, 71), (24, 72), (25.5, 69),
    (26.5, 65), (28, 67), (29.5, 71),
]  # fmt: skip
_BEAT = 60 / 84


def music() -> None:
    """A soft loop of 32 beats: warm chords, a plucked melody, a heartbeat of a bass."""
    total = round(32 * _BEAT * RATE)
    left, right = np.zeros(total), np.zeros(total)
    for bar in range(8):
        for voice, pitch in enumerate(_CHORDS[bar % 4]):
            tone = _pad(pitch, 4.6 * _BEAT)
            _add(left, tone * (0.8 if voice % 2 else 0.5), bar * 4 * _BEAT)
            _add(right, tone * (0.5 if voice % 2 else 0.8), bar * 4 * _BEAT)
        for beat in (0, 2.5):
            bass = _pluck(_CHORDS[bar % 4][0] - 12, 1.6, decay=2.2) * 0.9
            _add(left, bass, (bar * 4 + beat) * _BEAT)
            _add(right, bass, (bar * 4 + beat) * _BEAT)
    for beat, pitch in _MELODY:
        tone = _pluck(pitch, 2.4, decay=2.6) * 0.55
        for echo, (a, b) in enumerate([(0.9, 0.6), (0.2, 0.42), (0.16, 0.08)]):
            _add(left, tone * a, (beat + echo * 0.75) * _BEAT)
            _add(right, tone * b, (beat + echo * 0.75) * _BEAT)
    sound = np.stack([left, right], axis=1)
    _encode(sound / np.abs(sound).max() * 0.7, RATE, TARGET / "music.ogg", "80k")


def _add(track: Array, tone: Array, seconds: float) -> None:
    # Wrapping around is what makes the loop seamless: its end rings on at its start.
    where = (round(seconds * RATE) + np.arange(len(tone))) % len(track)
    np.add.at(track, where, tone)


def _hertz(pitch: int) -> float:
    return 440.0 * 2.0 ** ((pitch - 69) / 12)


def _pad(pitch: int, seconds: float) -> Array:
    t = np.arange(round(seconds * RATE)) / RATE
    envelope = np.minimum(1, t / 0.5) * np.minimum(1, (seconds - t) / 0.9)
    tone = sum(
        np.sin(2 * np.pi * _hertz(pitch) * k * (1 + cents / 1731) * t + k) / k**2.2
        for k in (1, 2, 3)
        for cents in (-3, 3)
    )
    return np.asarray(0.11 * tone * envelope * (1 + 0.12 * np.sin(2 * np.pi * 0.7 * t)))


def _pluck(pitch: int, seconds: float, decay: float) -> Array:
    t = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * _hertz(pitch) * k * t) * np.exp(-decay * k * t) / k**1.4
               for k in (1, 2, 3, 4))  # fmt: skip
    return np.asarray(0.3 * tone * np.minimum(1, t / 0.006) * np.minimum(1, (seconds - t) / 0.2))


def guest() -> None:
    """A recording of somebody else: the English voice, its pitch and throat made larger."""
    from hibari import Hibari

    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "spoken.wav"
        Hibari().save(GUEST_TEXT, str(spoken), seed=3)
        with wave.open(str(spoken)) as stream:
            rate, raw = stream.getframerate(), stream.readframes(stream.getnframes())
    sound = np.frombuffer(raw, dtype="<i2").reshape(-1, 1) / 32768
    lower = 0.80
    shift = f"asetrate={rate}*{lower},aresample={rate},atempo={1.03 / lower},highpass=f=70,"
    room = "aecho=0.9:0.6:23|41:0.10|0.06,loudnorm=I=-19:TP=-2,aresample=24000"
    _encode(sound, rate, TARGET / "guest.ogg", "48k", shift + room)


def _encode(sound: Array, rate: int, target: Path, bitrate: str, filters: str = "anull") -> None:
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "sound.wav"
        with wave.open(str(plain), "wb") as stream:
            stream.setnchannels(sound.shape[1])
            stream.setsampwidth(2)
            stream.setframerate(rate)
            stream.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
        run_ffmpeg(
            ["-i", str(plain), "-af", filters, "-c:a", "libvorbis", "-b:a", bitrate, str(target)]
        )


MAKERS = {"pictures": pictures, "tea": tea_film, "music": music, "guest": guest}


if __name__ == "__main__":
    for chosen in sys.argv[1:] or MAKERS:
        MAKERS[chosen]()
        print(f"made {chosen}")
