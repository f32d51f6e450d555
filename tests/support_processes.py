"""Processes that begin with the program imported: a new process in all but what starting Python and
importing everything costs, a second of a busy core."""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

# What most of them would import; importing it does nothing else.
_COMMON = (
    "renderer.renderer",
    "renderer.cli.commands",
    "rich.progress",
    "avatar_core.http_wire",
    "backends.static.backend",
    "support_paid_driver",
)


class Process:
    """``work(arguments)`` under way, to be used as `subprocess.Popen` is. POSIX only."""

    def __init__(
        self,
        work: Callable[[list[str]], None],
        arguments: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
    ) -> None:
        self._printed = tempfile.NamedTemporaryFile()  # noqa: SIM115 (it outlives this call)
        self._said = tempfile.NamedTemporaryFile()  # noqa: SIM115
        names = self._printed.name, self._said.name
        self._process = _nursery().Process(
            target=_live, args=(work, list(arguments), dict(env), str(cwd), names), daemon=True
        )
        self._process.start()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired("a process", timeout or 0.0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it printed and said, for everyone who asks."""
        self.wait(timeout)
        printed, said = (Path(file.name) for file in (self._printed, self._said))
        return printed.read_text(encoding="utf-8"), said.read_text(encoding="utf-8")


@functools.cache
def _nursery() -> Any:
    # Elsewhere than on Linux, libraries that were imported may not survive a fork.
    context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    context.set_forkserver_preload(list(_COMMON))
    return context


def _live(
    work: Callable[[list[str]], None],
    arguments: list[str],
    env: dict[str, str],
    cwd: str,
    names: tuple[str, str],
) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in zip((1, 2), names, strict=True):
        os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (until the process ends)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    importlib.invalidate_caches()
    work(arguments)
