"""The settings, strict, and where each of them came from.

Precedence: argument > environment > ``.env`` > ``avatar.toml`` > default.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from avatar_core import settings_layers as layers
from avatar_core.errors import InputError, InputErrors, noted
from avatar_core.policy.affinity import Affinity
from avatar_core.policy.settings import (
    BackendPolicy,
    BreakerSettings,
    BudgetSettings,
    DeadlineSettings,
    PolicySettings,
    RetrySettings,
)
from avatar_core.secrets import hide, is_secret, mask
from avatar_core.settings_mistakes import mistakes_of, without

DEFAULT_BACKEND = "puppet"
CONFIG_NAME = "avatar.toml"
# Under this name the layers travel through the constructor to the sources.
_LAYERS = "layers"


def _comma_list(value: Any) -> Any:
    """A variable and ``--set`` can only carry text; a list is written with commas there."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _LayerSource(PydanticBaseSettingsSource):
    """One layer as pydantic-settings wants it; the merging by precedence is done there."""

    def __init__(self, settings_cls: type[BaseSettings], layer: layers.Layer) -> None:
        super().__init__(settings_cls)
        self._values = layers.nested(layer.values)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


class VideoSettings(Section):
    """What a script that says nothing about its output gets."""

    preset: str | None = None
    quality: Literal["draft", "standard", "high"] | None = None


class SpeechSettings(Section):
    """How to speak where the script does not say; ``engine`` None: one that fits the language."""

    engine: str | None = None
    fallback: Names = ()
    voice: str | None = None
    language: str | None = None


class Settings(BaseSettings):
    """All settings. ``backends`` holds the options of each backend, checked when it is used;
    what looks like a secret in them is a ``SecretStr``. ``policies`` holds what the policy does
    differently for single backends."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    backend: str = DEFAULT_BACKEND
    fallback: Names = ()
    use_ai_avatar: bool = True
    on_degraded: Literal["accept", "fail"] = "accept"
    affinity: Affinity = "scene"
    redo_earlier: bool = False
    second_try: bool = True
    allow_upload: bool = True
    report: bool = True
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    cache_dir: Path | None = None
    video: VideoSettings = VideoSettings()
    speech: SpeechSettings = SpeechSettings()
    retry: RetrySettings = RetrySettings()
    deadline: DeadlineSettings = DeadlineSettings()
    breaker: BreakerSettings = BreakerSettings()
    budget: BudgetSettings = BudgetSettings()
    policies: dict[str, BackendPolicy] = Field(default_factory=dict)
    backends: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("backends")
    @classmethod
    def _hide_secrets(cls, tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {
            name: {k: hide(v) if is_secret(k, v) else v for k, v in table.items()}
            for name, table in tables.items()
        }

    @field_validator("cache_dir")
    @classmethod
    def _expand_home(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path is not None else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Layers instead of the stock sources, which keep no line numbers and pass over unknown
        variables; ``Settings()`` alone reads nothing, so that it means the defaults."""
        given = getattr(init_settings, "init_kwargs", {})
        stack: Sequence[layers.Layer] = given.pop(_LAYERS, ())
        return (init_settings, *(_LayerSource(settings_cls, one) for one in reversed(stack)))

    @property
    def policy(self) -> PolicySettings:
        """What the policy is told."""
        return PolicySettings(
            retry=self.retry,
            deadline=self.deadline,
            breaker=self.breaker,
            budget=self.budget,
            policies=self.policies,
            affinity=self.affinity,
        )

    def masked(self) -> dict[str, Any]:
        """Everything as JSON-ready values with the secrets masked, for `doctor`."""
        return cast("dict[str, Any]", mask(self.model_dump()))


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """``origins`` says for each dotted key where its value came from: ``argument``,
    ``environment NAME``, ``.env``, ``avatar.toml:LINE`` or ``default``."""

    settings: Settings
    origins: dict[str, str]
    places: dict[str, layers.Place]
    config: Path | None = None


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    config: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: Callable[[LoadedSettings], None] = lambda loaded: None,
) -> LoadedSettings:
    """Read all sources. ``overrides`` may have dotted keys or nested tables; None is left out.

    Without ``config``, ``avatar.toml`` in ``cwd`` is read if there is one. ``check`` looks at what
    was read; it is also asked about the rest where some of it is wrong. Raises `InputErrors` with
    the file and line, or the variable, of everything that is wrong.
    """
    folder = cwd or Path.cwd()
    known = known_keys(Settings)
    if config is None and (folder / CONFIG_NAME).is_file():
        config = folder / CONFIG_NAME
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    stack = [
        _of_file(config),
        layers.from_dotenv(folder / ".env", known),
        layers.from_environment(os.environ if env is None else env, known),
        layers.from_arguments(given),
    ]
    _settle_paths(stack, folder)
    found = [mistake for layer in stack for mistake in layer.mistakes]
    with noted(found):
        loaded = _loaded(stack, known, config)
    if found:
        _look_at_the_rest(stack, known, found, check)
    else:
        check(loaded)
    return loaded


