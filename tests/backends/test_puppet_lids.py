"""The skin of lids that fall: it is that of the face, in its light."""

from __future__ import annotations

import numpy as np
import pytest

from backends.puppet.eye_outline import Opening, luma
from backends.puppet.lid_skin import grain, lid_colour, roundness

ALONG = np.linspace(-0.2, 1.2, 57)
INNER = np.linspace(0.1, 0.9, 9)
NONE = np.zeros_like(ALONG)
# An eye 60 pixels wide in a picture of 180 x 180.
BOW = np.array([0.0, 0.0, 0.8, -0.8, 0.0])
EYE = Opening(np.array([60.0, 80.0]), np.array([60.0, 0.0]), np.array([0.0, 60.0]), BOW, -BOW, 0.4)


def skin(above: tuple[int, int, int], below: tuple[int, int, int]) -> np.ndarray:
    picture = np.empty((180, 180, 3), np.uint8)
    picture[:80], picture[80:] = above, below
    return picture


@pytest.mark.parametrize("colour", [(230, 190, 165), (120, 80, 60), (60, 60, 60), (250, 244, 240)])
def test_a_lid_in_a_plain_face_has_its_colour(colour: tuple[int, int, int]) -> None:
    lid = lid_colour(skin(colour, colour), EYE, NONE, ALONG, INNER)
    assert np.abs(lid - colour).max() < 1


def test_a_lid_in_half_a_shade_is_as_warm_as_skin_and_not_grey() -> None:
    lit, shaded = (230, 190, 165), (110, 70, 50)
    lid = lid_colour(skin(shaded, lit), EYE, NONE, ALONG, INNER)
    assert (luma(lid) > luma(np.array(shaded))).all() and (luma(lid) < luma(np.array(lit))).all()
    assert (lid[:, 0] / lid[:, 2] > lit[0] / lit[2]).all()


def test_a_lid_bows_out_between_its_fold_and_its_lashes() -> None:
    light = roundness(np.linspace(0, 1, 11), np.full(11, 0.5))
    assert light.argmax() not in (0, 10) and light.min() > 0.85
    assert roundness(np.array(0.5), np.array(0.0)) < roundness(np.array(0.5), np.array(0.5))


def test_a_smooth_drawing_with_a_line_under_the_eye_has_lids_without_grain() -> None:
    drawn = skin((230, 190, 165), (230, 190, 165))
    drawn[104:106] = (120, 60, 40)
    p, q = np.meshgrid(INNER, np.linspace(-0.2, 0.3, 20))
    assert np.abs(grain(drawn, EYE, p, q)).max() < 1


def test_the_grain_of_a_lid_is_that_of_the_skin_around() -> None:
    rough = skin((200, 160, 140), (200, 160, 140)).astype(float)
    rough += np.random.default_rng(1).normal(0, 8, (180, 180, 1))
    p, q = np.meshgrid(INNER, np.linspace(-0.2, 0.3, 20))
    found = grain(np.clip(rough, 0, 255).astype(np.uint8), EYE, p, q)
    assert 1 < float(found.std()) < 12 and abs(float(found.mean())) < 1.5
