"""Which engines there are: the built-in one, and what other packages declare.

A package adds one through an entry point of the group ``avatar_core.engines`` that names an
`Engine` or a function without arguments that returns one.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points

from avatar_core.errors import InputError
from avatar_core.nearest import did_you_mean
from backends.sadtalker.engine import Engine

log = logging.getLogger(__name__)

GROUP = "avatar_core.engines"


@functools.cache
def found() -> dict[str, Engine]:
    """The engines of this installation by their names, SadTalker first."""
    from backends.sadtalker.sadtalker import SADTALKER

    return collected([SADTALKER], entry_points(group=GROUP))


def named(name: str) -> Engine:
    """Raises `InputError` for a name that no engine has."""
    return chosen(name, found())


def chosen(name: str, among: dict[str, Engine]) -> Engine:
    """The engine ``name`` of ``among``; raises `InputError` with the nearest name."""
    try:
        return among[name]
    except KeyError:
        raise InputError(
            f"There is no engine {name!r}.", advice=did_you_mean(name, list(among))
        ) from None


def collected(built_in: Iterable[Engine], points: Iterable[EntryPoint]) -> dict[str, Engine]:
    """All of them. One that cannot be loaded, or whose name is taken, is left out and said so:
    it must not keep the others from working."""
    engines = {engine.name: engine for engine in built_in}
    for point in points:
        engine = _loaded(point.load, point.value)
        if engine is None:
            continue
        if engine.name in engines:
            log.warning("%s: the engine %r exists already; it is left out", point.value, engine.name)  # fmt: skip  # noqa: E501
            continue
        engines[engine.name] = engine
    return engines


def _loaded(load: Callable[[], object], where: str) -> Engine | None:
    try:
        target = load()
        engine = target() if callable(target) else target
    except Exception as failure:
        log.warning("the engine of %s cannot be loaded: %s", where, failure)
        return None
    if not isinstance(engine, Engine):
        log.warning("%s is no engine", where)
        return None
    return engine
