"""SmartVideoRenderer: the public face of the project."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from avatar_core.backend import AvatarBackend
from avatar_core.backend_options import check_settings
from avatar_core.cancel import CancelToken
from avatar_core.chain import TrailEntry
from avatar_core.errors import Cancelled, InputError, InputErrors, noted
from avatar_core.events import Event, EventBus
from avatar_core.nearest import did_you_mean
from avatar_core.plugins import load_plugins
from avatar_core.pool import BackendPool
from avatar_core.settings import LoadedSettings, load_settings
from avatar_core.settings_idle import idle_settings
from renderer.assemble import check_target
from renderer.film import Film
from renderer.planning.alternatives import estimate_of
from renderer.planning.narrations import ExpectedNarrations
from renderer.planning.plan import Estimate, Plan
from renderer.planning.planner import Planner
from renderer.presenting import Presenting
from renderer.production import Production, only_scenes
from renderer.report.writing import reported
from renderer.result import RenderResult, failed_event
from renderer.script.models import Scene, VideoScript
from renderer.script.resolve import ResolveDefaults, load_film
from renderer.speech.narration import Narrator
from renderer.store import FileHashes, Store, default_cache_dir

Script = Path | str | VideoScript | Mapping[str, Any] | Sequence[Scene]
BackendChoice = str | AvatarBackend | Sequence[str | AvatarBackend]
# More encoders at once than this only take memory from each other.
_MOST_WORKERS = 4
_STILL = "static"


class SmartVideoRenderer:
    """Renders scene scripts, each presenter by the backend of your choice.

    ``avatar_backend`` is a name ("colab"), a chain (a list: the first is preferred), or an
    `AvatarBackend`; by default the settings' (AVATAR_BACKEND, avatar.toml). Whatever it is, a
    scene that it cannot make falls back, at last to a still picture. ``use_ai_avatar=False``
    renders every presenter as a still. ``config`` is a settings file (default: ``avatar.toml``
    in the working folder), ``overrides`` are settings by dotted name, ``workers`` is how many
    scenes are made at once. ``on_event`` hears everything that happens, from any thread.

    Raises `InputErrors` at once, with everything that is wrong in the settings.
    """

    def __init__(
        self,
        avatar_backend: BackendChoice | None = None,
        *,
        use_ai_avatar: bool | None = None,
        config: Path | str | None = None,
        workers: int | None = None,
        on_event: Callable[[Event], None] | None = None,
        overrides: Mapping[str, Any] | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        names, self._given = _split_choice(avatar_backend)
        said = {
            "backend": names[0] if names else None,
            "fallback": names[1:] if len(names) > 1 else None,
            "use_ai_avatar": use_ai_avatar,
            "workers": workers,
        }
        arguments = {**(overrides or {}), **{k: v for k, v in said.items() if v is not None}}
        self._bus = EventBus(*([on_event] if on_event else []))
        self._plugins = load_plugins(self._bus)
        self._outer = cancel
        self._cancel = CancelToken(parent=cancel)
        self._load(arguments, Path(config) if config is not None else None)

    def _load(self, arguments: Mapping[str, Any], config: Path | None) -> None:
        plugins, given = self._plugins, self._given
        known = plugins.backends.overlaid({n: type(b) for n, b in given.items()})

        def check(loaded: LoadedSettings) -> None:
            check_settings(loaded, known, plugins.engines, complete=plugins.complete, given=given)

        self.loaded = load_settings(arguments, config, check=check)
        self.settings = self.loaded.settings
        self._store: Store | None = None
        self._hashes = FileHashes()

    def render(
        self,
        script: Script,
        output: Path | str | None = None,
        *,
        scenes: Sequence[str] | None = None,
        variables: Mapping[str, str | int | float] | None = None,
    ) -> RenderResult:
        """Render ``script`` (a path, a mapping, a `VideoScript` or a list of `Scene`).

        The film goes to ``output``, else to the script's ``output.path``, else beside the working
        folder under the script's name. ``scenes`` restricts it to some scene ids, ``variables``
        override the script's.

        Raises `InputError` for mistakes in the script, `AvatarError` when a scene could not be
        made at all, `EnvironmentFault` for what the machine lacks, `Cancelled` after `cancel`.
        """
        try:
            film = self._chosen(self.check(script, variables=variables), scenes)
            target = _target(film, output)
            check_target(target)
            result = self._produce(film, target, self._open_store())
            result = reported(result, film, self._bus, self.settings.report)
        except Exception as failure:
            self._bus.emit(failed_event(failure))
            raise
        self._bus.emit(result.event())
        return result

    def render_scene(
        self, script: Script, scene: str, output: Path | str | None = None
    ) -> RenderResult:
        """Render one scene alone, as it is in the film but without transitions."""
        film = self._chosen(self.check(script), [scene])
        beside = _target(film, None)
        target = Path(output) if output else beside.with_name(f"{beside.stem}-{scene}.mp4")
        return self.render(script, target, scenes=[scene])

    def check(
        self, script: Script, *, variables: Mapping[str, str | int | float] | None = None
    ) -> Film:
        """Read ``script`` and check everything that can be checked without rendering."""
        film = load_film(script, defaults=self._defaults(), variables=variables)
        with self._pool() as pool:
            check_options(film, pool)
        return replace(film, warnings=(*idle_settings(self.loaded), *film.warnings))

    def plan(
        self, script: Script, *, variables: Mapping[str, str | int | float] | None = None
    ) -> Plan:
        """What `render` would do now: whom it would ask for each scene, price, time, uploads.

        Needs no network, asks no backend but for its price, and makes nothing. Raises
        `InputError` as `render` does, `EnvironmentFault` where the cache cannot be used.
        """
        film = self.check(script, variables=variables)
        with self._pool() as pool, self._planner(pool) as planner:
            return planner.plan(film)

    def estimate(
        self, script: Script, *, variables: Mapping[str, str | int | float] | None = None
    ) -> Estimate:
        """`plan`, and what the film would take with each loaded backend alone."""
        film = self.check(script, variables=variables)
        names = sorted({*self._plugins.backends.names(), *self._given})
        with self._pool() as pool, self._planner(pool) as planner:
            return estimate_of(film, names, planner, pool)

    def cancel(self) -> None:
        """Stop the running render from another thread; what is finished is kept."""
        self._cancel.cancel()

    def close(self) -> None:
        """Nothing is held between two renders; here so that ``with`` reads naturally."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _produce(self, film: Film, target: Path, store: Store) -> RenderResult:
        pool = self._pool()
        narrator = Narrator(self._plugins.engines, store, self._hashes)

        def presenting(on_attempt: Callable[[str, TrailEntry], None]) -> Presenting:
            return Presenting(film, pool, store, self._hashes, self.settings, on_attempt)

        executor = ThreadPoolExecutor(self._worker_count(), thread_name_prefix="scene")
        try:
            return Production(
                film,
                narrator=narrator,
                presenting=presenting,
                store=store,
                hashes=self._hashes,
                executor=executor,
                bus=self._bus,
                cancel=self._cancel,
            ).run(target)
        except KeyboardInterrupt:
            self._cancel.cancel()
            raise Cancelled("cancelled") from None
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
            narrator.close()
            pool.close()
            # A cancellation is for one render: the next one starts afresh.
            self._cancel = CancelToken(parent=self._outer)

    def _pool(self) -> BackendPool:
        return BackendPool(self._plugins.backends, self.loaded, self._given)

    @contextlib.contextmanager
    def _planner(self, pool: BackendPool) -> Iterator[Planner]:
        store = self._open_store()
        narrations = ExpectedNarrations(self._plugins.engines, store, self._hashes)
        try:
            with store.faults():
                yield Planner(
                    self.loaded, pool, narrations, store, self._hashes, self._worker_count()
                )
        finally:
            narrations.close()

    def _worker_count(self) -> int:
        return self.settings.workers or max(1, min(_MOST_WORKERS, os.cpu_count() or 1))

    def _open_store(self) -> Store:
        if self._store is None or not self._store.is_there:
            self._store = Store(self.settings.cache_dir or default_cache_dir())
        return self._store

    def _defaults(self) -> ResolveDefaults:
        settings, origins = self.settings, self.loaded.origins
        # What is said when the renderer is called overrules the script, as it does the files.
        told = {key for key, origin in origins.items() if origin == "argument"}
        return ResolveDefaults(
            backend=self._chosen_backend(),
            fallback=settings.fallback,
            **self._only_chain(told),
            preset=settings.video.preset,
            only_preset=settings.video.preset if "video.preset" in told else None,
            quality=settings.video.quality,
            only_quality=settings.video.quality if "video.quality" in told else None,
            engine=settings.speech.engine,
            engine_fallback=settings.speech.fallback,
            voice=settings.speech.voice,
            language=settings.speech.language,
            known_backends=(*self._plugins.backends.names(), *self._given),
            known_engines=self._plugins.engines.names(),
        )

    def _chosen_backend(self) -> str:
        """The settings' backend; a still where that is the default, and its plugin is left out."""
        name = self.settings.backend
        is_default = self.loaded.origins["backend"] == "default"
        known = name in self._plugins.backends or name in self._given
        return name if known or not is_default else _STILL

    def _only_chain(self, told: set[str]) -> dict[str, Any]:
        settings = self.settings
        if not settings.use_ai_avatar:
            return {"only_backend": _STILL, "only_fallback": ()}
        return {
            "only_backend": settings.backend if "backend" in told else None,
            "only_fallback": settings.fallback if "fallback" in told else None,
        }

    def _chosen(self, film: Film, scenes: Sequence[str] | None) -> Film:
        known = [scene.id for scene in film.scenes]
        for wanted in scenes or ():
            if wanted not in known:
                raise InputError(
                    f"There is no scene {wanted!r}.",
                    file=film.source,
                    advice=did_you_mean(wanted, known),
                )
        if scenes is not None and not scenes:
            raise InputError("No scene is chosen.", advice="Name at least one scene id.")
        return only_scenes(film, scenes)


