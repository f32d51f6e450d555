"""What is wrong with the settings: all of it at once, each with its place and the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

from pydantic import BaseModel

from avatar_core.errors import InputError
from avatar_core.nearest import did_you_mean
from avatar_core.policy.settings import BackendPolicy
from avatar_core.settings_layers import Layer, Place
from avatar_core.validation import Fault, faults_of

if TYPE_CHECKING:
    from pydantic import ValidationError


def mistakes_of(
    failure: ValidationError,
    places: Mapping[str, Place],
    known: frozenset[str],
    defaults: BaseModel,
) -> list[InputError]:
    """Everything that the model complains of, in the words of whoever wrote it.

    ``places`` are those of all values by dotted key, ``known`` the keys that exist, ``defaults``
    is a model of nothing but defaults.
    """
    found: dict[Place, InputError] = {}
    for fault in faults_of(failure):
        place = _place_of(fault.key, places)
        # Of several in one place the first is told: the rest follow from it.
        found.setdefault(place, _mistake(fault, place, known, defaults))
    return list(found.values())


def without(layers: Sequence[Layer], mistakes: Sequence[InputError]) -> None:
    """Take the wrong values out of ``layers``, so that what is left can be looked at."""
    wrong = {(mistake.file, mistake.key) for mistake in mistakes}
    for layer in layers:
        for dotted, place in list(layer.places.items()):
            if (place.file, place.key) in wrong:
                del layer.values[dotted], layer.places[dotted]


def _mistake(fault: Fault, place: Place, known: frozenset[str], defaults: BaseModel) -> InputError:
    if fault.unknown:
        message = "There is no such setting."
        advice: str | None = did_you_mean(place.key, known | _keys_beside(fault.key))
    else:
        message, advice = fault.message, _leave_out(fault.key, defaults)
    return InputError(message, file=place.file, line=place.line, key=place.key, advice=advice)


def _leave_out(dotted: str, defaults: BaseModel) -> str | None:
    """What holds without the key; None where that cannot be told."""
    table, _, rest = dotted.partition(".")
    if table == "policies" and rest.count("."):
        return "Leave it out to treat this backend as the others."
    value: object = defaults
    try:
        for part in dotted.split("."):
            value = getattr(value, part)
    except AttributeError:
        return None
    if isinstance(value, BaseModel | dict):
        return None
    told = f", {value}" if isinstance(value, str) else f", {value:g}" if _is_number(value) else ""
    return f"Leave it out for the default{told}."


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _keys_beside(dotted: str) -> set[str]:
    """The keys that a backend's policy has, where ``dotted`` is meant to be one."""
    table, _, rest = dotted.partition(".")
    name = rest.partition(".")[0]
    return {f"policies.{name}.{key}" for key in BackendPolicy.model_fields if table == "policies"}


def _place_of(dotted: str, places: Mapping[str, Place]) -> Place:
    """The place of a key, of what is inside it, or of what it is inside."""
    if dotted in places:
        return places[dotted]
    for key, place in places.items():
        if key.startswith(f"{dotted}.") or dotted.startswith(f"{key}."):
            return place
    return Place("argument", dotted)
