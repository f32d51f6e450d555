"""The contract of a speech engine: text goes in, sound with timed words and phonemes comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from avatar_core.backend import Health, Job


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A spoken word; ``start`` and ``end`` are seconds from the start of the sound."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class TimedPhoneme:
    """A spoken sound in IPA (one phoneme); ``start`` and ``end`` are seconds from the start.

    A stressed vowel carries its mark in front (``ˈaɪ``, ``ˌɪ``), a long one ``ː`` behind.
    """

    ipa: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Voice:
    """How to speak. ``language`` is BCP-47; ``speed`` and ``pitch`` are factors around 1.0."""

    id: str | None = None
    language: str = "en-US"
    speed: float = 1.0
    pitch: float = 1.0


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """Plain text to speak: markup and pronunciations are already resolved.

    ``recording`` is for the engine `file`, which plays it instead of speaking.
    """

    text: str
    voice: Voice = field(default_factory=Voice)
    recording: Path | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """What an engine made: a mono WAV file (PCM) and what it knows of its timing.

    ``words`` (as they were spoken, in their order) and ``phonemes`` are empty where the engine
    gives none; then words are estimated. ``warnings`` are sentences for the user.
    """

    path: Path
    duration: float
    words: tuple[TimedWord, ...] = ()
    phonemes: tuple[TimedPhoneme, ...] = ()
    warnings: tuple[str, ...] = ()


class SpeechEngine(ABC):
    """One way to speak, registered by name through `register_speech_engines`.

    ``revision`` enters the cache key: change it when the same text would sound otherwise.
    ``languages`` holds primary subtags ("en"); empty means any.
    """

    name: ClassVar[str]
    revision: ClassVar[str] = "1"
    languages: ClassVar[frozenset[str]] = frozenset()
    needs_network: ClassVar[bool] = False

    @abstractmethod
    def check(self) -> Health:
        """Say whether the engine can speak here and now; free, quick, without side effects."""

    @abstractmethod
    def speak(self, request: SpeechRequest, job: Job) -> Speech:
        """Speak ``request.text`` into a WAV file in ``job.work_dir``.

        Raises `AvatarError` with the category that fits (`unsupported` for a language or a
        voice the engine lacks, `connectivity` for an online engine without a network ...).
        """

    def voices(self) -> tuple[str, ...]:
        """The ids of the voices that can be named here and now; empty where there is no list."""
        return ()

    def close(self) -> None:
        """Release what the engine holds (a child process, a model); safe to call twice."""
