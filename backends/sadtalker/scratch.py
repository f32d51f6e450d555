"""Places for a run: a folder that any program can name, and an engine's own folder left clean."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

# Engines put names into shell commands in double quotes, and OpenCV opens no other letters on
# Windows.
_PLAIN = re.compile(r"[\w./:\\ ()+,=@~-]+", re.ASCII)
# File systems keep times by steps of up to two seconds.
_CLOCK_SLACK = 2.0
_lock = threading.Lock()
_running: dict[Path, list[float]] = {}


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
    since 1970), once no other run of this process works there."""
    key = root.resolve()
    with _lock:
        _running.setdefault(key, []).append(now)
    try:
        yield
    finally:
        with _lock:
            begun = _running[key]
            oldest = min(begun)
            # While others run, the file may be theirs: then the last one takes care of it.
            if len(begun) == 1:
                del _running[key]
                _sweep(key, pattern, oldest)
            else:
                begun.remove(max(begun))


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
