"""Caption files: what is written can be read back, to the frame and to the letter."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pysubs2
import pytest

from avatar_core.backend import Size
from avatar_core.errors import InputError
from avatar_core.ffmpeg import run_ffmpeg
from avatar_core.speech import TimedWord
from renderer.captions.cues import Cue, split_cues
from renderer.captions.sidecar import write_sidecars
from renderer.script.models import Captions
from support_burn import spoken

VIETNAMESE = "Bạn có biết Trà oolong ngon nhất khi nào không? Ly này chỉ 39.000đ — ghé tiệm!"
NASTY = r"Is 3 < 5 && 5 > 3 --> yes, {\an8} \N <b>bold</b> &amp; so"
CUES = split_cues(spoken(VIETNAMESE), Captions(), fps=30)
LATE = tuple(cue.shifted(3661.1) for cue in CUES)


@pytest.mark.parametrize("kind", ["srt", "vtt", "ass"])
@pytest.mark.parametrize("cues", [CUES, LATE], ids=["early", "after an hour"])
def test_times_and_words_come_back_within_a_frame(
    tmp_path: Path, kind: str, cues: tuple[Cue, ...]
) -> None:
    (path,) = write_sidecars(tmp_path / "film.mp4", cues, [kind])
    events = [e for e in pysubs2.load(str(path)) if e.style != "Box"]
    assert len(events) == len(cues)
    for event, cue in zip(events, cues, strict=True):
        assert event.start / 1000 == pytest.approx(cue.start, abs=1 / 30)
        assert event.end / 1000 == pytest.approx(cue.end, abs=1 / 30)
        assert event.plaintext.replace("\n", " ") == cue.text


@pytest.mark.parametrize("kind", ["srt", "vtt", "ass"])
def test_ffmpeg_reads_every_kind_without_a_complaint(tmp_path: Path, kind: str) -> None:
    (path,) = write_sidecars(tmp_path / "film.mp4", CUES, [kind])
    log = run_ffmpeg(["-v", "warning", "-i", str(path), "-f", "srt", str(tmp_path / "again.srt")])
    assert log == ""
    assert (tmp_path / "again.srt").read_text("utf-8").count("-->") == len(CUES)


def test_files_stand_beside_the_film_under_its_name(tmp_path: Path) -> None:
    film = tmp_path / "trà sữa v1.2.mp4"
    written = write_sidecars(film, CUES, ["srt", "vtt", "srt"])
    assert [path.name for path in written] == ["trà sữa v1.2.srt", "trà sữa v1.2.vtt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in written]


def test_subrip_has_its_numbers_and_commas(tmp_path: Path) -> None:
    (path,) = write_sidecars(tmp_path / "a.mp4", LATE, ["srt"])
    text = path.read_text("utf-8")
    numbers = re.findall(r"^(\d+)\n01:01:\d\d,\d{3} --> 01:01:\d\d,\d{3}$", text, re.M)
    assert [int(number) for number in numbers] == list(range(1, len(LATE) + 1))


def test_webvtt_shows_markup_as_it_was_written(tmp_path: Path) -> None:
    cue = Cue(0, 2, tuple(TimedWord(word, 0, 2) for word in NASTY.split()))
    (path,) = write_sidecars(tmp_path / "a.mp4", [cue], ["vtt"])
    header, empty, times, *lines = path.read_text("utf-8").rstrip("\n").split("\n")
    assert (header, empty, times) == ("WEBVTT", "", "00:00:00.000 --> 00:00:02.000")
    body = " ".join(lines)
    assert "-->" not in body and "<" not in body
    assert html.unescape(body) == NASTY


def test_an_ass_file_shows_user_text_and_obeys_none_of_it(tmp_path: Path) -> None:
    cue = Cue(0, 2, tuple(TimedWord(word, 0, 2) for word in NASTY.split()))
    (path,) = write_sidecars(tmp_path / "a.mp4", [cue], ["ass"], size=Size(1080, 1920))
    text = path.read_text("utf-8")
    assert "PlayResY: 1920" in text
    assert r"\N <b>" not in text and r"{\an8}" not in text


def test_a_long_cue_gets_two_lines_of_like_length(tmp_path: Path) -> None:
    words = spoken("The quick brown fox jumps over the lazy dog and runs away")
    cue = Cue(0, 5, tuple(words))
    (path,) = write_sidecars(tmp_path / "a.mp4", [cue], ["srt"])
    lines = path.read_text("utf-8").split("\n")[2:4]
    assert abs(len(lines[0]) - len(lines[1])) < 8


def test_no_cues_make_valid_empty_files(tmp_path: Path) -> None:
    srt, vtt = write_sidecars(tmp_path / "a.mp4", [], ["srt", "vtt"])
    assert srt.read_bytes() == b"" and vtt.read_bytes() == b"WEBVTT\n"


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("old")
    write_sidecars(tmp_path / "a.mp4", CUES, ["srt"])
    assert "old" not in (tmp_path / "a.srt").read_text("utf-8")


@pytest.mark.parametrize("blocked", ["a folder in its place", "no such folder"])
def test_a_place_that_cannot_be_written_is_told_and_left_clean(
    tmp_path: Path, blocked: str
) -> None:
    folder = tmp_path / "gone" if blocked == "no such folder" else tmp_path
    if folder == tmp_path:
        (tmp_path / "a.srt").mkdir()
    with pytest.raises(InputError, match=r"a\.srt.*cannot be written"):
        write_sidecars(folder / "a.mp4", CUES, ["srt"])
    assert not list(tmp_path.glob(".captions*"))
