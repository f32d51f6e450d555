"""The asked loudness under a true-peak ceiling: gain, limit, measure, and again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from renderer.audio.plan import RATE

CEILING_DBTP = -1.0
TOLERANCE_LU = 0.3
_PASSES = 5
# Under these the measure is its own floor or the sound is noise that must not be blown up.
_SILENCE_LUFS = -65.0
_MAX_GAIN_DB = 40.0
# How deep the limiter may cut: beyond, sound gets crushed for the sake of a number.
_MAX_LIMITING_DB = 20.0
_LOUDNESS = re.compile(r"I:\s+(-?[\d.]+|-?inf|nan) LUFS")
_PEAK = re.compile(r"Peak:\s+(-?[\d.]+|-?inf|nan) dBFS")


@dataclass(frozen=True, slots=True)
class Measured:
    """Integrated loudness (LUFS; None when there is nothing to measure) and true peak (dBTP)."""

    loudness: float | None
    peak: float | None


@dataclass(frozen=True, slots=True)
class Setting:
    """Gain before the limiter and the limiter's ceiling, both in dB."""

    gain: float
    ceiling: float


Feed = Callable[[], Iterable[bytes]]


def master(
    feed: Feed, samples: int, target_lufs: float, target: Path, cancel: CancelToken
) -> tuple[Measured, float]:
    """Write the sound of ``feed`` to ``target`` as a 16-bit WAV and say how loud it became.

    ``feed`` gives the same stereo float sound (f32le, 48 kHz) each time it is called. Each pass
    measures what it wrote, because a limiter's loss cannot be known beforehand; the second value
    is the gain of the last pass in dB. Silence stays as it is.
    """
    mix = _pass(feed, samples, None, None, cancel)
    setting = _first(mix, target_lufs)
    for _ in range(_PASSES):
        result = _pass(feed, samples, setting, target, cancel)
        following = _better(setting, result, mix, target_lufs)
        if following is None:
            break
        setting = following
    return result, setting.gain


def _first(mix: Measured, target: float) -> Setting:
    gain = 0.0 if mix.loudness is None else min(_MAX_GAIN_DB, target - mix.loudness)
    return Setting(_bounded(gain, mix), CEILING_DBTP - 0.1)


def _bounded(gain: float, mix: Measured) -> float:
    if mix.peak is None:
        return 0.0
    return min(gain, _MAX_GAIN_DB, CEILING_DBTP + _MAX_LIMITING_DB - mix.peak)


def _better(setting: Setting, result: Measured, mix: Measured, target: float) -> Setting | None:
    """The next setting to try; None when the result is right or cannot become better."""
    gain, ceiling = setting.gain, setting.ceiling
    if result.peak is not None and result.peak > CEILING_DBTP:
        # The limiter sees samples, the ceiling is for the wave between them.
        ceiling -= result.peak - CEILING_DBTP + 0.1
    if result.loudness is not None and abs(result.loudness - target) > TOLERANCE_LU:
        gain = _bounded(gain + target - result.loudness, mix)
    changed = abs(gain - setting.gain) > 0.05 or ceiling != setting.ceiling
    return Setting(gain, ceiling) if changed else None


def _pass(
    feed: Feed, samples: int, setting: Setting | None, target: Path | None, cancel: CancelToken
) -> Measured:
    filters = []
    if setting is not None:
        limit = 10 ** (setting.ceiling / 20)
        filters.append(f"volume={setting.gain:.4f}dB:precision=double")
        filters.append(f"alimiter=limit={limit:.6f}:attack=5:release=60:level=0:latency=1")
        filters.append(f"apad=whole_len={samples},atrim=end_sample={samples}")
    filters.append("ebur128=peak=true:framelog=quiet")
    source = ["-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", "pipe:0"]
    sink = ["-f", "null", "-"]
    if target is not None:
        sink = ["-c:a", "pcm_s16le", "-bitexact", "-f", "wav", f"file:{target}"]
    log = run_ffmpeg(
        ["-v", "info", *source, "-af", ",".join(filters), *sink], feed=feed(), cancel=cancel
    )
    return _measured(log)


def _measured(log: str) -> Measured:
    loudness, peak = _number(_LOUDNESS, log), _number(_PEAK, log)
    audible = loudness is not None and loudness > _SILENCE_LUFS
    return Measured(loudness if audible else None, peak)


def _number(pattern: re.Pattern[str], log: str) -> float | None:
    found = pattern.findall(log)
    if not found or found[-1] in ("nan", "inf", "-inf"):
        return None
    return float(found[-1])
