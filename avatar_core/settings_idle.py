"""Settings that do nothing, or less than they say: told, because nobody writes them for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avatar_core.settings import LoadedSettings, Settings

_LAST_RUNG = "static"


def idle_settings(loaded: LoadedSettings) -> tuple[str, ...]:
    """A sentence for each setting that somebody made and that has no effect, with its place."""
    return tuple(
        f"{_where(loaded, key)}: {sentence}"
        for key, sentence in _idle(loaded.settings)
        if key in loaded.places
    )


def _idle(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.redo_earlier and settings.affinity != "film":
        yield "redo_earlier", 'It does nothing without affinity = "film": set that as well.'
    if _LAST_RUNG in settings.fallback[:-1]:
        after = settings.fallback[settings.fallback.index(_LAST_RUNG) + 1 :]
        yield "fallback", f"{', '.join(after)} is never asked: {_LAST_RUNG} cannot fail. Swap them."
    last = settings.policies.get(_LAST_RUNG)
    for name in sorted(last.model_fields_set) if last else ():
        key = f"policies.{_LAST_RUNG}.{name}"
        yield key, f"It does nothing: {_LAST_RUNG} ends every chain, and no policy holds it back."
    yield from _more_than_a_scene_has(settings)
    for key, most_key, seconds, most in (
        ("retry.delay", "retry.max_delay", settings.retry.delay, settings.retry.max_delay),
        (
            "breaker.cool_down",
            "breaker.max_cool_down",
            settings.breaker.cool_down,
            settings.breaker.max_cool_down,
        ),
    ):
        if seconds > most:
            yield key, f"It counts as {most:g} s: {most_key} is the most. Raise that as well."


def _more_than_a_scene_has(settings: Settings) -> Iterator[tuple[str, str]]:
    deadline = settings.deadline
    limits = {"deadline.scene": deadline.scene, "deadline.film": deadline.film}
    calls = {"deadline.attempt": deadline.attempt}
    calls |= {
        f"policies.{name}.attempt_seconds": policy.attempt_seconds
        for name, policy in settings.policies.items()
        if policy.attempt_seconds is not None and name != _LAST_RUNG
    }
    for limit_key, limit in limits.items():
        for key, seconds in calls.items():
            if limit is None:
                continue
            left = limit - min(deadline.reserve, limit / 2)
            if seconds > left:
                yield (
                    key,
                    f"No call is given so long: {limit_key} leaves it {left:g} s. Raise that "
                    "as well.",
                )


def _where(loaded: LoadedSettings, key: str) -> str:
    place = loaded.places[key]
    at = "" if place.file is None else f"{place.file}:{place.line}: "
    return f"{at}{place.key}"
