"""What people get: the demonstration film is whole, in a checkout and in the built wheel."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from renderer.film import Film
from renderer.renderer import SmartVideoRenderer
from support_house import PACKAGES, ROOT, read

DEMO = ROOT / "renderer" / "demo"
ASSETS = sorted(path for path in (DEMO / "assets").iterdir())


@pytest.fixture(scope="module")
def demo() -> Film:
    return SmartVideoRenderer().check(DEMO / "demo.yaml")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(built: Path) -> set[str]:
    """The names in that wheel."""
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_demonstration_shows_what_it_promises(demo: Film) -> None:
    layouts = {scene.presenter.layout for scene in demo.scenes if scene.presenter}
    assert len(demo.scenes) >= 4
    assert len(layouts) >= 3
    assert demo.size == (1080, 1920)
    assert demo.fps == 30
    assert any(scene.audio for scene in demo.scenes)
    assert any(scene.background.type == "video" for scene in demo.scenes)
    assert any(scene.captions and scene.captions.burn for scene in demo.scenes)


def test_the_demonstration_needs_nothing_but_the_base_install(demo: Film) -> None:
    assert {engine for scene in demo.scenes if scene.text and not scene.audio
            for engine in scene.speech.engines[:1]} == {"hibari"}  # fmt: skip
    backends = {name for scene in demo.scenes if scene.presenter
                for name in scene.presenter.backends}  # fmt: skip
    assert backends <= {"puppet", "static"}


def test_the_recording_says_what_its_caption_says(demo: Film) -> None:
    maker = ast.parse(read("examples/make_assets.py"))
    constants = {ast.unparse(node.targets[0]): node.value for node in maker.body
                 if isinstance(node, ast.Assign)}  # fmt: skip
    spoken = [ast.literal_eval(constants["GUEST_TEXT"])]
    assert [scene.text for scene in demo.scenes if scene.audio] == spoken


def test_every_asset_is_used_by_an_example() -> None:
    scripts = read("renderer/demo/demo.yaml") + read("examples/tra-sua.yaml")
    # A landmarks file belongs to the portrait of its name.
    names = {path: path.name.replace(".landmarks.json", ".png") for path in ASSETS}
    assert [path.name for path in ASSETS if f"assets/{names[path]}" not in scripts] == []


def test_the_assets_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in ASSETS) < 4_000_000
    assert (DEMO / "assets" / "presenter.png").stat().st_size < 600_000


def test_the_english_example_is_the_demonstration() -> None:
    shipped = (DEMO / "demo.yaml").read_text(encoding="utf-8").partition("version:")[2]
    example = (ROOT / "examples" / "demo.yaml").read_text(encoding="utf-8").partition("version:")[2]
    assert example.replace("../renderer/demo/assets/", "assets/") == shipped


def test_the_vietnamese_example_is_valid() -> None:
    film = SmartVideoRenderer().check(ROOT / "examples" / "tra-sua.yaml")
    assert film.language == "vi-VN"
    assert any("Trà oolong" in (scene.text or "") for scene in film.scenes)


def test_the_wheel_carries_the_look_of_the_report(wheel: set[str]) -> None:
    assert {f"renderer/report/page.{kind}" for kind in ("css", "js")} <= wheel


def test_the_wheel_carries_the_demonstration(wheel: set[str]) -> None:
    assert "renderer/demo/demo.yaml" in wheel
    assert {f"renderer/demo/assets/{path.name}" for path in ASSETS} <= wheel


def test_the_wheel_carries_the_models_of_the_presenter_and_their_card(wheel: set[str]) -> None:
    models = "backends/puppet/models"
    names = {f"{models}/{path.name}" for path in (ROOT / models).iterdir()}
    assert {f"{models}/face_detector.onnx", f"{models}/MODEL_CARD.md"} <= names <= wheel


def test_the_wheel_carries_the_three_packages_and_nothing_else(wheel: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= wheel


def test_the_wheel_carries_the_documentation_and_shows_it(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        names = [n for n in archive.namelist() if n.startswith(("avatar_core/", "renderer/"))]
        archive.extractall(tmp_path, names)
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert {path.name for path in (tmp_path / "renderer" / "docs").rglob("*")} == pages
    ask = (
        "from renderer import manual; print(manual.__file__); print(manual.found('colab#no-face'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, env=environment, check=True,
                          capture_output=True, encoding="utf-8").stdout  # fmt: skip
    assert told.startswith(str(tmp_path))
    assert "SadTalker found no face" in told


def test_the_wheel_carries_its_licence(wheel: set[str]) -> None:
    assert any(re.fullmatch(r".*\.dist-info/licenses/LICENSE", name) for name in wheel)


def test_every_folder_of_code_is_a_package() -> None:
    # A folder without __init__.py works in a checkout and confuses type checkers and linters.
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()] == []
