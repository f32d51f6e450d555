"""What a mouth does over time: the few numbers between hearing a narration and drawing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# jaw    0 lips as they rest, 1 the widest opening of lively speech
# wide   -1 corners drawn together, 0 as in the portrait, 1 corners spread (as in "ee")
# round  0 flat, 1 lips pushed forward into a ring (as in "oo")
# press  0 free, 1 lips pressed on each other (p, b, m): the opening is zero whatever jaw says
# tuck   0 free, 1 lower lip under the upper teeth (f, v)
# teeth  0 hidden, 1 upper teeth shown as far as the opening allows
# tongue 0 down, 1 its tip behind the upper teeth (l, th, n, d, t)
CHANNELS = ("jaw", "wide", "round", "press", "tuck", "teeth", "tongue")


@dataclass(frozen=True, slots=True)
class MouthTrack:
    """``values`` is (frames, len(CHANNELS)) float32; frame n is shown from n / fps on. The lips'
    lead over the sound is in it already."""

    values: NDArray[np.float32]
    fps: float
