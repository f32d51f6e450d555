"""A film through a trace: scene by scene under our policy, and what every policy's film tells."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from _chaos_services import World
from _chaos_trace import Trace
from avatar_core.backend import AvatarClip, AvatarRequest
from avatar_core.cancel import CancelToken
from avatar_core.chain import FallbackChain, Outcome, Rung
from avatar_core.policy.settings import BudgetSettings, DeadlineSettings, PolicySettings
from avatar_core.policy.state import Policy
from avatar_core.second_try import second_tries

CHAIN_A = ("colab", "did", "puppet", "static")
CHAIN_B = ("colab", "static")
IN_MEMORY = next(Path("/dev").glob("shm"), None)
MAX_COST = Decimal("8.00")


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene as it stands in the film: which backend made it, and when it was worked on."""

    index: int
    backend: str | None
    began: float
    ended: float


@dataclass(slots=True)
class Film:
    """What came of a trace. ``seconds`` is when the last scene was composed. ``second`` are the
    scenes after those that were worth it were tried again; ``outcomes``, the engine's own, hold
    both trails, ``first`` the first one alone."""

    world: World
    scenes: list[Shown] = field(default_factory=list)
    seconds: float = 0.0
    calls: int = 0
    second: list[Shown] = field(default_factory=list)
    second_seconds: float = 0.0
    second_calls: int = 0
    first: dict[int, Outcome] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)


class MemoryCache:
    """Keeps the clips of one film."""

    def __init__(self) -> None:
        self._clips: dict[str, AvatarClip] = {}

    def find(self, key: str) -> AvatarClip | None:
        return self._clips.get(key)

    def keep(self, key: str, clip: AvatarClip) -> AvatarClip:
        self._clips[key] = clip
        return clip


def shoot(world: World, present: Callable[[AvatarRequest], str | None]) -> Film:
    """Every scene in turn; ``present`` says which backend made it, None where none did."""
    film = Film(world)
    for index in range(world.trace.scenes):
        world.scene = max(world.scene, index)
        began = world.clock()
        backend = present(world.trace.request(index))
        film.scenes.append(Shown(index, backend, began, world.clock()))
        world.compose()
    film.seconds = world.clock()
    film.calls = calls_in(world)
    return film


def calls_in(world: World) -> int:
    """How often a backend was asked for a clip, `static` left out."""
    return sum(len(b.of("generate")) for name, b in world.backends.items() if name != "static")


def our_settings(film_seconds: float | None = None) -> PolicySettings:
    """The defaults, a budget, and for one kind of film an end."""
    return PolicySettings(
        budget=BudgetSettings(max_cost=MAX_COST),
        deadline=DeadlineSettings(film=film_seconds),
    )


def ours(
    trace: Trace,
    names: Sequence[str],
    settings: PolicySettings | None = None,
    *,
    second_try: bool = True,
) -> Film:
    """The film under our policy, and what a second try of its fallen scenes makes of it."""
    world = World(trace)
    policy = Policy(settings or our_settings(), clock=world.clock, source=random.Random(trace.seed))
    outcomes: dict[int, Outcome] = {}
    # Every attempt has a folder of its own: thousands, and a disk would be what is measured.
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as name:
        folder = Path(name)
        chain = FallbackChain(
            [Rung.of(world.backends[name]) for name in names],
            policy=policy,
            validate=world.judge,
            cache=MemoryCache(),
        )

        def present(request: AvatarRequest) -> str:
            outcome = chain.run(request, folder, scene=request.key)
            index = _index(request)
            before = outcomes[index].trail if index in outcomes else ()
            outcomes[index] = replace(outcome, trail=(*before, *outcome.trail))
            return outcome.clip.backend

        film = shoot(world, present)
        film.first, film.outcomes = dict(outcomes), outcomes
        film.second = list(film.scenes)
        if second_try:
            _second_try(film, policy, present)
    film.second_seconds, film.second_calls = world.clock(), calls_in(world)
    return film


def _second_try(film: Film, policy: Policy, present: Callable[[AvatarRequest], str]) -> None:
    """As the renderer does it: after the last scene, as long as that wins something."""

    def again(scenes: Sequence[str]) -> None:
        for scene in scenes:
            index, began = int(scene), film.world.clock()
            backend = present(film.world.trace.request(index))
            film.second[index] = Shown(index, backend, began, film.world.clock())
            # A scene whose clip is still the same is not composed again.
            if backend != "static":
                film.world.compose()

    second_tries(
        policy, lambda: {str(i): o for i, o in film.outcomes.items()}, again, CancelToken()
    )


def _index(request: AvatarRequest) -> int:
    return int(request.key.rpartition("-")[2]) - 1
