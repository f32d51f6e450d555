"""How the command line starts: quickly, whatever plugins there are, and with what exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support_cli import avatar, environment, install_plugin

HEAVY = {"numpy", "av", "requests", "moviepy", "onnxruntime", "PIL", "ruamel", "pydantic_settings"}
COMMANDS = ("demo", "render", "check", "init", "schema", "backends", "doctor", "cache")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; from renderer.cli import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "renderer" in loaded
    assert loaded & HEAVY == set()


def test_help_lists_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    done = avatar("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)
    assert "130 cancelled" in done.stdout


def test_the_installed_command_is_the_same_as_the_module(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("avatar.exe" if sys.platform == "win32" else "avatar")
    if not script.exists():
        pytest.skip("the package is not installed with its script")
    done = subprocess.run(
        [script, "--help"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == avatar("--help", cwd=tmp_path).stdout


def test_no_command_shows_the_help_as_wrong_input(tmp_path: Path) -> None:
    done = avatar(cwd=tmp_path)
    assert done.returncode == 2
    assert "Usage: avatar" in done.stdout + done.stderr


def test_the_version_is_the_distributions(tmp_path: Path) -> None:
    from importlib.metadata import version

    done = avatar("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, version("avatar-core"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rendr"], "render"),
        (["render"], "SCRIPT"),
        (["render", "film.yaml", "--bakend", "static"], "--backend"),
        (["render", "film.yaml", "--workers", "0"], "--workers"),
        (["render", "film.yaml", "--workers", "many"], "--workers"),
    ],
)
def test_a_wrong_command_line_is_wrong_input(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = avatar(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import a_package_that_nobody_has",
        "raise SystemExit(7)",
        "def broken(:",
        "print('hello from a plugin')\n1 / 0",
        "import avatar_core\n@avatar_core.hookimpl\ndef register_commands(cli): cli.nonsense()",
        "import avatar_core\n@avatar_core.hookimpl\ndef register_comands(cli): pass",
    ],
)
def test_a_broken_plugin_never_breaks_the_help(tmp_path: Path, code: str) -> None:
    env = install_plugin(tmp_path / "site", "faulty", code)
    done = avatar("--help", cwd=tmp_path, env=env)
    assert done.returncode == 0
    assert "doctor" in done.stdout
    assert "hello" not in done.stdout


GREETER = """
    import typer
    from avatar_core import InputError, hookimpl

    @hookimpl
    def register_commands(cli):
        @cli.command()
        def greet(how: str):
            "Say something friendly."
            if how == "wrongly":
                raise InputError("There is no such greeting.", advice="Say hello.")
            if how == "badly":
                raise ZeroDivisionError("a secret fault")
            if how == "typer":
                raise typer.BadParameter("not that one")
            print("Good day")
"""


@pytest.fixture
def greeter(tmp_path: Path) -> dict[str, str]:
    return install_plugin(tmp_path / "site", "greeter", GREETER)


def test_a_plugins_command_is_listed_and_runs(tmp_path: Path, greeter: dict[str, str]) -> None:
    assert "Say something friendly." in avatar("--help", cwd=tmp_path, env=greeter).stdout
    done = avatar("greet", "well", cwd=tmp_path, env=greeter)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Good day\n", "")


def test_a_users_mistake_in_any_command_is_one_sentence_and_exit_code_2(
    tmp_path: Path, greeter: dict[str, str]
) -> None:
    done = avatar("greet", "wrongly", cwd=tmp_path, env=greeter)
    assert done.returncode == 2
    assert done.stderr == "There is no such greeting. Say hello.\n"


def test_typers_own_refusals_look_as_typer_shows_them(
    tmp_path: Path, greeter: dict[str, str]
) -> None:
    done = avatar("greet", "typer", cwd=tmp_path, env=greeter)
    assert done.returncode == 2
    assert "not that one" in done.stderr


def test_a_bug_is_told_without_a_traceback_and_keeps_it_in_a_file(
    tmp_path: Path, greeter: dict[str, str]
) -> None:
    done = avatar("greet", "badly", cwd=tmp_path, env=greeter)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError: a secret fault" in done.stderr
    assert "report" in done.stderr
    (log,) = (tmp_path / "cache" / "logs").iterdir()
    assert str(log) in done.stderr
    assert 'raise ZeroDivisionError("a secret fault")' in log.read_text(encoding="utf-8")


def test_avatar_debug_shows_the_traceback_at_once(tmp_path: Path, greeter: dict[str, str]) -> None:
    done = avatar("greet", "badly", cwd=tmp_path, env={**greeter, "AVATAR_DEBUG": "1"})
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe closed early ends a program there")
def test_a_reader_that_goes_away_is_no_bug(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "renderer", "--help"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read().decode()
    assert "bug" not in complaint
    assert "Traceback" not in complaint


CLASHING = """
from avatar_core import hookimpl

@hookimpl
def register_commands(cli):
    @cli.command()
    def render() -> None: ...
"""


def test_a_command_that_takes_anothers_name_is_left_out_aloud(tmp_path: Path) -> None:
    done = avatar("--help", cwd=tmp_path, env=install_plugin(tmp_path / "site", "clash", CLASHING))
    assert done.returncode == 0
    assert "'render' exists already" in done.stderr
