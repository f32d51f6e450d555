"""A script becomes a `Film`: names looked up, files found, defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_core.errors import InputError
from avatar_core.nearest import did_you_mean
from avatar_core.speech import Voice
from renderer.film import Chooser, Film, FilmScene, Presenter, SpeechPlan
from renderer.presets import DEFAULT_PRESET, PRESETS, Preset
from renderer.script import models as m
from renderer.script.cascade import (
    captions_of,
    merged,
    merged_avatar,
    padding_of,
    transition_of,
)
from renderer.script.checking import Checker
from renderer.script.frame import frame_size
from renderer.script.mistakes import Mistakes
from renderer.script.reading import ScriptSource, load_script
from renderer.script.rules import RULES

DEFAULT_BACKGROUND = m.Background(type="color", src="#16202b")
# In the base install and offline; those that lack the film's language are skipped when speaking.
DEFAULT_ENGINES = ("hibari", "espeak")
_UNNAMED = "Presenter"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveDefaults:
    """What holds where the script says nothing, and the names that exist.

    What begins with ``only_`` holds whatever the script says. ``engine`` None stands for the
    engines of the base install. With ``known_backends`` or ``known_engines`` None, any name is
    accepted.
    """

    backend: str = "static"
    fallback: tuple[str, ...] = ()
    only_backend: str | None = None
    only_fallback: tuple[str, ...] | None = None
    preset: str | None = None
    only_preset: str | None = None
    quality: m.Quality | None = None
    only_quality: m.Quality | None = None
    engine: str | None = None
    engine_fallback: tuple[str, ...] = ()
    voice: str | None = None
    language: str | None = None
    known_backends: Sequence[str] | None = None
    known_engines: Sequence[str] | None = None


def load_film(
    script: Path | str | m.VideoScript | Mapping[str, Any] | Sequence[m.Scene],
    *,
    defaults: ResolveDefaults | None = None,
    variables: Mapping[str, object] | None = None,
    base: Path | None = None,
) -> Film:
    """Read and resolve in one step; raises `InputError` (with ``.mistakes``)."""
    return resolve(load_script(script, base, variables), defaults)


def resolve(source: ScriptSource, defaults: ResolveDefaults | None = None) -> Film:
    """Look up every name and file of a script and fill in every default.

    Raises `ScriptError`, an `InputError` that tells all mistakes at once.
    """
    defaults = defaults or ResolveDefaults()
    mistakes = Mistakes(source.file, source.line)
    script = _checked(source, defaults, mistakes)
    output = _output(script.output, defaults)
    preset = _preset(output, defaults)
    size = frame_size(output, preset, mistakes)
    mistakes.raise_any()
    ids = scene_ids(script.scenes)
    builder = _Builder(script, defaults, source, mistakes, wide=size.width > size.height)
    scenes = tuple(builder.scene(i, ids[i]) for i in range(len(ids)))
    return Film(
        title=script.title,
        description=script.description,
        language=builder.language,
        size=size,
        fps=output.fps or preset.fps,
        quality=output.quality or preset.quality or defaults.quality or "standard",
        loudness=script.output.loudness,
        thumbnail=script.output.thumbnail,
        path=script.output.path,
        scenes=scenes,
        music=script.music,
        watermark=script.watermark,
        disclosure=script.disclosure,
        limits=script.limits,
        source=source.file,
        warnings=tuple(mistakes.warnings),
    )


def scene_ids(scenes: Sequence[m.Scene]) -> list[str]:
    """The ids as given; ``scene-1``, ``scene-2`` ... (or the next free one) where none is."""
    taken = {scene.id for scene in scenes if scene.id is not None}
    ids = []
    for number, scene in enumerate(scenes, 1):
        name, extra = scene.id or f"scene-{number}", 1
        while scene.id is None and name in taken:
            extra += 1
            name = f"scene-{number}-{extra}"
        taken.add(name)
        ids.append(name)
    return ids


def _checked(source: ScriptSource, defaults: ResolveDefaults, mistakes: Mistakes) -> m.VideoScript:
    script = source.script
    return Checker(
        base=source.base,
        mistakes=mistakes,
        speakers=tuple(script.speakers),
        scenes=len(script.scenes),
        pronunciations=script.pronunciations,
        known_backends=defaults.known_backends,
        known_engines=defaults.known_engines,
        rules=RULES,
    ).visit(script)


def _output(output: m.Output, defaults: ResolveDefaults) -> m.Output:
    """The script's wishes, less those that this render was told to overrule."""
    overruled: dict[str, object] = {}
    if defaults.only_preset is not None:
        overruled = {"preset": defaults.only_preset, "size": None, "fps": None, "quality": None}
    if defaults.only_quality is not None:
        overruled["quality"] = defaults.only_quality
    return output.model_copy(update=overruled)


