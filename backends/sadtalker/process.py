"""A child process with everything it starts: begun in a group of its own, ended as a group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from avatar_core.children import child_options, leash

_TASKKILL_SECONDS = 10


def start(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Both output streams are pipes, and there is no input. Raises `OSError`."""
    return subprocess.Popen(
        [*leash(), *command],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        **child_options(),
    )


def end(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ask the whole group to end, and kill what is left of it after ``grace`` seconds.

    The group outlives its leader: a shell or an ffmpeg that it started is killed as well.
    """
    if os.name == "posix":
        _end_group(process, grace)
    else:
        _end_tree(process)
    process.wait()


def _end_group(process: subprocess.Popen[bytes], grace: float) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(leader: int, number: int) -> None:
    # Nobody is left, or (on macOS) only what has ended already.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _end_tree(process: subprocess.Popen[bytes]) -> None:
    """Windows knows no signal to a group that every program obeys."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(process.pid)],
            capture_output=True,
            timeout=_TASKKILL_SECONDS,
            check=False,
        )
    process.kill()
