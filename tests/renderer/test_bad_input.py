"""Every mistake a person can make: a sentence that helps, exit code 2, and nothing left behind."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from support_cli import Here, avatar
from support_films import decoded, draw_portrait, write_tone

Film = dict[str, Any]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capfd)


def good_film(**scene: Any) -> Film:
    first: Film = {"id": "one", "duration": 0.3, **scene}
    if "audio" in scene or "text" in scene:
        del first["duration"]
    return {"output": {"size": "64x64", "fps": 10, "quality": "draft"}, "scenes": [first]}


def with_top(**keys: Any) -> Film:
    return {**good_film(), **keys}


def write_film(folder: Path, film: Film, name: str = "film.yaml") -> Path:
    """A film as JSON, which YAML includes: one key a line, so that a line can be named."""
    path = folder / name
    path.write_text(json.dumps(film, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def empty_wav(folder: Path) -> None:
    (folder / "empty.wav").write_bytes(b"")


def text_png(folder: Path) -> None:
    (folder / "text.png").write_text("I am not a picture.", encoding="utf-8")


def huge_png(folder: Path) -> None:
    """20,000 x 20,000 pixels that take little room on disk."""
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png")


def nothing(folder: Path) -> None:
    del folder


MISTAKES: dict[str, tuple[Film, Callable[[Path], None], list[str]]] = {
    "a misspelled key": (good_film(txet="hi"), nothing, ["txet", "text", "film.yaml:"]),
    "a missing recording": (good_film(audio="no.wav"), nothing, ["no.wav", "film.yaml:"]),
    "a missing background": (good_film(background="no.jpg"), nothing, ["no.jpg", "film.yaml:"]),
    "text and duration": (
        {**good_film(), "scenes": [{"text": "hi", "duration": 2}]},
        nothing,
        ["twice", "duration"],
    ),
    "audio and duration": (
        {**good_film(), "scenes": [{"audio": "a.wav", "duration": 2}]},
        lambda folder: void(write_tone(folder / "a.wav")),
        ["twice", "duration"],
    ),
    "a scene without length": (
        {**good_film(), "scenes": [{"id": "one"}]},
        nothing,
        ["text", "audio", "duration"],
    ),
    "an empty film": ({"scenes": []}, nothing, ["scene"]),
    "a film without scenes": ({"title": "x"}, nothing, ["scenes"]),
    "an unset variable": (good_film(text="Buy {{produkt}}"), nothing, ["produkt"]),
    "an unknown backend": (
        with_top(speakers={"lan": {"avatar": {"backend": "statik"}}}),
        nothing,
        ["statik", "static"],
    ),
    "an unknown layout": (good_film(avatar={"layout": "cirkle"}), nothing, ["cirkle", "circle"]),
    "an unknown engine": (
        with_top(voice={"engine": "hibary"}),
        nothing,
        ["hibary", "hibari"],
    ),
    "an unknown preset": (with_top(output={"preset": "short"}), nothing, ["short", "shorts"]),
    "an unknown speaker": (
        {**with_top(speakers={"lan": {}}), "scenes": [{"speaker": "lam", "duration": 1}]},
        nothing,
        ["lam", "lan"],
    ),
    "an unknown transition": (
        good_film(transition={"type": "fate"}),
        nothing,
        ["fate", "fade"],
    ),
    "a text file named .png": (good_film(background="text.png"), text_png, ["text.png"]),
    "a 0-byte WAV": (good_film(audio="empty.wav"), empty_wav, ["empty.wav"]),
    "text of only emoji": (good_film(text="🎉🎉 🧋"), nothing, ["film.yaml:"]),
    "a colour that is none": (good_film(background="#12345"), nothing, ["#12345"]),
    "a number as text": (good_film(text=5), nothing, ["text"]),
    "a picture that is a folder": (
        good_film(background="sub.png"),
        lambda folder: (folder / "sub.png").mkdir(),
        ["sub.png", "folder"],
    ),
    "two scenes with one id": (
        {**good_film(), "scenes": [{"id": "a", "duration": 1}, {"id": "a", "duration": 1}]},
        nothing,
        ["a", "id"],
    ),
    "a narration without end": (good_film(text="word " * 20_000), nothing, ["characters"]),
}


def void(value: object) -> None:
    del value


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_the_script_is_told_and_nothing_is_left_behind(
    case: str, here: Here, tmp_path: Path
) -> None:
    film, prepare, words = MISTAKES[case]
    prepare(tmp_path)
    write_film(tmp_path, film)
    before = {p for p in tmp_path.rglob("*") if "cache" not in p.parts}
    done = here("render", "film.yaml", "-o", "out.mp4", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert {p for p in tmp_path.rglob("*") if "cache" not in p.parts} == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("scenes:\n\t- duration: 1\n", "tab"),
        ("scenes: [\n", "film.yaml:"),
        ("just words", "film.yaml"),
        ("scenes:\n  - duration: 1\nscenes: []\n", "scenes"),
        ("\x00\x01\x02", "film.yaml"),
    ],
)
def test_a_file_that_is_no_script_is_told_with_its_place(
    text: str, says: str, here: Here, tmp_path: Path
) -> None:
    (tmp_path / "film.yaml").write_text(text, encoding="utf-8")
    done = here("render", "film.yaml", "-o", "out.mp4", cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr


def wav(path: Path, *, kind: str) -> Path:
    """A third of a second of a tone, as WAVE_FORMAT_EXTENSIBLE or 32-bit float."""
    tone = np.sin(np.arange(5333) * 0.1)
    if kind == "float":
        data, bits, tag, extra = tone.astype("<f4").tobytes(), 32, 3, b""
    else:
        data, bits, tag = (tone * 20000).astype("<i2").tobytes(), 16, 0xFFFE
        guid = bytes.fromhex("0100000000001000800000aa00389b71")
        extra = struct.pack("<HHI", 22, 16, 4) + guid
    head = struct.pack("<HHIIHH", tag, 1, 16000, 16000 * bits // 8, bits // 8, bits) + extra
    body = b"fmt " + struct.pack("<I", len(head)) + head
    body += b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
    return path


def compressed(path: Path, codec: str, rate: int = 44100) -> Path:
    """A third of a second of a tone in another format."""
    tone = (np.sin(np.arange(rate // 3) * 0.05) * 0.5).astype("<f4")
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None, :], format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=rate,
            frame_size=stream.codec_context.frame_size or 0,
        )  # fmt: skip
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


RECORDINGS: dict[str, Callable[[Path], Path]] = {
    "WAVE_FORMAT_EXTENSIBLE": lambda folder: wav(folder / "ext.wav", kind="extensible"),
    "32-bit float WAV": lambda folder: wav(folder / "float.wav", kind="float"),
    "MP3": lambda folder: compressed(folder / "a.mp3", "libmp3lame"),
    "OGG": lambda folder: compressed(folder / "a.ogg", "libopus", 48000),
    "M4A": lambda folder: compressed(folder / "a.m4a", "aac"),
}


@pytest.mark.parametrize("kind", RECORDINGS)
def test_a_recording_may_have_any_common_format(kind: str, here: Here, tmp_path: Path) -> None:
    recording = RECORDINGS[kind](tmp_path)
    write_film(tmp_path, good_film(audio=recording.name, text="A caption for it."))
    done = here("render", "film.yaml", "-o", "out.mp4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "caption" in (tmp_path / "out.srt").read_text(encoding="utf-8")


def turned_jpeg(folder: Path) -> Path:
    """Red above, blue below once it is turned as its EXIF says (orientation 6)."""
    stored = np.zeros((60, 60, 3), "uint8")
    stored[:, :30] = (255, 0, 0)
    stored[:, 30:] = (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(folder / "p.jpg", exif=exif, quality=95)
    return folder / "p.jpg"


def cmyk_jpeg(folder: Path) -> Path:
    halves = Image.new("CMYK", (60, 60), (0, 255, 255, 0))
    halves.paste((255, 255, 0, 0), (0, 30, 60, 60))
    halves.save(folder / "p.jpg", quality=95)
    return folder / "p.jpg"


def alpha_png(folder: Path) -> Path:
    halves = Image.new("RGBA", (60, 60), (255, 0, 0, 255))
    halves.paste((0, 0, 255, 255), (0, 30, 60, 60))
    halves.putpixel((0, 0), (0, 0, 0, 0))
    halves.save(folder / "p.png")
    return folder / "p.png"


@pytest.mark.parametrize("make", [turned_jpeg, cmyk_jpeg, alpha_png])
def test_a_picture_is_shown_upright_and_in_its_colours(
    make: Callable[[Path], Path], here: Here, tmp_path: Path
) -> None:
    write_film(tmp_path, good_film(background=make(tmp_path).name))
    assert here("render", "film.yaml", "-o", "out.mp4", cwd=tmp_path).returncode == 0
    frame = decoded(tmp_path / "out.mp4")[0]
    above, below = frame[12, 32].astype(int), frame[52, 32].astype(int)
    assert above[0] > 170 and above[2] < 80, above
    assert below[2] > 110 and below[0] < 90, below


def test_a_gigantic_picture_is_shown_or_refused_in_a_sentence(here: Here, tmp_path: Path) -> None:
    huge_png(tmp_path)
    write_film(tmp_path, good_film(background="huge.png"))
    done = here("render", "film.yaml", "-o", "out.mp4", cwd=tmp_path)
    if done.returncode == 2:
        assert "huge.png" in done.stderr and "20000" in done.stderr.replace(",", "")
        assert not (tmp_path / "out.mp4").exists()
    else:
        assert done.returncode == 0 and (tmp_path / "out.mp4").is_file()


@pytest.mark.parametrize(
    "name", ["it's a b", 'say "hi";', "tiếng Việt 日本", "-dash%20", "[x],y:z"]
)
def test_file_names_may_be_anything_the_system_allows(
    name: str, here: Here, tmp_path: Path
) -> None:
    if os.name == "nt" and set(name) & set('":'):
        pytest.skip("not a name on Windows")
    draw_portrait(tmp_path / f"{name}.png")
    write_tone(tmp_path / f"{name}.wav", 0.3)
    film = good_film(audio=f"{name}.wav", text="Hello.", background=f"{name}.png", speaker="lan")
    film["speakers"] = {"lan": {"portrait": f"{name}.png", "avatar": {"layout": "circle"}}}
    write_film(tmp_path, film, f"{name}.yaml")
    done = here("render", "--output", f"{name}.mp4", "--", f"{name}.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(decoded(tmp_path / f"{name}.mp4")) >= 3
    assert (tmp_path / f"{name}.srt").is_file()


@pytest.mark.parametrize(
    ("output", "says"),
    [("sub", "folder"), ("film.yaml/out.mp4", "film.yaml"), ("out.avi", "mp4")],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_made(
    output: str, says: str, here: Here, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    write_film(tmp_path, good_film())
    done = here("render", "film.yaml", "-o", output, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert not list((tmp_path / "cache").rglob("*.mp4"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write")
def test_an_unwritable_folder_is_told(here: Here, tmp_path: Path) -> None:
    write_film(tmp_path, good_film())
    done = here("render", "film.yaml", "-o", "/proc/out.mp4", cwd=tmp_path)
    assert done.returncode == 2 and "/proc" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own with hardly any room; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, check=False).returncode:
        pytest.skip("cannot mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


@pytest.mark.parametrize("what", ["cache", "output"])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    what: str, tmp_path: Path, small_disk: Path
) -> None:
    write_tone(tmp_path / "long.wav", 20)
    film = good_film(audio="long.wav")
    film["output"] = {"size": "640x640", "fps": 10, "quality": "high"}
    film["scenes"][0]["background"] = "noise.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (640, 640, 3), "uint8")).save(tmp_path / "noise.png")
    write_film(tmp_path, film)
    target = small_disk / "out.mp4" if what == "output" else tmp_path / "out.mp4"
    env = {"AVATAR_CACHE_DIR": str(small_disk)} if what == "cache" else {}
    done = avatar("render", "film.yaml", "-o", str(target), cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert "disk is full" in done.stderr and "Traceback" not in done.stderr
    assert not target.exists()
    assert [p for p in target.parent.iterdir() if p.suffix in (".mp4", ".tmp", ".part")] == []


def test_ten_thousand_characters_of_narration_are_spoken(here: Here, tmp_path: Path) -> None:
    # Sound is what takes long, to be spoken and to be encoded: many letters, and little to hear.
    film = good_film(text=("though through thought " * 435)[:10_000].strip())
    film["output"] = {"size": "64x64", "fps": 5, "quality": "draft"}
    film["voice"] = {"engine": "espeak", "speed": 2}
    write_film(tmp_path, film)
    done = here("render", "film.yaml", "-o", "out.mp4", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["seconds"] > 120


def test_text_beside_a_recording_is_its_caption(here: Here, tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    write_film(tmp_path, good_film(audio="a.wav", text="What she says."))
    assert here("render", "film.yaml", "-o", "out.mp4", cwd=tmp_path).returncode == 0
    assert "What she says." in (tmp_path / "out.srt").read_text(encoding="utf-8")


OPTIONS = """
title: Wrong options
scenes:
  - id: first
    text: Hello there.
    avatar: {backend: puppet, options: {puppet: {lfe: 3, cutout: maybe}}}
  - id: second
    text: Hello there.
    avatar: {backend: puppet, fallback: [colab], options: {puppet: {lfe: 3}, colab: {stepz: 1}}}
"""


def test_options_that_no_backend_takes_are_told_for_all_scenes_at_once_with_their_lines(
    here: Here, tmp_path: Path
) -> None:
    (tmp_path / "film.yaml").write_text(OPTIONS, encoding="utf-8")
    done = here("check", "film.yaml", cwd=tmp_path)
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert len(told) == 3
    for start, line in zip(
        (
            "film.yaml:4: avatar.options.puppet.lfe: The backend 'puppet' has no such option.",
            "film.yaml:4: avatar.options.puppet.cutout: It should be true or false.",
            "film.yaml:7: avatar.options.colab.stepz: The backend 'colab' has no such option.",
        ),
        told,
        strict=True,
    ):
        assert line.startswith(start)
