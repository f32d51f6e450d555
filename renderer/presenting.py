"""The presenters' clips of a film: one fallback chain a scene, one backend instance a film."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import astuple, replace
from typing import Any

from avatar_core.backend import AvatarBackend, AvatarRequest, Size
from avatar_core.backend_options import backend_options
from avatar_core.cancel import CancelToken
from avatar_core.chain import FallbackChain, Outcome, Rung, TrailEntry
from avatar_core.registry import Registry
from avatar_core.settings import LoadedSettings
from renderer.clip_cache import StoredClips
from renderer.film import Film, FilmScene, Presenter
from renderer.segments import presenter_size
from renderer.speech.narration import Narration
from renderer.store import FileHashes, Store, content_key


class OpenBackends:
    """Backend instances by name, each made on first use and closed with the film."""

    def __init__(
        self,
        registry: Registry[AvatarBackend],
        loaded: LoadedSettings,
        given: Mapping[str, AvatarBackend],
    ) -> None:
        self._registry = registry
        self._loaded = loaded
        self._given = dict(given)
        self._made: dict[str, AvatarBackend] = {}
        self._lock = threading.Lock()

    def kind(self, name: str) -> type[AvatarBackend]:
        """The class of a backend, without making an instance."""
        return type(self._given[name]) if name in self._given else self._registry.load(name)

    def options(self, name: str, scene_options: Mapping[str, Any]) -> Any:
        """The backend's options for a scene: the configuration's with the scene's over them."""
        if name in self._given:
            given = self._given[name]
            merged = {**given.options.model_dump(exclude_unset=True), **scene_options}
            return type(given).Options.model_validate(merged)
        loaded = self._loaded
        return backend_options(
            self._registry, name, loaded.settings, scene_options, places=loaded.places
        )

    def open(self, name: str) -> AvatarBackend:
        """The one instance of this film."""
        if name in self._given:
            return self._given[name]
        with self._lock:
            if name not in self._made:
                self._made[name] = self.kind(name)(self.options(name, {}))
            return self._made[name]

    def close(self) -> None:
        """Close what was made here; instances that a caller handed in stay the caller's."""
        with self._lock:
            made, self._made = list(self._made.values()), {}
        for backend in made:
            with contextlib.suppress(Exception):
                backend.close()


class Presenting:
    """Makes the presenter's clip of a scene by the scene's chain of backends."""

    def __init__(
        self,
        film: Film,
        backends: OpenBackends,
        store: Store,
        hashes: FileHashes,
        on_attempt: Callable[[str, TrailEntry], None],
    ) -> None:
        self._film = film
        self._backends = backends
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
            self._rungs(scene.presenter),
            cache=StoredClips(self._store),
            skip=self._fence,
            on_attempt=lambda entry: self._on_attempt(scene.id, entry),
        )
        # Another process may be making the same clip: wait for it rather than pay as well.
        with (
            self._store.locked("chain", request.key, cancel),
            self._store.work_dir() as work,
        ):
            return chain.run(request, work, cancel, on_progress)

    def _rungs(self, presenter: Presenter) -> list[Rung]:
        return [
            Rung(
                name,
                functools.partial(self._backends.open, name),
                self._backends.options(name, presenter.options.get(name, {})),
            )
            for name in presenter.backends
        ]

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
        portrait = request.portrait
        readable = portrait is not None and portrait.is_file()
        return content_key(
            portrait=self._hashes(portrait) if portrait and readable else None,
            audio=self._hashes(request.audio),
            speaker=request.speaker,
            language=request.language,
            phonemes=[astuple(phoneme) for phoneme in request.phonemes],
        )

    def _fence(self, rung: Rung, request: AvatarRequest) -> str | None:
        """Why the film's limits forbid a rung, None where they don't."""
        del request
        limits, can = self._film.limits, self._backends.kind(rung.name).capabilities
        if can.uploads and not limits.allow_upload:
            return "it sends the face and the voice out, which limits.allow_upload forbids"
        if can.costs_money and limits.max_cost is not None:
            return (
                f"it costs money, and this version cannot hold it to limits.max_cost "
                f"({limits.max_cost:g})"
            )
        return None
