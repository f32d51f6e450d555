"""What the tests of narration share: scenes, jobs, sounds and scripted engines."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from avatar_core.backend import Health, Job
from avatar_core.errors import InputError
from avatar_core.speech import Speech, SpeechEngine, SpeechRequest, TimedWord, Voice
from renderer.film import FilmScene, SpeechPlan
from renderer.script.models import Background, Padding
from renderer.speech.narration import Narrator
from renderer.store import FileHashes, Store


def scene(
    text: str | None = None,
    *,
    audio: Path | None = None,
    duration: float | None = None,
    engines: Sequence[str] = (),
    language: str = "en-US",
    voice_id: str | None = None,
    pronunciations: Sequence[tuple[str, str]] = (),
) -> FilmScene:
    """A scene of which only the narration matters."""
    return FilmScene(
        id="scene",
        index=2,
        text=text,
        audio=audio,
        duration=duration,
        speech=SpeechPlan(
            tuple(engines), Voice(id=voice_id, language=language), tuple(pronunciations)
        ),
        presenter=None,
        background=Background(src="#000000"),
        overlays=(),
        captions=None,
        transition=None,
        padding=Padding(),
        line=12,
    )


def tones(path: Path, stretches: Sequence[tuple[float, float]], rate: int = 16_000) -> Path:
    """A WAV of a tone for every (seconds of tone, seconds of silence)."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        for loud, silent in stretches:
            wavelet = [
                round(9000 * math.sin(2 * math.pi * 220 * i / rate))
                for i in range(int(loud * rate))
            ]
            sound.writeframes(struct.pack(f"<{len(wavelet)}h", *wavelet))
            sound.writeframes(bytes(2 * int(silent * rate)))
    return path


class ScriptedEngine(SpeechEngine):
    """Speaks every word as a tone of 0.2 s, or fails as ``failures`` says, one for each call."""

    name: ClassVar[str] = "scripted"
    timed: ClassVar[bool] = True
    failures: ClassVar[list[Exception]] = []
    health: ClassVar[Health] = Health(True, "ready")
    requests: ClassVar[list[SpeechRequest]] = []

    def check(self) -> Health:
        return self.health

    def speak(self, request: SpeechRequest, job: Job) -> Speech:
        self.requests.append(request)
        if self.failures:
            raise self.failures.pop(0)
        said = request.text.split()
        path = tones(job.work_dir / "scripted.wav", [(0.2, 0.0)] * len(said))
        words = tuple(TimedWord(word, i * 0.2, (i + 1) * 0.2) for i, word in enumerate(said))
        return Speech(path, 0.2 * len(said), words if self.timed else ())


def scripted(name: str, **attributes: Any) -> type[ScriptedEngine]:
    """A fresh scripted engine class called ``name``."""
    fresh = {"name": name, "failures": [], "requests": [], **attributes}
    return type(name, (ScriptedEngine,), fresh)


class Shelf:
    """Engines by name, as the registry offers them."""

    def __init__(self, *engines: type[SpeechEngine]) -> None:
        self._engines = {engine.name: engine for engine in engines}

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._engines))

    def load(self, name: str) -> type[SpeechEngine]:
        if name not in self._engines:
            raise InputError(f"There is no speech engine {name!r}.")
        return self._engines[name]


def narrator(folder: Path, *engines: type[SpeechEngine]) -> Narrator:
    """A narrator with a store of its own in ``folder``."""
    return Narrator(Shelf(*engines), Store(folder / "store"), FileHashes())


def job(folder: Path, **options: Any) -> Job:
    """A job with a work folder in ``folder``."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return Job(work, **options)