def _of_file(config: Path | None) -> layers.Layer:
    if config is None:
        return layers.Layer()
    try:
        return layers.from_toml(config)
    except InputError as unreadable:
        return layers.Layer(mistakes=[unreadable])


def _loaded(
    stack: Sequence[layers.Layer], known: frozenset[str], config: Path | None
) -> LoadedSettings:
    settings, places = _validated(stack, known), _places(stack)
    return LoadedSettings(settings, _origins(settings, places, known), places, config)


def _look_at_the_rest(
    stack: Sequence[layers.Layer],
    known: frozenset[str],
    found: list[InputError],
    check: Callable[[LoadedSettings], None],
) -> NoReturn:
    """Raise what was ``found``, and what ``check`` finds in the rest."""
    without(stack, found)
    with contextlib.suppress(InputError):
        rest = _loaded(stack, known, None)
        with noted(found):
            check(rest)
    raise InputErrors(found)


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Dotted overrides from ``name=value`` texts (``--set``); raises `InputError`.

    A value that starts with a bracket or a brace is JSON, anything else is text.
    """
    return dict(_assignment(text) for text in assignments)


def known_keys(model: type[BaseModel], prefix: str = "") -> frozenset[str]:
    """The dotted keys of all settings; what is below an open table is not among them."""
    keys: set[str] = set()
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys |= known_keys(kind, f"{prefix}{name}.")
        else:
            keys.add(prefix + name)
    return frozenset(keys)


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(
            f"{text!r} is not an assignment.", advice="Write it as name=value: workers=4"
        )
    value = value.strip()
    if value[:1] not in ("[", "{"):
        return name.strip(), value
    try:
        return name.strip(), json.loads(value)
    except ValueError as failure:
        raise InputError(f"The value is not valid JSON: {failure}.", key=name.strip()) from None


def _settle_paths(stack: Sequence[layers.Layer], folder: Path) -> None:
    for layer in stack:
        for dotted in filter(_is_path, layer.values):
            value, place = layer.values[dotted], layer.places[dotted]
            layer.values[dotted] = _from_its_file(value, place, folder)


def _is_path(dotted: str) -> bool:
    return dotted == "cache_dir"


def _from_its_file(value: Any, place: layers.Place, folder: Path) -> Any:
    """A relative path counts from the file that says it, else from the working folder."""
    if not isinstance(value, str | Path):
        return value
    base = place.file.parent if place.file else folder
    # Absolute, because children that read from it run in other folders.
    return base.absolute() / Path(value).expanduser()


def _validated(stack: Sequence[layers.Layer], known: frozenset[str]) -> Settings:
    """The settings; raises `InputErrors` with what is wrong."""
    places = _places(stack)
    # Refuses what is a value in one layer and a table in another, which merging would hide.
    layers.nested(places)
    sources: dict[str, Any] = {_LAYERS: stack}
    try:
        return Settings(**sources)
    except ValidationError as failure:
        found = mistakes_of(failure, places, known, Settings())
    raise InputErrors(found)


def _places(stack: Sequence[layers.Layer]) -> dict[str, layers.Place]:
    return {dotted: place for layer in stack for dotted, place in layer.places.items()}


def _origins(
    settings: Settings, places: Mapping[str, layers.Place], known: frozenset[str]
) -> dict[str, str]:
    options = {f"backends.{name}.{key}" for name, t in settings.backends.items() for key in t}
    policies = {
        f"policies.{name}.{key}"
        for name, t in settings.policies.items()
        for key in t.model_fields_set
    }
    keys = (known - layers.OPEN_TABLES) | options | policies
    return {key: places[key].origin if key in places else "default" for key in sorted(keys)}
