"""Faces in portraits: where they are, whatever the picture looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_core.errors import AvatarError, Category
from backends.puppet.landmarks import eye_distance
from backends.puppet.portraits import PRESENCE, find_face

ASSETS = Path(__file__).parents[2] / "renderer" / "demo" / "assets"
PORTRAITS = ("presenter.png", "minh.png")


def pixels(name: str) -> np.ndarray:
    return np.asarray(Image.open(ASSETS / name).convert("RGB"))


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_drawn_portrait_has_one_face(name: str) -> None:
    found = find_face(pixels(name))
    assert found.count == 1
    assert found.face.presence > PRESENCE
    assert found.face.points.shape == (478, 3)
    assert 250 < eye_distance(found.face) < 300


def test_a_picture_without_a_face_is_refused_with_advice() -> None:
    with pytest.raises(AvatarError, match="No face") as caught:
        find_face(np.full((300, 400, 3), 127, dtype=np.uint8))
    assert caught.value.category is Category.INVALID_INPUT
    assert "avatar puppet annotate" in caught.value.advice
