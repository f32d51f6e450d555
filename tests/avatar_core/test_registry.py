"""The registry: lazy, and plain about everything that is wrong with a name or a class."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Health, Job
from avatar_core.errors import EnvironmentFault, InputError
from avatar_core.nearest import did_you_mean, nearest
from avatar_core.registry import Owner, PluginFault, Registry


class Sound(AvatarBackend):
    name = "sound"

    def check(self) -> Health:
        return Health(ok=True, message="ready")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        raise NotImplementedError


class Unfinished(AvatarBackend):
    name = "unfinished"

    def check(self) -> Health:
        return Health(ok=True, message="ready")


class FromTheFuture(Sound):
    api_version = 99


class Nameless(AvatarBackend):
    def check(self) -> Health:
        return Health(ok=True, message="ready")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        raise NotImplementedError


@pytest.fixture
def registry() -> Registry[AvatarBackend]:
    return Registry("avatar backend", AvatarBackend)


@pytest.fixture
def module_folder(tmp_path: Path) -> Iterator[Path]:
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))


def test_a_class_is_found_by_its_name(registry: Registry[AvatarBackend]) -> None:
    registry.register("sound", Sound)
    registry.register("lazy", f"{__name__}:Sound")
    assert registry.load("sound") is Sound
    assert registry.load("lazy") is Sound
    assert registry.names() == ("lazy", "sound")


def test_listing_imports_nothing(registry: Registry[AvatarBackend]) -> None:
    registry.register("lazy", "this.module.does_not_exist:Backend", "a summary")
    (described,) = registry.describe()
    assert (described.name, described.summary, described.conflict) == ("lazy", "a summary", None)
    assert "lazy" in registry


def test_an_unknown_name_gets_the_nearest_right_one_and_the_list(
    registry: Registry[AvatarBackend],
) -> None:
    for name in ("static", "puppet", "colab"):
        registry.register(name, Sound)
    with pytest.raises(InputError) as caught:
        registry.load("pupet")
    text = str(caught.value)
    assert "There is no avatar backend 'pupet'." in text
    assert "Did you mean 'puppet'? Known: colab, puppet, static." in text


def test_an_unknown_name_in_an_empty_registry_is_still_a_sentence(
    registry: Registry[AvatarBackend],
) -> None:
    with pytest.raises(InputError, match="none to choose from"):
        registry.load("static")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (int, "not a subclass of AvatarBackend"),
        (Unfinished, "it lacks generate"),
        (FromTheFuture, "version 99"),
        (Nameless, "it has no name"),
        (type("Bare", (Sound,), {"Options": None}), "its Options is not a pydantic model"),
        (type("Loose", (Sound,), {"Options": dict}), "its Options is not a pydantic model"),
        (type("Numbered", (Sound,), {"revision": 2}), "its revision is not a text"),
        ("json:dumps", "not a subclass"),
        ("json:no_such_thing", "no_such_thing"),
    ],
)
def test_a_class_that_breaks_the_contract_is_refused_with_its_owner(
    registry: Registry[AvatarBackend], target: type | str, reason: str
) -> None:
    registry.register("bad", target, owner=Owner("acme", "acme-avatar"))
    with pytest.raises(PluginFault) as caught:
        registry.load("bad")
    assert reason in str(caught.value)
    assert "acme-avatar" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import espeakng_loader_", "Install the package that provides 'espeakng_loader_'"),
        ("raise RuntimeError('no luck')", "no luck"),
        ("raise SystemExit(1)", "SystemExit"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(
    registry: Registry[AvatarBackend], module_folder: Path, source: str, reason: str
) -> None:
    name = f"lazy_{abs(hash(source))}"
    (module_folder / f"{name}.py").write_text(source)
    registry.register("lazy", f"{name}:Backend")
    with pytest.raises(EnvironmentFault) as caught:
        registry.load("lazy")
    assert reason in str(caught.value)


def test_a_missing_optional_package_comes_with_the_command_that_installs_it(
    registry: Registry[AvatarBackend], module_folder: Path
) -> None:
    source = "raise ModuleNotFoundError('gone', name='edge_tts')"
    (module_folder / "needs_edge.py").write_text(source)
    registry.register("edge", "needs_edge:Engine")
    with pytest.raises(EnvironmentFault, match=r'pip install "avatar-core\[online-voices\]"'):
        registry.load("edge")


@pytest.mark.parametrize("name", ["", "A", "a b", "a__b", "_a", "a-", "ä", "1a"])
def test_a_name_that_no_variable_could_carry_is_refused(
    registry: Registry[AvatarBackend], name: str
) -> None:
    with pytest.raises(ValueError, match="small letters"):
        registry.register(name, Sound)


@given(st.text(), st.lists(st.text(min_size=1), unique=True))
def test_the_nearest_name_is_always_one_of_the_known(word: str, known: list[str]) -> None:
    found = nearest(word, known)
    assert found is None or found in known
    assert did_you_mean(word, known).endswith((".", "?"))


@given(st.text(min_size=1))
def test_a_name_is_nearest_to_itself_whatever_its_case(word: str) -> None:
    assert nearest(word.swapcase(), [word.swapcase(), "something else entirely"]) is not None
