"""What surrounds the presenter in a script: backgrounds, overlays, captions, music, marks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from renderer.script.fields import (
    Color,
    Fit,
    Flag,
    Fraction,
    Model,
    Motion,
    Number,
    Position,
    Seconds,
    Share,
    Whole,
    note,
)


class Background(Model):
    """What is behind the presenter. The short form is a colour or a path."""

    type: Annotated[
        Literal["color", "image", "video"] | None, note("by default found out from `src`")
    ] = None
    src: Annotated[str, note("colour, picture or video path")]
    fit: Annotated[Fit, note("as in CSS; `blur` fills the rest with the picture, blurred")] = (
        "cover"
    )
    motion: Annotated[Motion, note("slow movement of the view over a picture")] = "none"
    when_short: Annotated[
        Literal["freeze", "loop", "slow"], note("when a video is shorter than the scene")
    ] = "loop"
    when_long: Annotated[
        Literal["trim", "speed_up"], note("when a video is longer than the scene")
    ] = "trim"
    volume: Annotated[Fraction, note("of the video's own sound")] = 0.0


# The default is for Python; in a script the type decides which overlay is meant.
_TYPE_REQUIRED = ConfigDict(json_schema_extra=lambda schema: schema["required"].append("type"))


class ImageOverlay(Model):
    """A picture over the scene."""

    model_config = _TYPE_REQUIRED

    type: Annotated[Literal["image"], note("which overlay this is")] = "image"
    src: Annotated[Path, note("picture path")]
    position: Annotated[Position, note("anchor")] = "center"
    scale: Annotated[Share, note("width as a share of the frame's width")] = 0.5
    start: Annotated[Seconds, note("seconds after the scene's start")] = 0.0
    end: Annotated[Seconds | None, note("seconds; by default the scene's end")] = None


class TextOverlay(Model):
    """Words over the scene."""

    model_config = _TYPE_REQUIRED

    type: Annotated[Literal["text"], note("which overlay this is")] = "text"
    text: Annotated[str, Field(min_length=1), note("what it says")]
    position: Annotated[Position, note("anchor")] = "center"
    scale: Annotated[Share, note("letters' height as a share of the frame's height")] = 0.05
    color: Annotated[Color, note("colour of the letters")] = "#FFFFFF"
    start: Annotated[Seconds, note("seconds after the scene's start")] = 0.0
    end: Annotated[Seconds | None, note("seconds; by default the scene's end")] = None


Overlay = Annotated[ImageOverlay | TextOverlay, Field(discriminator="type")]


class Captions(Model):
    """How captions look. A sidecar is always written; burning them in is a separate choice."""

    style: Annotated[Literal["lines", "karaoke", "one_word", "box"], note("how words appear")] = (
        "lines"
    )
    max_words: Annotated[Whole, Field(ge=1, le=40), note("words in one caption")] = 12
    max_chars: Annotated[Whole, Field(ge=4, le=120), note("letters in one line")] = 42
    position: Annotated[Literal["top", "center", "bottom"], note("where")] = "bottom"
    margin: Annotated[Fraction, note("from that edge, as a share of the height")] = 0.12
    font: Annotated[str, note("font name; the default is inside the package")] = "Be Vietnam Pro"
    size: Annotated[
        Number, Field(gt=0, le=0.3), note("letters' height as a share of the height")
    ] = 0.036
    color: Annotated[Color, note("colour of the words")] = "#FFFFFF"
    active_color: Annotated[Color, note("colour of the word being spoken")] = "#FFE000"
    burn: Annotated[Flag, note("into the picture, too")] = True
    sidecar: Annotated[
        tuple[Literal["srt", "vtt", "ass"], ...], note("caption files beside the film")
    ] = ("srt", "vtt")


TRANSITIONS = (
    "fade wipeleft wiperight wipeup wipedown slideleft slideright slideup slidedown circlecrop "
    "rectcrop distance fadeblack fadewhite radial smoothleft smoothright smoothup smoothdown "
    "circleopen circleclose vertopen vertclose horzopen horzclose dissolve pixelize diagtl diagtr "
    "diagbl diagbr hlslice hrslice vuslice vdslice hblur fadegrays wipetl wipetr wipebl wipebr "
    "squeezeh squeezev zoomin fadefast fadeslow hlwind hrwind vuwind vdwind coverleft coverright "
    "coverup coverdown revealleft revealright revealup revealdown"
).split()


class Transition(Model):
    """The way into this scene; it lives in the padding, never in speech."""

    type: Annotated[str, note("a name of ffmpeg's xfade filter, or `none`")] = "fade"
    duration: Annotated[Number, Field(gt=0, le=5), note("seconds")] = 0.4


class Padding(Model):
    """Silence around the narration, in seconds."""

    before: Annotated[Seconds, note("before the narration")] = 0.1
    after: Annotated[Seconds, note("after the narration")] = 0.2
    between: Annotated[Seconds, note("after every scene but the last")] = 0.0


class Ducking(Model):
    """How far music steps back under speech."""

    amount_db: Annotated[Number, Field(ge=0, le=40), note("decibels")] = 12.0
    attack: Annotated[Number, Field(gt=0, le=2), note("seconds to step back")] = 0.05
    release: Annotated[Number, Field(gt=0, le=9), note("seconds to come back")] = 0.5


class Music(Model):
    """Music under the film."""

    src: Annotated[Path, note("sound file")]
    volume: Annotated[Fraction, note("1 is as recorded")] = 0.25
    ducking: Annotated[Ducking | None, note("`null` for none")] = Ducking()
    fade_in: Annotated[Seconds, note("seconds")] = 0.5
    fade_out: Annotated[Seconds, note("seconds")] = 1.5
    loop: Annotated[Flag, note("begin again where it is shorter than its scenes")] = True
    scenes: Annotated[
        str | None,
        Field(pattern=r"^[0-9]{1,6}(-([0-9]{1,6})?)?$"),
        note('"2", "1-3" or "2-", counted from 1; by default all'),
    ] = None


_ONE_SOURCE: dict[str, Any] = {
    "oneOf": [
        {"required": [name], "properties": {name: {"type": "string"}}} for name in ("src", "text")
    ]
}


class Watermark(Model):
    """A picture or words in every scene; exactly one of `src` and `text`."""

    model_config = ConfigDict(json_schema_extra=_ONE_SOURCE)

    src: Annotated[Path | None, note("picture path")] = None
    text: Annotated[str | None, Field(min_length=1), note("words")] = None
    position: Annotated[Position, note("anchor")] = "top-right"
    opacity: Annotated[Fraction, note("0 is invisible")] = 0.6
    scale: Annotated[Share, note("width as a share of the frame's width")] = 0.12

    @model_validator(mode="after")
    def _one_source(self) -> Watermark:
        if (self.src is None) == (self.text is None):
            raise ValueError('a watermark needs exactly one of "src" and "text".')
        return self


class Disclosure(Model):
    """Says that a presenter is synthetic."""

    label: Annotated[str | None, note("words in the picture; `null` for none")] = (
        "AI-generated presenter"
    )
    position: Annotated[Position, note("anchor of the label")] = "bottom-left"
    metadata: Annotated[Flag, note("a note in the file's metadata, too")] = True


def _form(value: Any) -> str:
    """Which form of a value is meant: a bare word or a map, so that only its mistakes are told."""
    return "short" if isinstance(value, str | bool) else "long"


AnyBackground = Annotated[
    Annotated[Background, Tag("long")] | Annotated[str, Tag("short")], Discriminator(_form)
]
AnyCaptions = Annotated[
    Annotated[Captions, Tag("long")] | Annotated[Flag, Tag("short")], Discriminator(_form)
]
