"""The notebook as a file: what it carries, its cells and fields, and that the one in the
repository is the one that would be written now."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from avatar_core.errors import InputError
from backends.colab.notebook.build import SOURCE, carried, is_current, notebook_text
from backends.colab.notebook.closure import closure_of, mentions
from backends.colab.notebook.percent import cells_of, fields_of, with_fields
from backends.colab.notebook.project import of_checkout, of_installed
from backends.colab.notebook.wheel import DONE_WITHOUT, Wheel, build_wheel, required
from support_cli import Here
from support_house import ROOT, read

CHECKED_IN = ROOT / "notebooks" / "SadTalker_Colab.ipynb"
# What the program on the notebook's machine must not ask for: it makes no films.
HEAVY = {"moviepy", "onnxruntime", "hibari-tts", "numpy", "rich", "typer"}


@pytest.fixture(scope="module")
def wheel() -> Wheel:
    return build_wheel()


@pytest.fixture(scope="module")
def text() -> str:
    return notebook_text()


def test_the_notebook_in_the_repository_is_what_would_be_written_now() -> None:
    assert is_current(CHECKED_IN.read_text(encoding="utf-8")), "run `make notebook`"


def test_the_same_program_gives_the_same_file(text: str) -> None:
    assert notebook_text() == text


def test_the_file_keeps_to_the_format_of_notebooks(text: str) -> None:
    nbformat.validate(nbformat.reads(text, as_version=4))


def test_it_holds_no_outputs_and_no_counts(text: str) -> None:
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_its_cells_come_in_the_order_that_users_know(text: str) -> None:
    titles = [line for cell in json.loads(text)["cells"] for line in cell["source"]
              if line.startswith("## ")]  # fmt: skip
    numbered = [title.strip()[3:] for title in titles if title[3].isdigit()]
    assert numbered == ["1. Set-up", "2. Check", "3. Manual test", "4. Options", "5. API server",
                        "6. ngrok token"]  # fmt: skip


def test_cells_stay_a_few_lines_each() -> None:
    code = [cell for cell in cells_of(SOURCE.read_text("utf-8")) if cell.kind == "code"]
    assert max(len(cell.source.splitlines()) for cell in code) <= 18


def test_no_cell_asks_for_a_secret() -> None:
    fields = fields_of(cells_of(SOURCE.read_text("utf-8")))
    assert [name for name in fields if "TOKEN" in name or "KEY" in name] == []


def test_the_file_is_small_enough_to_be_written_anew_gladly(text: str) -> None:
    assert len(text) < 300_000


def test_a_notebook_of_another_program_is_noticed(text: str) -> None:
    archive = zipfile.ZipFile(io.BytesIO(carried(text)))
    changed = {name: archive.read(name) for name in archive.namelist()}
    changed["avatar_core/errors.py"] += b"# another line\n"
    assert not is_current(notebook_text(wheel=Wheel("0.0+other", changed, ())))


def test_a_notebook_whose_text_was_changed_is_noticed(text: str) -> None:
    assert not is_current(text.replace("Manual test", "Another test"))


@pytest.mark.parametrize(
    "source", ["x", 'PROGRAM = """\nAAAA\n"""', 'PROGRAM = """\n/Td6WFoA\n"""', None]
)
def test_what_is_no_notebook_of_ours_is_refused_in_words(source: str | None) -> None:
    notebook = "no JSON" if source is None else json.dumps({"cells": [{"source": [source]}]})
    with pytest.raises(InputError, match="no notebook that"):
        carried(notebook)


# -- the wheel


def test_the_wheel_records_every_file_with_its_digest(wheel: Wheel) -> None:
    archive = zipfile.ZipFile(io.BytesIO(wheel.archive()))
    (record,) = [name for name in archive.namelist() if name.endswith("/RECORD")]
    rows = {row[0]: row[1:] for row in csv.reader(archive.read(record).decode().splitlines())}
    assert set(rows) == set(archive.namelist())
    for name in set(rows) - {record}:
        content = archive.read(name)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert rows[name] == [f"sha256={digest}", str(len(content))]


def test_the_wheel_says_what_it_is(wheel: Wheel) -> None:
    version = Version(wheel.version)
    stated = tomllib.loads(read("pyproject.toml"))["project"]
    assert version.public == stated["version"]
    assert str(version.local).startswith("notebook.")
    metadata = wheel.files[f"avatar_core-{wheel.version}.dist-info/METADATA"].decode()
    assert f"Name: avatar-core\nVersion: {wheel.version}\n" in metadata
    assert "License-Expression: Apache-2.0" in metadata


def test_the_version_changes_with_the_content(wheel: Wheel) -> None:
    assert build_wheel().version == wheel.version


def test_the_wheel_carries_the_server_and_nothing_of_the_renderer_or_the_puppet(
    wheel: Wheel,
) -> None:
    rooms = {"backends/colab/server/app.py", "backends/colab/setup/notebook.py",
             "backends/sadtalker/runner.py", "avatar_core/errors.py"}  # fmt: skip
    assert rooms <= set(wheel.files)
    assert [n for n in wheel.files if n.startswith(("renderer", "backends/puppet"))] == []
    assert [name for name in wheel.files if not name.endswith(".py") and "dist-info" not in name
            and not name.endswith("py.typed")] == []  # fmt: skip


def test_the_wheel_asks_for_light_packages_that_the_project_asks_for_too(wheel: Wheel) -> None:
    stated = tomllib.loads(read("pyproject.toml"))["project"]
    ours = [*stated["dependencies"], *stated["optional-dependencies"]["server"]]
    known = {(r.name, str(r.specifier)) for r in map(Requirement, ours)}
    asked = {(r.name, str(r.specifier)) for r in map(Requirement, wheel.requires)}
    assert asked <= known
    assert {"flask", "waitress", "pyngrok", "requests", "pydantic"} <= {name for name, _ in asked}
    assert {name for name, _ in asked} & HEAVY == set()


def test_everything_in_the_wheel_can_be_imported_with_what_it_asks_for(
    wheel: Wheel, tmp_path: Path
) -> None:
    zipfile.ZipFile(io.BytesIO(wheel.archive())).extractall(tmp_path)
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
               for name in wheel.files if name.endswith(".py")]  # fmt: skip
    heavy = ["renderer", "backends.puppet", "moviepy", "onnxruntime", "typer", "rich", "numpy"]
    code = f"""
