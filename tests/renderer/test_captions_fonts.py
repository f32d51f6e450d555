"""The fonts of burnt captions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from avatar_core.backend import Size
from avatar_core.ffmpeg import run_ffmpeg
from renderer.captions.burn import subtitles_document
from renderer.captions.cues import Cue
from renderer.captions.fonts import check_font, filter_value, fonts_dir, installed_font
from renderer.captions.measure import text_width
from renderer.script.models import Captions, TextOverlay
from support_burn import inked

VIETNAMESE = "ăâđêôơưắằẳẵặấầẩẫậếềểễệốồổỗộớờởỡợứừửữựỳỷỹỵ₫"


def test_the_bundled_font_is_found_and_drawn_by_libass(tmp_path: Path) -> None:
    overlay = TextOverlay(text=VIETNAMESE)
    document = subtitles_document(Size(480, 270), 1, 30, overlays=[overlay])
    assert document is not None
    (tmp_path / "t.ass").write_text(document.text, encoding="utf-8")
    source = ["-v", "verbose", "-f", "lavfi", "-i", "color=size=480x270:duration=0.04"]
    chain = f"ass=t.ass:fontsdir={filter_value(fonts_dir())}"
    log = run_ffmpeg([*source, "-vf", chain, "-f", "null", "-"], cwd=tmp_path)
    assert "BeVietnamPro-Bold" in log
    # libass reports every letter that it had to look for in another font.
    assert "fallback" not in log.lower() and "not found" not in log.lower()


def test_the_bundled_font_needs_no_warning() -> None:
    assert check_font("Be Vietnam Pro") is None
    assert check_font("be vietnam pro SemiBold") is None


def test_a_font_that_is_not_installed_is_told_and_replaced() -> None:
    warning = check_font("No Such Font 123")
    assert warning is not None and "No Such Font 123" in warning and "captions.font" in warning
    assert installed_font("No Such Font 123") == "Be Vietnam Pro"
    document = subtitles_document(
        Size(270, 480),
        1,
        30,
        cues=[Cue(0, 1, ())],
        captions=Captions(font="No Such Font 123"),
        overlays=[TextOverlay(text="A")],
    )
    assert document is not None and "No Such Font" not in document.text


@pytest.mark.parametrize("name", ["a,b\\c", "{x}", "a:b'c\";d[e]", "", "不存在"])
def test_a_strange_font_name_does_no_harm(name: str) -> None:
    assert isinstance(check_font(name), str)


@pytest.mark.parametrize("name", ["it's", "a:b", "a,b;c", "[x]", "back\\slash", "%d =x", "tiếng"])
def test_any_folder_name_can_stand_in_a_filter(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(fonts_dir(), folder)
    document = subtitles_document(Size(64, 64), 1, 30, overlays=[TextOverlay(text="A")])
    assert document is not None
    (tmp_path / "t.ass").write_text(document.text, encoding="utf-8")
    source = ["-v", "verbose", "-f", "lavfi", "-i", "color=size=64x64:duration=0.04"]
    chain = f"ass=t.ass:fontsdir={filter_value(folder)}"
    log = run_ffmpeg([*source, "-vf", chain, "-f", "null", "-"], cwd=tmp_path)
    assert "BeVietnamPro-Bold" in log


@pytest.mark.parametrize("text", ["Every caption", "Ghé tiệm hôm nay", "AVAToWa.,", "39.000đ"])
def test_measured_width_is_drawn_width(tmp_path: Path, text: str) -> None:
    from support_burn import burn

    size = Size(800, 200)
    document = subtitles_document(size, 1, 30, overlays=[TextOverlay(text=text, scale=0.3)])
    assert document is not None
    left, _, right, _ = inked(burn(document.text, size, 1, 30, tmp_path)[0])
    em = 0.3 * size.height
    assert right - left == pytest.approx(text_width(text) * em, rel=0.05, abs=0.25 * em)
