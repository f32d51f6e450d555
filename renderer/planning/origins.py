"""Which settings count for a film, and where each came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from avatar_core.chain import LAST_RUNG
from avatar_core.settings import LoadedSettings
from renderer.film import Chooser, Film, Presenter
from renderer.planning.plan import SettingOrigin

_CHAIN = ("backend", "fallback")


def settings_of(
    film: Film, loaded: LoadedSettings, backends: Iterable[str]
) -> tuple[SettingOrigin, ...]:
    """The chain, the script's own limits, and every setting that somebody has set.

    Options and policies of backends that the film does not use are left out.
    """
    used = {*backends, LAST_RUNG}
    values = loaded.settings.masked()
    chosen = [key for key, origin in loaded.origins.items() if origin != "default"]
    return (
        *_chain(film, loaded),
        *_limits(film),
        *(
            SettingOrigin(key, shown(_value(values, key)), loaded.origins[key])
            for key in chosen
            if key not in _CHAIN and _counts(key, used)
        ),
    )


def chain_origin(chooser: Chooser, key: str, film: Film, loaded: LoadedSettings) -> str:
    """Who named a scene's ``backend``, or its ``fallback``."""
    if not loaded.settings.use_ai_avatar:
        return f"use_ai_avatar = false, {loaded.origins['use_ai_avatar']}"
    return script_name(film) if chooser == "script" else loaded.origins[key]


def script_name(film: Film) -> str:
    """How the film's script is called in a list of origins."""
    return film.source.name if film.source else "script"


def shown(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    return "none" if value is None else str(value)


def _chain(film: Film, loaded: LoadedSettings) -> Iterator[SettingOrigin]:
    for key in _CHAIN:
        groups: dict[tuple[str, str], list[str]] = {}
        for scene in film.scenes:
            if scene.presenter is not None:
                said = _said(scene.presenter, key, film, loaded)
                groups.setdefault(said, []).append(scene.id)
        for (value, origin), ids in groups.items():
            yield SettingOrigin(key, value, origin, tuple(ids) if len(groups) > 1 else ())


def _said(presenter: Presenter, key: str, film: Film, loaded: LoadedSettings) -> tuple[str, str]:
    """The value that holds for one presenter, and its origin."""
    first, *others = presenter.backends
    is_first = key == "backend"
    chooser = presenter.chosen_by if is_first else presenter.fallback_by
    return first if is_first else shown(others), chain_origin(chooser, key, film, loaded)


def _limits(film: Film) -> Iterator[SettingOrigin]:
    if film.limits.max_cost is not None:
        yield SettingOrigin("limits.max_cost", shown(film.limits.max_cost), script_name(film))
    if not film.limits.allow_upload:
        yield SettingOrigin("limits.allow_upload", "false", script_name(film))


def _counts(key: str, used: set[str]) -> bool:
    table, _, rest = key.partition(".")
    return table not in ("backends", "policies") or rest.partition(".")[0] in used


def _value(values: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
