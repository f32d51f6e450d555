"""Small real files to test with: a portrait, a narration, clips that are sound and that are not."""

from __future__ import annotations

import functools
import hashlib
import math
import wave
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from avatar_core.backend import AvatarClip, AvatarRequest, Size
from avatar_core.clip_check import validate_clip
from avatar_core.errors import AvatarError, Category

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ClipKind = Literal["moving", "black", "short", "truncated", "html"]
KINDS: tuple[ClipKind, ...] = get_args(ClipKind)
SIZE = Size(128, 160)
FPS = 10

_PORTRAIT = Size(256, 320)
_HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n"
_FAKE = b"fake clip: "
_RATE = 24_000
# Two resonances (Hz) of five vowels: a, e, i, o, u; after Peterson and Barney (1952), rounded.
_VOWELS = ((730, 1090), (530, 1840), (270, 2290), (570, 840), (300, 870))
_SYLLABLE_SECONDS = 0.2
_SYLLABLES_A_PHRASE = 6
# After as many, vowels and pitches begin anew.
_SYLLABLES_A_ROUND = 5 * _SYLLABLES_A_PHRASE
# How much of a clip is missing that is too short (s), and at most which share of it.
_MISSING_SECONDS, _MISSING_SHARE = 3.0, 2 / 3


def portrait(path: Path, size: Size = _PORTRAIT) -> Path:
    """Draw a head with shoulders, eyes and a mouth; the ending of ``path`` says the format."""
    from PIL import Image, ImageDraw

    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    draw, (width, height) = ImageDraw.Draw(picture), size

    def oval(left: float, top: float, right: float, bottom: float, colour: str) -> None:
        draw.ellipse([left * width, top * height, right * width, bottom * height], fill=colour)

    oval(0.05, 0.72, 0.95, 1.5, "#34507a")
    oval(0.25, 0.12, 0.75, 0.78, "#e0ac8a")
    oval(0.35, 0.36, 0.43, 0.42, "#2b1d16")
    oval(0.57, 0.36, 0.65, 0.42, "#2b1d16")
    oval(0.41, 0.59, 0.59, 0.65, "#a33f3f")
    picture.save(path)
    return path


def speech(path: Path, seconds: float = 1.0, rate: int = _RATE) -> Path:
    """Write ``seconds`` of what sounds like syllables, five a second with a pause after six.

    16-bit mono PCM in a WAV; the same samples every time.
    """
    import numpy as np

    samples = max(1, round(seconds * rate))
    sound = np.zeros(samples)
    length = round(_SYLLABLE_SECONDS * rate)
    for number, start in enumerate(range(0, samples, length)):
        if number % (_SYLLABLES_A_PHRASE + 1) < _SYLLABLES_A_PHRASE:
            part = sound[start : start + length]
            part += _syllable(number % _SYLLABLES_A_ROUND, length, rate)[: len(part)]
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((sound * 12_000).astype("<i2").tobytes())
    return path


@functools.lru_cache(maxsize=128)
def _syllable(number: int, length: int, rate: int) -> NDArray[np.float64]:
    """A falling voice through the resonances of one vowel, louder in its middle."""
    import numpy as np

    time = np.arange(length) / rate
    pitch = 150.0 - 8 * (number % _SYLLABLES_A_PHRASE)
    tones = [
        np.sin(2 * math.pi * pitch * harmonic * time) * _resonance(pitch * harmonic, number)
        for harmonic in range(1, 20)
    ]
    sound: NDArray[np.float64] = sum(tones, np.zeros(length)) * np.sin(
        math.pi * time * rate / length
    )
    return sound / max(1e-9, float(np.abs(sound).max()))


def _resonance(frequency: float, number: int) -> float:
    vowel = _VOWELS[number % len(_VOWELS)]
    return sum(1 / (1 + ((frequency - formant) / 90) ** 2) for formant in vowel)


