"""The scene script as strict models; what they mean is in docs/script.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Layout = Literal["full", "circle", "corner", "split", "none"]
Position = Literal[
    "top-left",
    "top",
    "top-right",
    "left",
    "center",
    "right",
    "bottom-left",
    "bottom",
    "bottom-right",
]
Fit = Literal["cover", "contain", "blur"]
Motion = Literal["none", "zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down"]
Quality = Literal["draft", "standard", "high"]
Seconds = Annotated[float, Field(ge=0, le=36_000)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Color = Annotated[str, Field(pattern=r"^(#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?|[a-z]+)$")]


class Model(BaseModel):
    """Strict: an unknown key is an error. Frozen: a script is a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Voice(Model):
    """How a speaker sounds; None means: as the film or the settings say."""

    engine: str | None = None
    id: str | None = None
    language: str | None = None
    speed: Annotated[float, Field(ge=0.5, le=2.0)] | None = None
    pitch: Annotated[float, Field(ge=0.5, le=2.0)] | None = None
    fallback: tuple[str, ...] | None = None


class Avatar(Model):
    """How the presenter is made and where it stands; None means: as the speaker or film says."""

    backend: str | None = None
    fallback: tuple[str, ...] | None = None
    portrait: Path | None = None
    layout: Layout | None = None
    position: Position | None = None
    scale: Annotated[float, Field(gt=0, le=1)] | None = None
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Speaker(Model):
    """Somebody who presents; the key in ``speakers`` is the name."""

    portrait: Path | None = None
    voice: Voice = Voice()
    avatar: Avatar = Avatar()


class Background(Model):
    """What is behind the presenter. The short form is a colour or a path."""

    type: Literal["color", "image", "video"] | None = None
    src: str
    fit: Fit = "cover"
    motion: Motion = "none"
    when_short: Literal["freeze", "loop", "slow"] = "loop"
    when_long: Literal["trim", "speed_up"] = "trim"
    volume: Fraction = 0.0


class ImageOverlay(Model):
    """A picture over the scene; ``scale`` is its width as a share of the frame's width."""

    type: Literal["image"] = "image"
    src: Path
    position: Position = "center"
    scale: Annotated[float, Field(gt=0, le=1)] = 0.5
    start: Seconds = 0.0
    end: Seconds | None = None


class TextOverlay(Model):
    """Words over the scene; ``scale`` is the letters' height as a share of the frame's height."""

    type: Literal["text"] = "text"
    text: Annotated[str, Field(min_length=1)]
    position: Position = "center"
    scale: Annotated[float, Field(gt=0, le=1)] = 0.05
    color: Color = "#FFFFFF"
    start: Seconds = 0.0
    end: Seconds | None = None


Overlay = Annotated[ImageOverlay | TextOverlay, Field(discriminator="type")]


class Captions(Model):
    """How captions look. A sidecar is always written; burning them in is a separate choice."""

    style: Literal["lines", "karaoke", "one_word", "box"] = "lines"
    max_words: Annotated[int, Field(ge=1, le=40)] = 12
    max_chars: Annotated[int, Field(ge=4, le=120)] = 42
    position: Literal["top", "center", "bottom"] = "bottom"
    margin: Fraction = 0.12
    font: str = "Be Vietnam Pro"
    size: Annotated[float, Field(gt=0, le=0.3)] = 0.036
    color: Color = "#FFFFFF"
    active_color: Color = "#FFE000"
    burn: bool = True
    sidecar: tuple[Literal["srt", "vtt", "ass"], ...] = ("srt", "vtt")


TRANSITIONS = (
    "fade wipeleft wiperight wipeup wipedown slideleft slideright slideup slidedown circlecrop "
    "rectcrop distance fadeblack fadewhite radial smoothleft smoothright smoothup smoothdown "
    "circleopen circleclose vertopen vertclose horzopen horzclose dissolve pixelize diagtl diagtr "
    "diagbl diagbr hlslice hrslice vuslice vdslice hblur fadegrays wipetl wipetr wipebl wipebr "
    "squeezeh squeezev zoomin fadefast fadeslow hlwind hrwind vuwind vdwind coverleft coverright "
    "coverup coverdown revealleft revealright revealup revealdown"
).split()


