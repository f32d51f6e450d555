"""A scene's narration: from its text, a recording or silence to one sound with timed words.

Every sound is an artifact of the store, keyed by what it depends on. A replacement for an
engine that failed is kept under its own name, so the first choice is tried again next time.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from avatar_core.backend import Job
from avatar_core.errors import AvatarError, Cancelled, Category, EnvironmentFault, InputError
from avatar_core.speech import (
    SpeechEngine,
    TimedPhoneme,
    TimedWord,
    Voice,
)
from renderer.film import FilmScene
from renderer.script.markup import (
    Break,
    Piece,
    Spoken,
    apply_pronunciations,
    parse_markup,
    written_text,
)
from renderer.speech.assembly import Assembly, place_recording, speak_all
from renderer.speech.engines import RECORDINGS, Engines, EngineSource, Reason
from renderer.speech.keys import recording_key, silence_key, speech_key, voice_for
from renderer.speech.recording import require_content
from renderer.speech.sound import RATE, silent_wav
from renderer.speech.utterances import Utterance, speakable, utterances
from renderer.store import Artifact, FileHashes, Store

KIND = "speech"
Timing = Literal["exact", "estimated"]


@dataclass(frozen=True, slots=True)
class SpeechAttempt:
    """One engine of the trail; ``category`` is None where it spoke. ``skipped`` engines were not
    asked; ``seconds`` is the time it took."""

    engine: str
    category: str | None
    message: str
    advice: str | None = None
    seconds: float = 0.0
    cached: bool = False
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Narration:
    """A scene's sound and what is heard when.

    ``path`` is a WAV file (PCM, 16 bits, 48 kHz, mono) of exactly ``seconds`` (samples / 48000).
    ``words`` are the written ones with their punctuation. ``engine`` is None for silence.
    ``degraded`` says that not the engine spoke that was asked first.
    """

    path: Path
    seconds: float
    words: tuple[TimedWord, ...] = ()
    phonemes: tuple[TimedPhoneme, ...] = ()
    engine: str | None = None
    timing: Timing = "exact"
    warnings: tuple[str, ...] = ()
    trail: tuple[SpeechAttempt, ...] = ()
    degraded: bool = False


class NarrationError(AvatarError):
    """No engine spoke the scene; ``trail`` tells what became of each."""

    def __init__(self, last: AvatarError, trail: Sequence[SpeechAttempt]) -> None:
        told = " ".join(f"{one.engine}: {one.message}" for one in trail)
        super().__init__(
            last.category,
            f"No engine could speak the scene. {told}",
            advice=last.advice,
            retry_after=last.retry_after,
            status=last.status,
        )
        self.trail = tuple(trail)


class Narrator:
    """Narrates scenes, from any number of threads."""

    def __init__(self, engines: EngineSource, store: Store, hashes: FileHashes) -> None:
        self._engines = Engines(engines)
        self._store = store
        self._hashes = hashes

    def narrate(self, scene: FilmScene, job: Job) -> Narration:
        """The scene's narration, from the store if it is there.

        Raises `InputError` for a text or a recording that cannot be used, `NarrationError` when
        every engine failed, `Cancelled`, and `DiskFull`.
        """
        if scene.audio is not None:
            return self._recorded(scene, scene.audio, job)
        if scene.text is not None:
            return self._spoken(scene, job)
        return self._silent(scene, job)

    def close(self) -> None:
        """Release the engines; safe to call twice."""
        self._engines.close()

    def _silent(self, scene: FilmScene, job: Job) -> Narration:
        samples = silent_samples(scene)

        def build(target: Path, work: Path) -> dict[str, Any]:
            del work
            silent_wav(target, samples)
            return Assembly(samples).to_json()

        return narration_from(self._make(silence_key(samples), build, job))

    def _recorded(self, scene: FilmScene, audio: Path, job: Job) -> Narration:
        pieces = captions_of(scene)
        require_content(audio)

        def build(target: Path, work: Path) -> dict[str, Any]:
            del work
            return place_recording(audio, pieces, target, job).to_json()

        key = recording_key(self._hashes(audio), pieces)
        started = job.clock()
        artifact = self._make(key, build, job)
        trail = (_success(RECORDINGS, artifact, job, started),)
        return narration_from(artifact, RECORDINGS, trail)

    def _spoken(self, scene: FilmScene, job: Job) -> Narration:
        text = written_text(_pieces(scene))
        parts = spoken_parts(scene)
        trail: list[SpeechAttempt] = []
        failure: AvatarError | None = None
        for name in self._engines.order(scene.speech.engines, scene.speech.voice.language):
            reason = self._engines.obstacle(name, scene.speech.voice.language)
            if reason is not None:
                trail.append(_skipped(name, reason))
                continue
            started = job.clock()
            try:
                artifact = self._speak(name, scene, parts, job)
            except AvatarError as error:
                # Ctrl-C ends an engine's own processes as well: that is no failure of theirs.
                job.cancel.check()
                failure = error
                trail.append(_failure(name, error, job.clock() - started))
                continue
            trail.append(_success(name, artifact, job, started))
            named = scene.speech.engines
            return narration_from(
                artifact,
                name,
                tuple(trail),
                degraded=bool(named) and name != named[0],
                warnings=_mute_warnings(text),
            )
        raise _nobody_speaks(scene, trail, failure)

    def _speak(
        self, name: str, scene: FilmScene, parts: Sequence[Utterance | Break], job: Job
    ) -> Artifact:
        engine = self._engines.get(name)
        voice = voice_for(name, scene.speech)

        def build(target: Path, work: Path) -> dict[str, Any]:
            inner = Job(
                work,
                deadline=job.deadline,
                cancel=job.cancel,
                on_progress=job.progress,
                clock=job.clock,
            )
            try:
                return _contained(engine, parts, voice, target, inner).to_json()
            finally:
                inner.finish()

        return self._make(speech_key(name, engine, voice, parts), build, job)

    def _make(self, key: str, build: Callable[[Path, Path], dict[str, Any]], job: Job) -> Artifact:
        return self._store.make(KIND, key, ".wav", build, cancel=job.cancel)


def silent_samples(scene: FilmScene) -> int:
    """How many samples a scene is silent that has neither a text nor a recording."""
    return max(1, round((scene.duration or 0.0) * RATE))


def captions_of(scene: FilmScene) -> list[Spoken]:
    """What the captions of a recorded scene show."""
    return [piece for piece in _pieces(scene) if isinstance(piece, Spoken)]


def spoken_parts(scene: FilmScene) -> tuple[Utterance | Break, ...]:
    """What is spoken in a scene, and its pauses; raises `InputError` where that is nothing."""
    parts = utterances(_pieces(scene))
    if not any(isinstance(part, Utterance) for part in parts):
        raise _input_error(
            scene,
            f"There is nothing to speak in {(scene.text or '').strip()[:40]!r}.",
            'Write words, or give the scene a "duration" if it is to be silent.',
        )
    return parts


def _pieces(scene: FilmScene) -> tuple[Piece, ...]:
    try:
        pieces = parse_markup(scene.text or "")
    except InputError as error:
        raise InputError(
            error.message,
            file=error.file,
            line=error.line or scene.line,
            key=error.key or f"scenes[{scene.index}].text",
            advice=error.advice,
        ) from error
    return apply_pronunciations(pieces, scene.speech.pronunciations)


def _contained(
    engine: SpeechEngine,
    parts: Sequence[Utterance | Break],
    voice: Voice,
    target: Path,
    job: Job,
) -> Assembly:
    """Speak; whatever else escapes from an engine is the engine's own fault."""
    try:
        return speak_all(engine, parts, voice, target, job)
    except (AvatarError, InputError, EnvironmentFault, KeyboardInterrupt):
        raise
    except BaseException as failure:
        # Asyncio's cancellation is no `Exception`; ours counts only where the user asked for it.
        if isinstance(failure, Cancelled) and job.cancelled:
            raise
        if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise AvatarError(
            Category.BACKEND_BUG,
            f"The engine {engine.name} failed: {type(failure).__name__}: {failure}.",
            advice="Report it to its author, or choose another engine.",
        ) from failure


