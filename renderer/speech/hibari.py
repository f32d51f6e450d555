"""The engine ``hibari``: a neural English voice that comes with the package and works offline."""

from __future__ import annotations

import importlib.util
import wave
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from avatar_core.backend import Health, Job
from avatar_core.errors import AvatarError, Category
from avatar_core.nearest import nearest
from avatar_core.pages import see
from avatar_core.speech import (
    Speech,
    SpeechEngine,
    SpeechRequest,
    TimedPhoneme,
    TimedWord,
    Voice,
)
from renderer.speech import hibari_model
from renderer.speech.hibari_phonemes import timed_phonemes, timed_words
from renderer.speech.sound import create_wav

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Raising the pitch by playing faster also moves the voice's colour; further it sounds odd.
_PITCH_RANGE = (0.8, 1.25)
_SPEED_RANGE = (0.5, 2.0)


class HibariEngine(SpeechEngine):
    """Text is spoken phrase by phrase, so that memory does not grow with its length."""

    name: ClassVar[str] = "hibari"
    revision: ClassVar[str] = "hibari-tts 0.2.1, 1"
    languages: ClassVar[frozenset[str]] = frozenset({"en"})

    def check(self) -> Health:
        missing = [m for m in ("hibari", "onnxruntime") if importlib.util.find_spec(m) is None]
        if missing:
            return Health(
                False,
                f"The package {missing[0]} is not installed.",
                f"Install the package again. {see('install#updating')}",
            )
        return Health(True, "The English voice is installed.")

    def voices(self) -> tuple[str, ...]:
        return tuple(name for name, here in hibari_model.known_voices().items() if here)

    def speak(self, request: SpeechRequest, job: Job) -> Speech:
        if request.voice.language.split("-")[0].lower() not in self.languages:
            raise AvatarError(
                Category.UNSUPPORTED,
                f"hibari speaks English only, not {request.voice.language}.",
                advice="Choose the engine espeak or edge for other languages.",
            )
        voice, warnings = _voice(request.voice)
        pitch, pitch_warnings = _pitch(request.voice.pitch)
        performance = _Performance(job, pitch, request.voice.speed)
        performance.speak(_model(voice), request.text)
        return performance.speech([*warnings, *pitch_warnings])


class _Performance:
    """One text being spoken into one file."""

    def __init__(self, job: Job, pitch: float, speed: float) -> None:
        self._job = job
        self._path = job.work_dir / "hibari.wav"
        # Played at another rate the voice is higher and faster; it speaks slower to make up.
        self._rate = round(hibari_model.RATE * pitch)
        self._speed = min(max(speed / pitch, _SPEED_RANGE[0]), _SPEED_RANGE[1])
        self._samples = 0
        self._words: list[TimedWord] = []
        self._phonemes: list[TimedPhoneme] = []
        self._dropped: list[str] = []
        self._timed = True

    def speak(self, model: hibari_model.Model, text: str) -> None:
        said = 0
        with create_wav(self._path, self._rate) as sound:
            for phrase, dropped in model.phrases(text):
                self._dropped += dropped
                if phrase.symbols:
                    self._say(model, phrase, sound)
                said += sum(len(word) + 1 for word in phrase.words)
                self._job.progress(said / max(len(text), said), "speaking")
        if not self._samples:
            raise AvatarError(
                Category.INVALID_INPUT,
                f"hibari cannot say anything of {text.strip()[:40]!r}.",
                advice="Write the text in English words, or choose the engine espeak.",
            )

    def _say(
        self, model: hibari_model.Model, phrase: hibari_model.Phrase, sound: wave.Wave_write
    ) -> None:
        said = model.say(phrase, self._speed)
        if said.seconds is None:
            self._timed = False
        else:
            offset, scale = self._samples / self._rate, hibari_model.RATE / self._rate
            phonemes, owners = timed_phonemes(phrase, said.seconds, offset, scale)
            self._phonemes += phonemes
            self._words += timed_words(phrase, phonemes, owners)
        sound.writeframesraw(_pcm(said.sound))
        self._samples += len(said.sound)

    def speech(self, warnings: Sequence[str]) -> Speech:
        if self._dropped:
            listed = ", ".join(dict.fromkeys(self._dropped[:5]))
            warnings = [*warnings, f"hibari cannot say these words and leaves them out: {listed}."]
        return Speech(
            self._path,
            self._samples / self._rate,
            tuple(self._words) if self._timed else (),
            tuple(self._phonemes) if self._timed else (),
            tuple(warnings),
        )


def _pcm(sound: NDArray[np.float32]) -> bytes:
    import numpy as np

    return bytes((np.clip(sound, -1.0, 1.0) * 32_767).astype("<i2").tobytes())


def _voice(voice: Voice) -> tuple[str, list[str]]:
    known = hibari_model.known_voices()
    if voice.id is None:
        return hibari_model.DEFAULT_VOICE, []
    if voice.id in known:
        return voice.id, []
    here = [name for name, installed in known.items() if installed]
    chosen = nearest(voice.id, here) or hibari_model.DEFAULT_VOICE
    return chosen, [
        f"hibari has no voice {voice.id!r} and uses {chosen!r}. Known: {', '.join(known)}."
    ]


def _pitch(pitch: float) -> tuple[float, list[str]]:
    low, high = _PITCH_RANGE
    if low <= pitch <= high:
        return pitch, []
    chosen = min(max(pitch, low), high)
    return chosen, [f"hibari's pitch goes from {low} to {high}; it is {chosen} here, not {pitch}."]


def _model(voice: str) -> hibari_model.Model:
    try:
        return hibari_model.load(voice)
    except RuntimeError as failure:
        # Voices other than the first are downloaded by the library when they are first used.
        raise AvatarError(
            Category.CONNECTIVITY,
            f"hibari's voice {voice!r} could not be downloaded.",
            advice=f"Connect to the network, or use the voice {hibari_model.DEFAULT_VOICE!r}.",
        ) from failure