class Transition(Model):
    """The way into this scene; ``type`` is a name of ffmpeg's xfade filter, or ``none``."""

    type: str = "fade"
    duration: Annotated[float, Field(gt=0, le=5)] = 0.4


class Padding(Model):
    """Silence around the narration, in seconds; ``between`` stands after a scene but the last."""

    before: Seconds = 0.1
    after: Seconds = 0.2
    between: Seconds = 0.0


class Ducking(Model):
    """How far music steps back under speech; ``attack`` and ``release`` in seconds."""

    amount_db: Annotated[float, Field(ge=0, le=40)] = 12.0
    attack: Annotated[float, Field(gt=0, le=2)] = 0.05
    release: Annotated[float, Field(gt=0, le=9)] = 0.5


class Music(Model):
    """Music under the film; ``scenes`` is "1-3", "2" or "2-", counted from 1."""

    src: Path
    volume: Fraction = 0.25
    ducking: Ducking | None = Ducking()
    fade_in: Seconds = 0.5
    fade_out: Seconds = 1.5
    loop: bool = True
    scenes: Annotated[str, Field(pattern=r"^\d+(-\d*)?$")] | None = None


class Watermark(Model):
    """A picture or words in a corner of every scene; exactly one of ``src`` and ``text``."""

    src: Path | None = None
    text: str | None = None
    position: Position = "top-right"
    opacity: Fraction = 0.6
    scale: Annotated[float, Field(gt=0, le=1)] = 0.12


class Disclosure(Model):
    """Says that a presenter is synthetic: a label in the picture and a note in the metadata."""

    label: str | None = "AI-generated presenter"
    position: Position = "bottom-left"
    metadata: bool = True


class Limits(Model):
    """Fences for the whole film. ``allow_upload: false`` keeps faces and voices on the machine."""

    max_cost: Annotated[float, Field(ge=0)] | None = None
    allow_upload: bool = True


class Output(Model):
    """What comes out. ``preset`` gives size and fps; ``loudness`` is in LUFS."""

    preset: str | None = None
    size: Annotated[str, Field(pattern=r"^\d+x\d+$")] | None = None
    aspect_ratio: Annotated[str, Field(pattern=r"^\d+:\d+$")] | None = None
    fps: Annotated[int, Field(ge=1, le=120)] | None = None
    quality: Quality | None = None
    path: Path | None = None
    loudness: Annotated[float, Field(ge=-40, le=-5)] = -14.0
    thumbnail: bool = False


class Scene(Model):
    """One scene. Exactly one of ``text``, ``audio``, ``duration`` sets its length; ``text`` may
    accompany ``audio``: then it is the caption. ``visual`` (Python only) is a MoviePy clip or a
    function of the duration in seconds that returns one; it replaces the background."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] | None = None
    speaker: str | None = None
    text: str | None = None
    audio: Path | None = None
    duration: Annotated[float, Field(gt=0, le=36_000)] | None = None
    avatar: Avatar = Avatar()
    background: Background | str | None = None
    overlays: tuple[Overlay, ...] = ()
    captions: Captions | bool | None = None
    transition: Transition | None = None
    padding: Padding | None = None
    visual: Any = Field(default=None, exclude=True)


class VideoScript(Model):
    """A whole film as it is written."""

    version: Literal["1"] = "1"
    title: str = ""
    description: str = ""
    language: str = "en-US"
    variables: dict[str, str | int | float] = Field(default_factory=dict)
    output: Output = Output()
    speakers: dict[str, Speaker] = Field(default_factory=dict)
    avatar: Avatar = Avatar()
    voice: Voice = Voice()
    background: Background | str | None = None
    captions: Captions | bool | None = None
    transition: Transition | None = None
    padding: Padding | None = None
    pronunciations: dict[str, str] = Field(default_factory=dict)
    music: Music | None = None
    watermark: Watermark | None = None
    disclosure: Disclosure | None = None
    limits: Limits = Limits()
    scenes: Annotated[tuple[Scene, ...], Field(min_length=1)]