def _preset(output: m.Output, defaults: ResolveDefaults) -> Preset:
    name = output.preset if output.preset in PRESETS else defaults.preset or DEFAULT_PRESET
    if name not in PRESETS:
        raise InputError(
            f"there is no preset {name!r}.", key="video.preset", advice=did_you_mean(name, PRESETS)
        )
    return PRESETS[name]


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the scenes of a film from a script in which everything has been checked."""

    script: m.VideoScript
    defaults: ResolveDefaults
    source: ScriptSource
    mistakes: Mistakes
    wide: bool

    @property
    def language(self) -> str:
        if "language" in self.script.model_fields_set:
            return self.script.language
        return self.defaults.language or self.script.language

    def scene(self, index: int, name: str) -> FilmScene:
        script, scene = self.script, self.script.scenes[index]
        background = scene.background or script.background
        return FilmScene(
            id=name,
            index=index,
            text=scene.text,
            audio=scene.audio,
            duration=scene.duration,
            speech=self._speech(scene),
            presenter=self._presenter(scene, index, plain=background is None),
            background=background if isinstance(background, m.Background) else DEFAULT_BACKGROUND,
            overlays=scene.overlays,
            captions=captions_of(script.captions, scene.captions),
            transition=transition_of(script.transition, scene.transition),
            padding=padding_of(script.padding, scene),
            line=self.source.line(f"scenes[{index}]"),
            visual=scene.visual,
        )

    def _speaker(self, scene: m.Scene) -> m.Speaker:
        return self.script.speakers[scene.speaker] if scene.speaker else m.Speaker()

    def _speech(self, scene: m.Scene) -> SpeechPlan:
        defaults = self.defaults
        voice = merged(self.script.voice, self._speaker(scene).voice) or m.Voice()
        rest = voice.fallback if voice.fallback is not None else defaults.engine_fallback
        first = (voice.engine,) if voice.engine else self._default_engines(bool(rest))
        own_engine = voice.engine is not None and voice.engine != defaults.engine
        return SpeechPlan(
            engines=_unique((*first, *rest)),
            voice=Voice(
                # The settings' voice is a name in the settings' engine.
                id=voice.id or (None if own_engine else defaults.voice),
                language=voice.language or self.language,
                speed=voice.speed or 1.0,
                pitch=voice.pitch or 1.0,
            ),
            pronunciations=tuple(self.script.pronunciations.items()),
        )

    def _default_engines(self, has_fallback: bool) -> tuple[str, ...]:
        if self.defaults.engine is not None:
            return (self.defaults.engine,)
        if not has_fallback:
            # Nobody named an engine: the narrator takes the one that fits the language.
            return ()
        known = self.defaults.known_engines
        return tuple(e for e in DEFAULT_ENGINES if known is None or e in known)

    def _presenter(self, scene: m.Scene, index: int, *, plain: bool) -> Presenter | None:
        speaker = self._speaker(scene)
        avatar = merged_avatar(self.script.avatar, speaker.avatar, scene.avatar)
        portrait = (
            scene.avatar.portrait
            or speaker.avatar.portrait
            or speaker.portrait
            or self.script.avatar.portrait
        )
        asked = scene.speaker is not None or portrait is not None or _says_anything(scene.avatar)
        if scene.duration is not None or avatar.layout == "none" or not asked:
            return None
        if portrait is None:
            self._warn_of_card(scene, index)
        layout = avatar.layout or ("full" if plain and scene.visual is None else "circle")
        position, scale = default_place(layout, wide=self.wide)
        return Presenter(
            name=scene.speaker or _UNNAMED,
            portrait=portrait,
            backends=self._backends(avatar),
            layout=layout,
            position=avatar.position or position,
            scale=avatar.scale or scale,
            options=avatar.options,
            **self._choosers(avatar),
        )

    def _warn_of_card(self, scene: m.Scene, index: int) -> None:
        key = f"speakers.{scene.speaker}" if scene.speaker else f"scenes[{index}].avatar"
        self.mistakes.warn(
            "there is no portrait, so a card with the name is shown.",
            key,
            "Give a portrait, or layout: none for a voice alone.",
        )

    def _backends(self, avatar: m.Avatar) -> tuple[str, ...]:
        defaults = self.defaults
        first = defaults.only_backend or avatar.backend or defaults.backend
        if defaults.only_fallback is not None:
            return _unique((first, *defaults.only_fallback))
        rest = avatar.fallback if avatar.fallback is not None else defaults.fallback
        return _unique((first, *rest))

    def _choosers(self, avatar: m.Avatar) -> dict[str, Chooser]:
        defaults = self.defaults
        script = {
            "chosen_by": defaults.only_backend is None and avatar.backend is not None,
            "fallback_by": defaults.only_fallback is None and avatar.fallback is not None,
        }
        return {name: "script" if is_so else "settings" for name, is_so in script.items()}


def default_place(layout: m.Layout, *, wide: bool) -> tuple[m.Position, float]:
    """Where a presenter stands in a layout and its share of the frame, if nothing is said."""
    if layout == "split":
        # Upright, captions run across the lower half: there they would cover the mouth.
        return ("right" if wide else "top"), 0.5
    if layout == "full":
        return "center", 1.0
    return "bottom-right", 0.38 if layout == "circle" else 0.45


def _says_anything(avatar: m.Avatar) -> bool:
    return any(getattr(avatar, name) for name in avatar.model_fields_set)


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
