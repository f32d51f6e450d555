"""From a plan of the film's sound to the one finished WAV."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from avatar_core.cancel import CancelToken
from renderer.audio.loudness import master
from renderer.audio.mixing import Track, chunks, tracks_of
from renderer.audio.plan import SoundFacts, SoundPlan


def build_master(
    plan: SoundPlan,
    target: Path,
    work_dir: Path,
    *,
    cancel: CancelToken | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> SoundFacts:
    """Mix the film's sound into ``target``: PCM s16le, stereo, 48 kHz, exactly the film's length.

    The same plan gives the same bytes. Works in pieces: memory does not grow with the film.
    ``on_progress`` gets a share from 0 to 1. ``target`` appears whole or not at all. Raises
    `InputError` for music or an effect that cannot be decoded.
    """
    token = cancel or CancelToken()
    report = _Progress(plan.samples, on_progress)
    tracks = tracks_of(plan, work_dir, token)
    draft = target.with_name(f"{target.name}.part")
    try:
        measured, gain = master(
            lambda: _fed(tracks, plan.samples, token, report),
            plan.samples,
            plan.loudness,
            draft,
            token,
        )
        os.replace(draft, target)
    finally:
        for track in tracks:
            track.source.close()
        draft.unlink(missing_ok=True)
    report.done()
    return SoundFacts(measured.loudness, measured.peak, round(gain, 2))


def _fed(
    tracks: list[Track], samples: int, cancel: CancelToken, report: _Progress
) -> Iterator[bytes]:
    for chunk in chunks(tracks, samples, cancel):
        yield chunk.tobytes()
        report.add(len(chunk))


class _Progress:
    """Passes are not known beforehand: each covers half of what is left."""

    def __init__(self, samples: int, listener: Callable[[float], None] | None) -> None:
        self._samples = samples
        self._listener = listener
        self._done = 0

    def add(self, samples: int) -> None:
        self._done += samples
        passes, part = divmod(self._done, self._samples)
        self._tell(1 - 0.5**passes * (1 - 0.5 * part / self._samples))

    def done(self) -> None:
        self._tell(1.0)

    def _tell(self, share: float) -> None:
        if self._listener is not None:
            self._listener(share)
