"""The files of an engine's networks: which are there, whole, and fetching the others."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import EnvironmentFault
from backends.colab.setup.download import Fetcher, Source
from backends.colab.setup.environment import Tell
from backends.sadtalker.engine import Weight

# What must stay free for the jobs themselves.
_SPARE_BYTES = 1_000_000_000
_NEWS_SECONDS = 5.0


def is_whole(root: Path, weight: Weight) -> bool:
    """Whether the file is there with its exact size; a truncated one crashes the engine late."""
    path = root / weight.path
    if not path.is_file():
        return False
    size = path.stat().st_size
    return size > 0 if weight.bytes is None else size == weight.bytes


def fetch_weights(
    weights: Sequence[Weight],
    root: Path,
    tell: Tell,
    *,
    fetcher: Fetcher | None = None,
    clock: Clock | None = None,
) -> None:
    """Download what is missing or not whole. Raises `EnvironmentFault` and `DiskFull`."""
    lacking = [weight for weight in weights if not is_whole(root, weight)]
    tell(f"Weights: {len(weights) - len(lacking)} of {len(weights)} are there and whole.")
    _require_room(root, lacking)
    clock = clock or SystemClock()
    fetcher = fetcher or Fetcher(clock=clock)
    for number, weight in enumerate(lacking, 1):
        name = Path(weight.path).name
        if not weight.url:
            raise EnvironmentFault(
                f"{name} is missing and nothing says where to get it.",
                advice=f"Put it into {root / weight.path}",
            )
        size = f", {_mb(weight.bytes)}" if weight.bytes else ""
        tell(f"  {number} of {len(lacking)}: {name}{size}")
        source = Source(weight.url, weight.bytes, weight.sha256)
        fetcher.fetch(source, root / weight.path, _Ticker(tell, clock))


def _require_room(root: Path, lacking: Iterable[Weight]) -> None:
    wanted = sum(weight.bytes or 0 for weight in lacking)
    if not wanted:
        return
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if free < wanted + _SPARE_BYTES:
        raise EnvironmentFault(
            f"The weights need {_mb(wanted)} and the disk has {_mb(free)} left.",
            advice="On Colab: Runtime > Disconnect and delete runtime, then begin anew. Elsewhere: "
            "free some space.",
        )


class _Ticker:
    """Says now and then how far a download is."""

    def __init__(self, tell: Tell, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._last = clock()

    def __call__(self, done: int, total: int | None) -> None:
        now = self._clock()
        if now - self._last >= _NEWS_SECONDS:
            self._last = now
            self._tell(f"     {_mb(done)}" + (f" of {_mb(total)}" if total else ""))


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
