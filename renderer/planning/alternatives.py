"""What the film would take with each loaded backend alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avatar_core.attempt import contained
from avatar_core.backend import Capabilities
from avatar_core.errors import AvatarError, EnvironmentFault, InputError
from avatar_core.pool import BackendPool
from avatar_core.secrets import scrub
from renderer.film import Film, FilmScene
from renderer.planning.plan import Alternative, Estimate, Plan
from renderer.planning.planner import Planner


def estimate_of(film: Film, names: Sequence[str], planner: Planner, pool: BackendPool) -> Estimate:
    """The plan of ``film``, and one line for each backend in ``names``."""
    expected = planner.expectations(film)
    plan = planner.plan(film, expected)

    def alternative(name: str) -> Alternative:
        can = _declared(name, pool)
        try:
            alone = planner.plan(_with(name, film), expected)
        except InputError as failure:
            reason, presenters = scrub(str(failure)), len(plan.presented)
            return _alternative(name, 0, presenters, can, reason=reason)
        return _told(name, alone, can)

    return Estimate(plan, tuple(alternative(name) for name in names))


def _told(name: str, plan: Plan, can: Capabilities | None) -> Alternative:
    by_it = [scene for scene in plan.presented if scene.backend == name]
    reasons = [
        rung.reason
        for scene in plan.presented
        for rung in scene.rungs
        if rung.backend == name and rung.state == "skip"
    ]
    found = _alternative(name, len(by_it), len(plan.presented), can, reason=next(iter(reasons), ""))
    return replace(
        found,
        costs=None if plan.unpriced else plan.costs,
        time=None if name in plan.untimed else plan.time,
    )


def _alternative(
    name: str, makes: int, presenters: int, can: Capabilities | None, *, reason: str
) -> Alternative:
    return Alternative(
        backend=name,
        makes=makes,
        presenters=presenters,
        costs=None,
        time=None,
        uploads=can.uploads if can else None,
        needs_network=can.needs_network if can else None,
        reason=reason,
    )


def _with(name: str, film: Film) -> Film:
    def of(scene: FilmScene) -> FilmScene:
        if scene.presenter is None:
            return scene
        return replace(scene, presenter=replace(scene.presenter, backends=(name,)))

    return replace(film, scenes=tuple(of(scene) for scene in film.scenes))


def _declared(name: str, pool: BackendPool) -> Capabilities | None:
    """What the backend says of itself; None where it cannot be loaded."""
    try:
        with contained(name):
            can: object = pool.open(name).capabilities
    except (AvatarError, EnvironmentFault):
        return None
    return can if isinstance(can, Capabilities) else None
