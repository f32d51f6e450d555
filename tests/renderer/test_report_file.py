"""The report gets its place beside a real film, or a warning takes its place."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from avatar_core.errors import Category
from avatar_core.events import Event, EventBus, RenderFinished, Warned
from avatar_core.testing import VirtualClock
from renderer.cli.summary import show_result
from renderer.renderer import SmartVideoRenderer
from renderer.report.pictures import pictures_at
from renderer.report.writing import report_path, reported
from renderer.verify import verify_film
from renderer.whole_file import write_whole
from support_films import MovingBackend, fails, film_of_tones
from support_report import a_film, a_result, asked, fallen, read_page

COLORS = [(200, 30, 30), (30, 160, 30), (30, 30, 200)]


@pytest.fixture
def renderer_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes renderers that share one cache and read no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVATAR_CACHE_DIR", str(tmp_path / "cache"))
    return SmartVideoRenderer


@pytest.fixture(scope="module")
def flag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three seconds, each in one colour; one key frame in all."""
    path = tmp_path_factory.mktemp("flag") / "flag.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, options={"crf": "10", "g": "100"})
        stream.width, stream.height, stream.pix_fmt = 64, 640, "yuv420p"
        for color in COLORS:
            for _ in range(10):
                picture = np.full((640, 64, 3), color, np.uint8)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode())
    return path


def test_a_rendered_film_has_a_page_with_a_picture_of_every_scene(
    renderer_of: Any, tmp_path: Path
) -> None:
    backend = MovingBackend(plan=[None, fails(Category.QUOTA, "no <credit> left")])
    events: list[Event] = []
    renderer = renderer_of(backend, workers=1, on_event=events.append)
    result = renderer.render(film_of_tones(tmp_path, 2), tmp_path / "phim 100% #1.mp4")
    assert result.report == tmp_path / "phim 100% #1.report.html"
    root = read_page(result.report.read_text(encoding="utf-8"))
    assert "No <credit> left" in root.one("ul", "reasons").text
    data = [image.attributes["src"] or "" for image in root.all("img")]
    moving, still = (Image.open(io.BytesIO(base64.b64decode(one.partition(",")[2])))
                     for one in data)  # fmt: skip
    assert (moving.format, moving.size) == ("JPEG", (180, 320))
    assert np.asarray(moving).std() > 1.3 * np.asarray(still).std(), "a test pattern and a portrait"
    starts = [float(link.attributes["data-start"] or -1) for link in root.all("a", "picture")]
    assert starts == [0.0, round(result.scenes[0].seconds, 3)]
    assert root.one("track").attributes["src"], "the captions beside the film"
    finished = next(event for event in events if isinstance(event, RenderFinished))
    assert finished.report == str(result.report)


def test_a_report_that_cannot_be_written_costs_nobody_the_film(
    renderer_of: Any, tmp_path: Path
) -> None:
    (tmp_path / "out.report.html").mkdir()
    events: list[Event] = []
    renderer = renderer_of("static", on_event=events.append)
    result = renderer.render(film_of_tones(tmp_path, 1), tmp_path / "out.mp4")
    verify_film(result.path, round(result.seconds * 15), 15, a_size(result.path))
    assert result.report is None
    (warning,) = result.warnings
    assert "report" in warning and "directory" in warning and "report = false" in warning
    assert [event.message for event in events if isinstance(event, Warned)] == [warning]
    assert list(tmp_path.glob(".avatar-*")) == []


def test_no_report_is_written_when_none_is_wanted(renderer_of: Any, tmp_path: Path) -> None:
    renderer = renderer_of("static", overrides={"report": "false"})
    result = renderer.render(film_of_tones(tmp_path, 1), tmp_path / "out.mp4")
    assert (result.report, result.event().report) == (None, None)
    assert list(tmp_path.glob("*.html")) == []


@pytest.mark.parametrize(
    "name", ["a b", "100% #1", 'it\'s "q"', "phim của tôi", "c:d", "-x", "a.b"]
)
def test_the_report_has_the_films_name(name: str, tmp_path: Path) -> None:
    film = tmp_path / f"{name}.mp4"
    result = reported(a_result(asked(), path=str(film)), a_film(), EventBus(), True)
    assert result.report == tmp_path / f"{name}.report.html"
    assert result.report.is_file() and result.warnings == ()


def test_a_name_that_has_no_room_for_more_is_a_warning(tmp_path: Path) -> None:
    film = tmp_path / f"{'n' * 250}.mp4"
    result = reported(a_result(asked(), path=str(film)), a_film(), EventBus(), True)
    assert result.report is None and "too long" in result.warnings[0]


def test_a_fault_of_the_page_itself_is_a_warning_too(tmp_path: Path) -> None:
    odd: Any = asked(trail=("no trail entry",))
    result = reported(a_result(odd, path=str(tmp_path / "a.mp4")), a_film(), EventBus(), True)
    assert result.report is None and "AttributeError" in result.warnings[0]


def test_the_report_is_dated_by_the_clock_that_it_is_given(tmp_path: Path) -> None:
    film = a_result(fallen(), path=str(tmp_path / "a.mp4"))
    clock = VirtualClock(epoch=1_772_600_760.0)
    texts = [
        (reported(film, a_film(), EventBus(), True, clock).report or tmp_path).read_bytes()
        for _ in range(2)
    ]
    assert texts[0] == texts[1] and b"2026-03-04 05:06 UTC" in texts[0]


def test_the_summary_says_where_the_report_is(tmp_path: Path) -> None:
    result = reported(a_result(asked(), path=str(tmp_path / "a.mp4")), a_film(), EventBus(), True)
    printed = io.StringIO()
    show_result(Console(file=printed, width=400), result, 1.0)
    assert f"Report: {report_path(result.path)}" in printed.getvalue()


def test_each_picture_is_the_one_seen_at_its_moment_in_any_order(flag: Path) -> None:
    moments = [0.0, 2.5, 1.5, 0.95, 1.0, 99.0]
    expected = [0, 2, 1, 0, 1, 2]
    for picture, color in zip(pictures_at(flag, moments), expected, strict=True):
        assert picture is not None
        assert (picture.width, picture.height) == (32, 320)
        data = base64.b64decode(picture.address.partition(",")[2])
        mean = np.asarray(Image.open(io.BytesIO(data))).mean(axis=(0, 1))
        assert np.abs(mean - COLORS[color]).max() < 40


@pytest.mark.parametrize("content", [None, b"", b"<html>no film</html>"])
def test_a_film_that_gives_no_pictures_leaves_the_page_without(
    content: bytes | None, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    if content is not None:
        film.write_bytes(content)
    assert pictures_at(film, [0.5, 1.0]) == [None, None]


def test_a_file_that_cannot_be_written_to_its_end_leaves_the_older_one(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write_whole(target, "ổn\r\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "half of it \udcff")
    assert target.read_bytes() == "ổn\r\n".encode()
    assert list(tmp_path.iterdir()) == [target]


def a_size(film: Path) -> Any:
    with av.open(str(film)) as container:
        from avatar_core.backend import Size

        return Size(container.streams.video[0].width, container.streams.video[0].height)
