"""What must be true of each part of a script beyond the kinds of its values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from avatar_core.errors import InputError
from avatar_core.nearest import did_you_mean
from renderer.presets import PRESETS
from renderer.script import models as m
from renderer.script.checking import Checker, Rule
from renderer.script.colors import hex_color, nearest_color
from renderer.script.files import Kind, kind_of, locate, problem_with
from renderer.script.markup import Spoken, apply_pronunciations, has_words, parse_markup

MAX_CHARACTERS = 50_000
_WithPortrait = TypeVar("_WithPortrait", m.Avatar, m.Speaker)


def _voice(check: Checker, voice: m.Voice, at: str) -> m.Voice:
    if voice.engine is not None:
        check.name("speech engine", voice.engine, check.known_engines, f"{at}.engine")
    for i, name in enumerate(voice.fallback or ()):
        check.name("speech engine", name, check.known_engines, f"{at}.fallback[{i}]")
    return voice


def _avatar(check: Checker, avatar: m.Avatar, at: str) -> m.Avatar:
    if avatar.backend is not None:
        check.name("avatar backend", avatar.backend, check.known_backends, f"{at}.backend")
    for i, name in enumerate(avatar.fallback or ()):
        check.name("avatar backend", name, check.known_backends, f"{at}.fallback[{i}]")
    for name in avatar.options:
        check.name("avatar backend", name, check.known_backends, f"{at}.options.{name}")
    return _portrait(check, avatar, at)


def _portrait(check: Checker, model: _WithPortrait, at: str) -> _WithPortrait:
    if model.portrait is None:
        return model
    path = check.file(model.portrait, f"{at}.portrait", "image", optional=True)
    return model.model_copy(update={"portrait": path})


def _background(check: Checker, model: m.Background, at: str) -> m.Background:
    if model.type == "color" or (model.type is None and _means_color(model.src, check.base)):
        color = check.color(model.src, f"{at}.src")
        return model.model_copy(update={"type": "color", "src": color})
    path = locate(model.src, check.base)
    wanted: tuple[Kind, ...] = ("image", "video") if model.type is None else (model.type,)
    problem = problem_with(path, model.src, wanted)
    if problem:
        near = nearest_color(model.src) if Path(model.src).suffix == "" else None
        hint = f'Did you mean the colour "{near}"?' if near else problem.advice
        check.mistakes.tell(problem.message, f"{at}.src", hint)
    kind = model.type or kind_of(path) or "image"
    return model.model_copy(update={"type": kind, "src": str(path)})


def _means_color(src: str, base: Path) -> bool:
    if hex_color(src) is None:
        return src.startswith("#") and "." not in src
    return src.startswith("#") or kind_of(locate(src, base)) is None


def _image_overlay(check: Checker, overlay: m.ImageOverlay, at: str) -> m.ImageOverlay:
    _check_times(check, overlay, at)
    return overlay.model_copy(update={"src": check.file(overlay.src, f"{at}.src", "image")})


def _text_overlay(check: Checker, overlay: m.TextOverlay, at: str) -> m.TextOverlay:
    _check_times(check, overlay, at)
    if not overlay.text.strip():
        check.mistakes.tell("this is empty.", f"{at}.text", "Give a text or remove the overlay.")
    return overlay


def _check_times(check: Checker, overlay: m.ImageOverlay | m.TextOverlay, at: str) -> None:
    if overlay.end is not None and overlay.end <= overlay.start:
        check.mistakes.tell(
            f"it ends at {overlay.end:g} s, before it starts.",
            f"{at}.end",
            f"Give more than {overlay.start:g}.",
        )


def _transition(check: Checker, transition: m.Transition, at: str) -> m.Transition:
    check.name("transition", transition.type, ("none", *m.TRANSITIONS), f"{at}.type")
    return transition


def _music(check: Checker, music: m.Music, at: str) -> m.Music:
    if music.scenes is not None:
        first, last = scene_range(music.scenes, check.scenes)
        if not 1 <= first <= last <= check.scenes:
            check.mistakes.tell(
                f'"{music.scenes}" does not fit: the film has scenes 1 to {check.scenes}.',
                f"{at}.scenes",
                'Write it as "2", "1-3" or "2-".',
            )
    return music.model_copy(update={"src": check.file(music.src, f"{at}.src", "audio")})


def scene_range(text: str, count: int) -> tuple[int, int]:
    """The first and last scene, counted from 1, of "2", "1-3" or "2-" in ``count`` scenes."""
    first, dash, last = text.partition("-")
    return int(first), int(last) if last else count if dash else int(first)


def _watermark(check: Checker, mark: m.Watermark, at: str) -> m.Watermark:
    if mark.src is None:
        return mark
    return mark.model_copy(update={"src": check.file(mark.src, f"{at}.src", "image")})


def _output(check: Checker, output: m.Output, at: str) -> m.Output:
    if output.preset is not None:
        check.name("preset", output.preset, PRESETS, f"{at}.preset")
    if output.size is not None and output.aspect_ratio is not None:
        check.mistakes.tell(
            '"size" and "aspect_ratio" are both given.', f"{at}.aspect_ratio", "Keep one of them."
        )
    if output.path is None:
        return output
    path = locate(output.path, check.base)
    if path.suffix.lower() != ".mp4":
        check.mistakes.tell(
            f"films are MP4 files, and {path.name[:60]} does not end in .mp4.",
            f"{at}.path",
            f"Write {path.with_suffix('.mp4').name[:60] if path.name else 'film.mp4'}.",
        )
    return output.model_copy(update={"path": path})


def _scene(check: Checker, scene: m.Scene, at: str) -> m.Scene:
    if scene.speaker is not None and scene.speaker not in check.speakers:
        check.mistakes.tell(
            f'there is no speaker "{scene.speaker[:60]}".',
            f"{at}.speaker",
            did_you_mean(scene.speaker, check.speakers),
        )
    if scene.visual is not None and not _is_visual(scene.visual):
        check.mistakes.tell(
            "a visual is a MoviePy clip or a function that returns one.",
            f"{at}.visual",
            "It can only be given in Python; in a script use background.",
        )
    if scene.text is not None:
        _check_text(check, scene.text, f"{at}.text", spoken=scene.audio is None)
    if scene.audio is None:
        return scene
    return scene.model_copy(update={"audio": check.file(scene.audio, f"{at}.audio", "audio")})


def _is_visual(value: Any) -> bool:
    return callable(value) or hasattr(value, "get_frame")


def _check_text(check: Checker, text: str, at: str, *, spoken: bool) -> None:
    if len(text) > MAX_CHARACTERS:
        check.mistakes.tell(
            f"{len(text):,} characters are too many for one scene (at most {MAX_CHARACTERS:,}).",
            at,
            "Split it into several scenes.",
        )
        return
    try:
        pieces = apply_pronunciations(parse_markup(text), list(check.pronunciations.items()))
    except InputError as mistake:
        check.mistakes.tell(mistake.message, at, mistake.advice)
        return
    said = "".join(piece.spoken for piece in pieces if isinstance(piece, Spoken))
    if spoken and not has_words(said):
        check.mistakes.tell(
            "there is nothing to speak: no letter and no digit." if said.strip() else
            "there is nothing to speak.",
            at,
            'Write some words, or give the scene a "duration" instead of a text.',
        )  # fmt: skip


def _script(check: Checker, script: m.VideoScript, at: str) -> m.VideoScript:
    first: dict[str, int] = {}
    for i, scene in enumerate(script.scenes):
        if scene.id in first:
            other = f"scenes[{first[scene.id]}].id"
            line = check.mistakes.line(other)
            where = f"in line {line}" if line else other
            check.mistakes.tell(
                f'the id "{scene.id}" is already used {where}.',
                f"scenes[{i}].id",
                "Give each scene its own id.",
            )
        elif scene.id is not None:
            first[scene.id] = i
    for word, spoken in script.pronunciations.items():
        if not word.strip() or not has_words(spoken):
            check.mistakes.tell(
                "a pronunciation needs a written word and a spoken form.",
                f"pronunciations.{word}",
                "Write it as SQL: sequel.",
            )
    return script


RULES: dict[type[m.Model], Rule] = {
    m.Voice: _voice,
    m.Avatar: _avatar,
    m.Speaker: _portrait,
    m.Background: _background,
    m.ImageOverlay: _image_overlay,
    m.TextOverlay: _text_overlay,
    m.Transition: _transition,
    m.Music: _music,
    m.Watermark: _watermark,
    m.Output: _output,
    m.Scene: _scene,
    m.VideoScript: _script,
}
