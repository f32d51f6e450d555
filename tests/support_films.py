"""Small real inputs and real doubles for tests that render films."""

from __future__ import annotations

import math
import threading
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Capabilities, Health, Job
from avatar_core.errors import AvatarError, Category
from avatar_core.ffmpeg import run_ffmpeg
from renderer.script.models import Avatar, Output, Scene, Speaker, VideoScript

SMALL = Output(size="180x320", fps=15, quality="draft")


def write_tone(path: Path, seconds: float = 0.6, pitch: float = 220.0, rate: int = 16000) -> Path:
    """A recording: a tone that swells and fades, mono 16-bit."""
    t = np.arange(round(seconds * rate)) / rate
    wave_form = np.sin(2 * math.pi * pitch * t) * np.sin(math.pi * t / seconds) ** 2
    return _write_mono(path, (wave_form * 16000).astype("<i2"), rate)


def write_clicks(path: Path, seconds: float, rate: int = 16000) -> Path:
    """Short clicks in silence: as peaky as a sound can be."""
    samples = np.zeros(round(seconds * rate), "<i2")
    for begin in range(0, len(samples), rate // 4):
        samples[begin : begin + 8] = 30000
    return _write_mono(path, samples, rate)


def _write_mono(path: Path, samples: np.ndarray[Any, Any], rate: int) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    return path


def draw_portrait(path: Path, color: str = "#d9a066") -> Path:
    picture = Image.new("RGB", (240, 300), "#335577")
    brush = ImageDraw.Draw(picture)
    brush.ellipse((60, 50, 180, 220), fill=color)
    brush.ellipse((90, 110, 105, 125), fill="black")
    brush.ellipse((135, 110, 150, 125), fill="black")
    picture.save(path)
    return path


def film_of_tones(
    folder: Path, count: int, *, seconds: float = 0.5, backend: str | None = None, **more: Any
) -> VideoScript:
    """A film of ``count`` scenes, each a recording with its caption, presented by Lan."""
    portrait = draw_portrait(folder / "lan.png")
    scenes = [
        Scene(
            id=f"s{i + 1}",
            speaker="lan",
            audio=write_tone(folder / f"tone{i + 1}.wav", seconds, 200 + 20 * i),
            text=f"Scene number {i + 1} speaks.",
        )
        for i in range(count)
    ]
    speakers = {"lan": Speaker(portrait=portrait, avatar=Avatar(backend=backend, layout="full"))}
    return VideoScript(output=SMALL, speakers=speakers, scenes=tuple(scenes), **more)


class MovingOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    hue: int = 0


class MovingBackend(AvatarBackend):
    """Makes a real clip whose picture moves; ``plan`` says which calls fail and how.

    Each item of ``plan`` is used for one call of ``generate``: None succeeds, an exception is
    raised, a function is called with the request. After the plan every call succeeds.
    """

    name = "moving"
    Options = MovingOptions

    def __init__(self, options: BaseModel | None = None, plan: Sequence[Any] = ()) -> None:
        super().__init__(options)
        self.calls: list[AvatarRequest] = []
        self.closed = 0
        self._plan = list(plan)
        self._lock = threading.Lock()

    def check(self) -> Health:
        return Health(True, "moves")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        with self._lock:
            self.calls.append(request)
            step = self._plan.pop(0) if self._plan else None
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            step(request)
        return moving_clip(request, job)

    def close(self) -> None:
        self.closed += 1


class UploadingBackend(MovingBackend):
    name = "uploading"
    capabilities = Capabilities(uploads=True, needs_network=True)


class PaidBackend(MovingBackend):
    name = "paid"
    capabilities = Capabilities(costs_money=True)


def moving_clip(request: AvatarRequest, job: Job) -> AvatarClip:
    """A test pattern as long as the narration."""
    target = job.work_dir / "clip.mp4"
    width, height = request.size
    source = f"testsrc2=size={width}x{height}:rate={request.fps}:duration={request.duration:.3f}"
    run_ffmpeg(
        ["-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast",
         "-pix_fmt", "yuv420p", target.name],
        cwd=job.work_dir,
    )  # fmt: skip
    return AvatarClip(target, request.size, request.fps, request.duration, "moving")


def fails(category: Category, message: str = "it failed") -> AvatarError:
    return AvatarError(category, message)


def decoded(path: Path) -> list[np.ndarray[Any, Any]]:
    """All frames of a video as RGB arrays (height, width, 3)."""
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def stream_ends(path: Path) -> tuple[float, float]:
    """Where picture and sound end, in seconds."""
    with av.open(str(path)) as film:
        ends = []
        for stream in (film.streams.video[0], film.streams.audio[0]):
            assert stream.duration is not None and stream.time_base is not None
            ends.append(float(stream.duration * stream.time_base))
    return ends[0], ends[1]


def when(predicate: Callable[[Any], bool], action: Callable[[], None]) -> Callable[[Any], None]:
    """An event listener that acts at the first event for which ``predicate`` holds."""
    done = threading.Event()

    def listen(event: Any) -> None:
        if not done.is_set() and predicate(event):
            done.set()
            action()

    return listen
