"""The mouth's picture: still at its border and at rest, open where the jaw is down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.puppet.mouth_rig import MouthRig
from backends.puppet.portraits import find_face

ASSETS = Path(__file__).parents[2] / "renderer" / "demo" / "assets"
REST = (0.0,) * 7


@pytest.fixture(scope="module", params=["presenter.png", "minh.png"])
def portrait(request: pytest.FixtureRequest) -> tuple[np.ndarray, MouthRig]:
    picture = np.asarray(Image.open(ASSETS / request.param).convert("RGB"))
    return picture, MouthRig(picture, find_face(picture).face)


def test_a_mouth_at_rest_is_the_portrait(portrait: tuple[np.ndarray, MouthRig]) -> None:
    picture, rig = portrait
    x, y, width, height = rig.region
    assert np.array_equal(rig.patch(REST), picture[y : y + height, x : x + width])
