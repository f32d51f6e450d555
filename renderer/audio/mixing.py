"""The mix in pieces of a second or so: narration, effects and ducked music, summed in float."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar_core.cancel import CancelToken
from renderer.audio.ducking import GainCurve, gain_curve
from renderer.audio.plan import RATE, SoundPlan
from renderer.audio.sources import Loop, Samples, WavReader, channels_of, decode, is_plain
from renderer.script.models import Music

_CHUNK = RATE


@dataclass(frozen=True, slots=True)
class Track:
    """A sound from sample ``start`` to sample ``end`` of the film."""

    start: int
    end: int
    source: WavReader | Loop
    volume: float = 1.0
    fade_in: int = 0
    fade_out: int = 0
    gain: GainCurve | None = None

    def add_to(self, mix: Samples, at: int) -> None:
        """Add what of this track falls into ``mix``, which begins at sample ``at``."""
        first, last = max(at, self.start), min(at + len(mix), self.end)
        if first >= last:
            return
        part = self.source.read(first - self.start, last - first) * np.float32(self.volume)
        if self.fade_in or self.fade_out:
            part *= self._fades(first, last)
        if self.gain is not None:
            part *= self.gain.at(first, last - first)
        mix[first - at : last - at] += part

    def _fades(self, first: int, last: int) -> Samples:
        where = np.arange(first, last, dtype=np.float64)
        rise = (where - self.start) / max(1, self.fade_in)
        fall = (self.end - where) / max(1, self.fade_out)
        return np.clip(np.minimum(rise, fall), 0, 1)[:, None].astype(np.float32)


def tracks_of(plan: SoundPlan, work_dir: Path, cancel: CancelToken) -> list[Track]:
    """Everything that sounds in the film, decoded into ``work_dir`` where that is needed."""
    tracks = list(_narration(plan, work_dir, cancel))
    spoken = [(t.start, t.end - t.start, t.source) for t in tracks]
    tracks += _effects(plan, work_dir, cancel)
    if plan.music is not None:
        music = _music(plan, plan.music, work_dir, cancel, spoken)
        tracks += [music] if music is not None else []
    return tracks


def chunks(tracks: Sequence[Track], samples: int, cancel: CancelToken) -> Iterator[Samples]:
    """The mix from the first to the last sample, in pieces of shape (n, 2); may exceed 1.0."""
    waiting = sorted(tracks, key=lambda track: track.start, reverse=True)
    playing: list[Track] = []
    for at in range(0, samples, _CHUNK):
        cancel.check()
        mix = np.zeros((min(_CHUNK, samples - at), 2), np.float32)
        while waiting and waiting[-1].start < at + len(mix):
            playing.append(waiting.pop())
        for track in playing:
            track.add_to(mix, at)
        yield mix
        playing = list(_going_on(playing, at + len(mix)))


def _going_on(playing: Sequence[Track], at: int) -> Iterator[Track]:
    """The tracks that last beyond ``at``; the files of the others are closed."""
    for track in playing:
        if track.end > at:
            yield track
        else:
            track.source.close()


def _narration(plan: SoundPlan, work_dir: Path, cancel: CancelToken) -> Iterator[Track]:
    for i, placed in enumerate(plan.narration):
        start, end = _span(plan, placed.start_frame, placed.frames)
        path = placed.path
        if not is_plain(path):
            target = work_dir / f"narration{i}.wav"
            path = decode(path, target, end - start, cancel, key=f"narration[{i}]")
        reader = WavReader(path)
        yield Track(start, min(end, start + reader.samples), reader)


def _effects(plan: SoundPlan, work_dir: Path, cancel: CancelToken) -> Iterator[Track]:
    for i, effect in enumerate(plan.effects):
        start, end = _span(plan, effect.start_frame, effect.frames)
        # Most background videos have no sound: they are simply silent.
        if effect.volume <= 0 or start >= end or not channels_of(effect.path):
            continue
        target = work_dir / f"effect{i}.wav"
        reader = WavReader(
            decode(effect.path, target, end - start, cancel, key="background.volume")
        )
        yield _looped(start, end, reader, effect.loop, effect.volume)


def _music(
    plan: SoundPlan,
    music: Music,
    work_dir: Path,
    cancel: CancelToken,
    spoken: Sequence[tuple[int, int, WavReader | Loop]],
) -> Track | None:
    last = plan.frames if plan.music_to is None else min(plan.frames, plan.music_to)
    start, end = _span(plan, plan.music_from, last - plan.music_from)
    path = decode(music.src, work_dir / "music.wav", max(1, end - start), cancel, key="music.src")
    track = _looped(start, end, WavReader(path), music.loop, music.volume)
    if track.start >= track.end:
        return None
    curve = None
    if music.ducking is not None and music.ducking.amount_db > 0:
        voices = [(s, n, r) for s, n, r in spoken if isinstance(r, WavReader)]
        curve = gain_curve(voices, plan.samples, music.ducking)
    fades = _fitting(track.end - track.start, music.fade_in, music.fade_out)
    return Track(track.start, track.end, track.source, track.volume, *fades, gain=curve)


def _looped(start: int, end: int, reader: WavReader, loop: bool, volume: float) -> Track:
    if loop and 0 < reader.samples < end - start:
        return Track(start, end, Loop(reader), volume)
    return Track(start, min(end, start + reader.samples), reader, volume)


def _fitting(samples: int, fade_in: float, fade_out: float) -> tuple[int, int]:
    """Fades in samples, shortened in proportion where they would overlap."""
    total = (fade_in + fade_out) * RATE
    factor = min(1.0, samples / total) if total else 1.0
    return math.floor(fade_in * RATE * factor), math.floor(fade_out * RATE * factor)


def _span(plan: SoundPlan, start_frame: int, frames: int) -> tuple[int, int]:
    start = max(0, plan.sample(start_frame))
    return start, min(plan.samples, plan.sample(start_frame + max(0, frames)))