def check_options(film: Film, pool: BackendPool) -> None:
    """Refuse what backends do not take, of all scenes at once; raises `InputErrors`."""
    found: dict[tuple[str | None, str], InputError] = {}
    for scene in film.scenes:
        wrong: list[InputError] = []
        if scene.presenter is not None:
            options = scene.presenter.options
            for name in scene.presenter.backends:
                with noted(wrong):
                    pool.rung(name, options.get(name))
            if not wrong:
                pool.rungs(scene.presenter.backends, options)
        for mistake in wrong:
            if mistake.key and mistake.key.startswith("avatar."):
                mistake.file, mistake.line = film.source, scene.line
            # What a script says for all its scenes is wrong once.
            found.setdefault((mistake.key, mistake.message), mistake)
    if found:
        raise InputErrors(found.values())


def _split_choice(
    choice: BackendChoice | None,
) -> tuple[list[str], dict[str, AvatarBackend]]:
    """Names in their order, and the instances among them by name."""
    if choice is None:
        return [], {}
    items = [choice] if isinstance(choice, str | AvatarBackend) else list(choice)
    if not items:
        raise InputError(
            "avatar_backend is an empty list.", advice="Name at least one backend, or leave it out."
        )
    given = {item.name: item for item in items if isinstance(item, AvatarBackend)}
    return [item if isinstance(item, str) else item.name for item in items], given


def _target(film: Film, output: Path | str | None) -> Path:
    if output is not None:
        return Path(output)
    if film.path is not None:
        return film.path
    return Path(f"{film.source.stem if film.source else 'film'}.mp4")
