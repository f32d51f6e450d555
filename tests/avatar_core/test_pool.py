"""The pool: rungs from names, each backend opened once and closed at the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from avatar_core.backend import AvatarBackend, AvatarRequest, Size
from avatar_core.chain import FallbackChain
from avatar_core.errors import Category, InputError
from avatar_core.plugins import load_plugins
from avatar_core.pool import BackendPool
from avatar_core.registry import Registry
from avatar_core.settings import load_settings
from support_backends import ScriptedBackend


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    steps: int = 1


class Counting(ScriptedBackend):
    name = "counting"
    revision = "7"
    Options = Options
    made: ClassVar[list[Counting]] = []

    def __init__(self, options: BaseModel) -> None:
        super().__init__("counting")
        self.options = options
        self.made.append(self)

    def close(self) -> None:
        super().close()
        raise RuntimeError("a bug in close")


@pytest.fixture
def pool(tmp_path: Path) -> BackendPool:
    Counting.made.clear()
    registry: Registry[AvatarBackend] = load_plugins(only="static").backends
    registry.register("counting", Counting)
    registry.register("missing", "edge_tts_that_is_not_there:Backend")
    overrides = {"backends.counting.steps": 3}
    return BackendPool(registry, load_settings(overrides, env={}, cwd=tmp_path))


def test_rungs_come_from_names_and_end_at_static(pool: BackendPool) -> None:
    rungs = pool.rungs(["counting", "counting"], {"counting": {"steps": 9}})
    assert [rung.name for rung in rungs] == ["counting", "static"]
    assert (rungs[0].options, rungs[0].revision) == (Options(steps=9), "7")


def test_a_backend_is_opened_on_first_use_with_the_options_of_the_settings(
    pool: BackendPool,
) -> None:
    rung = pool.rung("counting", {"steps": 9})
    assert Counting.made == []
    with ThreadPoolExecutor(8) as threads:
        opened = set(threads.map(lambda _: rung.open(), range(20)))
    assert opened == set(Counting.made) and len(opened) == 1
    assert Counting.made[0].options == Options(steps=3)


def test_an_instance_keeps_the_options_it_was_made_with(pool: BackendPool, tmp_path: Path) -> None:
    registry: Registry[AvatarBackend] = load_plugins(only="static").backends
    settings = load_settings({"backends.counting.steps": 3}, env={}, cwd=tmp_path)
    with BackendPool(registry, settings, {"counting": Counting(Options(steps=5))}) as given:
        assert given.rung("counting").options == Options(steps=5)
        assert given.rung("counting", {"steps": 9}).options == Options(steps=9)


def test_options_that_cannot_be_checked_cost_their_backend_its_turn(
    pool: BackendPool, tmp_path: Path
) -> None:
    class Broken(BaseModel):
        def __init__(self, **values: object) -> None:
            raise TypeError("a bug in the options")

    class Odd(ScriptedBackend):
        name = "odd"
        Options = Broken

    registry: Registry[AvatarBackend] = load_plugins(only="static").backends
    registry.register("odd", Odd)
    with BackendPool(registry, load_settings(env={}, cwd=tmp_path)) as pool:
        request = AvatarRequest(None, tmp_path / "speech.wav", 0.2, Size(64, 64), 30)
        outcome = FallbackChain(pool.rungs(["odd"])).run(request, tmp_path)
    assert outcome.clip.backend == "static"
    assert "a bug in the options" in outcome.trail[0].message


def test_closing_closes_all_even_if_one_fails(
    pool: BackendPool, caplog: pytest.LogCaptureFixture
) -> None:
    with pool:
        pool.open("counting")
        pool.open("static")
    assert Counting.made[0].closed == 1
    assert "a bug in close" in caplog.text
    pool.close()
    assert Counting.made[0].closed == 1


@pytest.mark.parametrize("name", ["countin", "statc"])
def test_an_unknown_name_is_refused_at_once(pool: BackendPool, name: str) -> None:
    with pytest.raises(InputError, match="Did you mean"):
        pool.rungs([name])


def test_without_the_last_rung_the_way_to_get_it_back_is_said(tmp_path: Path) -> None:
    registry: Registry[AvatarBackend] = Registry("avatar backend", AvatarBackend)
    pool = BackendPool(registry, load_settings(env={}, cwd=tmp_path))
    with pytest.raises(InputError, match="Add static to AVATAR_PLUGINS"):
        pool.rungs([])


def test_a_wrong_option_of_a_scene_is_refused_at_once(pool: BackendPool) -> None:
    with pytest.raises(InputError, match=r"avatar\.options\.counting\.stepz"):
        pool.rungs(["counting"], {"counting": {"stepz": 1}})


def test_a_backend_that_cannot_be_loaded_gives_way_to_the_next(
    pool: BackendPool, tmp_path: Path
) -> None:
    request = AvatarRequest(None, tmp_path / "a.wav", 1.0, Size(64, 64), 30, speaker="Lan")
    outcome = FallbackChain(pool.rungs(["missing"])).run(request, tmp_path)
    assert outcome.trail[0].category is Category.UNSUPPORTED
    assert "edge_tts_that_is_not_there" in outcome.trail[0].message
    assert (outcome.clip.backend, outcome.degraded) == ("static", True)
