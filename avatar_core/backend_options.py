"""The options of one backend: what the settings say, with the scene's own values over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from avatar_core.errors import InputError
from avatar_core.nearest import did_you_mean
from avatar_core.registry import PluginFault, Registry
from avatar_core.secrets import remember, reveal
from avatar_core.settings_layers import AS_THEY_ARE, OPEN_TABLES, Place
from avatar_core.validation import first_fault

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
        fault = first_fault(failure)
    except Exception as failure:
        raise PluginFault(
            f"The options of the backend {name!r} cannot be checked: "
            f"{type(failure).__name__}: {failure}.",
            advice="Report it to its author, and choose another backend.",
        ) from failure
    top, _, _ = fault.key.partition(".")
    message, advice = fault.message, None
    if fault.unknown:
        message = f"The backend {name!r} has no such option."
        advice = did_you_mean(fault.key, options.model_fields)
    dotted = f"avatar.options.{name}" if top in scene else f"backends.{name}"
    dotted = f"{dotted}.{fault.key}" if fault.key else dotted
    place = (places or {}).get(dotted) or Place("", dotted)
    raise InputError(message, file=place.file, line=place.line, key=place.key, advice=advice)


def check_backend_names(
    loaded: LoadedSettings, registry: Registry[AvatarBackend], *, tables: bool = True
) -> None:
    """Refuse names of backends that do not exist, in ``backend``, ``fallback`` and, unless some
    plugins are not loaded (``tables=False``), in the tables ``[backends.<name>]`` and
    ``[policies.<name>]``."""
    settings = loaded.settings
    # With some plugins left out the default may be among them; `static` then stands in for it.
    chosen = () if loaded.origins.get("backend") == "default" else (settings.backend,)
    for key, names in {"backend": chosen, "fallback": settings.fallback}.items():
        for name in names:
            _check_name(name, registry, loaded.places.get(key) or Place("", key))
    if not tables:
        return
    for dotted, place in loaded.places.items():
        if dotted.partition(".")[0] in OPEN_TABLES and place.key not in AS_THEY_ARE:
            _check_name(dotted.split(".")[1], registry, place)


def check_engine_names(loaded: LoadedSettings, registry: Registry[SpeechEngine]) -> None:
    """Refuse names of speech engines that do not exist, in ``speech.engine`` and ``fallback``."""
    speech = loaded.settings.speech
    chosen = (speech.engine,) if speech.engine is not None else ()
    for key, names in {"speech.engine": chosen, "speech.fallback": speech.fallback}.items():
        for name in names:
            _check_name(name, registry, loaded.places.get(key) or Place("", key), "speech engine")


def _check_name(
    name: str, registry: Registry[Any], place: Place, what: str = "avatar backend"
) -> None:
    if name not in registry:
        raise InputError(
            f"There is no {what} {name!r}.",
            file=place.file,
            line=place.line,
            key=place.key,
            advice=did_you_mean(name, registry.names()),
        )
