"""The mouth's picture: still at its border and at rest, open where the jaw is down."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from backends.puppet.bands import SMALL_PRODUCT, Spread, bands
from backends.puppet.face import Face
from backends.puppet.lips import LOWER, UPPER
from backends.puppet.mouth_rig import MouthRig
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.portraits import find_face
from backends.puppet.splines import spline_matrix
from backends.puppet.warp import Grid, solved

ASSETS = Path(__file__).parents[2] / "renderer" / "demo" / "assets"
PORTRAITS = ("presenter.png", "minh.png")
REST = (0.0,) * len(CHANNELS)
SHARE = st.floats(0, 1, width=32)
POSES = st.tuples(SHARE, st.floats(-1, 1, width=32), SHARE, SHARE, SHARE, SHARE, SHARE)
GREY = np.array([0.3, 0.59, 0.11])


def pose(**channels: float) -> tuple[float, ...]:
    return tuple(channels.get(name, 0.0) for name in CHANNELS)


@cache
def portrait(name: str = PORTRAITS[0], width: int = 320) -> tuple[np.ndarray, Face]:
    """A drawn portrait and its face, brought to a width in pixels."""
    whole = Image.open(ASSETS / name).convert("RGB")
    small = whole.resize((width, max(1, round(width * whole.height / whole.width))))
    points = _points(name) * np.array([small.width / whole.width] * 3, np.float32)
    return np.asarray(small), Face(points, 12.0)


@cache
def _points(name: str) -> np.ndarray:
    return find_face(np.asarray(Image.open(ASSETS / name).convert("RGB"))).face.points


@cache
def rig(name: str = PORTRAITS[0], width: int = 320) -> MouthRig:
    return MouthRig(*portrait(name, width))


def still(picture: np.ndarray, mouth: MouthRig) -> np.ndarray:
    x, y, width, height = mouth.region
    return picture[y : y + height, x : x + width]


def light(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture.astype(float) @ GREY)


@cache
def blank(name: str = PORTRAITS[0], width: int = 320) -> MouthRig:
    """The face in a picture of one colour: what differs from it is the mouth's inside."""
    picture, face = portrait(name, width)
    return MouthRig(np.full_like(picture, 200), face)


def inside(shape: tuple[float, ...], name: str = PORTRAITS[0]) -> int:
    """How many pixels show the inside of the mouth."""
    return int((blank(name).patch(shape) != 200).any(axis=-1).sum())