def narration_from(
    artifact: Artifact,
    engine: str | None = None,
    trail: tuple[SpeechAttempt, ...] = (),
    *,
    degraded: bool = False,
    warnings: Sequence[str] = (),
) -> Narration:
    """The narration that the store keeps as ``artifact``."""
    meta = artifact.meta
    return Narration(
        artifact.path,
        meta["samples"] / RATE,
        tuple(TimedWord(*word) for word in meta["words"]),
        tuple(TimedPhoneme(*phoneme) for phoneme in meta["phonemes"]),
        engine,
        meta["timing"],
        (*warnings, *meta["warnings"]),
        trail,
        degraded,
    )


def _mute_warnings(text: str) -> tuple[str, ...]:
    if speakable(text) == text:
        return ()
    return ("Emoji are shown in the captions and not spoken.",)


def _success(name: str, artifact: Artifact, job: Job, started: float) -> SpeechAttempt:
    message = "spoken" if artifact.fresh else "found in the cache"
    return SpeechAttempt(
        name, None, message, seconds=job.clock() - started, cached=not artifact.fresh
    )


def _failure(name: str, error: AvatarError, seconds: float) -> SpeechAttempt:
    return SpeechAttempt(name, error.category.value, error.message, error.advice, seconds)


def _skipped(name: str, reason: Reason) -> SpeechAttempt:
    return SpeechAttempt(
        name, Category.UNSUPPORTED.value, reason.message, reason.advice, skipped=True
    )


def _nobody_speaks(
    scene: FilmScene, trail: Sequence[SpeechAttempt], failure: AvatarError | None
) -> Exception:
    """The user's mistake where no engine fits the text, else the last engine's failure."""
    unfit = (Category.INVALID_INPUT, Category.UNSUPPORTED)
    if failure is not None and any(one.category not in unfit for one in trail if not one.skipped):
        return NarrationError(failure, trail)
    told = " ".join(dict.fromkeys(one.message for one in trail))
    advice = next((one.advice for one in trail if one.advice), None)
    return _input_error(
        scene,
        f"No installed voice can speak this text in {scene.speech.voice.language}. {told}".strip(),
        advice or "Name an engine that speaks it, or correct the language.",
    )


def _input_error(scene: FilmScene, message: str, advice: str) -> InputError:
    return InputError(message, line=scene.line, key=f"scenes[{scene.index}].text", advice=advice)
