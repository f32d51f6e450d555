"""The options of one backend: what the settings say, with the scene's own values over it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from avatar_core.errors import InputError, InputErrors, noted
from avatar_core.nearest import did_you_mean
from avatar_core.registry import PluginFault, Registry
from avatar_core.secrets import remember, reveal
from avatar_core.settings_layers import AS_THEY_ARE, OPEN_TABLES, Place
from avatar_core.validation import Fault, faults_of

if TYPE_CHECKING:
    from avatar_core.backend import AvatarBackend
    from avatar_core.settings import LoadedSettings, Settings
    from avatar_core.speech import SpeechEngine


def backend_options(
    registry: Registry[AvatarBackend],
    name: str,
    settings: Settings,
    scene_options: Mapping[str, Any] | None = None,
    *,
    places: Mapping[str, Place] | None = None,
    own: BaseModel | None = None,
) -> BaseModel:
    """The checked ``Options`` of the backend ``name``.

    With ``places`` (see `LoadedSettings`) an `InputError` names the file and line as well.
    ``own`` are the options of an instance that the caller made; they stand in for the settings'.
    """
    options = registry.load(name).Options
    scene = dict(scene_options or {})
    remember(own)
    if own is not None and not scene:
        return own
    base = settings.backends.get(name, {}) if own is None else dict(own)
    merged = reveal({**base, **scene})
    try:
        checked = options.model_validate(merged)
        remember(checked)
        return checked
    except ValidationError as failure:
        faults = faults_of(failure)
    except Exception as failure:
        raise PluginFault(
            f"The options of the backend {name!r} cannot be checked: "
            f"{type(failure).__name__}: {failure}.",
            advice="Report it to its author, and choose another backend.",
        ) from failure
    raise InputErrors(_mistake(fault, name, options, scene, places or {}) for fault in faults)


def _mistake(
    fault: Fault,
    backend: str,
    options: type[BaseModel],
    scene: Mapping[str, Any],
    places: Mapping[str, Place],
) -> InputError:
    top, _, _ = fault.key.partition(".")
    message, advice = fault.message, None
    if fault.unknown:
        message = f"The backend {backend!r} has no such option."
        advice = did_you_mean(fault.key, options.model_fields)
    dotted = f"avatar.options.{backend}" if top in scene else f"backends.{backend}"
    dotted = f"{dotted}.{fault.key}" if fault.key else dotted
    place = places.get(dotted) or Place("", dotted)
    return InputError(message, file=place.file, line=place.line, key=place.key, advice=advice)


def check_settings(
    loaded: LoadedSettings,
    backends: Registry[AvatarBackend],
    engines: Registry[SpeechEngine],
    *,
    complete: bool = True,
    given: Collection[str] = (),
) -> None:
    """Refuse what `check_backend_names` and `check_engine_names` do, options that the chosen
    backends do not take (``given`` are made already), and options that no backend has at all; all
    of it at once."""
    found: list[InputError] = []
    with noted(found):
        check_backend_names(loaded, backends, tables=complete)
    with noted(found):
        check_engine_names(loaded, engines)
    settings = loaded.settings
    chosen = dict.fromkeys((settings.backend, *settings.fallback))
    for name in chosen:
        if name in given or name not in backends:
            continue
        # One that cannot be loaded is told when its turn comes, and the next one is tried.
        with noted(found), contextlib.suppress(PluginFault):
            backend_options(backends, name, settings, places=loaded.places)
    for name in (name for name in settings.backends if name not in chosen and name in backends):
        with contextlib.suppress(PluginFault):
            found += _misspelt(backends, name, loaded)
    if found:
        raise InputErrors(found)


def _misspelt(
    backends: Registry[AvatarBackend], name: str, loaded: LoadedSettings
) -> list[InputError]:
    """Options of a backend that is not chosen and that it does not have. What is wrong with the
    others, such as the key of an account that is not used today, is no concern of this film."""
    options = backends.load(name).Options
    try:
        options.model_validate(reveal(dict(loaded.settings.backends[name])))
    except ValidationError as failure:
        unknown = [fault for fault in faults_of(failure) if fault.unknown]
        return [_mistake(fault, name, options, {}, loaded.places) for fault in unknown]
    except Exception:
        # A validator of a plugin's own that fails is told when the backend is chosen.
        return []
    return []


def check_backend_names(
    loaded: LoadedSettings, registry: Registry[AvatarBackend], *, tables: bool = True
) -> None:
    """Refuse names of backends that do not exist, in ``backend``, ``fallback`` and, unless some
    plugins are not loaded (``tables=False``), in the tables ``[backends.<name>]`` and
    ``[policies.<name>]``."""
    settings = loaded.settings
    # With some plugins left out the default may be among them; `static` then stands in for it.
    chosen = () if loaded.origins.get("backend") == "default" else (settings.backend,)
    found: dict[tuple[str, str], InputError] = {}
    for key, names in {"backend": chosen, "fallback": settings.fallback}.items():
        for name in names:
            _check_name(name, registry, loaded.places.get(key) or Place("", key), found)
    for dotted, place in loaded.places.items() if tables else ():
        if dotted.partition(".")[0] in OPEN_TABLES and place.key not in AS_THEY_ARE:
            _check_name(dotted.split(".")[1], registry, place, found)
    if found:
        raise InputErrors(found.values())


def check_engine_names(loaded: LoadedSettings, registry: Registry[SpeechEngine]) -> None:
    """Refuse names of speech engines that do not exist, in ``speech.engine`` and ``fallback``."""
    speech = loaded.settings.speech
    chosen = (speech.engine,) if speech.engine is not None else ()
    found: dict[tuple[str, str], InputError] = {}
    for key, names in {"speech.engine": chosen, "speech.fallback": speech.fallback}.items():
        place = loaded.places.get(key) or Place("", key)
        for name in names:
            _check_name(name, registry, place, found, "speech engine")
    if found:
        raise InputErrors(found.values())


def _check_name(
    name: str,
    registry: Registry[Any],
    place: Place,
    found: dict[tuple[str, str], InputError],
    what: str = "avatar backend",
) -> None:
    # A table is told once, however many keys it has.
    where = ".".join(place.key.split(".")[:2])
    if name not in registry and (where, name) not in found:
        found[where, name] = InputError(
            f"There is no {what} {name!r}.",
            file=place.file,
            line=place.line,
            key=place.key,
            advice=did_you_mean(name, registry.names()),
        )
