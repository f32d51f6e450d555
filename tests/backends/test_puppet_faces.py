"""Faces in portraits: found whatever the picture looks like, or refused with a sentence."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from avatar_core.errors import AvatarError, Category
from avatar_core.media_error import MediaError
from backends.puppet import networks
from backends.puppet.anchors import anchors, merge, overlap
from backends.puppet.canonical import LOWER_LIP, NAMED, UPPER_LIP, place, standard
from backends.puppet.face import Face
from backends.puppet.landmarks import eye_distance
from backends.puppet.portraits import (
    MAX_SIDE,
    FoundFace,
    face_of,
    find_face,
    open_portrait,
    refuse_unfit,
    yaw_of,
)
from backends.puppet.search import PRESENCE

ASSETS = Path(__file__).parents[2] / "renderer" / "demo" / "assets"
PORTRAITS = ("presenter.png", "minh.png")
Pixels = NDArray[np.uint8]

LAN = Image.open(ASSETS / "presenter.png").convert("RGB").resize((512, 640))
FOUND = find_face(np.asarray(LAN)).face


def off(face: Face, expected: NDArray[np.floating]) -> float:
    """How far the points are from where they should be, as a share of the eye distance."""
    gaps = np.linalg.norm(face.points[:, :2] - expected, axis=1)
    return float(gaps.mean()) / eye_distance(face)


def refusal(picture: Image.Image) -> AvatarError:
    with pytest.raises(AvatarError) as caught:
        find_face(np.asarray(picture.convert("RGB")))
    assert caught.value.category is Category.INVALID_INPUT
    return caught.value


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_portrait_has_one_face_that_looks_ahead(name: str) -> None:
    found = find_face(np.asarray(Image.open(ASSETS / name).convert("RGB")))
    assert found.count == 1
    assert found.face.presence > 2 * PRESENCE
    assert found.face.points.shape == (478, 3)
    assert found.face.points.dtype == np.float32
    assert 250 < eye_distance(found.face) < 300
    assert abs(found.roll) < 2
    assert abs(found.yaw) < 5
    assert found.warnings == ()


def test_the_points_are_where_the_drawing_has_them() -> None:
    # Read off the drawing by eye, in pixels of the half-size picture.
    drawn = {"mouth.left": (221, 353), "mouth.right": (291, 353), "face.chin": (255, 416),
             "left_eye.left": (187, 271), "right_eye.right": (325, 271)}  # fmt: skip
    for name, where in drawn.items():
        assert np.linalg.norm(place(FOUND.points, name) - where) < 7, name


def test_the_same_picture_gives_the_same_points() -> None:
    assert (find_face(np.asarray(LAN)).face.points == FOUND.points).all()


@settings(max_examples=6, deadline=None)
@given(x=st.integers(-60, 60), y=st.integers(-60, 60))
def test_the_points_follow_a_shift(x: int, y: int) -> None:
    canvas = Image.new("RGB", (700, 800), (200, 210, 220))
    canvas.paste(LAN, (90 + x, 80 + y))
    assert off(find_face(np.asarray(canvas)).face, FOUND.points[:, :2] + (90 + x, 80 + y)) < 0.01


@settings(max_examples=6, deadline=None)
@given(scale=st.floats(0.35, 3))
def test_the_points_follow_the_size(scale: float) -> None:
    size = round(512 * scale), round(640 * scale)
    scaled = LAN.resize(size, Image.Resampling.LANCZOS)
    stretch = np.array([size[0] / 512, size[1] / 640])
    assert off(find_face(np.asarray(scaled)).face, FOUND.points[:, :2] * stretch) < 0.01


@settings(max_examples=6, deadline=None)
@given(degrees=st.floats(-35, 35))
def test_the_points_follow_a_tilted_head(degrees: float) -> None:
    tilted = LAN.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=(200, 210, 220))
    middle, angle = np.array([256, 320]), np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    found = find_face(np.asarray(tilted))
    assert off(found.face, (FOUND.points[:, :2] - middle) @ turn + middle) < 0.01
    assert abs(found.roll - degrees) < 2


def test_the_points_follow_a_mirror() -> None:
    face = find_face(np.asarray(LAN)[:, ::-1].copy()).face
    expected = FOUND.points[standard().mirror, :2]
    assert off(face, np.array([512, 0]) + expected * (-1, 1)) < 0.005


def shaded(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Pixels:
    return np.clip(change(np.asarray(LAN) / 255) * 255, 0, 255).astype(np.uint8)


def noise(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return pixels + np.random.default_rng(1).normal(0, 0.12, pixels.shape)


def glasses(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    picture = Image.fromarray((pixels * 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for side in ("left_eye", "right_eye"):
        x, y = (place(FOUND.points, f"{side}.left") + place(FOUND.points, f"{side}.right")) / 2
        draw.ellipse((x - 34, y - 28, x + 34, y + 28), outline=(20, 20, 20), width=6)
    return np.asarray(picture) / 255


def bearded(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    picture = Image.fromarray((pixels * 255).astype(np.uint8))
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    draw.polygon([(175, 330), (190, 380), (225, 412), (256, 420), (290, 412), (322, 380),
                  (336, 330), (300, 345), (256, 335), (212, 345)], fill=230)  # fmt: skip
    draw.polygon([tuple(FOUND.points[i, :2]) for row in (UPPER_LIP[0], LOWER_LIP[0][::-1])
                  for i in row], fill=0)  # fmt: skip
    picture.paste((45, 32, 26), mask=mask.filter(ImageFilter.GaussianBlur(3)))
    return np.asarray(picture) / 255


LOOKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "grey": lambda p: np.repeat(p.mean(axis=2, keepdims=True), 3, axis=2),
    "low light": lambda p: p * 0.08,
    "overexposed": lambda p: 1 - (1 - p) * 0.4,
    "low contrast": lambda p: 0.45 + p * 0.12,
    "dark skin": lambda p: p**2.5,
    "blue light": lambda p: p * (0.35, 0.5, 1),
    "noisy": noise,
    "glasses": glasses,
    "beard": bearded,
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_points_stay_where_they_are_however_the_portrait_looks(look: str) -> None:
    found = find_face(shaded(LOOKS[look]))
    assert found.count == 1
    assert off(found.face, FOUND.points[:, :2]) < 0.02


def test_of_two_faces_the_larger_one_is_taken_and_both_are_counted() -> None:
    canvas = Image.new("RGB", (900, 640), (200, 210, 220))
    canvas.paste(LAN.resize((256, 320)), (20, 100))
    canvas.paste(LAN, (380, 0))
    found = find_face(np.asarray(canvas))
    assert found.count == 2
    assert off(found.face, FOUND.points[:, :2] + (380, 0)) < 0.01
    assert found.warnings == ("The portrait shows 2 faces: the largest one speaks.",)


def test_faces_that_are_small_in_a_large_picture_are_found() -> None:
    canvas = Image.new("RGB", (2400, 1600), (120, 140, 110))
    canvas.paste(LAN.resize((256, 320)), (1900, 1100))
    found = find_face(np.asarray(canvas))
    assert off(found.face, FOUND.points[:, :2] / 2 + (1900, 1100)) < 0.01


def test_a_face_that_fills_the_whole_picture_is_found() -> None:
    low, high = FOUND.points[:, :2].min(axis=0), FOUND.points[:, :2].max(axis=0)
    box = tuple(int(v) for v in (*low, *high))
    found = find_face(np.asarray(LAN.crop(box)))
    assert off(found.face, FOUND.points[:, :2] - box[:2]) < 0.05


def profile() -> Image.Image:
    picture = Image.new("RGB", (400, 480), (215, 222, 230))
    draw = ImageDraw.Draw(picture)
    outline = [(120, 60), (220, 50), (285, 100), (292, 170), (330, 240), (295, 255), (305, 275),
               (290, 285), (302, 300), (288, 340), (240, 370), (190, 360), (190, 470), (90, 470),
               (80, 200)]  # fmt: skip
    draw.polygon(outline, fill=(224, 178, 150))
    draw.ellipse((252, 165, 278, 182), fill=(250, 250, 250))
    draw.ellipse((264, 166, 278, 181), fill=(60, 40, 30))
    draw.ellipse((130, 190, 165, 250), fill=(205, 150, 125))
    return picture


NO_FACES: dict[str, Callable[[], Image.Image]] = {
    "plain": lambda: Image.new("RGB", (300, 400), (127, 127, 127)),
    "black": lambda: Image.new("RGB", (64, 64)),
    "noise": lambda: Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    ),
    "a shop": lambda: Image.open(ASSETS / "shop.jpg"),
    "a notebook": lambda: Image.open(ASSETS / "script.jpg"),
    "one pixel": lambda: Image.new("RGB", (1, 1)),
    "a strip": lambda: Image.new("RGB", (4000, 3), (200, 180, 170)),
    "a profile": profile,
    "a mouth alone": lambda: LAN.crop((210, 330, 300, 390)),
    "the back of a head": lambda: LAN.crop((150, 0, 350, 120)),
}


@pytest.mark.parametrize("what", NO_FACES)
def test_a_picture_without_a_face_is_refused_with_advice(what: str) -> None:
    failure = refusal(NO_FACES[what]())
    assert failure.message == "No face was found in the portrait."
    assert "avatar puppet annotate" in failure.advice


@pytest.mark.parametrize(("degrees", "how"), [
    (60, "on its side"), (90, "on its side"), (180, "upside down"), (150, "upside down"),
    (270, "on its side"),
])  # fmt: skip
@pytest.mark.parametrize("name", PORTRAITS)
def test_a_face_that_is_not_upright_is_refused_and_told_so(
    name: str, degrees: int, how: str
) -> None:
    picture = Image.open(ASSETS / name).convert("RGB").resize((512, 640))
    failure = refusal(picture.rotate(degrees, expand=True, fillcolor=(200, 210, 220)))
    assert how in failure.message
    assert failure.advice == "Turn the picture so that the face is upright."


@pytest.mark.parametrize("height", [40, 52, 60])
def test_a_tiny_face_is_refused_with_its_size(height: int) -> None:
    scale = height / 212
    small = LAN.resize((round(512 * scale), round(640 * scale)), Image.Resampling.LANCZOS)
    failure = refusal(small)
    assert f"only {height} pixels high" in failure.message
    assert "at least 64 pixels" in failure.advice


def test_a_small_face_is_taken_with_a_warning() -> None:
    found = find_face(np.asarray(LAN.resize((256, 320), Image.Resampling.LANCZOS)))
    assert [w.endswith("will be soft.") for w in found.warnings] == [True]


def squeezed(share: float) -> Image.Image:
    """One half of the face made narrow, as perspective does it to a head that is turned."""
    middle = 256
    left = LAN.crop((0, 0, middle, 640))
    right = LAN.crop((middle, 0, 512, 640)).resize((round(middle * share), 640))
    picture = Image.new("RGB", (512, 640), (60, 40, 40))
    picture.paste(left, (0, 0))
    picture.paste(right, (middle, 0))
    return picture


def test_a_head_that_is_turned_a_little_is_taken() -> None:
    found = find_face(np.asarray(squeezed(0.7)))
    assert 5 < abs(found.yaw) < 38


def test_a_head_of_which_half_is_hidden_is_refused() -> None:
    assert "from the front" in refusal(squeezed(0.15)).advice


@pytest.mark.parametrize("degrees", [45, -60, 80])
def test_a_head_that_is_turned_far_is_refused(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    face = Face((FOUND.points @ turn).astype(np.float32), 20.0)
    with pytest.raises(AvatarError, match="turned to the side") as caught:
        refuse_unfit(FoundFace(face, 1, 0.0, yaw_of(face)))
    assert "from the front" in caught.value.advice


def test_many_threads_share_the_networks() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(find_face, [np.asarray(LAN)] * 4))
    assert [(one.face.points == FOUND.points).all() for one in found] == [True] * 4


def save(picture: Image.Image, file: Path, **how: object) -> Path:
    picture.save(file, **how)  # type: ignore[arg-type]
    return file


def sixteen_bits(grey: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257)


def turned_by_exif(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6
    return save(LAN.transpose(Image.Transpose.ROTATE_90), folder / "t.jpg", exif=exif, quality=95)


def see_through(folder: Path) -> Path:
    picture = LAN.convert("RGBA")
    mask = Image.new("L", LAN.size)
    ImageDraw.Draw(mask).ellipse((120, 120, 392, 470), fill=255)
    picture.paste((0, 0, 0, 0), mask=Image.eval(mask, lambda v: 255 - v))
    return save(picture, folder / "p.png")


FILES: dict[str, Callable[[Path], Path]] = {
    "16 bits of grey": lambda d: save(sixteen_bits(LAN.convert("L")), d / "p.png"),
    "grey": lambda d: save(LAN.convert("L"), d / "p.png"),
    "palette": lambda d: save(LAN.quantize(64), d / "p.gif"),
    "CMYK": lambda d: save(LAN.convert("CMYK"), d / "p.jpg", quality=95),
    "transparent": see_through,
    "turned by EXIF": turned_by_exif,
    "animated GIF": lambda d: save(
        LAN, d / "p.gif", save_all=True, append_images=[Image.new("RGB", LAN.size)], duration=50
    ),
    "animated WebP": lambda d: save(
        LAN, d / "p.webp", save_all=True, append_images=[Image.new("RGB", LAN.size)], duration=50
    ),
    "pages of a TIFF": lambda d: save(
        LAN, d / "p.tiff", save_all=True, append_images=[Image.new("RGB", LAN.size)]
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_portrait_may_be_any_kind_of_picture(kind: str, tmp_path: Path) -> None:
    portrait = face_of(FILES[kind](tmp_path))
    assert portrait.picture.shape == (640, 512, 3)
    assert portrait.picture.dtype == np.uint8
    assert off(portrait.face, FOUND.points[:, :2]) < 0.02


def test_what_is_transparent_is_laid_on_a_light_backdrop_and_kept_as_alpha(tmp_path: Path) -> None:
    portrait = face_of(see_through(tmp_path))
    assert portrait.alpha is not None
    assert portrait.alpha.shape == (640, 512)
    assert portrait.alpha[0, 0] == 0
    assert portrait.alpha[300, 256] == 255
    assert tuple(portrait.picture[0, 0]) == (232, 234, 238)


def test_an_opaque_portrait_has_no_alpha(tmp_path: Path) -> None:
    assert open_portrait(save(LAN, tmp_path / "p.png"))[1] is None


def test_a_huge_picture_is_scaled_down_first(tmp_path: Path) -> None:
    wide = Image.new("RGB", (12_000, 2_000), (120, 130, 110))
    wide.paste(LAN.resize((1536, 1920)), (7000, 40))
    portrait = face_of(save(wide, tmp_path / "wide.png", compress_level=1))
    assert portrait.picture.shape == (512, MAX_SIDE, 3)
    expected = (FOUND.points[:, :2] * 3 + (7000, 40)) * (MAX_SIDE / 12_000)
    assert off(portrait.face, expected) < 0.01


def test_a_file_that_is_no_picture_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_text("not a picture", encoding="utf-8")
    for file in (tmp_path / "p.png", tmp_path / "none.png", tmp_path):
        with pytest.raises(MediaError):
            face_of(file)


def test_the_standard_face_is_symmetric_and_closed() -> None:
    face = standard()
    flipped = face.points[face.mirror] * (-1, 1, 1)
    assert np.abs(flipped - face.points).max() < 1e-6
    assert (face.mirror[face.mirror] == np.arange(478)).all()
    assert np.allclose(face.points[[33, 263], :2], [[-0.5, 0], [0.5, 0]], atol=1e-6)
    assert np.linalg.norm(face.points[13] - face.points[14]) < 0.01


def test_names_on_the_left_are_mirrored_by_those_on_the_right() -> None:
    mirror = standard().mirror
    sides = {"left": "right", "right": "left"}
    for name, (first, *_) in NAMED.items():
        other = re.sub("left|right", lambda match: sides[match[0]], name)
        assert int(mirror[first]) == NAMED[other][0], name
    for row in (*UPPER_LIP, *LOWER_LIP):
        assert [int(mirror[i]) for i in row] == list(reversed(row))


def test_the_anchors_are_those_of_the_detector() -> None:
    assert anchors().shape == (896, 2)
    assert anchors()[0].tolist() == [1 / 32, 1 / 32]
    assert anchors()[2].tolist() == [3 / 32, 1 / 32]
    assert anchors()[512].tolist() == [1 / 16, 1 / 16]
    assert anchors()[-1].tolist() == [15 / 16, 15 / 16]


def row(score: float, left: float, top: float, side: float) -> list[float]:
    return [score, left, top, left + side, top + side, *[left] * 12]


def test_boxes_of_one_face_become_one_box_between_them() -> None:
    rows = np.array([row(0.9, 0, 0, 1), row(0.3, 0.2, 0, 1), row(0.8, 5, 5, 1)], dtype=np.float32)
    merged = merge(rows)
    assert len(merged) == 2
    assert merged[0, 0] == np.float32(0.9)
    assert merged[0, 1] == pytest.approx(0.05)
    assert merged[1].tolist() == pytest.approx(rows[2].tolist())
    assert merge(rows[:0]).shape == (0, 17)


def test_the_overlap_of_boxes_without_area_is_none() -> None:
    rows = np.array([row(1, 0, 0, 0), row(1, 0, 0, 1)], dtype=np.float32)
    assert overlap(rows[0], rows).tolist() == [0, 0]


def test_the_model_card_tells_the_files_as_they_are() -> None:
    folder = Path(networks.__file__).parent / "models"
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    names = [f"{networks.DETECTOR}.onnx", f"{networks.LANDMARKS}.onnx", "canonical_face.npz"]
    for name in names:
        content = (folder / name).read_bytes()
        told = f"| `{name}` | {len(content):,} | `{hashlib.sha256(content).hexdigest()}` |"
        assert told in card