def _mouth(mouth: MouthRig) -> tuple[slice, slice]:
    """The middle of the region: the mouth without the jaw's outline and the hair beside it."""
    _, _, width, height = mouth.region
    return np.s_[height // 6 : height * 5 // 8, width // 3 : width * 2 // 3]


@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("width", [1024, 321, 97, 24])
def test_a_mouth_at_rest_is_the_portrait(name: str, width: int) -> None:
    assert np.array_equal(
        rig(name, width).patch(REST), still(portrait(name, width)[0], rig(name, width))
    )


@settings(max_examples=60, deadline=None)
@given(shape=POSES, width=st.sampled_from([320, 61]))
def test_along_its_border_the_region_is_the_portrait(shape: tuple[float, ...], width: int) -> None:
    mouth = rig(width=width)
    patch, before = mouth.patch(shape), still(portrait(width=width)[0], mouth)
    assert patch.shape == before.shape
    assert patch.dtype == np.uint8
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(patch[edge], before[edge])


@settings(max_examples=30, deadline=None)
@given(shape=POSES)
def test_pressed_lips_are_closed_whatever_the_jaw_does(shape: tuple[float, ...]) -> None:
    pressed = (*shape[:3], 1.0, *shape[4:])
    closed = (0.0, *shape[1:3], 1.0, 0.0, 0.0, 0.0)
    assert np.array_equal(rig().patch(pressed), rig().patch(closed))


@pytest.mark.parametrize("name", PORTRAITS)
def test_closed_lips_show_nothing_of_the_inside(name: str) -> None:
    for shape in (pose(press=1), pose(wide=1), pose(wide=-1), pose(round=1), pose(teeth=1)):
        assert inside(shape, name) == 0


@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("shape", [{}, {"wide": 0.8}, {"wide": -0.5, "round": 0.8}])
def test_the_opening_grows_with_the_jaw(name: str, shape: dict[str, float]) -> None:
    opened = [inside(pose(jaw=jaw, **shape), name) for jaw in np.linspace(0, 1, 9)]
    assert opened[0] == 0
    assert all(after > before for before, after in pairwise(opened))
    assert opened[-1] > 3.5 * opened[1]


def test_lips_half_pressed_are_half_as_open() -> None:
    free, half = (inside(pose(jaw=0.8, press=press)) for press in (0, 0.5))
    assert 0.3 * free < half < 0.7 * free


def test_a_spread_mouth_is_wider_and_a_round_one_narrower() -> None:
    widths = []
    for shape in (pose(jaw=0.4, round=1), pose(jaw=0.4), pose(jaw=0.4, wide=1)):
        opened = (blank().patch(shape) != 200).any(axis=-1)
        widths.append(int(np.ptp(np.flatnonzero(opened.any(axis=0)))))
    assert widths[0] < 0.85 * widths[1]
    assert widths[1] < widths[2]


def test_teeth_are_shown_as_far_as_asked_and_never_brighter_than_the_eyes() -> None:
    shown = [rig().patch(pose(jaw=0.5, teeth=teeth))[_mouth(rig())] for teeth in (0, 0.5, 1)]
    bright = [int((picture.min(axis=-1) > 150).sum()) for picture in shown]
    assert bright[0] < bright[1] < bright[2]
    assert max(int(picture.min(axis=-1).max()) for picture in shown) < 250


def test_a_raised_tongue_fills_the_mouth() -> None:
    dark = [light(blank().patch(pose(jaw=0.5, tongue=up))) < 60 for up in (0, 1)]
    assert dark[1].sum() < 0.6 * dark[0].sum()


@settings(max_examples=30, deadline=None)
@given(shape=POSES, name=st.sampled_from(PORTRAITS))
def test_the_face_keeps_its_colours(shape: tuple[float, ...], name: str) -> None:
    mouth = rig(name)
    patch, before = mouth.patch(shape), mouth.patch(REST)
    height, width = before.shape[:2]
    cheeks = np.r_[: width // 5, width * 4 // 5 : width]
    drift = patch[: height // 3, cheeks].mean(axis=(0, 1)) - before[: height // 3, cheeks].mean(
        axis=(0, 1)
    )
    assert np.abs(drift).max() < 3
    assert np.abs(patch.mean(axis=(0, 1)) - before.mean(axis=(0, 1))).max() < 16


def test_the_neck_stays_while_the_chin_goes_down() -> None:
    mouth = rig()
    patch, before = mouth.patch(pose(jaw=1)), mouth.patch(REST)
    changed = np.abs(patch.astype(int) - before).max(axis=-1) > 12
    height = len(changed)
    assert changed[height // 2 : height * 4 // 5].any()
    assert not changed[height * 19 // 20 :].any()


@settings(max_examples=15, deadline=None)
@given(shape=POSES)
def test_the_same_pose_gives_the_same_picture(shape: tuple[float, ...]) -> None:
    again = MouthRig(*portrait(width=97))
    assert np.array_equal(again.patch(shape), rig(width=97).patch(shape))


def test_what_is_kept_of_poses_is_bounded() -> None:
    mouth = MouthRig(*portrait(width=97), memory=5 * rig(width=97).patch(REST).nbytes)
    first = mouth.patch(pose(jaw=0.1)).copy()
    for jaw in np.linspace(0, 1, 40):
        mouth.patch(pose(jaw=jaw))
        assert mouth.states <= 5
    assert np.array_equal(mouth.patch(pose(jaw=0.1)), first)


def test_a_pose_seen_before_costs_nothing_and_cannot_be_spoilt() -> None:
    mouth = rig()
    patch = mouth.patch(pose(jaw=0.5))
    assert mouth.patch(pose(jaw=0.5)) is patch
    with pytest.raises(ValueError, match="read-only"):
        patch[0, 0] = 0


def test_a_pose_out_of_range_is_the_nearest_pose() -> None:
    wild = (7.0, -9.0, -1.0, float("nan"), 0.0, 2.0, -3.0)
    assert np.array_equal(rig().patch(wild), rig().patch(pose(jaw=1, wide=-1, teeth=1)))


def test_a_pose_with_too_few_values_is_refused() -> None:
    with pytest.raises(ValueError, match="7 values"):
        rig().patch((0.5, 0.5))


@pytest.mark.parametrize(
    ("left", "top"), [(0, 0), (500, 0), (0, 760), (500, 700), (1000, 1200), (0, 900)]
)
def test_a_face_that_the_picture_cuts_off_still_speaks(left: int, top: int) -> None:
    whole, face = portrait(width=1024)
    part = whole[top : top + 300, left : left + 400]
    mouth = MouthRig(part, Face(face.points - np.array([left, top, 0], np.float32), 12.0))
    x, y, width, height = mouth.region
    assert 0 <= x < x + width <= part.shape[1]
    assert 0 <= y < y + height <= part.shape[0]
    assert mouth.patch(pose(jaw=1, wide=1)).shape == (height, width, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (640, 3)])
def test_a_picture_of_almost_nothing_is_drawn_without_an_error(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    points = _points(PORTRAITS[0]) / 1024 * max(shape)
    assert MouthRig(picture, Face(points, 12.0)).patch(pose(jaw=1)).size


def test_a_face_of_one_point_is_drawn_without_an_error() -> None:
    picture = np.full((64, 64, 3), 90, np.uint8)
    face = Face(np.full((478, 3), 30, np.float32), float("inf"))
    assert MouthRig(picture, face).patch(pose(jaw=1, round=1)).size


def test_a_grey_picture_stays_grey() -> None:
    picture, face = portrait()
    grey = np.repeat(light(picture)[..., None], 3, axis=-1).astype(np.uint8)
    patch = MouthRig(grey, face).patch(pose(jaw=0.8, teeth=0.6)).astype(int)
    assert np.ptp(patch, axis=-1).max() <= 4


def test_a_dark_portrait_gets_dark_teeth() -> None:
    picture, face = portrait()
    dim = (picture * 0.3).astype(np.uint8)
    assert MouthRig(dim, face).patch(pose(jaw=0.5, teeth=1)).max() <= 0.36 * 255


def smiling() -> tuple[np.ndarray, Face]:
    """The portrait with open lips and white teeth between them."""
    picture, face = portrait(width=640)
    points = face.points.copy()
    depth = (1 - (np.linspace(-1, 1, 11)) ** 2) * 0.13 * np.ptp(points[[61, 291], 0])
    for ring, share in zip(LOWER, (1, 0.75, 0.5), strict=True):
        points[list(ring), 1] += share * depth
    page = Image.fromarray(picture)
    outline = [tuple(points[i, :2]) for i in (*UPPER[0], *reversed(LOWER[0]))]
    ImageDraw.Draw(page).polygon(outline, fill=(235, 232, 226))
    return np.asarray(page), Face(points, 12.0)


def test_a_smile_keeps_its_own_teeth_where_they_are() -> None:
    picture, face = smiling()
    mouth = MouthRig(picture, face)
    x, y, _, _ = mouth.region
    at = np.rint(face.points[[13, 14], :2].mean(axis=0) - (x, y)).astype(int)
    tooth = np.array([235, 232, 226])
    for shape in (pose(jaw=0.4), pose(jaw=1), pose(jaw=0.3, wide=1), pose(jaw=0.3, teeth=1)):
        seen = mouth.patch(shape)[at[1] - 1 : at[1] + 2, at[0] - 4 : at[0] + 5].astype(int)
        assert np.abs(seen - tooth).max() < 25


def test_a_smile_can_close_for_a_sound_that_needs_it() -> None:
    mouth = MouthRig(*smiling())
    shown = [
        int((mouth.patch(s).min(axis=-1) > 215)[_mouth(mouth)].sum()) for s in (REST, pose(press=1))
    ]
    assert shown[0] > 200
    assert shown[1] < 0.03 * shown[0]


@cache
def drawn_with_a_line() -> tuple[np.ndarray, Face]:
    """The portrait without lips, a line for a mouth, and landmarks on both sides of the line."""
    picture, face = portrait(width=640)
    page = Image.fromarray(picture)
    draw = ImageDraw.Draw(page)
    skin = tuple(int(v) for v in picture[tuple(np.rint(face.points[205, [1, 0]]).astype(int))])
    draw.polygon([tuple(p) for p in _wider(face, 1.35)], fill=skin)
    draw.line([tuple(face.points[i, :2]) for i in UPPER[0]], fill=(60, 30, 30), width=6)
    points = face.points.copy()
    points[list(UPPER[0][1:-1]), 1] -= 3
    points[list(LOWER[0][1:-1]), 1] += 3
    return np.asarray(page), Face(points, 12.0)


def test_a_line_for_a_mouth_is_closed_lips() -> None:
    mouth = MouthRig(*drawn_with_a_line())
    dark = [(light(mouth.patch(s)) < 90)[_mouth(mouth)].sum() for s in (REST, pose(press=1))]
    assert dark[1] > 0.5 * dark[0]


def test_the_head_of_a_simple_drawing_keeps_its_shape_when_it_speaks() -> None:
    picture, face = drawn_with_a_line()
    moved = []
    for mouth in (MouthRig(picture, face), rig(width=640)):
        change = np.abs(mouth.patch(pose(jaw=1)).astype(int) - mouth.patch(REST)).max(axis=-1)
        chin = round(float(face.points[152, 1])) - mouth.region[1]
        moved.append(int((change[chin:] > 40).sum()))
    assert moved[0] < 0.5 * moved[1]


def _wider(face: Face, factor: float) -> np.ndarray:
    outline = face.points[[*UPPER[2], *reversed(LOWER[2][1:-1])], :2]
    middle = outline.mean(axis=0)
    return np.asarray(middle + factor * (outline - middle))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_head_that_lies_speaks_like_one_that_stands(turns: int) -> None:
    picture, face = portrait(width=240)
    height, width = picture.shape[:2]
    x, y, z = face.points.T
    turned = [(y, width - x), (width - x, height - y), (height - y, x)][turns - 1]
    lying = MouthRig(
        np.rot90(picture, turns), Face(np.stack([*turned, z], axis=-1).astype(np.float32), 12.0)
    )
    page = np.rot90(picture, turns).copy()
    left, top, across, down = lying.region
    page[top : top + down, left : left + across] = lying.patch(pose(jaw=0.7, wide=0.5, teeth=0.5))
    upright = rig(width=240)
    left, top, across, down = upright.region
    seen = np.rot90(page, -turns)[top : top + down, left : left + across].astype(int)
    drift = np.abs(seen - upright.patch(pose(jaw=0.7, wide=0.5, teeth=0.5)))
    assert drift[_mouth(upright)].mean() < 4


@given(rows=st.integers(2, 160), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_system_is_solved_in_halves_as_it_is_as_a_whole(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, wanted = rng.uniform(-2, 2, (rows, 2)), rng.normal(size=(rows, 3))
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    system = np.exp(-(apart**2)) + 0.01 * np.eye(rows)
    assert np.abs(system @ solved(system, wanted) - wanted).max() < 1e-8


@given(
    height=st.integers(1, 90), width=st.integers(1, 900), spacing=st.floats(2, 30),
    kinds=st.integers(1, 4), seed=st.integers(0, 1000),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_values_spread_in_bands_are_those_of_the_whole_product(
    height: int, width: int, spacing: float, kinds: int, seed: int
) -> None:
    down, across = (
        spline_matrix(np.arange(length), int(length / spacing) + 4, spacing)
        for length in (height, width)
    )
    values = np.random.default_rng(seed).normal(size=(kinds, down.shape[1], across.shape[1]))
    values = values.astype(np.float32)
    found = Spread(down, across, kinds)(values)
    assert np.abs(found - down @ values @ across.T).max() < 1e-4


@given(rows=st.integers(1, 300), width=st.integers(1, 3000))
@settings(max_examples=40, deadline=None)
def test_bands_are_small_and_leave_nothing_out(rows: int, width: int) -> None:
    matrix = spline_matrix(np.arange(rows), rows // 5 + 4, 5.0)
    again = np.zeros_like(matrix)
    for band in bands(matrix, width):
        again[band.rows, band.columns] = band.matrix
        assert band.matrix.size * width <= SMALL_PRODUCT or len(band.matrix) == 1
    assert (again == matrix).all()


@given(width=st.integers(2, 60), height=st.integers(2, 60), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_bent_grid_is_bent_back(width: int, height: int, seed: int) -> None:
    """Each of its fields by itself: what lies so far from a node is moved onto it."""
    grid = Grid.over(width, height, 4.0)
    middle = np.array([width, height], np.float32) / 2
    # Everything grows from the middle, so that what comes to a node lies in the region.
    growth = np.random.default_rng(seed).uniform(0, 0.05, (2, 1, 1, 2)).astype(np.float32)
    rest = grid.points - middle
    back = grid.inverse(growth * rest, rounds=8)
    assert np.abs(np.moveaxis(back, 1, -1) - rest * growth / (1 + growth)).max() < 0.01
