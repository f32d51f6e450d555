"""A film after reading: every default filled in, every path absolute, every name looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from avatar_core.backend import Size
from avatar_core.speech import Voice
from renderer.script.models import (
    Background,
    Captions,
    Disclosure,
    Layout,
    Limits,
    Music,
    Overlay,
    Padding,
    Position,
    Quality,
    Transition,
    Watermark,
)

Chooser = Literal["script", "settings"]


@dataclass(frozen=True, slots=True)
class SpeechPlan:
    """How a scene's words are spoken: engines in the order in which they are tried."""

    engines: tuple[str, ...]
    voice: Voice
    pronunciations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Presenter:
    """Who is seen, and by which backends (in order; `static` is added by the chain).

    ``chosen_by`` says who named the first of them, ``fallback_by`` who named the others.
    """

    name: str
    portrait: Path | None
    backends: tuple[str, ...]
    layout: Layout
    position: Position
    scale: float
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    chosen_by: Chooser = field(default="settings", compare=False)
    fallback_by: Chooser = field(default="settings", compare=False)


@dataclass(frozen=True, slots=True)
class FilmScene:
    """One scene. Exactly one of ``audio``, ``text`` (without audio), ``duration`` sets its length.

    ``text`` still holds its markup. ``background.src`` is a colour or an absolute path and
    ``background.type`` is set. ``captions`` is None when the scene has none at all.
    """

    id: str
    index: int
    text: str | None
    audio: Path | None
    duration: float | None
    speech: SpeechPlan
    presenter: Presenter | None
    background: Background
    overlays: tuple[Overlay, ...]
    captions: Captions | None
    transition: Transition | None
    padding: Padding
    line: int | None = None
    visual: Any = None


@dataclass(frozen=True, slots=True)
class Film:
    """A whole film, ready to be rendered. ``source`` is the script's path for messages.

    ``warnings`` are sentences about what is odd in the script but keeps no film from being made.
    """

    title: str
    description: str
    language: str
    size: Size
    fps: int
    quality: Quality
    loudness: float
    thumbnail: bool
    path: Path | None
    scenes: tuple[FilmScene, ...]
    music: Music | None = None
    watermark: Watermark | None = None
    disclosure: Disclosure | None = None
    limits: Limits = Limits()
    source: Path | None = None
    warnings: tuple[str, ...] = ()