def clip(
    path: Path,
    seconds: float = 1.0,
    size: Size = SIZE,
    fps: int = FPS,
    kind: ClipKind = "moving",
) -> Path:
    """Write a real file, as a backend would deliver it.

    ``moving`` is a sound MP4 of H.264. The others are what services really send: ``black``
    throughout, ``short`` (3 s of it missing, of a short clip two thirds), ``truncated`` (a
    third of the picture data arrived) and ``html`` (an error page saved as MP4). A clip of 0.5 s or
    more is refused by `validate_clip` for any of them.
    """
    if kind == "html":
        path.write_bytes(_HTML)
        return path
    if kind == "short":
        seconds -= min(_MISSING_SECONDS, seconds * _MISSING_SHARE)
    frames = max(1, math.ceil(seconds * fps - 1e-6))
    _encode(path, _pictures(_even(size), frames, moving=kind != "black"), _even(size), fps)
    if kind == "truncated":
        whole = path.read_bytes()
        # The index stands in front, so that a player shows what has arrived.
        start = whole.index(b"mdat")
        path.write_bytes(whole[: start + (len(whole) - start) // 3])
    return path


def _even(size: Size) -> Size:
    return Size(size.width + size.width % 2, size.height + size.height % 2)


def _pictures(size: Size, frames: int, *, moving: bool) -> Iterator[NDArray[np.uint8]]:
    """Two crossed ramps with a bright bar that wanders across."""
    import numpy as np

    picture = np.zeros((size.height, size.width, 3), dtype=np.uint8)
    if moving:
        picture[..., 1] = np.linspace(40, 160, size.width)[None, :]
        picture[..., 2] = np.linspace(160, 40, size.height)[:, None]
    for number in range(frames):
        frame = picture.copy()
        if moving:
            start = number * 4 % size.width
            frame[:, start : start + max(2, size.width // 8)] = 230
        yield frame


def _encode(path: Path, pictures: Iterator[NDArray[np.uint8]], size: Size, fps: int) -> None:
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        stream = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def request(folder: Path, seconds: float = 1.0, **values: Any) -> AvatarRequest:
    """A request whose portrait and narration are written into ``folder``.

    ``values`` are fields of `AvatarRequest` that shall be others than 128x160 pixels at 10
    frames a second. ``key`` comes from the files' content and the rest.
    """
    plain = AvatarRequest(
        portrait=portrait(folder / "portrait.png"),
        audio=speech(folder / "narration.wav", seconds),
        duration=seconds,
        size=SIZE,
        fps=FPS,
        speaker="Lan",
        text="Welcome to the lesson.",
    )
    asked = replace(plain, **values)
    return asked if "key" in values else replace(asked, key=_key(asked))


def _key(asked: AvatarRequest) -> str:
    files = [path for path in (asked.portrait, asked.audio) if path is not None and path.is_file()]
    content = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return hashlib.sha256(repr((content, asked.duration)).encode()).hexdigest()


def fake_clip(path: Path, seconds: float, kind: ClipKind = "moving") -> Path:
    """A few bytes that stand for a clip of that kind: for thousands of scenes in virtual time.

    `accept_any` takes it for sound, `judge_fakes` for what it stands for.
    """
    path.write_bytes(_FAKE + f"{kind}, {seconds:g} s\n".encode())
    return path


def is_fake(path: Path) -> bool:
    """Whether the file is a `fake_clip`."""
    with path.open("rb") as stream:
        return stream.read(len(_FAKE)) == _FAKE


def accept_any(clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
    """A `Validate` that looks at nothing: for chains whose clips are not the point."""
    del request
    return clip


def judge_fakes(clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
    """A `Validate` that judges a `fake_clip` as `validate_clip` would judge the real one.

    Any other file is judged by `validate_clip`. Raises `AvatarError` (bad_output).
    """
    try:
        with clip.path.open("rb") as stream:
            label = stream.read(200)
    except OSError as failure:
        raise AvatarError(Category.BAD_OUTPUT, "There is no such video file.") from failure
    if not label.startswith(_FAKE):
        return validate_clip(clip, request)
    kind, _, _ = label.removeprefix(_FAKE).decode().partition(",")
    if kind != "moving":
        raise AvatarError(Category.BAD_OUTPUT, f"The fake clip stands for one that is {kind}.")
    return clip
