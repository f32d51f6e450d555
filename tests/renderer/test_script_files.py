"""The files a script names: found, told apart by their content, refused before rendering."""

from __future__ import annotations

import io
import os
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image, ImageColor

from renderer.script.colors import hex_color
from renderer.script.files import kind_of, locate
from renderer.script.models import Background, Scene
from renderer.script.resolve import load_film
from support_script import DEFAULTS, JPEG, MP4, PNG, WAV, film_of, refused


def gif(frames: int) -> bytes:
    pictures = [Image.new("P", (8, 8), i) for i in range(frames)]
    buffer = io.BytesIO()
    repeated = {"save_all": True, "append_images": pictures[1:], "loop": 0} if frames > 1 else {}
    pictures[0].save(buffer, "GIF", **repeated)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.png", PNG, "image"),
        ("a.mp4", PNG, "image"),
        ("no-ending", JPEG, "image"),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "image"),
        ("a.avif", b"\0\0\0\x18ftypavif" + b"\0" * 9, "image"),
        ("a.gif", gif(1), "image"),
        ("moving.gif", gif(3), "video"),
        ("a.mp4", MP4, "video"),
        ("a.webm", b"\x1aE\xdf\xa3\0\0", "video"),
        ("a.avi", b"RIFF\0\0\0\0AVI ", "video"),
        ("a.ts", b"\x47\x40\x11\x10\0\xff", "video"),
        ("a.m4a", b"\0\0\0\x18ftypM4A " + b"\0" * 9, "audio"),
        ("a.wav", WAV, "audio"),
        ("a.mp3", b"ID3\4\0\0\0", "audio"),
        ("a.mp3", b"\xff\xfb\x90\x44\0\0", "audio"),
        ("a.ogg", b"OggS\0\2", "audio"),
        ("a.png", b"BMW is a car\n", "text"),
        ("a.png", "Xin chào Việt Nam".encode(), "text"),
        ("a.xyz", b"\0\1\2\3", None),
    ],
)
def test_a_file_is_what_it_holds_not_what_it_is_called(
    tmp_path: Path, name: str, content: bytes, kind: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert kind_of(path) == kind


@pytest.mark.parametrize(("on_disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_name_is_found_in_either_spelling_of_its_letters(
    tmp_path: Path, on_disk: Literal["NFC", "NFD"], written: Literal["NFC", "NFD"]
) -> None:
    name = "ảnh đẹp/người dẫn.png"
    there = tmp_path / unicodedata.normalize(on_disk, name)
    there.parent.mkdir()
    there.write_bytes(PNG)
    assert locate(unicodedata.normalize(written, name), tmp_path).read_bytes() == PNG
    script = there.with_name(unicodedata.normalize(on_disk, "kịch bản.yaml"))
    script.write_text("scenes: [{duration: 1}]\n", encoding="utf-8")
    asked = tmp_path / unicodedata.normalize(written, "ảnh đẹp/kịch bản.yaml")
    assert len(load_film(asked, defaults=DEFAULTS).scenes) == 1


def test_of_two_names_that_look_the_same_the_written_one_is_meant(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "ệ.png") for form in ("NFC", "NFD")]
    for name in names:
        (tmp_path / name).write_bytes(PNG)
    assert [locate(name, tmp_path).name for name in names] == names


def scene(line: str) -> str:
    return f"scenes:\n  - text: a\n    {line}\n"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    for name, content in {
        "shop.jpg": JPEG, "face.png": PNG, "pour.mp4": MP4, "voice.wav": WAV, "notes.png": b"hello",
        "empty.wav": b"", "logo.svg": b"<svg/>", "quote's \"ảnh\".png": PNG, "-dash.png": PNG,
        "teal": PNG,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.png").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (scene("background: shpo.jpg"), 'film.yaml:3: scenes[0].background.src: there is no file '
         'shpo.jpg. Did you mean "shop.jpg"?'),
        (scene("background: gren"), 'Did you mean the colour "green"?'),
        (scene("background: '#12345'"), '"#12345" is no colour.'),
        (scene("background: {type: color, src: rad}"), 'Did you mean "red"?'),
        (scene("background: notes.png"), "notes.png holds text, not a picture or a video."),
        (scene("background: voice.wav"), "voice.wav holds a sound file, not a picture or a video."),
        (scene("background: {type: image, src: pour.mp4}"), "holds a video, not a picture."),
        (scene("background: folder.png"), "folder.png is a folder."),
        (scene("background: logo.svg"), "Export it as PNG."),
        (scene("background: https://example.com/a.png"), "this is an address, not a file."),
        (scene("background: nowhere/a.png"), "Nor is there a folder"),
        (scene(f"background: {'x' * 300}.png"), "cannot be read"),
        (scene("overlays: [{type: image, src: pour.mp4}]"), "scenes[0].overlays[0].src: pour.mp4"),
        (scene("audio: empty.wav"), "scenes[0].audio: empty.wav is empty (0 bytes)."),
        (scene("audio: face.png"), "face.png holds a picture, not a sound file."),
        (scene("audio: no.wav"), "scenes[0].audio: there is no file no.wav."),
        ("music: {src: no.mp3}\n" + scene("id: a"), "film.yaml:1: music.src: there is no file"),
        ("watermark: {src: notes.png}\n" + scene("id: a"), "watermark.src: notes.png holds text"),
        ("output: {path: film.avi}\n" + scene("id: a"), "does not end in .mp4. Write film.mp4."),
        ("output: {path: folder}\n" + scene("id: a"), "does not end in .mp4."),
    ],
)  # fmt: skip
def test_an_unusable_file_is_told_with_its_line(media: Path, text: str, said: str) -> None:
    assert said in refused(media, text)


