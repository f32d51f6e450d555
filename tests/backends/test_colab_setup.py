"""Setting SadTalker up on another machine: downloads that break off, an environment made by a
program, a program from an archive, a look at everything, and the token that is never shown."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.errors import EnvironmentFault
from avatar_core.testing import VirtualClock
from backends.colab.setup.download import Fetcher, Source
from backends.colab.setup.environment import Environment, run
from backends.colab.setup.probe import Row, look, look_inside, table, verdict
from backends.colab.setup.recipe import RECIPE, Recipe
from backends.colab.setup.requirements import lacking
from backends.colab.setup.source import fetch_program, patch
from backends.colab.setup.weights import fetch_weights, is_whole
from backends.sadtalker.engine import Weight
from backends.sadtalker.sadtalker import SADTALKER
from support_range_server import RangeServer
from support_sadtalker import install

CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()
posix_only = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are scripts of a shell")


def fetcher() -> Fetcher:
    return Fetcher(clock=VirtualClock())


# -- downloads


@settings(max_examples=15, deadline=None)
@given(breaks=st.lists(st.integers(0, len(CONTENT)), max_size=4), ranges=st.booleans())
def test_a_download_that_breaks_off_is_whole_in_the_end(
    breaks: list[int], ranges: bool, tmp_path: Path
) -> None:
    target = tmp_path / "file"
    target.unlink(missing_ok=True)
    with RangeServer({"/f": CONTENT}, ranges=ranges) as server:
        server.breaks = list(breaks)
        fetcher().fetch(Source(f"{server.url}/f", len(CONTENT), DIGEST), target)
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


def test_it_goes_on_where_it_stopped_also_in_another_run(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    told: list[tuple[int, int | None]] = []
    with RangeServer({"/f": CONTENT}) as server:
        fetcher().fetch(Source(f"{server.url}/f", len(CONTENT)), tmp_path / "file",
                        lambda done, total: told.append((done, total)))  # fmt: skip
        assert server.asked == [("/f", "bytes=1000-")]
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_file_of_unknown_size_is_whole_by_what_the_server_says(tmp_path: Path) -> None:
    with RangeServer({"/f": CONTENT}) as server:
        server.breaks = [5000]
        fetcher().fetch(Source(f"{server.url}/f"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("size", "sha256", "says"),
    [(len(CONTENT) - 1, "", "another file"), (len(CONTENT), "0" * 64, "damaged on its way")],
)
def test_a_file_that_is_not_what_it_should_be_never_takes_its_name(
    size: int, sha256: str, says: str, tmp_path: Path
) -> None:
    with RangeServer({"/f": CONTENT}) as server, pytest.raises(EnvironmentFault, match=says):
        fetcher().fetch(Source(f"{server.url}/f", size, sha256), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_shorter_than_it_should_be_is_told(tmp_path: Path) -> None:
    with RangeServer({"/f": CONTENT}) as server, pytest.raises(EnvironmentFault) as refused:
        fetcher().fetch(Source(f"{server.url}/f", len(CONTENT) + 1), tmp_path / "file")
    assert "another file" in str(refused.value)
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_beginning_that_is_longer_than_the_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT + b"more")
    with RangeServer({"/f": CONTENT}) as server:
        fetcher().fetch(Source(f"{server.url}/f", len(CONTENT)), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_page_that_is_gone_is_told_at_once(tmp_path: Path) -> None:
    with RangeServer({}) as server, pytest.raises(EnvironmentFault, match="HTTP 404"):
        fetcher().fetch(Source(f"{server.url}/f", 10), tmp_path / "file")
    assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    with RangeServer({"/f": CONTENT}) as server:
        server.statuses = [503, 429, 500]
        fetcher().fetch(Source(f"{server.url}/f", len(CONTENT)), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_no_network_is_told_after_a_few_tries_with_growing_pauses(tmp_path: Path) -> None:
    with RangeServer({}) as server:
        address = server.url
    clock = VirtualClock()
    with pytest.raises(EnvironmentFault, match="could not be downloaded") as refused:
        Fetcher(clock=clock, tries=4).fetch(Source(f"{address}/f", 10), tmp_path / "file")
    assert "Check the network" in str(refused.value)
    assert clock() == 2 + 4 + 8


# -- weights

ONE, TWO, ANY = (Weight(f"checkpoints/{n}.pth", size, "", sha256) for n, size, sha256 in (
    ("one", len(CONTENT), DIGEST), ("two", 10, ""), ("any", None, "")))  # fmt: skip


def from_server(weight: Weight, server: RangeServer) -> Weight:
    return Weight(weight.path, weight.bytes, f"{server.url}/{weight.path}", weight.sha256)


def test_only_weights_that_are_missing_or_cut_off_are_fetched(tmp_path: Path) -> None:
    for weight, content in ((ONE, CONTENT[:500]), (TWO, b"0123456789")):
        path = tmp_path / weight.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    said: list[str] = []
    files = {f"/{w.path}": c for w, c in ((ONE, CONTENT), (TWO, b"x" * 10), (ANY, b"any"))}
    with RangeServer(files) as server:
        weights = [from_server(weight, server) for weight in (ONE, TWO, ANY)]
        fetch_weights(weights, tmp_path, said.append, fetcher=fetcher())
        assert [path for path, _ in server.asked] == [f"/{ONE.path}", f"/{ANY.path}"]
        fetch_weights(weights, tmp_path, said.append, fetcher=fetcher())
        assert len(server.asked) == 2
    assert all(is_whole(tmp_path, weight) for weight in (ONE, TWO, ANY))
    assert said[0] == "Weights: 1 of 3 are there and whole."
    assert said[-1] == "Weights: 3 of 3 are there and whole."


@pytest.mark.parametrize(
    ("weight", "content", "whole"),
    [(TWO, b"0123456789", True), (TWO, b"012345678", False), (TWO, b"0123456789a", False),
     (TWO, None, False), (ANY, b"x", True), (ANY, b"", False)],
)  # fmt: skip
def test_a_weight_is_whole_by_its_size(
    weight: Weight, content: bytes | None, whole: bool, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / weight.path).parent.mkdir()
        (tmp_path / weight.path).write_bytes(content)
    assert is_whole(tmp_path, weight) is whole


def test_a_weight_that_cannot_be_fetched_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"one\.pth is missing"):
        fetch_weights([ONE], tmp_path, print, fetcher=fetcher())


def test_a_disk_without_room_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    huge = Weight("huge.pth", 10**18, "http://127.0.0.1:9/huge")
    with pytest.raises(EnvironmentFault, match="the disk has"):
        fetch_weights([huge], tmp_path, print, fetcher=fetcher())


def test_every_weight_of_sadtalker_has_a_size_and_an_address() -> None:
    assert sum(weight.bytes or 0 for weight in SADTALKER.weights) > 2_400_000_000
    assert all(weight.bytes and weight.url.startswith("https://") for weight in SADTALKER.weights)


# -- the program

OLD_CODE = "from PIL import Image\nx = img.resize((4, 4), Image.ANTIALIAS)\n"


def archive(files: dict[str, str]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as stream:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            stream.addfile(info, io.BytesIO(text.encode()))
    return memory.getvalue()


def test_the_program_is_unpacked_beside_weights_that_are_there_and_mended(tmp_path: Path) -> None:
    root = tmp_path / "SadTalker"
    (root / "checkpoints").mkdir(parents=True)
    (root / "checkpoints" / "kept.pth").write_text("kept")
    files = {
        "SadTalker-cd4c/inference.py": "print()",
        "SadTalker-cd4c/src/face3d/util.py": OLD_CODE,
    }
    with RangeServer({"/cd4c.tar.gz": archive(files)}) as server:
        for _ in range(2):
            fetch_program(root, print, url=f"{server.url}/cd4c.tar.gz", fetcher=fetcher())
        assert len(server.asked) == 1
    assert (root / "checkpoints" / "kept.pth").read_text() == "kept"
    assert "Image.LANCZOS" in (root / "src" / "face3d" / "util.py").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SadTalker"]


def test_mending_twice_changes_nothing_more(tmp_path: Path) -> None:
    file = tmp_path / "src" / "a.py"
    file.parent.mkdir()
    file.write_text(OLD_CODE)
    patch(tmp_path)
    once = file.read_text()
    patch(tmp_path)
    assert file.read_text() == once != OLD_CODE


@pytest.mark.parametrize("name", ["top/../../outside", "/top/outside", "top/../outside"])
def test_an_archive_cannot_write_outside_of_its_folder(name: str, tmp_path: Path) -> None:
    root = tmp_path / "in" / "SadTalker"
    packed = archive({"top/inference.py": "", name: "x"})
    with RangeServer({"/a.tar.gz": packed}) as server, contextlib.suppress(EnvironmentFault):
        fetch_program(root, print, url=f"{server.url}/a.tar.gz", fetcher=fetcher())
    assert [path for path in tmp_path.rglob("outside") if root not in path.parents] == []


def test_an_archive_that_is_none_is_told_and_not_kept(tmp_path: Path) -> None:
    with (
        RangeServer({"/a.tar.gz": b"<html>Sorry</html>"}) as server,
        pytest.raises(EnvironmentFault, match="damaged"),
    ):
        fetch_program(tmp_path / "S", print, url=f"{server.url}/a.tar.gz", fetcher=fetcher())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# -- the environment

# What uv is asked for, and an interpreter where uv would put one.
UV = f"""
import json, os, pathlib, sys
log = pathlib.Path(os.environ["UV_LOG"])
log.write_text((log.read_text() if log.exists() else "") + json.dumps(sys.argv[1:]) + "\\n")
fail = os.environ.get("UV_FAIL", "")
if fail and fail in " ".join(sys.argv):
    print(os.environ["UV_SAYS"], file=sys.stderr)
    sys.exit(2)
