"""What the cells call: steps that tell a failure in words, the server beside them, its tunnels."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from avatar_core.errors import EnvironmentFault, InputError
from avatar_core.testing import VirtualClock
from backends.colab.config import ColabOptions
from backends.colab.server.serving import ServeOptions, Serving, _greeting
from backends.colab.setup.download import Fetcher
from backends.colab.setup.hosting import Hosting, provide_cloudflared, require_ngrok_token
from backends.colab.setup.notebook import Notebook
from support_films import draw_portrait, write_tone
from support_range_server import RangeServer
from support_sadtalker import alive, argument, behave, calls, install

linux_only = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="fetched there only"
)
PROGRAM = b"#!/bin/sh\necho cloudflared\n"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def hosting(tmp_path: Path, said: list[str]) -> Hosting:
    options = ServeOptions(root=install(tmp_path / "SadTalker"), python=Path(sys.executable))
    return Hosting(options, tmp_path / "jobs", said.append)


@pytest.mark.parametrize(
    ("tunnel", "says"),
    [("ngrock", "Did you mean 'ngrok'"), ("carrier pigeon", "Known: cloudflared, ngrok, none")],
)
def test_a_tunnel_that_does_not_exist_is_told_before_anything_starts(
    tunnel: str, says: str, hosting: Hosting, said: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        hosting.start(tunnel, port=0, without_gpu=True)
    assert says in str(refused.value)
    hosting.report()
    assert said == ["The server is not running. Run cell 5."]


def test_another_object_for_the_same_folder_knows_the_server_that_runs(
    hosting: Hosting, said: list[str], tmp_path: Path
) -> None:
    first = hosting.start("none", port=0, without_gpu=True)
    other = Hosting(ServeOptions(root=tmp_path / "SadTalker"), tmp_path / "jobs", said.append)
    try:
        other.report()
        assert said[0].startswith("Running: 0, waiting: 0")
        second = other.start("none", port=0, without_gpu=True)
        assert first.partition("@")[0] == second.partition("@")[0]
    finally:
        other.stop()
    hosting.report()
    assert said[-1] == "The server is not running. Run cell 5."


def test_a_server_for_the_network_says_what_to_write_in_place_of_its_address(
    tmp_path: Path,
) -> None:
    root, everywhere = install(tmp_path / "SadTalker"), "0.0.0.0"  # noqa: S104
    options = ServeOptions(root=root, python=Path(sys.executable), folder=tmp_path / "jobs",
                           host=everywhere, port=0, without_gpu=True)  # fmt: skip
    serving = Serving(options, print)
    try:
        serving.start()
        told = "\n".join(_greeting(serving, options))
    finally:
        serving.stop()
    assert "write this one's name or number in place of 0.0.0.0" in told


def test_ngrok_without_a_token_is_told_with_the_way_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    with pytest.raises(InputError) as refused:
        require_ngrok_token()
    assert "dashboard.ngrok.com" in str(refused.value)
    assert "cloudflared" in str(refused.value)
    monkeypatch.setenv("NGROK_AUTHTOKEN", "a-token-of-somebody")
    require_ngrok_token()


@linux_only
def test_cloudflared_is_fetched_once_where_it_is_missing_and_then_found(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with RangeServer({"/cloudflared": PROGRAM}) as server:
        for _ in range(2):
            provide_cloudflared(tmp_path / "tools", said.append, url=f"{server.url}/cloudflared")
        assert len(server.asked) == 1
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + "/bin")
    assert (
        subprocess.run(["cloudflared"], capture_output=True, check=True).stdout == b"cloudflared\n"
    )


@linux_only
def test_a_cloudflared_that_cannot_be_fetched_is_told(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with RangeServer({}) as server, pytest.raises(EnvironmentFault, match="HTTP 404"):
        provide_cloudflared(tmp_path, said.append, url=f"{server.url}/cloudflared",
                            fetcher=Fetcher(clock=VirtualClock()))  # fmt: skip
    assert not (tmp_path / "cloudflared").exists()


# -- the steps


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return install(tmp_path / "SadTalker")


@pytest.fixture
def notebook(root: Path, tmp_path: Path) -> Notebook:
    draw_portrait(tmp_path / "lan.png")
    write_tone(tmp_path / "hello.wav")
    return Notebook(tmp_path, sadtalker=str(root), python=sys.executable)


def test_a_clip_that_cannot_be_made_is_told_with_the_engines_last_lines_and_the_next_step(
    notebook: Notebook, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behave(root, "noface_crop")
    notebook.try_out(str(tmp_path / "lan.png"), str(tmp_path / "hello.wav"))
    said = capsys.readouterr().out
    assert "This did not work: " in said
    assert "face" in said.partition("This did not work: ")[2].splitlines()[0]
    assert "The last lines of the engine:" in said
    assert "\nWhat to do: " in said
    assert "avatar docs colab" in said
    assert list((tmp_path / "avatar" / "trials").iterdir()) == []


def test_a_clip_is_made_with_the_options_that_were_set_and_nothing_is_left_beside_it(
    notebook: Notebook, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.set_options(preprocess="full", enhancer="RestoreFormer")
    for _ in range(2):
        notebook.try_out(str(tmp_path / "lan.png"), str(tmp_path / "hello.wav"))
    assert [argument(call, "preprocess") for call in calls(root)] == ["full", "full"]
    assert [path.name for path in (tmp_path / "avatar" / "trials").iterdir()] == ["clip.mp4"]
    assert capsys.readouterr().out.count("Made ") == 2


@pytest.mark.parametrize(
    ("picture", "sound", "says"),
    [("nobody.png", "", "There is no picture 'nobody.png'"),
     ("", "", "The example picture of SadTalker is not there"),
     ("lan.png", "nothing.wav", "There is no sound 'nothing.wav'")],
)  # fmt: skip
def test_a_file_that_is_not_there_is_told_with_where_to_put_it(
    picture: str, sound: str, says: str, notebook: Notebook, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    notebook.try_out(picture, sound)
    said = capsys.readouterr().out
    assert says in said
    assert "What to do: " in said


def test_a_name_may_be_pasted_with_its_quotes(
    notebook: Notebook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.try_out(f'"{tmp_path / "lan.png"}"', f" '{tmp_path / 'hello.wav'}' ")
    assert "Made " in capsys.readouterr().out


def test_a_file_of_a_drive_that_is_not_mounted_is_told_with_how_to_mount_it(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.try_out("/content/drive/MyDrive/lan.png")
    assert "What to do: Google Drive is not mounted: click Mount Drive" in capsys.readouterr().out


def test_without_a_gpu_nothing_is_downloaded_unless_that_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    Notebook(tmp_path).set_up()
    said = capsys.readouterr().out
    assert "This machine has no NVIDIA GPU. Nothing was installed." in said
    assert "Change runtime type > T4 GPU" in said and "WITHOUT_GPU" in said
    assert list(tmp_path.iterdir()) == []


def test_an_installation_that_is_not_where_it_was_said_is_told_by_the_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = Notebook(tmp_path, sadtalker=str(tmp_path / "nothing"))
    notebook.set_up()
    notebook.serve("none", port=0)
    said = capsys.readouterr().out
    assert "does not exist.\nWhat to do: Correct SADTALKER and PYTHON in this cell" in said
    assert "SADTALKER in cell 1" in said
    assert "--" not in said


def test_a_server_that_cannot_work_yet_says_so_below_its_line(
    notebook: Notebook, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    notebook.serve("none", port=0)
    notebook.news()
    said = capsys.readouterr().out
    assert "But it cannot make clips yet: This machine shows no NVIDIA GPU." in said
    assert said.index("COLAB_API_URL=") < said.index("But it cannot")
    assert "tick WITHOUT_GPU in cell 1" in said.partition("Not ready: ")[2]
    assert "--without-gpu" not in said


@pytest.mark.parametrize("port", [70_000, -5])
def test_a_number_that_is_no_port_is_told_before_anything_starts(
    port: int, notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.serve("none", port=port)
    assert f"{port} is no port." in capsys.readouterr().out


def test_what_the_machine_refuses_is_told_and_no_traceback(
    notebook: Notebook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "avatar").write_text("a file where a folder should be")
    notebook.try_out(str(tmp_path / "lan.png"), str(tmp_path / "hello.wav"))
    said = capsys.readouterr().out
    assert "This did not work: " in said and "What to do: " in said


@pytest.mark.parametrize(
    ("options", "says"),
    [({"size": 300}, "size: "), ({"pose_style": 46}, "pose_style: It should be 45 or less."),
     ({"enhancer": "codeformer"}, "enhancer: "), ({"smile": True}, "smile: ")],
)  # fmt: skip
def test_options_that_do_not_exist_are_told_and_not_taken(
    options: dict[str, object], says: str, notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.set_options(**options)
    said = capsys.readouterr().out
    assert says in said
    assert "[backends.colab]" not in said


def test_the_lines_for_the_settings_are_settings(
    notebook: Notebook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.set_options(preprocess="full", still=False, size=512, expression_scale=1.5)
    table = capsys.readouterr().out.partition("\n[backends.colab]\n")[2]
    assert tomllib.loads(table) == {
        "preprocess": "full", "still": False, "size": 512, "expression_scale": 1.5
    }  # fmt: skip
    assert ColabOptions(**tomllib.loads(table)).preprocess == "full"


@pytest.mark.skipif(os.name != "posix", reason="signals to a thread")
def test_an_interrupted_step_says_that_it_can_be_run_again(
    notebook: Notebook, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behave(root, "hang")
    main, pause = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        while not calls(root):
            pause.wait(0.02)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    notebook.try_out(str(tmp_path / "lan.png"), str(tmp_path / "hello.wav"))
    assert "Stopped. Run the cell again" in capsys.readouterr().out
    assert not alive(calls(root)[0]["pid"])
