"""`avatar puppet annotate`: a face written down, drawn, corrected by hand and drawn again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from avatar_core.errors import InputError
from avatar_core.media_error import MediaError
from avatar_core.plugins import load_plugins
from backends.puppet.annotate import Annotation, annotate
from backends.puppet.canonical import NAMED, place
from backends.puppet.portraits import face_of
from backends.puppet.sidecar import read_sidecar
from support_cli import Here

ASSETS = Path(__file__).parents[2] / "renderer" / "demo" / "assets"


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    file = tmp_path / "lan.png"
    Image.open(ASSETS / "presenter.png").convert("RGB").resize((512, 640)).save(file)
    return file


def save(picture: Image.Image, file: Path) -> Path:
    picture.save(file)
    return file


def mascot() -> Image.Image:
    picture = Image.new("RGBA", (600, 600))
    ImageDraw.Draw(picture).ellipse((320, 80, 580, 500), fill=(90, 140, 190, 255))
    return picture


def test_a_face_that_is_found_is_written_down_with_all_its_names(portrait: Path) -> None:
    before = face_of(portrait).face
    done = annotate(portrait)
    preview = portrait.with_name("lan.landmarks.png")
    assert done == Annotation(portrait.with_name("lan.landmarks.json"), preview, "found", 1)
    values = read_sidecar(done.sidecar).values
    assert values.shape == "found"
    assert values.picture == (512, 640)
    assert set(values.marks()) == set(NAMED) - {"mouth.inner_top", "mouth.inner_bottom"}
    assert np.abs(face_of(portrait).face.points - before.points).max() < 0.2


def test_each_point_stands_on_a_line_of_its_own(portrait: Path) -> None:
    text = annotate(portrait).sidecar.read_text(encoding="utf-8")
    points = re.findall(r'^ +"\w+": \[[\d.]+, [\d.]+\],?$', text, flags=re.MULTILINE)
    assert len(points) == 1 + 17


def test_the_drawing_shows_each_point_as_a_cross_of_its_colour(portrait: Path) -> None:
    drawn = np.asarray(Image.open(annotate(portrait).preview))
    assert drawn.shape[2] == 3
    assert 1270 <= max(drawn.shape) <= 1290
    for colour in ((255, 120, 120), (130, 255, 130), (130, 200, 255), (255, 230, 110)):
        assert (drawn == colour).all(axis=2).sum() > 100


def test_what_was_corrected_by_hand_is_kept_and_drawn_again(portrait: Path) -> None:
    done = annotate(portrait)
    first = done.preview.read_bytes()
    values = json.loads(done.sidecar.read_text(encoding="utf-8"))
    values["mouth"]["left"][0] -= 20
    done.sidecar.write_text(json.dumps(values), encoding="utf-8")
    again = annotate(portrait)
    assert again.source == "declared"
    assert json.loads(done.sidecar.read_text(encoding="utf-8")) == values
    assert done.preview.read_bytes() != first


def test_force_begins_anew_even_where_the_file_is_broken(portrait: Path) -> None:
    sidecar = annotate(portrait).sidecar
    sidecar.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not JSON"):
        annotate(portrait)
    assert annotate(portrait, force=True).source == "found"
    assert read_sidecar(sidecar).values.shape == "found"


def test_where_no_face_is_found_the_guess_lies_on_what_is_visible(tmp_path: Path) -> None:
    file = save(mascot(), tmp_path / "pot.png")
    done = annotate(file)
    assert done.source == "guessed"
    assert done.faces == 0
    assert done.reason == "No face was found in the portrait."
    points = face_of(file).face.points
    x, y = place(points, "mouth.line")
    assert 400 < x < 500 and 290 < y < 400
    assert read_sidecar(done.sidecar).values.shape == "standard"


GUESSED: dict[str, Callable[[], Image.Image]] = {
    "nothing": lambda: Image.new("RGB", (400, 300), (127, 127, 127)),
    "all transparent": lambda: Image.new("RGBA", (400, 300)),
    "a strip": lambda: Image.new("RGB", (2000, 120)),
    "a column": lambda: Image.new("L", (120, 2000)),
    "upside down": lambda: Image.open(ASSETS / "minh.png").rotate(180),
    "a tiny face": lambda: _small_face(),
    "noise": lambda: Image.fromarray(
        np.random.default_rng(2).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    ),
}


def _small_face() -> Image.Image:
    picture = Image.new("RGB", (600, 400), (220, 225, 230))
    picture.paste(Image.open(ASSETS / "minh.png").convert("RGB").resize((128, 160)), (20, 30))
    return picture


@pytest.mark.parametrize("what", GUESSED)
def test_a_guess_can_be_read_again_whatever_the_picture_is(what: str, tmp_path: Path) -> None:
    file = save(GUESSED[what](), tmp_path / "p.png")
    done = annotate(file)
    assert done.source == "guessed"
    assert done.reason
    assert face_of(file).found.declared
    assert Image.open(done.preview).size[0] > 0


def test_a_huge_picture_is_annotated_in_its_own_pixels(tmp_path: Path) -> None:
    wide = Image.new("RGB", (8000, 1500), (220, 225, 230))
    wide.paste(Image.open(ASSETS / "minh.png").convert("RGB").resize((1200, 1500)), (5000, 0))
    file = save(wide, tmp_path / "wide.png")
    done = annotate(file)
    values = read_sidecar(done.sidecar).values
    assert values.picture == (8000, 1500)
    assert 5400 < values.mouth.left[0] < values.mouth.right[0] < 5800
    portrait = face_of(file)
    scale = portrait.picture.shape[1] / 8000
    expected = np.array(values.mouth.left) * scale
    assert np.allclose(place(portrait.face.points, "mouth.left"), expected, atol=0.5)


def test_a_head_that_the_picture_cuts_off_is_annotated(tmp_path: Path) -> None:
    close = Image.open(ASSETS / "presenter.png").convert("RGB").crop((340, 430, 700, 800))
    done = annotate(save(close, tmp_path / "close.png"))
    assert read_sidecar(done.sidecar).values.face.left is not None
    assert face_of(tmp_path / "close.png").found.declared


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (3000, 20)])
def test_a_picture_in_which_nothing_could_be_pointed_at_is_refused(
    size: tuple[int, int], tmp_path: Path
) -> None:
    file = save(Image.new("RGB", size), tmp_path / "p.png")
    with pytest.raises(InputError, match="too small to speak") as caught:
        annotate(file)
    assert caught.value.file == file
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_no_picture_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(MediaError):
        annotate(tmp_path / "p.png")
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_a_place_that_cannot_be_written_is_told_with_the_next_step(portrait: Path) -> None:
    portrait.with_name("lan.landmarks.json").symlink_to(portrait.parent / "none" / "x.json")
    with pytest.raises(InputError, match="cannot be written") as caught:
        annotate(portrait)
    assert "a folder of yours" in (caught.value.advice or "")


def test_the_command_says_what_it_did_and_what_to_do_next(portrait: Path) -> None:
    application = typer.Typer()
    plugins = load_plugins(
        only="",
        entry_points=lambda: [EntryPoint("puppet", "backends.puppet.plugin", "avatar_core")],
    )
    plugins.add_commands(application)
    assert plugins.failed == []

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(application, ["puppet", "annotate", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    folder = f"{portrait.parent}{os.sep}"
    first = run(str(portrait)).replace(folder, "")
    assert "Wrote lan.landmarks.json. The points are those of the face that was found." in first
    assert "Drew lan.landmarks.png" in first
    assert "run this again" in first
    assert "exists and was kept; --force begins anew." in run(str(portrait))
    told = json.loads(run(str(portrait), "--force", "--json"))
    assert told == {
        "landmarks": str(portrait.with_name("lan.landmarks.json")),
        "preview": str(portrait.with_name("lan.landmarks.png")),
        "source": "found",
        "faces": 1,
        "reason": "",
    }


def test_the_command_tells_of_a_guess_and_of_several_faces(tmp_path: Path) -> None:
    from backends.puppet.commands import register

    application = typer.Typer()
    register(application)
    pot = save(mascot(), tmp_path / "pot.png")
    guessed = CliRunner().invoke(application, ["puppet", "annotate", str(pot)]).output
    assert "No face was found in the portrait. The points are a guess: correct them." in guessed
    lan = Image.open(ASSETS / "presenter.png").convert("RGB").resize((512, 640))
    two = Image.new("RGB", (1024, 640))
    two.paste(lan, (0, 0))
    two.paste(lan, (512, 0))
    both = save(two, tmp_path / "two.png")
    several = CliRunner().invoke(application, ["puppet", "annotate", str(both)]).output
    assert "The picture shows 2 faces; these are the points of the largest." in several


def test_a_mistake_on_the_command_line_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    done = Here(monkeypatch, capfd)("puppet", "annotate", "none.png", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("Check the path and the spelling.")
    assert "Traceback" not in done.stderr
