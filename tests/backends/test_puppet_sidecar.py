"""`portrait.landmarks.json`: a face declared by hand, and every way to get it wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from avatar_core.errors import InputError
from backends.puppet.canonical import LEFT_EYE, LOWER_LIP, NAMED, OVAL, UPPER_LIP, place, standard
from backends.puppet.declared import declared_face, described
from backends.puppet.face import Face
from backends.puppet.landmarks import eye_distance
from backends.puppet.portraits import face_of
from backends.puppet.sidecar import read_sidecar, sidecar_of, write_sidecar

ASSETS = Path(__file__).parents[2] / "renderer" / "demo" / "assets"
Values = dict[str, Any]

# A teapot with a face: eight points, as few as there can be.
SMALLEST: Values = {
    "mouth": {"left": [160, 270], "right": [240, 270], "top": [200, 262], "bottom": [200, 284]},
    "left_eye": {"left": [130, 180], "right": [170, 180]},
    "right_eye": {"left": [230, 180], "right": [270, 180]},
}
OPEN: Values = {
    "picture": [400, 480],
    "shape": "standard",
    "mouth": {"left": [150, 270], "right": [250, 270], "top": [200, 255], "bottom": [200, 315],
              "inner_top": [200, 263], "inner_bottom": [200, 305]},
    "left_eye": {"left": [120, 180], "right": [170, 180], "top": [145, 140], "bottom": [145, 215]},
    "right_eye": {"left": [230, 180], "right": [280, 180], "top": [255, 140], "bottom": [255, 215]},
    "face": {"top": [200, 60], "left": [70, 210], "right": [330, 210], "chin": [200, 400]},
}  # fmt: skip


def teapot(folder: Path, size: tuple[int, int] = (400, 480)) -> Path:
    picture = Image.new("RGB", (400, 480), (240, 236, 220))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 60, 340, 420), fill=(90, 140, 190))
    draw.ellipse((130, 165, 170, 195), fill=(255, 255, 255))
    draw.ellipse((230, 165, 270, 195), fill=(255, 255, 255))
    draw.line((160, 270, 240, 270), fill=(40, 20, 20), width=4)
    file = folder / "pot.png"
    picture.resize(size).save(file)
    return file


def declare(portrait: Path, values: Values | str) -> Path:
    text = values if isinstance(values, str) else json.dumps(values, indent=2)
    file = sidecar_of(portrait)
    file.write_text(text, encoding="utf-8")
    return file


def with_value(key: str, value: Any, base: Values = OPEN) -> Values:
    values: Values = json.loads(json.dumps(base))
    *path, last = key.split(".")
    group = values
    for name in path:
        group = group[name]
    group[last] = value
    return values


def without(key: str) -> Values:
    values = with_value(key, None)
    *path, last = key.split(".")
    group = values
    for name in path:
        group = group[name]
    del group[last]
    return values


def mistake(tmp_path: Path, values: Values | str) -> InputError:
    portrait = teapot(tmp_path)
    declare(portrait, values)
    with pytest.raises(InputError) as caught:
        face_of(portrait)
    return caught.value


def test_the_sidecar_lies_beside_the_picture() -> None:
    assert sidecar_of(Path("film/lan.v2.png")) == Path("film/lan.v2.landmarks.json")


def test_a_mascot_needs_no_more_than_eight_points(tmp_path: Path) -> None:
    portrait = teapot(tmp_path)
    declare(portrait, SMALLEST)
    found = face_of(portrait).found
    assert found.declared
    assert found.count == 1
    assert found.face.presence == math.inf
    assert found.face.points.shape == (478, 3)
    assert found.face.points.dtype == np.float32
    assert np.isfinite(found.face.points).all()


@pytest.mark.parametrize("values", [SMALLEST, OPEN], ids=["smallest", "complete"])
def test_the_points_lie_where_they_were_declared(values: Values, tmp_path: Path) -> None:
    portrait = teapot(tmp_path)
    declare(portrait, values)
    face = face_of(portrait).face
    declared = read_sidecar(sidecar_of(portrait)).values.marks()
    assert len(declared) in (8, 18)
    for name, where in declared.items():
        assert np.linalg.norm(place(face.points, name) - where) < 0.1, name


def test_lips_that_are_declared_closed_meet_on_their_line(tmp_path: Path) -> None:
    portrait = teapot(tmp_path)
    declare(portrait, with_value("mouth.line", [203, 272], SMALLEST))
    points = face_of(portrait).face.points
    assert np.allclose(place(points, "mouth.line"), (203, 272), atol=0.1)
    assert abs(points[13, 1] - points[14, 1]) < 1
    for upper, lower in zip(UPPER_LIP[3], LOWER_LIP[3], strict=True):
        assert abs(points[upper, 1] - points[lower, 1]) < 2


def test_lips_that_are_declared_open_are_nested_from_the_outside_in(tmp_path: Path) -> None:
    portrait = teapot(tmp_path)
    declare(portrait, OPEN)
    points = face_of(portrait).face.points
    middles = [points[row[5], 1] for row in (*UPPER_LIP, *LOWER_LIP[::-1])]
    assert middles == sorted(middles)
    assert points[14, 1] - points[13, 1] == pytest.approx(42, abs=0.5)


def test_the_other_points_follow_those_that_were_declared(tmp_path: Path) -> None:
    portrait = teapot(tmp_path)
    declare(portrait, OPEN)
    points = face_of(portrait).face.points
    eye = points[list(LEFT_EYE), :2]
    # The rims of eyes and face keep their order: no two parts cross.
    assert (eye[:, 0] >= 119).all() and (eye[:, 0] <= 171).all()
    oval = points[list(OVAL), :2] - points[list(OVAL), :2].mean(axis=0)
    angles = np.unwrap(np.arctan2(oval[:, 1], oval[:, 0]))
    assert (np.diff(angles) > 0).all()


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(-50, 50), y=st.floats(-30, 30), scale=st.floats(0.3, 2), degrees=st.floats(-40, 40)
)
def test_a_declared_face_follows_its_points(
    x: float, y: float, scale: float, degrees: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "follow"
    folder.mkdir(exist_ok=True)
    angle = math.radians(degrees)
    turn = scale * np.array(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    )

    def moved(points: np.ndarray) -> np.ndarray:
        return np.asarray((points - (200, 240)) @ turn + (450 + x, 450 + y))

    def declared(name: str, values: Values) -> Face:
        declaration = read_sidecar(declare(folder / name, values))
        return declared_face(Image.new("L", (900, 900)), declaration, (900, 900))[0]

    groups = {part: group for part, group in OPEN.items() if isinstance(group, dict)}
    values = {part: {name: moved(np.array(point)).tolist() for name, point in group.items()}
              for part, group in groups.items()}  # fmt: skip
    still, there = declared("a.png", groups), declared("b.png", values)
    gaps = np.linalg.norm(moved(still.points[:, :2]) - there.points[:, :2], axis=1)
    assert gaps.max() < 0.01 * eye_distance(there)
    assert np.allclose(there.points[:, 2], still.points[:, 2] * scale, atol=0.05)


def test_what_the_network_finds_is_written_and_read_again_unchanged(tmp_path: Path) -> None:
    portrait = tmp_path / "lan.png"
    Image.open(ASSETS / "presenter.png").convert("RGB").resize((512, 640)).save(portrait)
    face = face_of(portrait).face
    write_sidecar(sidecar_of(portrait), described(face, (512, 640)))
    again = face_of(portrait).found
    assert again.declared
    assert np.abs(again.face.points - face.points).max() < 0.2


def test_a_correction_moves_what_is_near_it_and_keeps_the_rest(tmp_path: Path) -> None:
    portrait = tmp_path / "lan.png"
    Image.open(ASSETS / "presenter.png").convert("RGB").resize((512, 640)).save(portrait)
    face = face_of(portrait).face
    sidecar = described(face, (512, 640)).model_dump(exclude_none=True)
    sidecar["mouth"]["left"] = [sidecar["mouth"]["left"][0] - 6, sidecar["mouth"]["left"][1] - 3]
    declare(portrait, {**sidecar, "picture": [512, 640]})
    moved = face_of(portrait).face.points - face.points
    assert np.allclose(moved[61, :2], (-6, -3), atol=0.2)
    assert np.abs(moved[list(NAMED["mouth.right"]), :2]).max() < 0.2
    assert np.abs(moved[list(LEFT_EYE), :2]).max() < 1.5


def test_of_several_faces_the_sidecar_chooses_the_one_it_lies_on(tmp_path: Path) -> None:
    lan = Image.open(ASSETS / "presenter.png").convert("RGB")
    canvas = Image.new("RGB", (900, 640), (200, 210, 220))
    canvas.paste(lan.resize((512, 640)), (380, 0))
    canvas.paste(lan.resize((320, 400)), (20, 100))
    portrait = tmp_path / "two.png"
    canvas.save(portrait)
    large = face_of(portrait)
    assert large.found.count == 2
    small = Face(
        ((large.face.points - (380, 0, 0)) * 0.625 + (20, 100, 0)).astype(np.float32), 20.0
    )
    write_sidecar(sidecar_of(portrait), described(small, (900, 640)))
    chosen = face_of(portrait).found
    assert chosen.count == 2
    assert np.linalg.norm(chosen.face.points[:, :2] - small.points[:, :2], axis=1).max() < 3


def test_a_sidecar_made_for_another_size_of_the_picture_is_scaled(tmp_path: Path) -> None:
    small = teapot(tmp_path, (200, 240))
    declare(small, OPEN)
    assert np.allclose(place(face_of(small).face.points, "mouth.left"), (75, 135), atol=0.1)


def test_a_huge_picture_keeps_the_numbers_of_its_own_pixels(tmp_path: Path) -> None:
    huge = teapot(tmp_path, (4000, 4800))
    scaled = {part: {name: [v * 10 for v in point] for name, point in group.items()}
              for part, group in SMALLEST.items()}  # fmt: skip
    declare(huge, scaled)
    portrait = face_of(huge)
    scale = portrait.picture.shape[1] / 4000
    assert np.allclose(
        place(portrait.face.points, "mouth.left"), np.array([1600, 2700]) * scale, atol=0.5
    )


def test_a_declared_face_needs_no_face_in_the_picture(tmp_path: Path) -> None:
    portrait = tmp_path / "plain.png"
    Image.new("L", (400, 480), 128).save(portrait)
    declare(portrait, SMALLEST)
    assert face_of(portrait).found.declared


WRONG: dict[str, tuple[Values | str, str | None, str]] = {
    "not JSON": ("{'mouth': 1}", None, "This is not JSON"),
    "cut off": ('{"mouth": {"left": [1, 2', None, "This is not JSON"),
    "empty object": ({}, "mouth", "missing"),
    "a list": ("[1, 2]", None, "in braces"),
    "a number": ("5", None, "in braces"),
    "nested without end": ("[" * 50_000, None, "not JSON"),
    "an unknown key": (with_value("mouht", 1), "mouht", "Did you mean 'mouth'?"),
    "an unknown point": (with_value("mouth.centre", [1, 2]), "mouth.centre", "no such key"),
    "a misspelt point": (with_value("face.chinn", [1, 2]), "face.chinn", "Did you mean 'chin'?"),
    "no mouth": (without("mouth"), "mouth", "missing"),
    "no eye corner": (without("left_eye.right"), "left_eye.right", "missing"),
    "a text": (with_value("mouth.left", "150, 270"), "mouth.left", "pair of numbers"),
    "one number": (with_value("mouth.left", [150]), "mouth.left", "pair of numbers"),
    "three numbers": (with_value("mouth.left", [150, 270, 0]), "mouth.left", "pair of numbers"),
    "a number as text": (with_value("mouth.left", [150, "270"]), "mouth.left", "pair of numbers"),
    "yes for a number": (with_value("mouth.left", [True, 270]), "mouth.left", "pair of numbers"),
    "no number": (with_value("mouth.left", [math.nan, 270]), "mouth.left", "pair of numbers"),
    "endless": (with_value("mouth.left", [math.inf, 270]), "mouth.left", "pair of numbers"),
    "an object": (with_value("mouth.left", {"x": 1, "y": 2}), "mouth.left", "pair of numbers"),
    "null": (with_value("mouth.left", None), "mouth.left", "pair of numbers"),
    "a point for a group": (with_value("mouth", [1, 2]), "mouth", "in braces"),
    "an unknown shape": (with_value("shape", "round"), "shape", "'found' or 'standard'"),
    "half a size": (with_value("picture", [400]), "picture", "[width, height]"),
    "a size of nothing": (with_value("picture", [0, 480]), "picture", "[width, height]"),
    "another picture's shape": (with_value("picture", [480, 400]), "picture", "480 x 400"),
    "outside": (with_value("mouth.left", [-5, 270]), "mouth.left", "outside the picture"),
    "below": (with_value("mouth.bottom", [200, 481]), "mouth.bottom", "outside the picture"),
    "far outside": (with_value("face.chin", [200, 5000]), "face.chin", "outside the picture"),
    "left and right swapped": (
        {**OPEN, "left_eye": OPEN["right_eye"], "right_eye": OPEN["left_eye"]}, "left_eye",
        "right of right_eye"),
    "corners swapped": (
        with_value("mouth.left", [250, 271]), "mouth.left", "left of mouth.right"),
    "an eye's corners swapped": (
        with_value("right_eye.left", [290, 180]), "right_eye.left", "left of right_eye.right"),
    "lips upside down": (
        with_value("mouth.top", [200, 330]), "mouth.top", "above mouth.inner_top"),
    "the mouth above the eyes": (
        {**SMALLEST, "mouth": {"left": [160, 70], "right": [240, 70], "top": [200, 62],
                               "bottom": [200, 84]}}, "left_eye.left", "above mouth.left"),
    "the chin in the mouth": (
        with_value("face.chin", [200, 290]), "mouth.bottom", "above face.chin"),
    "a line outside the lips": (
        with_value("mouth.line", [200, 300], SMALLEST), "mouth.line", "above mouth.bottom"),
    "a line and an opening": (
        with_value("mouth.line", [200, 270]), "mouth", "line for closed lips"),
    "half an opening": (without("mouth.inner_top"), "mouth", "belong together"),
    "a tiny mouth": (
        {**SMALLEST, "mouth": {"left": [197, 270], "right": [203, 270], "top": [200, 269],
                               "bottom": [200, 272]}}, "mouth", "only 6 pixels wide"),
    "a face that is not there": (
        with_value("shape", "found"), "shape", "No face is found here"),
    "a key twice": (
        json.dumps(OPEN)[:-1] + ', "shape": "standard"}', "shape", "stands here twice"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_told_with_its_file_and_key(what: str, tmp_path: Path) -> None:
    values, key, message = WRONG[what]
    failure = mistake(tmp_path, values)
    assert message in str(failure)
    assert failure.key == key
    assert failure.file == tmp_path / "pot.landmarks.json"
    assert failure.advice
    assert "Input" not in failure.message


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    text = '{\n "note": "a \\"left\\": [",\n' + json.dumps(OPEN, indent=1)[1:]
    failure = mistake(tmp_path, text.replace("150,\n   270", "150,\n   9999", 1))
    assert failure.key == "mouth.left"
    assert failure.line == next(
        n for n, line in enumerate(text.splitlines(), 1) if '"left": [' in line and n > 2
    )
    assert mistake(tmp_path, '{\n\n  "mouth": 5 5\n}').line == 3


FILES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda file: file.mkdir(),
    "nothing": lambda file: file.touch(),
    "not UTF-8": lambda file: file.write_bytes(b'{"note": "\xff"}'),
    "megabytes": lambda file: file.write_text(" " * 200_000 + "{}", encoding="utf-8"),
    "UTF-16": lambda file: file.write_text("{}", encoding="utf-16"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_none_is_told_as_such(what: str, tmp_path: Path) -> None:
    portrait = teapot(tmp_path)
    FILES[what](sidecar_of(portrait))
    with pytest.raises(InputError) as caught:
        face_of(portrait)
    assert caught.value.file == sidecar_of(portrait)


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    portrait = teapot(tmp_path)
    sidecar_of(portrait).write_text(json.dumps(SMALLEST), encoding="utf-8-sig")
    assert face_of(portrait).found.declared


@settings(max_examples=150, deadline=None)
@given(points=st.lists(st.tuples(st.floats(0, 400), st.floats(0, 480)), min_size=18, max_size=18))
def test_whatever_is_declared_ends_in_a_face_or_in_a_sentence(
    points: list[tuple[float, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "whatever"
    folder.mkdir(exist_ok=True)
    places = iter(points)
    values = {part: {name: list(next(places)) for name in group}
              for part, group in OPEN.items() if isinstance(group, dict)}  # fmt: skip
    declaration = read_sidecar(declare(folder / "any.png", values))
    try:
        face, _ = declared_face(Image.new("RGB", (400, 480)), declaration, (400, 480))
    except InputError as failure:
        assert failure.key is None or failure.line is not None
    else:
        assert np.isfinite(face.points).all()


@settings(max_examples=60, deadline=None)
@given(jitter=st.lists(st.floats(-9, 9), min_size=36, max_size=36))
def test_an_inaccurate_hand_still_gives_a_face_without_folds(
    jitter: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "jitter"
    folder.mkdir(exist_ok=True)
    shake = iter(jitter)
    groups = {k: v for k, v in OPEN.items() if k in ("left_eye", "right_eye", "face")}
    values = {part: {name: [x + next(shake), y + next(shake)] for name, (x, y) in group.items()}
              for part, group in groups.items()}  # fmt: skip
    declaration = read_sidecar(declare(folder / "shaky.png", {**values, "mouth": OPEN["mouth"]}))
    face, _ = declared_face(Image.new("RGB", (400, 480)), declaration, (400, 480))
    oval = face.points[list(OVAL), :2] - (200, 230)
    assert (np.diff(np.unwrap(np.arctan2(oval[:, 1], oval[:, 0]))) > -0.05).all()


def test_the_standard_face_describes_itself() -> None:
    points = standard().points * (100, 100, 100) + (200, 200, 0)
    values = described(Face(points.astype(np.float32), math.inf), (400, 480), "A guess.")
    assert values.shape == "standard"
    assert values.note == "A guess."
    assert values.mouth.line is not None
    assert values.mouth.inner_top is None
