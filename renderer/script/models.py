"""The scene script as strict models; docs/script.md explains them, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from renderer.script.fields import (
    Factor,
    Fit,
    Flag,
    Language,
    Layout,
    Model,
    Motion,
    Number,
    Position,
    Quality,
    Share,
    Variable,
    Version,
    Whole,
    note,
)
from renderer.script.looks import (
    TRANSITIONS,
    AnyBackground,
    AnyCaptions,
    Background,
    Captions,
    Disclosure,
    Ducking,
    ImageOverlay,
    Music,
    Overlay,
    Padding,
    TextOverlay,
    Transition,
    Watermark,
)

__all__ = [
    "TRANSITIONS",
    "Avatar",
    "Background",
    "Captions",
    "Disclosure",
    "Ducking",
    "Fit",
    "ImageOverlay",
    "Layout",
    "Limits",
    "Model",
    "Motion",
    "Music",
    "Output",
    "Overlay",
    "Padding",
    "Position",
    "Quality",
    "Scene",
    "Speaker",
    "TextOverlay",
    "Transition",
    "VideoScript",
    "Voice",
    "Watermark",
]


class Voice(Model):
    """How a speaker sounds; what is left out is as the film or the settings say."""

    engine: Annotated[str | None, note("speech engine: `hibari`, `espeak`, `gtts`, `edge` ...")] = (
        None
    )
    id: Annotated[str | None, note("the engine's own name of a voice")] = None
    language: Annotated[Language | None, note("BCP-47; by default the film's language")] = None
    speed: Annotated[Factor | None, note("factor, 1 is normal")] = None
    pitch: Annotated[Factor | None, note("factor, 1 is normal")] = None
    fallback: Annotated[tuple[str, ...] | None, note("engines tried after `engine`")] = None


class Avatar(Model):
    """How the presenter is made and where it stands; what is left out cascades."""

    backend: Annotated[str | None, note("avatar backend that makes the clip")] = None
    fallback: Annotated[
        tuple[str, ...] | None, note("backends tried after it; `static` is always last")
    ] = None
    portrait: Annotated[Path | None, note("picture of the face")] = None
    layout: Annotated[Layout | None, note("how the presenter stands in the frame")] = None
    position: Annotated[Position | None, note("anchor; by default the layout's own")] = None
    scale: Annotated[Share | None, note("share of the frame; by default the layout's own")] = None
    options: Annotated[dict[str, dict[str, Any]], note("options by backend name")] = Field(
        default_factory=dict
    )


class Speaker(Model):
    """Somebody who presents; the key in `speakers` is the name."""

    portrait: Annotated[Path | None, note("picture of the face")] = None
    voice: Annotated[Voice, note("how the speaker sounds")] = Voice()
    avatar: Annotated[Avatar, note("how the speaker is shown")] = Avatar()


class Limits(Model):
    """Fences for the whole film."""

    max_cost: Annotated[Number | None, Field(ge=0), note("what the film may cost at most")] = None
    allow_upload: Annotated[Flag, note("`false` keeps faces and voices on this machine")] = True


class Output(Model):
    """What comes out."""

    preset: Annotated[str | None, note("size and frame rate by name")] = None
    size: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,6}x[0-9]{1,6}$"), note('"1080x1920", made even')
    ] = None
    aspect_ratio: Annotated[
        str | None,
        Field(pattern=r"^[0-9]{1,4}:[0-9]{1,4}$"),
        note('"9:16"; the shorter side stays the preset\'s'),
    ] = None
    fps: Annotated[Whole | None, Field(ge=1, le=120), note("frames a second")] = None
    quality: Annotated[Quality | None, note("of the picture's encoding")] = None
    path: Annotated[Path | None, note("where the film goes (.mp4)")] = None
    loudness: Annotated[Number, Field(ge=-40, le=-5), note("LUFS")] = -14.0
    thumbnail: Annotated[Flag, note("a picture file beside the film")] = False


_ONE_LENGTH: dict[str, Any] = {
    "oneOf": [
        {"required": ["duration"], "properties": {"duration": {"type": "number"}}},
        {
            "anyOf": [
                {"required": ["text"], "properties": {"text": {"type": "string"}}},
                {"required": ["audio"], "properties": {"audio": {"type": "string"}}},
            ]
        },
    ]
}


class Scene(Model):
    """One scene. Exactly one of `text`, `audio`, `duration` sets its length; `text` may
    accompany `audio`: then it is the caption.

    `visual` (Python only) is a MoviePy clip or a function of the duration in seconds that returns
    one; it replaces the background.
    """

    model_config = ConfigDict(json_schema_extra=_ONE_LENGTH)

    id: Annotated[
        str | None,
        Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$"),
        note("unique name; by default `scene-1`, `scene-2` ..."),
    ] = None
    speaker: Annotated[str | None, note("a name in `speakers`")] = None
    text: Annotated[str | None, note("what is spoken, with markup")] = None
    audio: Annotated[Path | None, note("a recording to use as narration")] = None
    duration: Annotated[
        Number | None, Field(gt=0, le=36_000), note("seconds of a scene without narration")
    ] = None
    avatar: Annotated[Avatar, note("the presenter in this scene")] = Avatar()
    background: Annotated[AnyBackground | None, note("what is behind; a colour or a path")] = None
    overlays: Annotated[tuple[Overlay, ...], note("pictures and words on top")] = ()
    captions: Annotated[AnyCaptions | None, note("look, or `false` for none")] = None
    transition: Annotated[Transition | None, note("the way into this scene")] = None
    padding: Annotated[Padding | None, note("silence around the narration")] = None
    visual: Annotated[SkipJsonSchema[Any], note("Python only: a MoviePy clip")] = Field(
        default=None, exclude=True
    )

    @model_validator(mode="after")
    def _one_length(self) -> Scene:
        narrated = self.text is not None or self.audio is not None
        if narrated == (self.duration is not None):
            raise ValueError(
                'the length is set twice: keep either "duration" or the narration.'
                if narrated
                else 'nothing sets its length: give "text", "audio" or "duration".'
            )
        return self


class VideoScript(Model):
    """A whole film as it is written."""

    version: Annotated[Version, note("of this format")] = "1"
    title: Annotated[str, note("into the file's metadata")] = ""
    description: Annotated[str, note("into the file's metadata")] = ""
    language: Annotated[Language, note("BCP-47, such as `en-US` or `vi-VN`")] = "en-US"
    variables: Annotated[dict[str, Variable], note("`{{name}}` in every text and path")] = Field(
        default_factory=dict
    )
    output: Annotated[Output, note("what comes out")] = Output()
    speakers: Annotated[dict[str, Speaker], note("who presents, by name")] = Field(
        default_factory=dict
    )
    avatar: Annotated[Avatar, note("defaults for every presenter")] = Avatar()
    voice: Annotated[Voice, note("defaults for every speaker")] = Voice()
    background: Annotated[AnyBackground | None, note("default for every scene")] = None
    captions: Annotated[AnyCaptions | None, note("default for every scene")] = None
    transition: Annotated[Transition | None, note("default for every scene")] = None
    padding: Annotated[Padding | None, note("default for every scene")] = None
    pronunciations: Annotated[dict[str, str], note("written word: spoken form")] = Field(
        default_factory=dict
    )
    music: Annotated[Music | None, note("under the film")] = None
    watermark: Annotated[Watermark | None, note("over the film")] = None
    disclosure: Annotated[Disclosure | None, note("says that a presenter is synthetic")] = None
    limits: Annotated[Limits, note("fences for the whole film")] = Limits()
    scenes: Annotated[tuple[Scene, ...], Field(min_length=1), note("in order")]