@pytest.mark.parametrize(
    ("line", "kind", "src"),
    [
        ("background: shop.jpg", "image", "shop.jpg"),
        ("background: {src: pour.mp4}", "video", "pour.mp4"),
        ('background: "quote\'s \\"ảnh\\".png"', "image", 'quote\'s "ảnh".png'),
        ("background: -dash.png", "image", "-dash.png"),
        ("background: teal", "image", "teal"),
        ("background: {type: color, src: teal}", "color", "#008080"),
        ("background: Gold", "color", "#ffd700"),
        ("background: '#abc'", "color", "#aabbcc"),
        ("background: ./folder.png/../shop.jpg", "image", "shop.jpg"),
    ],
)
def test_a_background_is_a_colour_a_picture_or_a_video(
    media: Path, line: str, kind: str, src: str
) -> None:
    background = film_of(media, scene(line)).scenes[0].background
    expected = src if kind == "color" else str(media / src)
    assert (background.type, background.src) == (kind, expected)


@pytest.mark.parametrize("portrait", ["no.png", "notes.png", "folder.png", "voice.wav"])
def test_an_unusable_portrait_is_a_warning_and_a_card(media: Path, portrait: str) -> None:
    film = film_of(
        media, f"speakers:\n  lan: {{portrait: {portrait}}}\nscenes: [{{speaker: lan, text: a}}]"
    )
    assert film.scenes[0].presenter is not None
    assert len(film.warnings) == 1
    assert "film.yaml:2: speakers.lan.portrait: " in film.warnings[0]
    assert "A card with the speaker's name is shown instead." in film.warnings[0]


def test_the_sound_of_a_video_may_be_a_narration(media: Path) -> None:
    film = film_of(media, "scenes: [{audio: pour.mp4}, {audio: voice.wav, text: '😀'}]")
    assert [scene.audio for scene in film.scenes] == [media / "pour.mp4", media / "voice.wav"]


def test_paths_count_from_the_script_and_from_python_from_the_base(media: Path) -> None:
    scenes = [Scene(text="a", background=Background(src="shop.jpg"))]
    film = load_film(scenes, base=media, defaults=DEFAULTS)
    assert film.scenes[0].background.src == str(media / "shop.jpg")
    assert film.source is None


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME" if os.name != "nt" else "USERPROFILE", str(tmp_path))
    assert locate("~/a.png", Path("/elsewhere")) == tmp_path / "a.png"
    assert locate("~nobody-of-this-name/a.png", tmp_path).parent.parent == tmp_path


def test_a_colour_keeps_its_name_after_pillow_has_drawn_with_it() -> None:
    # Pillow replaces a name's entry in its table by the parsed value on first use.
    ImageColor.getrgb("gold")
    assert hex_color("gold") == "#ffd700"
