"""Defaults that flow from the film to the speaker to the scene; the nearer one wins."""

from __future__ import annotations

from typing import Any, TypeVar

from renderer.script import models as m

M = TypeVar("M", bound=m.Model)


def merged(*levels: M | None) -> M | None:
    """One model of what was set in ``levels``, from far to near; None where nothing was."""
    given = [level for level in levels if level is not None]
    if not given:
        return None
    values: dict[str, Any] = {}
    for level in given:
        for name in level.model_fields_set:
            value = getattr(level, name)
            if value is not None:
                values[name] = value
    return type(given[-1]).model_construct(_fields_set=set(values), **values)


def merged_avatar(*levels: m.Avatar) -> m.Avatar:
    """As `merged`; the options of a backend are merged key by key."""
    options: dict[str, dict[str, Any]] = {}
    for level in levels:
        for backend, values in level.options.items():
            options[backend] = {**options.get(backend, {}), **values}
    avatar = merged(*levels) or m.Avatar()
    return avatar.model_copy(update={"options": options})


def captions_of(
    film: m.Captions | bool | None, scene: m.Captions | bool | None
) -> m.Captions | None:
    """The look of a scene's captions, None where it shall have none."""
    if scene is False or (scene is None and film is False):
        return None
    levels = [level for level in (film, scene) if isinstance(level, m.Captions)]
    return merged(*levels) or m.Captions()


def transition_of(film: m.Transition | None, scene: m.Transition | None) -> m.Transition | None:
    """The way into a scene, None for a cut."""
    transition = merged(film, scene)
    return None if transition is None or transition.type == "none" else transition


def padding_of(film: m.Padding | None, scene: m.Scene) -> m.Padding:
    """The silence around a scene. A scene with a duration lasts just that long: the film's
    ``before`` and ``after`` are for narration, only its own are added."""
    levels = [m.Padding(), film, scene.padding]
    if scene.duration is not None:
        levels.insert(2, m.Padding(before=0, after=0))
    return merged(*levels) or m.Padding()
