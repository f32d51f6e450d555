"""What is in a recording, a hundred times a second: how loud it is in twenty bands of pitch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.mono import mono_pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 16_000
HOPS_PER_SECOND = 100
BANDS = 20
_HOP = RATE // HOPS_PER_SECOND
_WINDOW, _FFT = 400, 512
_LOWEST, _HIGHEST = 80.0, 7600.0
# Windows that are transformed at once: bounds the memory, whatever the length.
_AT_ONCE = 1024
# Loudness as heard grows with a small power of the sound's (S. S. Stevens, 1957, has 0.3 of the
# intensity; 0.2 agreed best with lips in footage).
_POWER = 0.2
_SMOOTHING = 2.0


def bands(audio: Path) -> NDArray[np.float64]:
    """The power in each band, (hops, `BANDS`); hop n is centred on n / `HOPS_PER_SECOND`.

    Reads any rate and any number of channels piece by piece. Raises `MediaError`.
    """
    return bands_of(mono_pieces(audio, RATE))


def bands_of(pieces: Iterable[NDArray[np.float32]]) -> NDArray[np.float64]:
    """The same for mono sound at `RATE` in pieces of any lengths."""
    found = [banded(power(block)) for block in _blocks(pieces)]
    return np.concatenate(found) if found else np.zeros((0, BANDS))


def power(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The power spectra (hops, frequencies) of as many windows as fit into ``samples``."""
    count = max(0, (len(samples) - _WINDOW) // _HOP + 1)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[: count * _HOP : _HOP]
    return np.asarray(np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), _FFT)) ** 2)


def banded(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectra gathered into bands that are equally wide to the ear."""
    return np.asarray(spectra @ _filters().T)


def perceived(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bands as loudness, 1 near the loudest of this recording, a little smoothed."""
    if not len(levels):
        return levels
    loud = float(np.percentile(levels.sum(axis=1), 95))
    return smoothed((levels / max(loud, 1e-12)) ** _POWER, _SMOOTHING)


def smoothed(values: NDArray[np.float64], hops: float) -> NDArray[np.float64]:
    """A Gaussian over time, the deviation in hops."""
    reach = int(np.ceil(3 * hops))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / hops) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, [(reach, reach), *[(0, 0)] * (values.ndim - 1)], mode="edge")
    if values.ndim == 1:
        return np.convolve(padded, kernel, "valid")
    return np.column_stack([np.convolve(column, kernel, "valid") for column in padded.T])


def _blocks(pieces: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Pieces joined and cut so that windows fit; half a window of silence before and after."""
    margin = np.zeros(_WINDOW // 2, np.float32)
    waiting, length = [margin], len(margin)
    for piece in pieces:
        waiting.append(np.nan_to_num(piece, nan=0.0, posinf=0.0, neginf=0.0))
        length += len(piece)
        if length >= _AT_ONCE * _HOP + _WINDOW:
            block = np.concatenate(waiting)
            used = ((length - _WINDOW) // _HOP + 1) * _HOP
            yield block
            waiting, length = [block[used:]], length - used
    yield np.concatenate([*waiting, margin])


@cache
def _filters() -> NDArray[np.float64]:
    """Triangles, evenly spaced in mel (D. O'Shaughnessy, 1987: 2595 log10(1 + f / 700))."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (_LOWEST, _HIGHEST))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    found = np.fft.rfftfreq(_FFT, 1 / RATE)
    below, centre, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (found - below) / (centre - below), (above - found) / (above - centre)
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None))
