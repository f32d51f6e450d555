"""Films that a paid service presents, and what must be true of the folders after any of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av

from renderer.renderer import SmartVideoRenderer
from renderer.result import RenderResult
from renderer.script.models import VideoScript
from support_paid_backend import PaidOptions, PaidServiceBackend
from support_paid_service import Account
from support_policy import LeapingClock

# Nothing here is worth waiting for, and what the user reads about a film is tested elsewhere. A
# busy machine may leave a check unanswered for a while.
QUICK: dict[str, Any] = {"retry.delay": 0, "report": False, "deadline.check": 100}


class UntilStruck(LeapingClock):
    """The computer's clock, by which all time is up as soon as a fault of ``account`` strikes."""

    def __init__(self, account: Account) -> None:
        super().__init__(1000)
        self._account = account

    def __call__(self) -> float:
        if not self.time_is_up.is_set() and self._account.struck:
            self.time_is_up.set()
        return super().__call__()


def render_paid(
    account: Account, film: VideoScript, folder: Path, *, hasty: bool = False, **settings: Any
) -> RenderResult:
    """Render ``film`` to ``out/film.mp4`` with the chain paid -> static, as a new process would.

    ``hasty``: the backend waits no longer once a fault has struck that keeps it waiting.
    """
    clock = UntilStruck(account) if hasty else None
    backend = PaidServiceBackend(PaidOptions(url=account.url, token=account.token), clock)
    overrides = {**QUICK, "cache_dir": str(folder / "cache"), **settings}
    try:
        with SmartVideoRenderer(backend, overrides=overrides) as renderer:
            return renderer.render(film, folder / "out" / "film.mp4")
    finally:
        backend.close()


def by_paid(result: RenderResult) -> list[bool]:
    """Which scenes are animated."""
    return [scene.backend == "paid" for scene in result.scenes]


def frames_of(film: Path) -> int:
    """How many frames a film shows, each of them decoded; a torn file raises."""
    with av.open(str(film)) as container:
        for _ in container.decode(audio=0):
            pass
    with av.open(str(film)) as container:
        return sum(1 for _ in container.decode(video=0))


def journal(cache: Path) -> list[Path]:
    """The files of the journal, unfinished ones too."""
    return [path for path in cache.glob("v*/journal/**/*") if path.is_file()]


def half_written(folder: Path) -> list[str]:
    """What a finished render must not leave: drafts, parts, artifacts without a note or whole."""
    cache, out = folder / "cache", folder / "out"
    bad = [path for path in cache.glob("v*/tmp/*/*") if path.name != "owner.lock"]
    bad += [path for path in out.iterdir() if path.suffix not in (".mp4", ".srt", ".vtt")]
    bad += [path for path in journal(cache) if path.suffix != ".json"]
    kinds = [kind for kind in cache.glob("v*/*") if kind.name not in ("tmp", "locks", "journal")]
    files = [path for kind in kinds for path in kind.rglob("*") if path.is_file()]
    notes = [path for path in files if path.suffix == ".json"]
    whole = set(notes)
    for note in notes:
        content = json.loads(note.read_text(encoding="utf-8"))
        file = note.with_name(content["file"])
        if file.is_file() and file.stat().st_size == content["bytes"]:
            whole.add(file)
        else:
            bad.append(note)
    bad += [path for path in files if path not in whole]
    return sorted(str(path.relative_to(folder)) for path in bad)