if sys.argv[1] == "venv":
    python = pathlib.Path(sys.argv[-1]) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to({sys.executable!r})
print(" + torch==2.1.2")
print("Installed 1 package")
"""
SMALL = Recipe("", "3.10", ("torch==2.1.2", "setuptools==69.5.1"), ("basicsr==1.4.2",))


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    program = tmp_path / "uv.py"
    program.write_text(UV)
    monkeypatch.setenv("UV_LOG", str(tmp_path / "uv.log"))
    return (sys.executable, str(program))


def asked(tmp_path: Path) -> list[list[str]]:
    log = tmp_path / "uv.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@posix_only
def test_the_environment_is_made_once_from_the_recipe(tmp_path: Path, uv: tuple[str, str]) -> None:
    environment = Environment(tmp_path / "env", SMALL, uv)
    said: list[str] = []
    assert not environment.ready
    environment.create(said.append)
    assert environment.ready
    python = str(environment.python)
    assert asked(tmp_path) == [
        ["venv", "--python", "3.10", str(tmp_path / "env")],
        ["pip", "install", "--python", python, "torch==2.1.2", "setuptools==69.5.1"],
        ["pip", "install", "--python", python, "--no-deps", "--no-build-isolation",
         "basicsr==1.4.2"],
    ]  # fmt: skip
    assert "  Installed 1 package" in said
    assert not any("+ torch" in line for line in said)
    environment.create(said.append)
    assert len(asked(tmp_path)) == 3


@posix_only
def test_another_recipe_is_installed_into_the_environment_that_is_there(
    tmp_path: Path, uv: tuple[str, str]
) -> None:
    Environment(tmp_path / "env", SMALL, uv).create(print)
    newer = Recipe("", "3.10", ("torch==2.1.3",), ("basicsr==1.4.2",))
    Environment(tmp_path / "env", newer, uv).create(print)
    assert [call[0] for call in asked(tmp_path)] == ["venv", "pip", "pip", "pip", "pip"]


@posix_only
@pytest.mark.parametrize(
    ("says", "told"),
    [("error: dns error: failed to lookup", "could not be reached"),
     ("No space left on device (os error 28)", "disk is full"),
     ("No interpreter found for Python 3.10", "Python 3.10 was not found"),
     ("something new", "exit status 2")],
)  # fmt: skip
def test_an_installation_that_fails_says_what_to_do_and_goes_on_next_time(
    says: str, told: str, tmp_path: Path, uv: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_FAIL", "basicsr")
    monkeypatch.setenv("UV_SAYS", says)
    environment = Environment(tmp_path / "env", SMALL, uv)
    with pytest.raises(EnvironmentFault) as refused:
        environment.create(print)
    assert told in str(refused.value)
    assert refused.value.advice
    assert not environment.ready
    monkeypatch.delenv("UV_FAIL")
    environment.create(print)
    assert [call[0] for call in asked(tmp_path)].count("venv") == 1


def test_an_installer_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="could not be started"):
        run([str(tmp_path / "no-such-program")], tmp_path, print)


def test_the_recipe_pins_what_sadtalker_was_run_with() -> None:
    pinned = dict(line.split("==") for line in (*RECIPE.packages, *RECIPE.alone) if "==" in line)
    assert pinned["torch"] == "2.1.2"
    assert pinned["numpy"] == "1.23.5"
    assert {"basicsr", "facexlib", "gfpgan", "filterpy"} <= set(pinned)
    assert RECIPE.python == "3.10"
    assert "cd4c0465ae0b54a6f85af57f5c65fec9fe23e7f8" in RECIPE.source


# -- looking at everything

TORCH = """
__version__ = "2.1.2+cu121"
class version:
    cuda = "12.1"
