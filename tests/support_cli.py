"""The real command line in a process of its own, and real plugins to install beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from support_processes import Process

CONTROLS = "\x1b\r\x08\x07"


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a machine on which nothing is configured, caches in ``home``."""
    ours = ("AVATAR_", "COLAB_API_URL", "DID_API_", "FORCE_COLOR", "TERMINAL_WIDTH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "AVATAR_CACHE_DIR": str(home / "cache"), "COLUMNS": "160", **(extra or {})}


def avatar(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m renderer`` in ``cwd`` and wait for its end."""
    variables = environment(cwd, env)
    if sys.platform == "linux" and not _starts_otherwise(env or {}):
        process = Process(_main, arguments, variables, cwd)
        try:
            printed, said = process.communicate(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.wait(), printed, said)
    return subprocess.run(
        [sys.executable, "-m", "renderer", *arguments],
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def _starts_otherwise(env: Mapping[str, str]) -> bool:
    """Whether Python itself would look at one of these when it starts."""
    told = ("PYTHON", "LC_", "LANG")
    return any(name.startswith(told) and name != "PYTHONPATH" for name in env)


def _main(arguments: list[str]) -> None:
    from renderer.cli import main

    sys.exit(main(arguments))


@dataclass(frozen=True)
class Here:
    """The same command line within this process: quick, for long tables of cases."""

    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        from renderer.cli import main

        with self.monkeypatch.context() as patch:
            patch.chdir(cwd)
            for name in set(os.environ) - set(environment(cwd)):
                patch.delenv(name)
            for name, value in environment(cwd).items():
                patch.setenv(name, value)
            self.capture.readouterr()
            code = main(arguments)
        printed = self.capture.readouterr()
        return subprocess.CompletedProcess(arguments, code, printed.out, printed.err)


def install_plugin(folder: Path, name: str, code: str) -> dict[str, str]:
    """Install a plugin ``name`` made of ``code`` into ``folder``; returns what makes it visible."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{name}_plugin.py").write_text(dedent(code), encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[avatar_core]\n{name} = {name}_plugin\n")
    return {"PYTHONPATH": str(folder)}
