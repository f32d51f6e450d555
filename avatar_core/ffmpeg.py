"""Running ffmpeg as a child process: found once, killed when the work is cancelled."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from avatar_core.cancel import CancelToken
from avatar_core.children import child_options, leash, reader_gone
from avatar_core.errors import Cancelled, DiskFull, EnvironmentFault

_POLL_SECONDS = 0.1
_TAIL_CHARACTERS = 4000
# What Linux allows everybody.
_PIPE_BYTES = 1 << 20


class FfmpegError(Exception):
    """ffmpeg ended with a failure; ``tail`` is the end of what it printed."""

    def __init__(self, returncode: int, tail: str) -> None:
        last = tail.strip().splitlines()[-1] if tail.strip() else "no message"
        super().__init__(f"ffmpeg failed with exit status {returncode}: {last}")
        self.returncode = returncode
        self.tail = tail


@functools.cache
def ffmpeg_exe() -> str:
    """The path of ffmpeg: ``AVATAR_FFMPEG``, else the one that came with the package, else PATH."""
    chosen = os.environ.get("AVATAR_FFMPEG")
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise EnvironmentFault(
                f"AVATAR_FFMPEG names {chosen!r}, which is not a program.",
                advice="Correct it or unset it to use the ffmpeg that comes with the package.",
            )
        # Absolute, because it is run in other folders.
        return str(Path(found).absolute())
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        found = shutil.which("ffmpeg")
        if found is None:
            raise EnvironmentFault(
                "ffmpeg was not found.", advice="Install it, or set AVATAR_FFMPEG to its path."
            ) from None
        return found


@functools.cache
def ffmpeg_version() -> str:
    """What ``ffmpeg -version`` prints: part of the cache key of everything that ffmpeg encodes.

    Another build may draw another picture, and its stream cannot be joined to this one's by copy.
    """
    done = subprocess.run(
        [ffmpeg_exe(), "-version"], stdin=subprocess.DEVNULL, capture_output=True, **child_options()
    )
    if done.returncode:
        raise FfmpegError(done.returncode, done.stderr.decode("utf-8", "replace"))
    return bytes(done.stdout).decode("utf-8", "replace")


def run_ffmpeg(
    args: Sequence[str],
    *,
    cwd: Path | None = None,
    cancel: CancelToken | None = None,
    on_frame: Callable[[int], None] | None = None,
    feed: Iterable[bytes | memoryview] | None = None,
) -> str:
    """Run ffmpeg with ``args`` and return what it printed on its error stream.

    ``on_frame`` gets the number of frames written so far; ``feed`` is written to its standard
    input. Raises `FfmpegError`, `Cancelled` (the child is killed first, or not started at all),
    `DiskFull`.
    """
    token = cancel or CancelToken()
    token.check()
    command = [*leash(), ffmpeg_exe(), "-hide_banner", "-nostats", "-y"]
    command += ["-progress", "pipe:1", *args] if on_frame else [*args]
    process = subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.PIPE if feed is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **child_options(),
    )
    return _Supervisor(process, token, on_frame, feed).run()


class _Supervisor:
    """Reads both streams, feeds the input, and kills the child when the work is cancelled."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        cancel: CancelToken,
        on_frame: Callable[[int], None] | None,
        feed: Iterable[bytes | memoryview] | None,
    ) -> None:
        self._process = process
        self._cancel = cancel
        self._on_frame = on_frame
        self._feed = feed
        self._printed: list[bytes] = []
        self._frames: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._feed_failure: BaseException | None = None
        self._errors = threading.Thread(target=self._read_errors, daemon=True)

    def run(self) -> str:
        threads = [self._errors]
        threads.append(threading.Thread(target=self._read_progress, daemon=True))
        if self._feed is not None:
            threads.append(threading.Thread(target=self._write_input, daemon=True))
        for thread in threads:
            thread.start()
        try:
            self._wait()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            for thread in threads:
                thread.join(timeout=5)
        return self._result()

    def _wait(self) -> None:
        while not self._ended():
            if self._cancel.cancelled:
                raise Cancelled("cancelled")
            if self._feed_failure is not None:
                raise self._feed_failure
            self._report()
        self._report()

    def _ended(self) -> bool:
        # The error stream closes with the child. Waiting for the child alone would doze for up
        # to half a poll after its end, which is as long as composing a still takes.
        self._errors.join(_POLL_SECONDS)
        if self._errors.is_alive():
            return False
        try:
            self._process.wait(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _report(self) -> None:
        latest = None
        while not self._frames.empty():
            latest = self._frames.get()
        if latest is not None and self._on_frame is not None:
            self._on_frame(latest)

    def _result(self) -> str:
        printed = b"".join(self._printed).decode("utf-8", "replace")
        if self._feed_failure is not None and not isinstance(self._feed_failure, OSError):
            raise self._feed_failure
        if self._process.returncode == 0:
            return printed
        self._cancel.check()
        if "No space left on device" in printed:
            raise DiskFull
        raise FfmpegError(self._process.returncode, printed[-_TAIL_CHARACTERS:])

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            while chunk := stream.read1(65536):  # type: ignore[attr-defined]
                self._printed.append(chunk)
                # A broken input can make ffmpeg print without end: the tail is what counts.
                if len(self._printed) > 4096:
                    del self._printed[:2048]

    def _read_progress(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                if line.startswith(b"frame="):
                    with contextlib.suppress(ValueError):
                        self._frames.put(int(line[6:]))

    def _write_input(self) -> None:
        assert self._process.stdin is not None and self._feed is not None
        _widen(self._process.stdin.fileno())
        try:
            with self._process.stdin as stream:
                for chunk in self._feed:
                    stream.write(chunk)
        except BaseException as failure:
            # ffmpeg stopped reading: it has what it needs, or its own message says why.
            if not (isinstance(failure, OSError) and reader_gone(failure)):
                self._feed_failure = failure


def _widen(pipe: int) -> None:
    """Let the pipe hold a frame or two, where the system can (Linux does): whoever feeds frames
    then draws the next one instead of waiting for the last to be taken away."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, AttributeError, OSError):
        return
