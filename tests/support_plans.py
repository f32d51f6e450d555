"""Paid doubles for plans, and a film's presenters played for real to compare with its plan."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from avatar_core.backend import (
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
    Health,
    Job,
)
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Category
from avatar_core.pool import BackendPool
from avatar_core.registry import Registry
from avatar_core.settings import load_settings
from avatar_core.testing import media
from avatar_core.trail import Outcome
from backends.static.backend import StaticBackend
from renderer.film import Film
from renderer.planning.narrations import ExpectedNarrations
from renderer.planning.plan import Plan
from renderer.planning.planner import Planner
from renderer.presenting import Presenting
from renderer.script.models import VideoScript
from renderer.script.resolve import ResolveDefaults, load_film
from renderer.speech.narration import Narrator
from renderer.speech.recording import RecordingEngine
from renderer.store import FileHashes, Store
from support_speech import Shelf

Price = Decimal | str | None
PAID = Capabilities(costs_money=True)


class Tally(AvatarBackend):
    """A backend whose clip moves and costs what it said; counts who asks it for what.

    ``price`` is for a second of narration, None: it says none. ``fault`` is raised by `generate`
    after a job was ordered.
    """

    name = "tally"

    def __init__(
        self,
        name: str = "tally",
        price: Price = "0.10",
        can: Capabilities = PAID,
        currency: str = "USD",
        fault: AvatarError | None = None,
    ) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]
        self.capabilities = can  # type: ignore[misc]
        self.asked: list[str] = []
        self._price = None if price is None else Decimal(price)
        self._currency = currency
        self._fault = fault

    def check(self) -> Health:
        self.asked.append("check")
        return Health(True, "ready")

    def estimate(self, request: AvatarRequest) -> Cost | None:
        return None if self._price is None else self._cost(request)

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        self.asked.append("generate" if job.remote_id is None else "fetch")
        if self._fault is not None:
            job.order()
            raise self._fault
        path = job.work_dir / "clip.mp4"
        path.write_bytes(_moving(request.duration, request.size, request.fps))
        cost = Cost(Decimal("0.5")) if self._price is None else self._cost(request)
        fps = float(request.fps)
        return AvatarClip(path, request.size, fps, request.duration, self.name, cost=cost)

    def cancel(self, remote_id: str) -> None:
        self.asked.append("cancel")

    def _cost(self, request: AvatarRequest) -> Cost:
        seconds = Decimal(str(round(request.duration, 1)))
        return Cost((self._price or Decimal(0)) * seconds, self._currency)


class Finding(Tally):
    """One whose service can be asked for lost orders."""

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        self.asked.append("find")
        return "job-1"


LOST = AvatarError(Category.CONNECTIVITY, "The answer got lost.", unanswered=True)


@functools.cache
def _moving(seconds: float, size: Any, fps: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        media.clip(path, seconds, size, fps, "moving")
        return path.read_bytes()


class Stage:
    """One machine: a store, backends, settings; plans films there and plays them."""

    def __init__(self, folder: Path, *backends: AvatarBackend, **settings: Any) -> None:
        registry: Registry[AvatarBackend] = Registry("avatar backend", AvatarBackend)  # type: ignore[type-abstract]
        registry.register("static", StaticBackend)
        self.backends = backends
        given = {backend.name: backend for backend in backends}
        overrides = {name.replace("__", "."): value for name, value in settings.items()}
        self.loaded = load_settings(overrides, env={}, cwd=folder)
        self.pool = BackendPool(registry, self.loaded, given)
        self.store = Store(folder / "cache")
        self.hashes = FileHashes()
        self.names = [*given, "static"]

    def film(self, script: VideoScript) -> Film:
        settings = self.loaded.settings
        defaults = ResolveDefaults(
            backend=settings.backend, fallback=settings.fallback, known_backends=self.names
        )
        return load_film(script, defaults=defaults)

    def plan(self, film: Film, workers: int = 1) -> Plan:
        narrations = ExpectedNarrations(Shelf(RecordingEngine), self.store, self.hashes)
        planner = Planner(self.loaded, self.pool, narrations, self.store, self.hashes, workers)
        return planner.plan(film)

    def narrate(self, film: Film) -> list[Any]:
        narrator = Narrator(Shelf(RecordingEngine), self.store, self.hashes)
        with self.store.work_dir() as work:
            return [narrator.narrate(scene, Job(work)) for scene in film.scenes]

    def play(self, film: Film) -> dict[str, Outcome]:
        """Make every presenter in the film's order, as a render with one worker does."""
        settings = self.loaded.settings
        presenting = Presenting(
            film, self.pool, self.store, self.hashes, settings, lambda scene, entry: None
        )
        cast = list(zip(film.scenes, self.narrate(film), strict=True))
        presenting.take_stock(cast)
        outcomes = {scene.id: _present(presenting, scene, heard) for scene, heard in cast}
        while again := presenting.out_of_look():
            for scene, heard in cast:
                if scene.id in again:
                    outcomes[scene.id] = _present(presenting, scene, heard)
        return outcomes

    def change_journal(self, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        """Rewrite every record of the journal, as another moment would have left it."""
        for path in (self.store.root / "journal").glob("*/*.json"):
            record = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps({**record, **change(record)}), encoding="utf-8")


def _present(presenting: Presenting, scene: Any, heard: Any) -> Outcome:
    outcome = presenting.present(scene, heard, CancelToken(), lambda fraction, message: None)
    assert outcome is not None
    return outcome


def paid_now(outcome: Outcome) -> Decimal:
    """What a scene cost in this run, jobs of earlier ones not counted."""
    return sum((e.cost.amount for e in outcome.trail if not e.resumed), Decimal(0))


def with_chains(film: Film, chains: Sequence[tuple[str, ...]]) -> Film:
    """The film with other backends for its scenes."""
    scenes = [
        replace(scene, presenter=replace(scene.presenter, backends=chain))
        for scene, chain in zip(film.scenes, chains, strict=True)
        if scene.presenter is not None
    ]
    return replace(film, scenes=tuple(scenes))