class cuda:
    is_available = staticmethod(lambda: SEES)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A SadTalker whose PyTorch sees a GPU."""
    root = install(tmp_path / "SadTalker")
    (root / "torch" / "__init__.py").write_text(TORCH.replace("SEES", "True"))
    return root


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a T4, as its driver's program tells it, and without a token."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Tesla T4, 15360, 14913'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)


def rows_of(root: Path) -> dict[str, Row]:
    return {row.name: row for row in look(SADTALKER, root, Path(sys.executable))}


@posix_only
@pytest.mark.usefixtures("gpu")
def test_a_machine_with_everything_is_ready_and_lacks_only_a_token(root: Path) -> None:
    rows = rows_of(root)
    assert [row.name for row in rows.values() if row.good is False] == ["ngrok token"]
    assert rows["GPU"].says == "Tesla T4"
    assert rows["GPU memory"].says == "14.6 GB free of 15.0 GB; SadTalker wants 5.9 GB"
    assert rows["PyTorch"].says == "2.1.2+cu121, CUDA 12.1, sees the GPU"
    assert rows["Weights"].says == "8 of 8 whole"
    assert verdict(rows.values())[0] == "Ready to make clips here."


@posix_only
@pytest.mark.usefixtures("gpu")
def test_with_a_token_everything_is_ready(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", "a-token-that-nobody-sees")
    printed = table(look(SADTALKER, root, Path(sys.executable)))
    assert "Ready." in printed
    assert "a-token-that-nobody-sees" not in printed


@posix_only
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("spoil", "row", "says"),
    [("weight", "Weights", "7 of 8 whole; missing or cut off: GFPGANv1.4.pth"),
     ("file", "SadTalker", "not there: inference.py"),
     ("module", "SadTalker", "packages not there: kornia"),
     ("torch", "PyTorch", "not there (ImportError: broken)"),
     ("blind", "PyTorch", "2.1.2+cu121, CUDA 12.1, does not see a GPU")],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_next_step(
    spoil: str, row: str, says: str, root: Path
) -> None:
    if spoil == "weight":
        os.truncate(root / "gfpgan" / "weights" / "GFPGANv1.4.pth", 1000)
    elif spoil == "file":
        (root / "inference.py").unlink()
    elif spoil == "module":
        shutil.rmtree(root / "kornia")
    elif spoil == "torch":
        (root / "torch" / "__init__.py").write_text("raise ImportError('broken')")
    else:
        (root / "torch" / "__init__.py").write_text(TORCH.replace("SEES", "False"))
    rows = rows_of(root)
    assert rows[row].says == says
    result, step = verdict(rows.values())
    assert result == f"Not ready: {row}: {says}."
    assert step


@posix_only
def test_a_machine_without_a_gpu_is_told_where_to_choose_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result, step = verdict(look(SADTALKER, root, Path(sys.executable)))
    assert result == "Not ready: GPU: no NVIDIA GPU was found."
    assert "T4 GPU" in step
    meant = look(SADTALKER, root, Path(sys.executable), without_gpu=True)
    assert verdict(meant)[0] == "Ready to make clips here."


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert look_inside(tmp_path / "none", ["torch"], tmp_path).trouble
    rows = {row.name: row for row in look(SADTALKER, tmp_path / "none", tmp_path / "python")}
    assert rows["PyTorch"].good is False
    assert rows["Python"].good is False
    assert "cell 1" in rows["Python"].todo


# -- the token and the packages


def ask_token(tmp_path: Path, userdata: str, environment: dict[str, str]) -> str:
    """What is said of the token where `google.colab.userdata` is ``userdata``."""
    package = tmp_path / "google" / "colab"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    if userdata:
        (package / "userdata.py").write_text(dedent(userdata))
    code = "from backends.colab.setup.ngrok_token import find_token as f; x = f(); print(x)"
    kept = {name: value for name, value in os.environ.items() if name != "NGROK_AUTHTOKEN"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True,
        env={**kept, **environment, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
    )  # fmt: skip
    return done.stdout


REFUSES = """
class NotebookAccessError(Exception): pass
def get(name): raise NotebookAccessError(name)
"""


@pytest.mark.parametrize(
    ("userdata", "environment", "says"),
    [("get = {'NGROK_AUTHTOKEN': 'secret-123456'}.get", {}, "Colab's Secrets hold NGROK_AUTHTOKEN"),
     ("get = {'NGROK_AUTHTOKEN': '  '}.get", {}, "is empty"),
     ("def get(name): raise KeyError(name)", {}, "hold no NGROK_AUTHTOKEN"),
     ("def get(name): raise KeyError(name)", {"NGROK_AUTHTOKEN": "secret-123456"}, "variable"),
     (REFUSES, {}, "may not read it"),
     ("", {"NGROK_AUTHTOKEN": "secret-123456"}, "variable NGROK_AUTHTOKEN is set"),
     ("", {}, "There is no ngrok token")],
)  # fmt: skip
def test_the_token_is_found_where_it_is_and_never_shown(
    userdata: str, environment: dict[str, str], says: str, tmp_path: Path
) -> None:
    said = ask_token(tmp_path, userdata, environment)
    assert says in said
    assert "secret-123456" not in said
    assert ("token=None" in said) is not ("secret-123456" in f"{userdata}{environment}")


def test_only_packages_that_are_missing_or_too_old_are_installed() -> None:
    assert lacking(["requests>=2", "pydantic>=2.10"]) == []
    assert lacking(["no-such-package-of-anyone", "requests>=999"]) == [
        "no-such-package-of-anyone", "requests>=999"
    ]  # fmt: skip
