"""The plugins that the documentation shows work as they stand there."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from avatar_core import AvatarBackend, AvatarError, AvatarRequest, Category, Job, Size
from avatar_core.plugins import Plugins, load_plugins
from support_house import ROOT, code_blocks

PORTRAIT = ROOT / "renderer" / "demo" / "assets" / "presenter.png"
SOURCES = {
    "README.md": [b for b in code_blocks("README.md", "python") if "hookimpl" in b],
    "docs/plugins.md": [b for b in code_blocks("docs/plugins.md", "python") if "Sway" in b],
}


@pytest.fixture(params=sorted(SOURCES))
def plugins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """The example of one document, loaded like an installed plugin."""
    (source,) = SOURCES[request.param]
    module = ModuleType("avatar_sway")
    monkeypatch.setitem(sys.modules, "avatar_sway", module)
    exec(compile(source, request.param, "exec"), module.__dict__)  # noqa: S102
    yield load_plugins(
        only="", entry_points=lambda: [EntryPoint("sway", "avatar_sway", "avatar_core")]
    )


def test_the_example_is_loaded_under_its_name(plugins: Plugins) -> None:
    assert plugins.failed == []
    assert plugins.backends.names() == ("sway",)


def test_the_example_makes_a_clip_of_the_right_size_and_length(
    plugins: Plugins, tmp_path: Path
) -> None:
    import av

    backend = plugins.backends.load("sway")()
    request = _request(backend, tmp_path, PORTRAIT)
    clip = backend.generate(request, Job(tmp_path))
    with av.open(str(clip.path)) as film:
        stream = film.streams.video[0]
        frames = list(film.decode(stream))
    assert (frames[0].width, frames[0].height) == request.size
    assert len(frames) == round(request.duration * request.fps)
    assert clip.backend == "sway"


def test_the_package_of_the_example_holds_its_module_and_names_it() -> None:
    (text,) = [b for b in code_blocks("docs/plugins.md", "toml") if "[project]" in b]
    package = tomllib.loads(text)
    # Without a list, a second module in the folder, such as its test, stops the installation.
    assert package["tool"]["setuptools"]["py-modules"] == ["avatar_sway"]
    assert package["project"]["entry-points"]["avatar_core"] == {"sway": "avatar_sway"}


def test_the_longer_example_refuses_a_picture_that_is_none(tmp_path: Path) -> None:
    namespace: dict[str, object] = {}
    exec(compile(SOURCES["docs/plugins.md"][0], "plugins.md", "exec"), namespace)  # noqa: S102
    kind = namespace["SwayBackend"]
    assert isinstance(kind, type) and issubclass(kind, AvatarBackend)
    backend, broken = kind(), tmp_path / "broken.png"
    broken.write_text("not a picture", encoding="utf-8")
    with pytest.raises(AvatarError) as caught:
        backend.generate(_request(backend, tmp_path, broken), Job(tmp_path))
    assert caught.value.category is Category.INVALID_INPUT


def _request(backend: AvatarBackend, folder: Path, portrait: Path) -> AvatarRequest:
    return AvatarRequest(
        portrait=portrait,
        audio=folder / "narration.wav",
        duration=0.4,
        size=Size(96, 120),
        fps=10,
        options=backend.options,
    )
