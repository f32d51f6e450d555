"""Places for a run: a folder that any program can name, and an engine's own folder left clean."""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

# Engines put names into shell commands in double quotes, and OpenCV opens no other letters on
# Windows.
_PLAIN = re.compile(r"[\w./:\\ ()+,=@~-]+", re.ASCII)
# File systems keep times by steps of up to two seconds.
_CLOCK_SLACK = 2.0
_lock = threading.Lock()
_running: dict[Path, list[float]] = {}
# Held in the engine's folder while runs of this process are at work there.
_flags: dict[Path, FileLock] = {}
_FLAG = ".avatar-run-"


@contextlib.contextmanager
def plain_folder(folder: Path) -> Iterator[Path]:
    """A new, empty folder that is gone afterwards: inside ``folder``, or among the temporary
    files where the way to it holds letters that engines trip over."""
    parent = folder.absolute()
    if _PLAIN.fullmatch(str(parent)) is None:
        parent = Path(tempfile.gettempdir())
    made = Path(tempfile.mkdtemp(prefix="engine-", dir=parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def swept(root: Path, pattern: str, now: float) -> Iterator[None]:
    """Remove what was left in ``root`` under names that match ``pattern`` since ``now`` (seconds
    since 1970), once no other run works there, of this process or of another; and what processes
    left that were killed there."""
    key = root.resolve()
    with _lock:
        _running.setdefault(key, []).append(now)
        if pattern and key not in _flags:
            _raise_flag(key, now)
    try:
        yield
    finally:
        with _lock:
            begun = _running[key]
            oldest = min(begun)
            # While others run, the file may be theirs: then the last one takes care of it.
            if len(begun) == 1:
                del _running[key]
                _lower_flag(key)
                died = _died_since(key)
                if died is not None:
                    _sweep(key, pattern, min(oldest, died))
            else:
                begun.remove(max(begun))


def _raise_flag(root: Path, now: float) -> None:
    # Where nothing can be written, the engine has more to complain of than this; and some network
    # drives know no locks.
    with contextlib.suppress(OSError, NotImplementedError):
        flag = FileLock(root / f"{_FLAG}{now:.0f}-{uuid.uuid4().hex}", thread_local=False)
        flag.acquire(blocking=False)
        _flags[root] = flag


def _lower_flag(root: Path) -> None:
    flag = _flags.pop(root, None)
    if flag is not None:
        with contextlib.suppress(OSError):
            flag.release()
            Path(flag.lock_file).unlink(missing_ok=True)


def _died_since(root: Path) -> float | None:
    """When the first of the processes that died at work there began, infinite where none did; their
    flags are taken down. None while another process is at work."""
    since = math.inf
    for path in sorted(root.glob(f"{_FLAG}*")):
        try:
            with FileLock(path, blocking=False):
                since = min(since, float(path.name.removeprefix(_FLAG).partition("-")[0]))
            path.unlink(missing_ok=True)
        except Timeout:
            return None
        except (OSError, NotImplementedError, ValueError):
            continue
    return since


def _sweep(root: Path, pattern: str, since: float) -> None:
    if not pattern:
        return
    name = re.compile(pattern)
    with contextlib.suppress(OSError):
        for path in root.iterdir():
            with contextlib.suppress(OSError):
                fresh = path.stat().st_mtime >= since - _CLOCK_SLACK
                if fresh and path.is_file() and name.fullmatch(path.name):
                    path.unlink()
