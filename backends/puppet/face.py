"""A face in a portrait, as the landmark network (or a sidecar file) gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The numbering is MediaPipe's canonical face model (468 points and 10 of the irises).
POINTS = 478


@dataclass(frozen=True, slots=True)
class Face:
    """``points`` is (478, 3) float32: x to the right and y down in pixels of the upright picture,
    z towards the viewer negative, in the same unit. ``presence`` is the network's logit (about 6
    and more is a face; infinite for one that a person declared)."""

    points: NDArray[np.float32]
    presence: float
