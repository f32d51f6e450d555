"""Loading pictures: upright, in plain RGB, within bounded memory, or refused in a sentence."""

from __future__ import annotations

import io
import resource
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from avatar_core.backend import Size
from avatar_core.media import MediaError, load_picture, probe_picture
from support_media import noise

RED, BLUE = (250, 5, 5), (5, 5, 250)


def top_red(size: tuple[int, int] = (40, 60)) -> Image.Image:
    """Red above, blue below: shows which way is up."""
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0], size[1] // 2))
    return picture


def is_near(colour: object, wanted: tuple[int, ...], by: int = 40) -> bool:
    return bool(np.abs(np.subtract(colour, wanted)).max() <= by)  # type: ignore[call-overload]


STORED = {
    1: lambda p: p,
    3: lambda p: p.transpose(Image.Transpose.ROTATE_180),
    6: lambda p: p.transpose(Image.Transpose.ROTATE_90),
    8: lambda p: p.transpose(Image.Transpose.ROTATE_270),
    5: lambda p: p.transpose(Image.Transpose.TRANSPOSE),
    7: lambda p: p.transpose(Image.Transpose.TRANSVERSE),
}


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_rotated_picture_comes_out_upright(
    tmp_path: Path, orientation: int, format_: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a"
    STORED[orientation](top_red()).save(path, format_, exif=exif)
    picture = load_picture(path)
    assert picture.size == (40, 60) == tuple(probe_picture(path).size)
    assert is_near(picture.getpixel((20, 5)), RED)
    assert is_near(picture.getpixel((20, 55)), BLUE)


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("RGB", "BMP"),
        ("RGBA", "PNG"),
        ("RGB", "WEBP"),
    ],
)
def test_every_kind_of_colour_becomes_plain_rgb(tmp_path: Path, mode: str, format_: str) -> None:
    path = tmp_path / "a"
    top_red().convert(mode).save(path, format_)
    picture = load_picture(path)
    assert picture.mode == "RGB"
    assert is_near(picture.getpixel((20, 5)), RED)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((8, 8), 32_768, np.uint16), 128),
        (np.full((8, 8), 128, np.uint8), 128),
        (np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8), 127),
        (np.full((8, 8), True), 255),
    ],
    ids=["16 bits", "8 bits", "float", "1 bit"],
)
def test_grey_of_any_depth_keeps_its_brightness(
    tmp_path: Path, array: np.ndarray, expected: int
) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(array).save(path)
    mean = np.asarray(load_picture(path)).mean()
    assert mean == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_stays_so(tmp_path: Path, mode: str) -> None:
    picture = top_red().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 20, 60))
    path = tmp_path / "a.png"
    picture.convert(mode).save(path)
    loaded = load_picture(path)
    assert loaded.mode == "RGBA"
    assert probe_picture(path).has_alpha
    assert (loaded.getpixel((5, 5))[3], loaded.getpixel((35, 5))[3]) == (0, 255)  # type: ignore[index]


def test_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    top_red().save(path, save_all=True, append_images=[noise((40, 60))])
    assert is_near(load_picture(path).getpixel((20, 5)), RED)


def test_damaged_exif_does_not_make_a_picture_unusable(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    top_red().save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert load_picture(path).size == (40, 60)


def test_a_colour_profile_that_is_garbage_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    top_red().save(path, icc_profile=b"not a profile at all")
    assert is_near(load_picture(path).getpixel((20, 5)), RED)


def _half(path: Path) -> None:
    buffer = io.BytesIO()
    noise((400, 400)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "no such picture file"),
    "folder": (Path.mkdir, "This is a folder"),
    "empty": (Path.touch, "empty (0 bytes)"),
    "text": (lambda p: p.write_text("hello"), "not a picture that can be read"),
    "signature only": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n"), "not a picture"),
    "cut off": (_half, "damaged or cut off"),
    "a vector drawing": (lambda p: p.write_text("<svg/>"), "Use one of JPEG, PNG"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("read", [load_picture, probe_picture])
def test_a_picture_that_cannot_be_used_is_told_in_a_sentence(
    tmp_path: Path, case: str, read: Callable[[Path], object]
) -> None:
    make, sentence = BAD[case]
    path = tmp_path / "lan.png"
    make(path)
    if case == "cut off" and read is probe_picture:
        assert probe_picture(path).size == Size(400, 400)
        return
    with pytest.raises(MediaError) as caught:
        read(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def write_huge_png(path: Path, side: int) -> Path:
    """A grey PNG of ``side`` x ``side``, written row by row: the whole would not fit in a test."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + crc

    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    rows = zlib.compressobj(1)
    body = b"".join(rows.compress(bytes(side + 1)) for _ in range(side)) + rows.flush()
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )
    return path


def test_a_png_of_20000_x_20000_is_refused_with_its_size_and_the_limit(tmp_path: Path) -> None:
    path = write_huge_png(tmp_path / "huge.png", 20_000)
    with pytest.raises(MediaError) as caught:
        load_picture(path)
    assert "20000 x 20000 pixels, more than the 40,000,000" in str(caught.value)
    assert "Scale it down" in str(caught.value)
    assert probe_picture(path).size == Size(20_000, 20_000)


def test_what_a_huge_png_is_can_be_asked_without_decoding_it(tmp_path: Path) -> None:
    path = write_huge_png(tmp_path / "huge.png", 20_000)
    before = time.thread_time()
    assert probe_picture(path).size == Size(20_000, 20_000)
    assert time.thread_time() - before < 0.5


def test_a_jpeg_over_the_limit_is_decoded_small(tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    top_red((1000, 1600)).save(path)
    picture = load_picture(path, max_pixels=200_000)
    assert picture.size == (250, 400)
    assert is_near(picture.getpixel((100, 10)), RED)


@pytest.mark.skipif(sys.platform == "win32", reason="measures memory the POSIX way")
def test_a_jpeg_of_20000_x_20000_is_decoded_within_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    Image.new("L", (20_000, 20_000), 90).save(path, quality=30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load_picture(path).size == (5_000, 5_000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400 * 1024


def test_a_progressive_jpeg_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    top_red((1000, 1600)).save(path, progressive=True)
    with pytest.raises(MediaError, match="1000 x 1600"):
        load_picture(path, max_pixels=200_000)


@settings(max_examples=60, deadline=None)
@given(
    format_=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    where=st.floats(0, 1),
    junk=st.binary(min_size=1, max_size=24),
    cut=st.booleans(),
)
def test_damage_anywhere_gives_a_picture_or_a_sentence(
    tmp_path: Path, format_: str, where: float, junk: bytes, cut: bool
) -> None:
    path = tmp_path / "damaged"
    noise((60, 40)).save(path, format_)
    whole = path.read_bytes()
    at = int(where * len(whole))
    path.write_bytes(whole[:at] + junk + (b"" if cut else whole[at + len(junk) :]))
    try:
        assert load_picture(path).mode in ("RGB", "RGBA")
    except MediaError as refused:
        assert refused.message.endswith(".")