import importlib, sys
sys.path.insert(0, {str(tmp_path)!r})
for name in {heavy!r}:
    sys.modules[name] = None
for name in {modules!r}:
    assert importlib.import_module(name).__file__.startswith({str(tmp_path)!r})
import importlib.metadata
assert importlib.metadata.version("avatar-core") == {wheel.version!r}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8",
                          cwd=tmp_path, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_done_without_stays_out_with_all_that_it_needs() -> None:
    found = closure_of(["backends.sadtalker.picture"], DONE_WITHOUT)
    assert "onnxruntime" not in found.foreign
    assert "onnxruntime" in closure_of(["backends.sadtalker.picture"]).foreign


@pytest.mark.parametrize(
    ("code", "needed"),
    [("import av.error", {"av.error"}),
     ("from avatar_core import errors", {"avatar_core", "avatar_core.errors"}),
     ("def work():\n    import requests", {"requests"}),
     ("HOME = 'backends.static.backend:StaticBackend'", {"backends.static.backend"}),
     ("if TYPE_CHECKING:\n    import av\nelse:\n    import wave", {"wave"}),
     ("if typing.TYPE_CHECKING:\n    import av", set()),
     ("'see backends.static.backend for more'; 7; b'backends.static'", set())],
)  # fmt: skip
def test_what_a_module_needs_is_read_from_its_code(code: str, needed: set[str]) -> None:
    assert set(mentions(code)) == needed


def test_a_module_brings_its_packages_and_what_it_needs_along() -> None:
    found = closure_of(["avatar_core.policy.retry"]).modules
    assert {"avatar_core", "avatar_core.policy", "avatar_core.policy.retry"} <= set(found)
    assert all(path.is_file() for path in found.values())


def test_an_installed_package_tells_the_same_as_its_checkout() -> None:
    stated = tomllib.loads(read("pyproject.toml"))["project"]
    licence = read("LICENSE")
    here = of_checkout(stated, licence)
    installed = of_installed(importlib.metadata.distribution("avatar-core"))
    assert (installed.name, installed.version, installed.licence) == (
        here.name, here.version, here.licence
    )  # fmt: skip
    assert installed.requires_python == here.requires_python
    assert set(here.requires) & set(installed.requires)


