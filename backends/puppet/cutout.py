"""Portraits that are cut out already: their colours without a backdrop, and what is seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from avatar_core.backend import Size
    from avatar_core.framing import Placement

    Pixels = NDArray[np.uint8]

# Fainter pixels say little about their colour: they take it from those beside them.
_FAINT = 32.0


def without_backdrop(picture: Pixels, alpha: Pixels, backdrop: tuple[int, int, int]) -> Pixels:
    """The colours that laid on ``backdrop`` look like ``picture``: (height, width, 3)."""
    share = np.maximum(alpha, 1).astype(np.float32)[..., None] / 255
    behind = np.array(backdrop, np.float32)
    own = (picture - behind * (1 - share)) / share
    return np.clip(np.rint(own), 0, 255).astype(np.uint8)


def framed(
    picture: Pixels, alpha: Pixels, placement: Placement, size: Size
) -> tuple[Pixels, Pixels]:
    """Both in ``size`` as ``placement`` says: colours (height, width, 3), which go on where nothing
    is seen, so that no edge has a hem; and alpha (height, width). Beside the picture nothing is
    seen."""
    from PIL import Image

    whole = Image.fromarray(np.dstack([picture, alpha]))
    # Pillow weighs colours by their alpha when it scales.
    scaled = whole.resize(placement.size, Image.Resampling.LANCZOS, box=placement.box)
    frame = Image.new("RGBA", size, (0, 0, 0, 0))
    frame.paste(scaled, (placement.x, 0))
    pixels = np.asarray(frame)
    seen = np.ascontiguousarray(pixels[..., 3])
    return spread(pixels[..., :3], seen), seen


def spread(picture: Pixels, alpha: Pixels) -> Pixels:
    """``picture`` with the colours of what is seen carried on over what is not.

    Push and pull (Gortler et al. 1996): halved again and again with alpha as weight, and what has
    none is filled from the next smaller size.
    """
    weight = np.minimum(alpha[..., None] / _FAINT, 1.0).astype(np.float32)
    filled = _filled(picture.astype(np.float32), weight)
    return np.asarray(np.clip(np.rint(filled), 0, 255), np.uint8)


def _filled(colours: NDArray[np.floating], weight: NDArray[np.floating]) -> NDArray[np.floating]:
    height, width = weight.shape[:2]
    if max(height, width) <= 2:
        total = max(float(weight.sum()), 1e-6)
        mean = (colours * weight).sum(axis=(0, 1)) / total
        return np.asarray(weight * colours + (1 - weight) * mean, np.float32)
    amount = _halved(weight)
    smaller = _halved(colours * weight) / np.maximum(amount, 1e-6)
    coarse = _filled(smaller, np.minimum(amount * 2, 1.0))
    rest = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.asarray(weight * colours + (1 - weight) * rest, np.float32)


def _halved(plane: NDArray[np.floating]) -> NDArray[np.floating]:
    """The means of groups of four; at an odd edge the last line counts twice."""
    height, width = plane.shape[:2]
    even = np.pad(plane, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    groups = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, -1)
    return np.asarray(groups.mean(axis=(1, 3)), np.float32)
