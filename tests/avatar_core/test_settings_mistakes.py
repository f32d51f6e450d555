"""What is wrong with the settings is told all at once, and what has no effect is told as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Health, Job
from avatar_core.backend_options import check_settings
from avatar_core.errors import InputErrors
from avatar_core.registry import Registry
from avatar_core.settings import LoadedSettings, load_settings
from avatar_core.settings_idle import idle_settings
from avatar_core.speech import SpeechEngine


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    steps: int = 3
    voice: str = ""


class Acme(AvatarBackend):
    name = "acme"
    Options = Options

    def check(self) -> Health:
        return Health(True, "ready")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        raise NotImplementedError


def read(
    folder: Path, toml: str = "", env: dict[str, str] | None = None, **more: str
) -> LoadedSettings:
    """As a renderer reads them: with a look at names and options."""
    (folder / "avatar.toml").write_text(toml, encoding="utf-8")
    (folder / ".env").write_text(more.pop("dotenv", ""), encoding="utf-8")
    backends: Registry[AvatarBackend] = Registry("avatar backend", AvatarBackend)  # type: ignore[type-abstract]
    backends.register("acme", Acme)
    backends.register("static", Acme)
    engines: Registry[SpeechEngine] = Registry("speech engine", SpeechEngine)  # type: ignore[type-abstract]
    return load_settings(
        more,
        env=env or {},
        cwd=folder,
        check=lambda loaded: check_settings(loaded, backends, engines),
    )


WRONG = """
backend = "acmee"
workers = "many"

[retry]
attempts = 99
atempts = 2

[budget]
max_cost = "3 dollars"

[policies.acmi]
concurrency = 2
per_minute = 3
"""


def test_every_mistake_of_every_source_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        read(
            tmp_path,
            WRONG,
            env={"AVATAR_WORKRES": "2", "AVATAR_AFFINITY": "movie", "AVATAR_NO": "1"},
            dotenv="AVATAR_BACKND=static\n",
            **{"deadline.scene": "0"},
        )
    told = str(caught.value).splitlines()
    expected = [
        "avatar.toml:2: backend: There is no avatar backend 'acmee'. Did you mean 'acme'?",
        "avatar.toml:3: workers: It should be a whole number.",
        "avatar.toml:6: retry.attempts: It should be 20 or less.",
        "avatar.toml:7: retry.atempts: There is no such setting. Did you mean 'retry.attempts'?",
        "avatar.toml:10: budget.max_cost: It should be a number, without a unit.",
        "avatar.toml:13: policies.acmi.concurrency: There is no avatar backend 'acmi'.",
        ".env:1: AVATAR_BACKND: There is no such setting. Did you mean 'AVATAR_BACKEND'?",
        "AVATAR_WORKRES: There is no such setting. Did you mean 'AVATAR_WORKERS'?",
        "AVATAR_NO: There is no such setting.",
        "AVATAR_AFFINITY: It should be 'scene' or 'film'",
        "deadline.scene: It should be more than 0.",
    ]
    for sentence in expected:
        assert any(sentence in line for line in told), (sentence, told)
    assert len(told) == len(expected)
    lines = [m.line for m in caught.value.mistakes if m.file and m.file.name == "avatar.toml"]
    assert lines == [2, 3, 6, 7, 10, 13]


def test_all_wrong_options_of_the_chosen_backends_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        read(tmp_path, 'backend = "acme"\n[backends.acme]\nstepz = 2\nsteps = "many"\nvoice = 3\n')
    places = [(mistake.line, mistake.key) for mistake in caught.value.mistakes]
    assert places == [
        (3, "backends.acme.stepz"), (4, "backends.acme.steps"), (5, "backends.acme.voice"),
    ]  # fmt: skip


def test_a_file_that_is_no_toml_hides_no_other_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        read(tmp_path, "a = \n", env={"AVATAR_WORKERS": "many", "AVATAR_BACKEND": "acmee"})
    assert len(caught.value.mistakes) == 3


def test_of_several_mistakes_in_one_place_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        read(tmp_path, '[vidoe]\npreset = "x"\nquality = "y"\n')
    assert len(caught.value.mistakes) == 1


IDLE = {
    "redo_earlier = true": "redo_earlier: It does nothing without affinity",
    "[policies.acme]\nattempt_seconds = 900": (
        "policies.acme.attempt_seconds: No call is given so long: deadline.scene leaves it 590 s."
    ),
    "[deadline]\nattempt = 50\nfilm = 40": "deadline.attempt: No call is given so long: ",
    'fallback = ["static", "acme"]': "fallback: acme is never asked: static cannot fail.",
    "[retry]\ndelay = 90": "retry.delay: It counts as 60 s: retry.max_delay is the most.",
    "[breaker]\ncool_down = 900": "breaker.cool_down: It counts as 600 s",
}


@pytest.mark.parametrize("toml", IDLE)
def test_a_setting_that_does_nothing_is_told_with_its_place(tmp_path: Path, toml: str) -> None:
    (sentence,) = idle_settings(read(tmp_path, f'backend = "acme"\n{toml}\n'))
    assert IDLE[toml] in sentence and "avatar.toml:" in sentence


@pytest.mark.parametrize(
    "toml",
    [
        "",
        'redo_earlier = true\naffinity = "film"',
        "[deadline]\nattempt = 900\nscene = 1000",
        "[deadline]\nscene = 60",
        "[breaker]\nmax_cool_down = 5",
    ],
)
def test_settings_that_have_their_effect_and_defaults_are_not_talked_about(
    tmp_path: Path, toml: str
) -> None:
    assert idle_settings(read(tmp_path, f'backend = "acme"\n{toml}\n')) == ()


def test_a_policy_for_the_last_rung_is_told_to_have_no_effect(tmp_path: Path) -> None:
    loaded = load_settings({"policies.static.attempts": 3}, env={}, cwd=tmp_path)
    assert idle_settings(loaded) == (
        "policies.static.attempts: It does nothing: static ends every chain, and no policy holds "
        "it back.",
    )
