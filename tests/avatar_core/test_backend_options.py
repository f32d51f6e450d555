"""A backend's options: the settings' values with the scene's over them, checked before use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Health, Job
from avatar_core.backend_options import backend_options, check_backend_names, check_settings
from avatar_core.errors import InputError
from avatar_core.registry import Registry
from avatar_core.settings import LoadedSettings, load_settings
from avatar_core.speech import SpeechEngine


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = ""
    api_key: SecretStr | None = None
    preprocess: str = "full"
    steps: int = 1


class Colab(AvatarBackend):
    name = "colab"
    Options = Options

    def check(self) -> Health:
        return Health(ok=True, message="ready")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        raise NotImplementedError


@pytest.fixture
def registry() -> Registry[AvatarBackend]:
    registry = Registry("avatar backend", AvatarBackend)
    registry.register("colab", Colab)
    return registry


def loaded(folder: Path, toml: str = "", env: dict[str, str] | None = None) -> LoadedSettings:
    (folder / "avatar.toml").write_text(toml)
    return load_settings(env=env or {}, cwd=folder)


def options_for(
    registry: Registry[AvatarBackend], settings: LoadedSettings, scene: dict[str, Any]
) -> Any:
    return backend_options(registry, "colab", settings.settings, scene, places=settings.places)


def test_the_scene_wins_over_the_settings(
    registry: Registry[AvatarBackend], tmp_path: Path
) -> None:
    settings = loaded(tmp_path, '[backends.colab]\npreprocess = "crop"\nsteps = 3')
    options = options_for(registry, settings, {"steps": 7})
    assert (options.preprocess, options.steps) == ("crop", 7)


def test_text_from_a_variable_becomes_the_options_type(
    registry: Registry[AvatarBackend], tmp_path: Path
) -> None:
    settings = loaded(tmp_path, env={"AVATAR_BACKENDS__COLAB__STEPS": "5"})
    assert options_for(registry, settings, {}).steps == 5


def test_a_secret_reaches_the_backend_in_clear_where_its_option_is_plain(
    registry: Registry[AvatarBackend], tmp_path: Path
) -> None:
    env = {
        "COLAB_API_URL": "https://a:b@x.example",
        "AVATAR_BACKENDS__COLAB__API_KEY": "tops3cret",
    }
    options = options_for(registry, loaded(tmp_path, env=env), {})
    assert options.url == "https://a:b@x.example"
    assert options.api_key.get_secret_value() == "tops3cret"
    assert "tops3cret" not in repr(options)


@pytest.mark.parametrize(
    ("toml", "scene", "sentence"),
    [
        (
            '[backends.colab]\npreproces = "crop"',
            {},
            "avatar.toml:2: backends.colab.preproces: The backend 'colab' has no such option. "
            "Did you mean 'preprocess'?",
        ),
        ("", {"stepz": 1}, "avatar.options.colab.stepz: The backend 'colab' has no such option."),
        ('[backends.colab]\nsteps = "many"', {}, "avatar.toml:2: backends.colab.steps: It should"),
        ("", {"steps": "many"}, "avatar.options.colab.steps: It should"),
    ],
)
def test_a_wrong_option_is_told_with_its_place(
    registry: Registry[AvatarBackend],
    tmp_path: Path,
    toml: str,
    scene: dict[str, Any],
    sentence: str,
) -> None:
    with pytest.raises(InputError) as caught:
        options_for(registry, loaded(tmp_path, toml), scene)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('backend = "colb"', "avatar.toml:1: backend: There is no avatar backend 'colb'."),
        ('backend = "colab"\nfallback = ["clab"]', "avatar.toml:2: fallback:"),
        ('backend = "colab"\n[backends.collab]\nurl = "x"', "avatar.toml:3: backends.collab.url:"),
    ],
)
def test_a_name_of_no_backend_is_refused_with_the_nearest(
    registry: Registry[AvatarBackend], tmp_path: Path, toml: str, sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        check_backend_names(loaded(tmp_path, toml), registry)
    assert sentence in str(caught.value)
    assert "Did you mean 'colab'?" in str(caught.value)


def test_a_key_for_a_service_whose_backend_is_not_installed_disturbs_nobody(
    registry: Registry[AvatarBackend], tmp_path: Path
) -> None:
    settings = loaded(tmp_path, 'backend = "colab"', env={"DID_API_KEY": "x"})
    check_backend_names(settings, registry)


NOT_CHOSEN = 'backend = "static"\n[backends.colab]\n'


def check(registry: Registry[AvatarBackend], settings: LoadedSettings) -> None:
    registry.register("static", type("Static", (Colab,), {"name": "static"}))
    check_settings(settings, registry, Registry("speech engine", SpeechEngine))


def test_an_option_that_a_backend_lacks_is_refused_before_it_is_chosen(
    registry: Registry[AvatarBackend], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        check(registry, loaded(tmp_path, NOT_CHOSEN + "stepps = 3\n"))
    assert str(caught.value).startswith(f"{tmp_path / 'avatar.toml'}:3: backends.colab.stepps: ")
    assert "Did you mean 'steps'?" in str(caught.value)


def test_a_wrong_value_for_a_backend_that_is_not_chosen_stops_no_film(
    registry: Registry[AvatarBackend], tmp_path: Path
) -> None:
    check(registry, loaded(tmp_path, NOT_CHOSEN + 'steps = "many"\n'))
