"""Burnt captions, judged by their pixels: when they appear, where they stand, what they obey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar_core.backend import Size
from avatar_core.errors import InputError
from avatar_core.speech import TimedWord
from renderer.captions.ass import color
from renderer.captions.burn import Subtitles, subtitles_document
from renderer.captions.cues import Cue, split_cues
from renderer.captions.layout import EDGE_MARGIN, SIDE_MARGIN
from renderer.script.models import Captions, Disclosure, Position, TextOverlay, Watermark
from support_burn import GROUND, Frames, burn, inked, spoken

SHORTS, WIDE, SQUARE = Size(270, 480), Size(480, 270), Size(270, 270)
VIETNAMESE = "Bạn có biết Trà oolong ngon nhất khi nào không? Ly này chỉ 39.000đ!"
STYLES = ["lines", "karaoke", "one_word", "box"]


def captions(style: str = "lines", **rest: object) -> Captions:
    return Captions.model_validate({"style": style, **rest})


def cue(text: str, start: float = 0.0, end: float = 1.0) -> Cue:
    return Cue(start, end, tuple(TimedWord(word, start, end) for word in text.split()))


def drawn(subtitles: Subtitles | None, size: Size, frames: int, fps: int, folder: Path) -> Frames:
    assert subtitles is not None
    return burn(subtitles.text, size, frames, fps, folder)


def one_frame(folder: Path, size: Size = SHORTS, **content: object) -> Frames:
    document = subtitles_document(size, 1, 30, **content)  # type: ignore[arg-type]
    return drawn(document, size, 1, 30, folder)[0]


def shown(folder: Path, text: str, size: Size = SHORTS, **style: object) -> Frames:
    return one_frame(folder, size, cues=[cue(text)], captions=captions(**style))  # type: ignore[arg-type]


@pytest.mark.parametrize("fps", [12, 24, 25, 30, 50, 60])
def test_a_caption_is_seen_from_its_first_to_its_last_frame(tmp_path: Path, fps: int) -> None:
    cues = [cue("A", 3 / fps, 7 / fps), cue("B", 9 / fps, 11 / fps)]
    document = subtitles_document(SHORTS, 15, fps, cues=cues, captions=captions())
    frames = drawn(document, SHORTS, 15, fps, tmp_path)
    seen = [index for index, frame in enumerate(frames) if np.abs(frame).max() > 24]
    assert seen == [3, 4, 5, 6, 9, 10]


def test_a_caption_is_seen_from_its_frame_late_in_a_long_segment(tmp_path: Path) -> None:
    cues = [cue("A", 991 / 30, 993 / 30)]
    document = subtitles_document(Size(64, 64), 1000, 30, cues=cues, captions=captions(size=0.3))
    frames = drawn(document, Size(64, 64), 1000, 30, tmp_path)
    seen = [index for index, frame in enumerate(frames) if np.abs(frame).max() > 24]
    assert seen == [991, 992]


@pytest.mark.parametrize("style", STYLES)
def test_the_picture_changes_on_the_frames_that_are_named_and_no_other(
    tmp_path: Path, style: str
) -> None:
    look = captions(style, max_words=4)
    cues = split_cues(spoken(VIETNAMESE, 0.2), look, fps=30)
    overlay = TextOverlay(text="Sale", position="top", start=0.5, end=1.5)
    document = subtitles_document(
        SHORTS, 100, 30, cues=cues, captions=look, overlays=[overlay], offset=0.1
    )
    frames = drawn(document, SHORTS, 100, 30, tmp_path)
    changed = {i for i in range(1, 100) if (frames[i] != frames[i - 1]).any()}
    assert document is not None and document.changes is not None
    assert document.changes[0] == 0
    assert changed and changed <= set(document.changes)
    assert len(document.changes) < 100


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [SHORTS, WIDE, SQUARE])
@pytest.mark.parametrize("position", ["top", "center", "bottom"])
def test_captions_stand_in_the_safe_area(
    tmp_path: Path, style: str, size: Size, position: str
) -> None:
    frame = shown(tmp_path, VIETNAMESE, size, style=style, position=position)
    left, top, right, bottom = inked(frame)
    assert left >= size.width * SIDE_MARGIN * 0.8
    assert right <= size.width * (1 - SIDE_MARGIN * 0.8)
    assert top >= size.height * 0.1 and bottom <= size.height * 0.9
    middle = (top + bottom) / 2 / size.height
    assert {"top": middle < 0.4, "center": 0.4 < middle < 0.6, "bottom": middle > 0.6}[position]
    assert abs((left + right) / 2 - size.width / 2) < size.width * 0.02


@pytest.mark.parametrize("style", STYLES)
def test_a_word_wider_than_the_picture_shrinks_into_it(tmp_path: Path, style: str) -> None:
    frame = shown(tmp_path, "Donaudampfschifffahrtsgesellschaftskapitän", style=style)
    left, _, right, _ = inked(frame)
    assert left >= SHORTS.width * SIDE_MARGIN * 0.8
    assert right <= SHORTS.width * (1 - SIDE_MARGIN * 0.8)


def test_the_spoken_word_changes_colour_and_nothing_moves(tmp_path: Path) -> None:
    look = captions("karaoke", active_color="#FF0000")
    cues = [Cue(0, 0.4, tuple(spoken("one two three four", 0.1, 0)))]
    document = subtitles_document(SHORTS, 12, 30, cues=cues, captions=look)
    frames = drawn(document, SHORTS, 12, 30, tmp_path)
    red = [np.argwhere((f[..., 0] > 100) & (f[..., 1] < -60))[:, 1].mean() for f in frames[1::3]]
    assert red == sorted(red) and red[0] < red[-1]
    # Red and white letters differ in green and blue only: the red channel never changes.
    assert np.abs(frames[1:, ..., 0] - frames[:-1, ..., 0]).max() <= 2


def test_one_word_shows_one_word_at_a_time(tmp_path: Path) -> None:
    cues = [Cue(0, 1, tuple(spoken("il immediately", 0.5, 0)))]
    document = subtitles_document(SHORTS, 30, 30, cues=cues, captions=captions("one_word"))
    frames = drawn(document, SHORTS, 30, 30, tmp_path)
    (left, _, right, _), (left2, _, right2, _) = inked(frames[12]), inked(frames[28])
    assert right2 - left2 > 2 * (right - left)


def test_a_box_stands_behind_the_letters(tmp_path: Path) -> None:
    plain = shown(tmp_path, "Hello you", style="lines")
    boxed = shown(tmp_path, "Hello you", style="box")
    assert (boxed.max(axis=2) < -60).sum() > 2 * (plain.max(axis=2) < -60).sum()
    assert (boxed.min(axis=2) > 60).any()


INJECTIONS = [
    r"{\fs200}A",
    r"{\an8}A",
    r"{\pos(5,5)}A",
    r"\{\fs200}A",
    r"\\{\fs200}A",
    r"{\p1}m 0 0 l 99 99",
    r"A}{\fs200}A",
    r"{=0}{*\fs200}A",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_override_tags_in_user_text_are_shown_not_obeyed(tmp_path: Path, text: str) -> None:
    honest = inked(shown(tmp_path, "X" * 8 + " gjÉ"))
    frame = shown(tmp_path, text)
    left, top, right, bottom = inked(frame)
    # The same line: neither larger letters nor another place, and the tag's letters are there.
    assert abs(bottom - honest[3]) <= 6 and top >= honest[1] - 6
    assert right - left > 12 * len(text) * 0.25


@pytest.mark.parametrize("breaker", [r"A\NB", r"A\nB", r"A\hB", "A\nB", "A\r\nB", "A\u2028B"])
def test_no_line_break_comes_out_of_a_caption(tmp_path: Path, breaker: str) -> None:
    words = (TimedWord(breaker, 0, 1),)
    frame = one_frame(tmp_path, cues=[Cue(0, 1, words)], captions=captions())
    one_line = inked(shown(tmp_path, r"AWgjÉ\B"))
    _, top, _, bottom = inked(frame)
    assert bottom - top <= one_line[3] - one_line[1] + 4


def test_user_text_cannot_add_events_to_the_document(tmp_path: Path) -> None:
    evil = "A\nDialogue: 0,0:00:00.00,0:00:09.00,Label,,0,0,0,,{\\an7}EVIL"
    overlay = TextOverlay(text=evil, position="top", scale=0.02)
    document = subtitles_document(SHORTS, 1, 30, overlays=[overlay])
    assert document is not None
    events = [line for line in document.text.splitlines() if line.startswith("Dialogue:")]
    assert all("{\\an7}EVIL" not in line for line in events)
    assert all(line.split(",")[3] == "Label" for line in events)


POSITIONS: list[Position] = [
    *("top-left", "top", "top-right", "left", "center", "right"),
    *("bottom-left", "bottom", "bottom-right"),
]


@pytest.mark.parametrize("position", POSITIONS)
def test_an_overlay_stands_at_its_anchor(tmp_path: Path, position: Position) -> None:
    frame = one_frame(tmp_path, overlays=[TextOverlay(text="Hey", position=position)])
    left, top, right, bottom = inked(frame)
    x, y = (left + right) / 2 / SHORTS.width, (top + bottom) / 2 / SHORTS.height
    wanted_x = 0.8 if "right" in position else 0.2 if "left" in position else 0.5
    wanted_y = 0.88 if "bottom" in position else 0.12 if "top" in position else 0.5
    assert x == pytest.approx(wanted_x, abs=0.06) and y == pytest.approx(wanted_y, abs=0.06)


def test_an_overlay_counts_from_the_scenes_start(tmp_path: Path) -> None:
    overlay = TextOverlay(text="Hey", start=0.1, end=0.2)
    document = subtitles_document(SHORTS, 15, 30, overlays=[overlay], scene_start=0.2)
    frames = drawn(document, SHORTS, 15, 30, tmp_path)
    assert [i for i, frame in enumerate(frames) if np.abs(frame).max() > 24] == [9, 10, 11]
    assert document is not None and document.changes == (0, 9, 12)


def test_scale_is_the_letters_height(tmp_path: Path) -> None:
    heights = []
    for scale in (0.05, 0.1):
        frame = one_frame(tmp_path, overlays=[TextOverlay(text="H", scale=scale)])
        _, top, _, bottom = inked(frame)
        heights.append(bottom - top)
    # A capital is about 0.74 of the letters' height, and the outline adds to it.
    assert heights[0] == pytest.approx(0.05 * SHORTS.height * 0.88, abs=4)
    assert heights[1] == pytest.approx(2 * heights[0], abs=4)


def test_an_overlay_keeps_its_own_line_breaks_and_wraps_the_rest(tmp_path: Path) -> None:
    one = inked(one_frame(tmp_path, overlays=[TextOverlay(text="Hey")]))
    two = inked(one_frame(tmp_path, overlays=[TextOverlay(text="Hey\nyou")]))
    assert two[3] - two[1] > 1.8 * (one[3] - one[1])
    long = inked(one_frame(tmp_path, overlays=[TextOverlay(text="many words " * 12)]))
    assert long[0] > 0 and long[2] < SHORTS.width and long[1] > 0 and long[3] < SHORTS.height


@pytest.mark.parametrize("position", ["bottom-left", "bottom", "bottom-right"])
@pytest.mark.parametrize("style", STYLES)
def test_captions_give_way_to_the_disclosure_and_the_watermark(
    tmp_path: Path, position: Position, style: str
) -> None:
    labels = {
        "disclosure": Disclosure(position=position),
        "watermark": Watermark(text="@tea.shop", position=position, opacity=1),
    }
    cues, look = [cue(VIETNAMESE)], captions(style, margin=0)
    together = inked(one_frame(tmp_path, cues=cues, captions=look, **labels))
    fixed = inked(one_frame(tmp_path, **labels))
    alone = one_frame(tmp_path, cues=cues, captions=look, **labels)
    alone[fixed[1] :, :] = 0
    lowest = inked(alone)[3]
    assert lowest <= fixed[1]
    assert together[3] == fixed[3] and fixed[3] <= SHORTS.height * (1 - EDGE_MARGIN * 0.7)


@pytest.mark.parametrize("style", STYLES)
def test_an_overlay_and_captions_in_the_middle_do_not_cover_each_other(
    tmp_path: Path, style: str
) -> None:
    cues, look = [cue("HH HH HH")], captions(style, position="center")
    overlays = [TextOverlay(text="HHH", position="center")]
    alone = one_frame(tmp_path, cues=cues, captions=look)
    both = one_frame(tmp_path, cues=cues, captions=look, overlays=overlays)
    assert inked(both)[1] == inked(alone)[1]
    lowest = inked(alone)[3]
    assert np.array_equal(both[:lowest], alone[:lowest])
    assert inked(both)[3] > lowest


@pytest.mark.parametrize("position", ["top-left", "top", "bottom", "bottom-right"])
def test_words_keep_clear_of_a_picture_as_watermark(tmp_path: Path, position: Position) -> None:
    upper = position.startswith("top")
    span = (30, 90) if upper else (SHORTS.height - 90, SHORTS.height - 30)
    words = {
        "cues": [cue(VIETNAMESE)],
        "captions": captions("lines", margin=0.05, position="top" if upper else "bottom"),
        "disclosure": Disclosure(position=position),
    }
    mark = Watermark(src=Path("logo.png"), position=position)
    frame = one_frame(tmp_path, watermark=mark, watermark_span=span, **words)
    assert np.abs(frame[span[0] : span[1]]).max() < 24
    assert (np.abs(one_frame(tmp_path, **words)[span[0] : span[1]]) > 24).any()


def test_words_that_do_not_reach_a_picture_stay_where_they_are(tmp_path: Path) -> None:
    words = {"cues": [cue("Hello")], "captions": captions("lines", margin=0.12)}
    mark = Watermark(src=Path("logo.png"), position="bottom")
    high = round(SHORTS.height * 0.7)
    frame = one_frame(tmp_path, watermark=mark, watermark_span=(high - 50, high), **words)
    assert np.array_equal(frame, one_frame(tmp_path, **words))


@pytest.mark.parametrize("position", POSITIONS)
def test_two_labels_at_one_anchor_stand_above_each_other(
    tmp_path: Path, position: Position
) -> None:
    mark = Watermark(text="@tea.shop", position=position, opacity=1)
    label = Disclosure(position=position)
    both = np.abs(one_frame(tmp_path, watermark=mark, disclosure=label)) > 24
    label_alone = np.abs(one_frame(tmp_path, disclosure=label)) > 24
    added = both.any(axis=2) & ~label_alone.any(axis=2)
    mark_alone = np.abs(one_frame(tmp_path, watermark=mark)) > 24
    assert added.sum() > 0.9 * mark_alone.any(axis=2).sum()


def test_a_watermarks_opacity_is_seen(tmp_path: Path) -> None:
    strong, weak = (
        np.abs(one_frame(tmp_path, watermark=Watermark(text="@shop", opacity=opacity))).sum()
        for opacity in (1.0, 0.3)
    )
    assert 0.1 * strong < weak < 0.6 * strong


@pytest.mark.parametrize(
    ("color", "rgb"), [("#FF0000", (255, 0, 0)), ("gold", (255, 215, 0)), ("#fff", (255,) * 3)]
)
def test_colours_are_those_that_were_asked_for(
    tmp_path: Path, color: str, rgb: tuple[int, int, int]
) -> None:
    overlay = TextOverlay(text="I I I", color=color, scale=0.4)
    found = one_frame(tmp_path, overlays=[overlay]) + GROUND
    assert (np.abs(found - np.array(rgb)).max(axis=2) <= 6).sum() > 100


@pytest.mark.parametrize(
    ("value", "opacity", "alpha"),
    [("#01020380", 1.0, 127), ("#010203", 0.5, 127), ("#010203", 1.0, 0)],
)
def test_a_colours_fourth_part_and_the_opacity_become_transparency(
    value: str, opacity: float, alpha: int
) -> None:
    made = color(value, opacity=opacity)
    assert (made.r, made.g, made.b) == (1, 2, 3) and made.a == pytest.approx(alpha, abs=1)


def test_an_unknown_colour_is_the_users_mistake() -> None:
    with pytest.raises(InputError, match=r"captions\.color: 'blurple' is not a colour"):
        subtitles_document(SHORTS, 9, 30, cues=[cue("A")], captions=captions(color="blurple"))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"cues": [], "captions": Captions()},
        {"cues": [cue("A")], "captions": None},
        {"cues": [cue("A")], "captions": Captions(burn=False)},
        {"cues": [cue("A", 5, 6)], "captions": Captions()},
        {"overlays": [TextOverlay(text="A", start=5)]},
        {"overlays": [TextOverlay(text=" \n ")]},
        {"watermark": Watermark(src=Path("logo.png"))},
        {"disclosure": Disclosure(label=None)},
    ],
)
def test_nothing_to_draw_gives_no_document(content: dict[str, object]) -> None:
    assert subtitles_document(SHORTS, 30, 30, **content) is None  # type: ignore[arg-type]


def test_the_same_input_gives_the_same_document() -> None:
    def document() -> Subtitles | None:
        return subtitles_document(
            SHORTS, 30, 30, cues=[cue(VIETNAMESE)], captions=captions(), disclosure=Disclosure()
        )

    assert document() == document()
