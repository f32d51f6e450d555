"""Children: where ffmpeg is found, how it is cancelled, and that it ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_core.cancel import CancelToken
from avatar_core.children import leash
from avatar_core.errors import Cancelled
from avatar_core.ffmpeg import FfmpegError, ffmpeg_exe, run_ffmpeg

ENDLESS = ["-v", "error", "-re", "-f", "lavfi", "-i", "color=size=16x16", "-f", "null", "-"]
PROGRAM = f"from avatar_core.ffmpeg import run_ffmpeg; run_ffmpeg({ENDLESS!r})"


def until(condition: object, seconds: float = 60.0) -> bool:
    """Whether ``condition()`` came true in time."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        pause.wait(0.02)
    return False


def children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


@pytest.mark.skipif(not leash(), reason="the platform has no death signal")
def test_when_the_program_is_killed_its_children_die() -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM])
    try:
        assert until(lambda: is_ffmpeg(children(program.pid)))
        (child,) = children(program.pid)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    assert until(lambda: not is_running(child))


def is_ffmpeg(pids: list[int]) -> bool:
    """Whether the one child has become ffmpeg: before, it is not yet on its leash."""
    try:
        names = [Path(f"/proc/{pid}/exe").readlink().name for pid in pids]
    except OSError:
        return False
    return names == [Path(ffmpeg_exe()).resolve().name]


def test_a_relative_path_of_ffmpeg_holds_in_every_folder(tmp_path: Path) -> None:
    (tmp_path / "tool").symlink_to(ffmpeg_exe())
    (tmp_path / "elsewhere").mkdir()
    program = (
        "from pathlib import Path; from avatar_core.ffmpeg import run_ffmpeg; "
        "run_ffmpeg(['-version'], cwd=Path('elsewhere'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "AVATAR_FFMPEG": "./tool"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_a_cancelled_child_is_killed() -> None:
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    with pytest.raises(Cancelled):
        run_ffmpeg(ENDLESS, cancel=token)


def test_a_child_of_work_that_was_cancelled_before_is_not_started(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    made = tmp_path / "made.txt"
    with pytest.raises(Cancelled):
        run_ffmpeg(
            ["-f", "lavfi", "-i", "nullsrc=d=0.04", "-f", "framecrc", str(made)], cancel=token
        )
    assert not made.exists()


def test_a_child_that_fails_after_the_work_was_cancelled_is_no_failure() -> None:
    token = CancelToken()

    def cancel_and_end() -> Iterator[bytes]:
        token.cancel()
        yield b"this is no sound"

    with pytest.raises(Cancelled):
        run_ffmpeg(
            ["-v", "error", "-i", "pipe:0", "-f", "null", "-"], cancel=token, feed=cancel_and_end()
        )


def test_a_failure_tells_what_ffmpeg_said() -> None:
    with pytest.raises(FfmpegError, match="No such file") as caught:
        run_ffmpeg(["-v", "error", "-i", "file:missing.mp4", "-f", "null", "-"])
    assert "missing.mp4" in caught.value.tail
