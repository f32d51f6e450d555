"""How well a mouth agrees with what is said: in a track, or found again in an encoded clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from _lip_truth import RATE, Spoken, closures, true_opening, wide_vowels
from backends.puppet.frames import frame_count
from backends.puppet.mouth_track import CHANNELS, MouthTrack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.face import Face

# A picture (height, width, 3) of RGB bytes to the 478 points (478, 2) of the face in it, None
# where there is none.
Landmarks = Callable[["NDArray[np.uint8]"], "NDArray[np.float64] | None"]

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
    (the mouth ahead of the sound); ``closed`` the share of p, b and m on which the lips met;
    ``opened`` the share of wide vowels on which they were apart."""

    r: float
    lead: float
    closed: float
    opened: float


def opening_of(track: MouthTrack) -> NDArray[np.float64]:
    """How far a track opens the lips, 0 to 1, for each frame."""
    values = track.values.astype(np.float64)
    return values[:, _JAW] * (1 - values[:, _PRESS]) * (1 - 0.6 * values[:, _TUCK])


class Follower:
    """Finds one face again in frame after frame: the detector is asked only where it is lost."""

    def __init__(self) -> None:
        self._face: Face | None = None

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        from PIL import Image

        from backends.puppet.landmarks import landmarks, spot_of
        from backends.puppet.search import PRESENCE, faces_in

        image = Image.fromarray(picture)
        if self._face is not None:
            self._face = landmarks(image, spot_of(self._face))
        if self._face is None or self._face.presence < PRESENCE:
            self._face = next(iter(faces_in(image)), None)
        return None if self._face is None else self._face.points[:, :2].astype(np.float64)


def openings_in_clip(path: Path, landmarks: Landmarks) -> NDArray[np.float64]:
    """Inner-lip opening over eye distance in every frame of a clip.

    Frames without a face take over the last opening before them.
    """
    found: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            points = landmarks(frame.to_ndarray(format="rgb24"))
            before = found[-1] if found else 0.0
            found.append(before if points is None else _opening(points))
    return np.array(found)


def _opening(points: NDArray[np.float64]) -> float:
    lips = [np.linalg.norm(points[above] - points[below]) for above, below in _INNER_LIPS]
    return float(np.mean(lips) / np.linalg.norm(points[_EYES[0]] - points[_EYES[1]]))


def agree(
    openings: Sequence[NDArray[np.float64]], fps: float, sentences: Sequence[Spoken], lead: float
) -> Agreement:
    """How well ``openings`` (one array a sentence, one number a frame) follow the sentences;
    ``lead`` is the intended one."""
    pairs = list(zip(openings, sentences, strict=True))
    scores = np.mean([_scores(seen, fps, spoken) for seen, spoken in pairs], axis=0)
    best = int(np.argmax(scores))
    met = [hit for seen, spoken in pairs for hit in _met(seen, fps, spoken, lead)]
    apart = [hit for seen, spoken in pairs for hit in _apart(seen, fps, spoken, lead)]
    return Agreement(float(scores[best]), float(_LAGS[best]), _share(met), _share(apart))


def _share(hits: Sequence[bool]) -> float:
    return float(np.mean(hits)) if hits else 1.0


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


def _met(seen: NDArray[np.float64], fps: float, spoken: Spoken, lead: float) -> list[bool]:
    """For each p, b and m: was a frame closed between its beginning and its end, ``lead`` ahead,
    give or take a frame?"""
    limit = _closed_below(seen)
    return [
        bool(_between(seen, fps, start - lead - 1 / fps, end - lead + 1 / fps).min() <= limit)
        for start, end in closures(spoken)
    ]


def _apart(seen: NDArray[np.float64], fps: float, spoken: Spoken, lead: float) -> list[bool]:
    """For each wide vowel: was a frame open? A mouth that is always shut meets every closure."""
    limit = _closed_below(seen)
    return [
        bool(_between(seen, fps, start - lead, end - lead).max() > limit)
        for start, end in wide_vowels(spoken)
    ]


def _closed_below(seen: NDArray[np.float64]) -> float:
    """The opening up to which lips count as closed; lips that never move are neither."""
    low, high = np.percentile(seen, (2, 95))
    return float(low + _CLOSED * (high - low)) if high - low > 1e-9 else np.nan


def _between(
    seen: NDArray[np.float64], fps: float, start: float, end: float
) -> NDArray[np.float64]:
    """The frames that are shown at some time from ``start`` to ``end``; at least one."""
    first = min(max(0, int(start * fps)), len(seen) - 1)
    return seen[first : max(first + 1, int(np.ceil(end * fps)))]


def loudness_only(spoken: Spoken, fps: float, lead: float) -> NDArray[np.float64]:
    """The mouth of many simple programs: as open as the sound is loud, 1 at its loudest."""
    hop = spoken.rate // RATE
    count = len(spoken.sound) // hop
    power = (spoken.sound[: count * hop].reshape(count, hop) ** 2).mean(axis=1)
    smooth = np.convolve(np.sqrt(power) ** 0.5, np.hanning(9) / np.hanning(9).sum(), "same")
    middles = (np.arange(frame_count(spoken.seconds, fps)) + 0.5) / fps
    loud = np.interp(middles + lead, np.arange(count) / RATE, smooth, right=0.0)
    return loud / max(float(loud.max()), 1e-9)
