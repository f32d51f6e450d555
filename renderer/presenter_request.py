"""What a scene asks of an avatar backend, and the key of everything that the clip depends on."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

from avatar_core.backend import AvatarRequest
from renderer.film import Film, FilmScene
from renderer.segments import presenter_size
from renderer.speech.narration import Narration
from renderer.store import FileHashes, content_key


def presenter_request(
    film: Film, scene: FilmScene, narration: Narration, hashes: FileHashes
) -> AvatarRequest | None:
    """The scene's request with its key; None where nobody is seen."""
    request = request_without_key(film, scene, narration)
    return None if request is None else replace(request, key=_key(request, hashes))


def request_without_key(film: Film, scene: FilmScene, narration: Narration) -> AvatarRequest | None:
    """The same for a narration whose sound need not be there yet: no clip can be found for it."""
    presenter, size = scene.presenter, presenter_size(film, scene)
    if presenter is None or size is None:
        return None
    return AvatarRequest(
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


def _key(request: AvatarRequest, hashes: FileHashes) -> str:
    """What the clip depends on; backend, options, size and fps are added by the chain."""
    return content_key(
        portrait=_content_of(request.portrait, hashes),
        audio=hashes(request.audio),
        speaker=request.speaker,
        language=request.language,
        phonemes=[astuple(phoneme) for phoneme in request.phonemes],
    )


def _content_of(portrait: Path | None, hashes: FileHashes) -> str | None:
    try:
        return None if portrait is None else hashes(portrait)
    except OSError:
        # Missing or unreadable: what to show instead is for the backend to say.
        return None
