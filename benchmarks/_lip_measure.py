"""How well a mouth agrees with what is said: in a track, or found again in an encoded clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from _lip_truth import RATE, Spoken, closures, true_opening
from backends.puppet.mouth_track import CHANNELS, MouthTrack

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A picture (height, width, 3) of RGB bytes to the 478 points of the face in it.
Landmarks = Callable[["NDArray[np.uint8]"], "NDArray[np.float32]"]

# Points of MediaPipe's face model: pairs of the inner lips, above and below, and the outer
# corners of the eyes.
_INNER_LIPS = ((13, 14), (82, 87), (312, 317))
_EYES = (33, 263)
_LAGS = np.arange(-0.2, 0.3001, 0.01)
# A mouth counts as closed within this share of its own widest opening.
_CLOSED = 0.15
_JAW, _PRESS, _TUCK = (CHANNELS.index(name) for name in ("jaw", "press", "tuck"))


@dataclass(frozen=True)
class Agreement:
    """``r`` is Pearson's at the best lag, the mean over sentences; ``lead`` that lag in seconds
    (the mouth ahead of the sound); ``closed`` the share of p, b and m on which the lips met."""

    r: float
    lead: float
    closed: float


def opening_of(track: MouthTrack) -> NDArray[np.float64]:
    """How far a track opens the lips, 0 to 1, for each frame."""
    values = track.values.astype(np.float64)
    return values[:, _JAW] * (1 - values[:, _PRESS]) * (1 - 0.6 * values[:, _TUCK])


def openings_in_clip(path: Path, landmarks: Landmarks) -> tuple[NDArray[np.float64], float]:
    """Inner-lip opening over eye distance in every frame of a clip, and its frame rate.

    ``landmarks`` raises or returns NaN where it finds no face; such frames take over the last
    opening before them.
    """
    found: list[float] = []
    with av.open(str(path)) as container:
        fps = float(container.streams.video[0].average_rate or 25)
        for frame in container.decode(video=0):
            points = landmarks(frame.to_ndarray(format="rgb24"))
            value = _opening(np.asarray(points, np.float64)[:, :2])
            found.append(value if np.isfinite(value) else (found[-1] if found else 0.0))
    return np.array(found), fps


def _opening(points: NDArray[np.float64]) -> float:
    lips = [np.linalg.norm(points[above] - points[below]) for above, below in _INNER_LIPS]
    return float(np.mean(lips) / np.linalg.norm(points[_EYES[0]] - points[_EYES[1]]))


def agree(
    openings: Sequence[NDArray[np.float64]], fps: float, sentences: Sequence[Spoken], lead: float
) -> Agreement:
    """How well ``openings`` (one array a sentence, one number a frame) follow the sentences;
    ``lead`` is the intended one."""
    scores = np.mean(
        [_scores(seen, fps, spoken) for seen, spoken in zip(openings, sentences, strict=True)],
        axis=0,
    )
    best = int(np.argmax(scores))
    met = [
        hit
        for seen, spoken in zip(openings, sentences, strict=True)
        for hit in _closures_met(seen, fps, spoken, lead)
    ]
    return Agreement(float(scores[best]), float(_LAGS[best]), float(np.mean(met)) if met else 1.0)


def _scores(seen: NDArray[np.float64], fps: float, spoken: Spoken) -> NDArray[np.float64]:
    """Pearson's r at each lag; 0 for a mouth that never moves."""
    truth = true_opening(spoken)
    middles = (np.arange(len(seen)) + 0.5) / fps
    at = np.arange(len(truth)) / RATE
    if np.std(seen) < 1e-9:
        return np.zeros(len(_LAGS))
    return np.array(
        [
            np.corrcoef(seen, np.interp(middles + lag, at, truth, left=0.0, right=0.0))[0, 1]
            for lag in _LAGS
        ]
    )


def _closures_met(seen: NDArray[np.float64], fps: float, spoken: Spoken, lead: float) -> list[bool]:
    """For each p, b and m: was a frame closed between its beginning and its end, ``lead`` ahead,
    give or take a frame?"""
    low, high = np.percentile(seen, (2, 95))
    limit = low + _CLOSED * (high - low)
    found = []
    for start, end in closures(spoken):
        first = max(0, int((start - lead) * fps - 1))
        last = max(first + 1, int(np.ceil((end - lead) * fps + 1)))
        found.append(bool(high - low > 1e-9 and seen[first:last].min(initial=1.0) <= limit))
    return found


def loudness_only(spoken: Spoken, fps: float, lead: float) -> NDArray[np.float64]:
    """The mouth of many simple programs: as open as the sound is loud."""
    hop = spoken.rate // RATE
    count = len(spoken.sound) // hop
    power = (spoken.sound[: count * hop].reshape(count, hop) ** 2).mean(axis=1)
    smooth = np.convolve(np.sqrt(power) ** 0.5, np.hanning(9) / np.hanning(9).sum(), "same")
    middles = (np.arange(int(np.ceil(spoken.seconds * fps))) + 0.5) / fps
    return np.interp(middles + lead, np.arange(count) / RATE, smooth, right=0.0)
