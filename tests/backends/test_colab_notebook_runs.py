"""The notebook executed from top to bottom in a real kernel, with a stand-in for SadTalker and no
tunnel; and a film whose presenter comes from the server that it started."""

from __future__ import annotations

import os
import re
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
import requests
from PIL import Image

from backends.colab.notebook.build import notebook_text
from backends.colab.setup.trial import EXAMPLE_PICTURE, EXAMPLE_SOUND
from backends.colab.versions import own_version
from renderer.renderer import SmartVideoRenderer
from support_films import film_of_tones
from support_sadtalker import calls, install

TORCH = "__version__ = '2.1.2'\nclass version: cuda = '12.1'\nclass cuda: is_available = bool\n"
CELLS = ["program", "set-up", "check", "manual-test", "options", "server", "ngrok-token", "news"]


class Kernel:
    """A notebook in its kernel; ``run`` executes a cell and returns what it printed."""

    def __init__(self, notebook: Any, folder: Path) -> None:
        self.cells = {cell["id"]: index for index, cell in enumerate(notebook.cells)}
        self.code = [cell["id"] for cell in notebook.cells if cell.cell_type == "code"]
        self.client = nbclient.NotebookClient(
            notebook, timeout=600, resources={"metadata": {"path": str(folder)}}
        )

    def run(self, name: str) -> str:
        cell = self.client.nb.cells[self.cells[name]]
        self.client.execute_cell(cell, self.cells[name])
        return "".join(output.get("text", "") for output in cell.outputs)

    def run_all(self) -> dict[str, str]:
        return {name: self.run(name) for name in self.code}

    def shown(self, name: str) -> set[str]:
        """The kinds of data that a cell displays besides text."""
        outputs = self.client.nb.cells[self.cells[name]].outputs
        return {kind for output in outputs for kind in output.get("data", {})}


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, and nothing of a person's Jupyter."""
    for name in [name for name in os.environ if name.startswith(("AVATAR_", "COLAB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


def kernel(folder: Path, **values: str) -> Iterator[Kernel]:
    """The notebook with fields filled in, as `avatar notebook --set` does it."""
    notebook = nbformat.reads(notebook_text(values), as_version=4)
    running = Kernel(notebook, folder)
    with running.client.setup_kernel():
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A stand-in SadTalker, with a PyTorch to be looked at and the examples of the real one."""
    root = install(tmp_path / "SadTalker")
    (root / "torch" / "__init__.py").write_text(TORCH)
    for name in (EXAMPLE_PICTURE, EXAMPLE_SOUND):
        (root / name).parent.mkdir(parents=True)
    Image.new("RGB", (96, 96), "peru").save(root / EXAMPLE_PICTURE)
    with wave.open(str(root / EXAMPLE_SOUND), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(b"\0\1" * 8_000)
    return root


@pytest.fixture
def ready(tmp_path: Path, root: Path, quiet: None) -> Iterator[Kernel]:
    yield from kernel(tmp_path, SADTALKER=str(root), PYTHON=sys.executable, TUNNEL="none",
                      PORT="0", WITHOUT_GPU="true")  # fmt: skip


@pytest.fixture
def bare(tmp_path: Path, quiet: None) -> Iterator[Kernel]:
    """A machine on which nothing is installed, and whose set-up cell is not run."""
    yield from kernel(tmp_path, SADTALKER=str(tmp_path / "nothing"))


def test_from_top_to_bottom_and_a_film_by_the_server_that_it_started(
    ready: Kernel, root: Path, tmp_path: Path
) -> None:
    assert ready.code == CELLS
    said = ready.run_all()
    version = said["program"].split()[-1]
    assert version.startswith(f"{own_version()}+notebook.")
    assert "Set-up is complete" in said["set-up"]
    assert "Ready to make clips here." in said["check"]
    assert "0.5 s, 256x" in said["manual-test"]
    assert "text/html" in ready.shown("manual-test")
    assert 'preprocess = "crop"\nstill = true\n' in said["options"]
    assert "There is no ngrok token." in said["ngrok-token"]
    assert "Running: 0, waiting: 0" in said["news"]
    url = address(said["server"])
    token = re.search(r"avatar:(.+)@", url)[1]  # type: ignore[index]
    assert [name for name, text in said.items() if token in text] == ["server"]

    film = film_of_tones(tmp_path, 1)
    overrides = {"backends.colab": {"url": url, "wait": 5}, "cache_dir": str(tmp_path / "cache"),
                 "report": False}  # fmt: skip
    with SmartVideoRenderer(avatar_backend="colab", overrides=overrides) as renderer:
        result = renderer.render(film, tmp_path / "film.mp4")
    (scene,) = result.scenes
    assert (scene.backend, scene.degraded) == ("colab", False)
    assert len(calls(root)) == 2
    assert "done" in ready.run("news")

    for name in ("program", "set-up"):
        assert ready.run(name) == said[name]
    again = address(ready.run("server"))
    assert re.search("//(.+)@", again)[0] == re.search("//(.+)@", url)[0]  # type: ignore[index]
    health = requests.get(f"{again}/health", timeout=60).json()
    assert health["version"] == version
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=60)
    assert "Running: 0" in ready.run("news")


def test_where_nothing_is_there_every_cell_says_what_to_do(bare: Kernel) -> None:
    said = bare.run_all()
    assert "This did not work: The installation is not complete" in said["set-up"]
    assert "Verdict" in said["check"]
    assert "Not ready" in said["check"]
    assert "Run cell 1" in said["manual-test"]
    assert "There is no ngrok token" in said["server"]
    assert "Then run cell 6" in said["server"]
    assert "The server is not running. Run cell 5." in said["news"]


def test_a_cell_that_is_run_before_those_above_it_says_which_to_run(bare: Kernel) -> None:
    for name in CELLS[1:]:
        assert "first. On Colab: Runtime > Run before." in bare.run(name)
    bare.run("program")
    assert "Run the cells above first." in bare.run("server")


def address(printed: str) -> str:
    """What a user copies."""
    (found,) = re.findall(r"^COLAB_API_URL=(http://avatar:\S+@127\.0\.0\.1:\d+)$", printed, re.M)
    return str(found)
