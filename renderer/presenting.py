"""The presenters' clips of a film: one fallback chain a scene, one backend instance a film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

from avatar_core.backend import AvatarRequest, Size
from avatar_core.cancel import CancelToken
from avatar_core.chain import FallbackChain, Outcome, Rung, TrailEntry
from avatar_core.pool import BackendPool
from renderer.clip_cache import StoredClips
from renderer.film import Film, FilmScene, Presenter
from renderer.segments import presenter_size
from renderer.speech.narration import Narration
from renderer.store import FileHashes, Store, content_key


class Presenting:
    """Makes the presenter's clip of a scene by the scene's chain of backends."""

    def __init__(
        self,
        film: Film,
        pool: BackendPool,
        store: Store,
        hashes: FileHashes,
        on_attempt: Callable[[str, TrailEntry], None],
    ) -> None:
        self._film = film
        self._pool = pool
        self._store = store
        self._hashes = hashes
        self._on_attempt = on_attempt

    def present(
        self,
        scene: FilmScene,
        narration: Narration,
        cancel: CancelToken,
        on_progress: Callable[[float, str], None],
    ) -> Outcome | None:
        """The clip and its trail; None where the scene shows nobody.

        Raises `ChainError` when even the last rung failed.
        """
        size = presenter_size(self._film, scene)
        if scene.presenter is None or size is None:
            return None
        request = self._request(scene, scene.presenter, narration, size)
        chain = FallbackChain(
            self._pool.rungs(scene.presenter.backends, scene.presenter.options),
            cache=StoredClips(self._store),
            health=self._pool.health,
            skip=self._fence,
            on_attempt=lambda entry: self._on_attempt(scene.id, entry),
        )
        # Another process may be making the same clip: wait for it rather than pay as well.
        with (
            self._store.locked("chain", request.key, cancel),
            self._store.work_dir() as work,
        ):
            return chain.run(request, work, cancel, on_progress)

    def _request(
        self, scene: FilmScene, presenter: Presenter, narration: Narration, size: Size
    ) -> AvatarRequest:
        request = AvatarRequest(
            portrait=presenter.portrait,
            audio=narration.path,
            duration=narration.seconds,
            size=size,
            fps=self._film.fps,
            speaker=presenter.name,
            text=scene.text or "",
            language=scene.speech.voice.language,
            words=narration.words,
            phonemes=narration.phonemes,
        )
        return replace(request, key=self._key(request))

    def _key(self, request: AvatarRequest) -> str:
        """What the clip depends on; backend, options, size and fps are added by the chain."""
        return content_key(
            portrait=self._content_of(request.portrait),
            audio=self._hashes(request.audio),
            speaker=request.speaker,
            language=request.language,
            phonemes=[astuple(phoneme) for phoneme in request.phonemes],
        )

    def _content_of(self, portrait: Path | None) -> str | None:
        try:
            return None if portrait is None else self._hashes(portrait)
        except OSError:
            # Missing or unreadable: what to show instead is for the backend to say.
            return None

    def _fence(self, rung: Rung, request: AvatarRequest) -> str | None:
        """Why the film's limits forbid a rung, None where they don't."""
        del request
        limits, can = self._film.limits, rung.open().capabilities
        if can.uploads and not limits.allow_upload:
            return "it sends the face and the voice out, which limits.allow_upload forbids"
        if can.costs_money and limits.max_cost is not None:
            return (
                f"it costs money, and this version cannot hold it to limits.max_cost "
                f"({limits.max_cost:g})"
            )
        return None