@given(st.sets(st.sampled_from(["flask", "PIL", "imageio_ffmpeg", "google", "torch"])))
def test_only_packages_that_are_imported_are_asked_for(names: set[str]) -> None:
    ours = ["flask>=3", "pillow>=11,<13", "imageio-ffmpeg>=0.8", "moviepy>=2"]
    asked = {Requirement(line).name for line in required(names, ours)}
    provides = {"flask": "flask", "PIL": "pillow", "imageio_ffmpeg": "imageio-ffmpeg"}
    assert asked == {provides[name] for name in names if name in provides}


def test_an_installed_program_writes_the_same_notebook_as_its_checkout(
    text: str, tmp_path: Path
) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(built).extractall(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-m", "renderer", "notebook", "-o", "my.ipynb"], capture_output=True,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "my.ipynb").read_text("utf-8") == text


# -- cells and fields

SMALL = '''"""About."""

# %% [markdown] words
# # Title
#
# Text with `NAME = 1  # @param` in it.

# %% one
NAME = ""  # @param {type:"string"}
COUNT = 2  # @param {type:"integer"}
FLAG = False  # @param {type:"boolean"}
work(NAME)

# %% [hidden] two
more()
'''


def test_a_source_is_read_into_its_cells() -> None:
    words, one, two = cells_of(SMALL)
    assert (words.kind, one.kind, two.kind) == ("markdown", "code", "hidden")
    assert words.source.splitlines()[:3] == ["# Title", "", "Text with `NAME = 1  # @param` in it."]
    assert one.source.endswith("work(NAME)")
    assert two.source == "more()"


def test_two_cells_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        cells_of("# %% a\nx\n# %% a\ny\n")


@given(st.text(max_size=30))
def test_a_field_takes_any_text_and_stays_python(value: str) -> None:
    filled = with_fields(cells_of(SMALL), {"NAME": value})
    assert fields_of(filled) == {"NAME": value, "COUNT": 2, "FLAG": False}


def test_fields_are_of_the_kind_that_they_were() -> None:
    filled = fields_of(with_fields(cells_of(SMALL), {"COUNT": "7", "FLAG": "true"}))
    assert filled == {"NAME": "", "COUNT": 7, "FLAG": True}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("NAMES", "x", "Did you mean 'NAME'"), ("COUNT", "many", "a number"),
     ("FLAG", "maybe", "true or false")],
)  # fmt: skip
def test_a_field_that_cannot_be_filled_in_is_refused_in_words(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(InputError) as refused:
        with_fields(cells_of(SMALL), {name: value})
    assert says in str(refused.value)


def test_colab_does_not_save_what_the_cells_print(text: str) -> None:
    """The line to copy holds the token."""
    assert json.loads(text)["metadata"]["colab"]["private_outputs"] is True


def test_every_field_of_the_notebook_can_be_set(text: str) -> None:
    fields = fields_of(cells_of(SOURCE.read_text("utf-8")))
    assert {"SADTALKER", "PYTHON", "TUNNEL", "PORT", "WITHOUT_GPU"} <= set(fields)
    filled = notebook_text({"TUNNEL": "none", "SADTALKER": "/opt/it's"})
    assert "TUNNEL = 'none'  # @param" in filled
    assert not is_current(filled)


# -- the command


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capsys)


def test_the_command_writes_a_notebook_and_says_whether_one_is_current(
    here: Here, tmp_path: Path, text: str
) -> None:
    written = here("notebook", "-o", "deep/my.ipynb", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "with the server inside" in written.stdout
    assert "Upload notebook" in written.stdout
    target = tmp_path / "deep" / "my.ipynb"
    assert target.read_bytes() == text.encode("utf-8")
    assert here("notebook", "--check", "-o", str(target), cwd=tmp_path).returncode == 0
    target.write_text(text.replace("## 2. Check", "## 2. Look"), "utf-8")
    stale = here("notebook", "--check", "-o", str(target), cwd=tmp_path)
    assert stale.returncode == 1
    assert "Write it again: avatar notebook -o" in stale.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--set", "TUNNEL"), "FIELD=VALUE"), (("--set", "TUNEL=none"), "Did you mean 'TUNNEL'"),
     (("--check", "-o", "nothing.ipynb"), "cannot be read"),
     (("-o", "."), "cannot be written")],
)  # fmt: skip
def test_a_wrong_call_is_told_in_a_sentence(
    arguments: tuple[str, ...], says: str, here: Here, tmp_path: Path
) -> None:
    done = here("notebook", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
