"""What a scene asks of an avatar backend, and the key of everything that the clip depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

from avatar_core.backend import AvatarRequest
from renderer.film import Film, FilmScene
from renderer.segments import presenter_size
from renderer.speech.narration import Narration
from renderer.store import content_key

# Beside lan.png this is lan.landmarks.json; a corrected one makes another clip.
DECLARED_FACE = ".landmarks.json"


def presenter_request(
    film: Film, scene: FilmScene, narration: Narration, hash_of: Callable[[Path], str]
) -> AvatarRequest | None:
    """The scene's request with its key; None where nobody is seen. ``hash_of`` tells the content
    of the portrait and of the narration."""
    presenter, size = scene.presenter, presenter_size(film, scene)
    if presenter is None or size is None:
        return None
    request = AvatarRequest(
        portrait=presenter.portrait,
        audio=narration.path,
        duration=narration.seconds,
        size=size,
        fps=film.fps,
        speaker=presenter.name,
        text=scene.text or "",
        language=scene.speech.voice.language,
        words=narration.words,
        phonemes=narration.phonemes,
    )
    return replace(request, key=_key(request, hash_of))


def _key(request: AvatarRequest, hash_of: Callable[[Path], str]) -> str:
    """What the clip depends on; backend, options, size and fps are added by the chain."""
    return content_key(
        portrait=_content_of(request.portrait, hash_of),
        audio=hash_of(request.audio),
        speaker=request.speaker,
        language=request.language,
        phonemes=[astuple(phoneme) for phoneme in request.phonemes],
    )


def _content_of(portrait: Path | None, hash_of: Callable[[Path], str]) -> str | None:
    """The portrait, and what a person declared of its face in the file beside it."""
    if portrait is None:
        return None
    declared = portrait.with_suffix(DECLARED_FACE)
    try:
        content = hash_of(portrait)
        return f"{content} {hash_of(declared)}" if declared.is_file() else content
    except OSError:
        # Missing or unreadable: what to show instead is for the backend to say.
        return None
