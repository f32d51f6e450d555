from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import Size
from renderer.compose.layouts import (
    anchored,
    background_box,
    presenter_box,
    presenter_shape,
    safe_margins,
)
from renderer.compose.spec import Box
from renderer.script.models import Layout, Position

POSITIONS = get_args(Position)
SEEN = [layout for layout in get_args(Layout) if layout != "none"]
sizes = st.builds(lambda w, h: Size(w * 2, h * 2), st.integers(32, 2000), st.integers(32, 2000))


@given(sizes, st.sampled_from(SEEN), st.sampled_from(POSITIONS), st.floats(0.02, 1))
def test_every_presenter_box_is_even_and_inside_the_frame(
    size: Size, layout: Layout, position: Position, scale: float
) -> None:
    box = presenter_box(layout, position, scale, size)
    assert all(number % 2 == 0 for number in box)
    assert box.x >= 0 and box.y >= 0 and box.width >= 2 and box.height >= 2
    assert box.x + box.width <= size.width and box.y + box.height <= size.height


@given(sizes, st.sampled_from(POSITIONS))
def test_split_shares_the_frame_without_gap_or_overlap(size: Size, position: Position) -> None:
    presenter = presenter_box("split", position, 0.5, size)
    background = background_box("split", position, size)
    assert presenter.width * presenter.height + background.width * background.height == (
        size.width * size.height
    )
    upright = presenter.width == size.width == background.width
    if upright:
        assert {presenter.y, background.y} == {0, min(presenter.y or background.y, size.height)}
        assert presenter.y in (0, background.height)
    else:
        assert presenter.x in (0, background.width)


@pytest.mark.parametrize(
    ("size", "position", "corner"),
    [
        (Size(1080, 1920), "top", (0, 0)),
        (Size(1080, 1920), "bottom-left", (0, 960)),
        (Size(1080, 1920), "center", (0, 960)),
        (Size(1920, 1080), "left", (0, 0)),
        (Size(1920, 1080), "top-right", (960, 0)),
    ],
)
def test_split_puts_the_presenter_on_the_side_that_is_asked_for(
    size: Size, position: Position, corner: Any
) -> None:
    box = presenter_box("split", position, 0.5, size)
    assert (box.x, box.y) == corner


def test_nobody_is_seen_in_the_layout_none() -> None:
    assert presenter_box("none", "center", 0.5, Size(1080, 1920)) is None


def test_full_covers_the_whole_frame_whatever_the_scale() -> None:
    assert presenter_box("full", "top", 0.1, Size(1080, 1920)) == Box(0, 0, 1080, 1920)


def test_a_circle_is_as_wide_as_its_scale_of_the_shorter_side() -> None:
    for size in (Size(1080, 1920), Size(1920, 1080)):
        box = presenter_box("circle", "bottom-right", 0.4, size)
        assert box.width == box.height == 432
    assert presenter_shape("circle") == "circle"
    assert presenter_shape("corner") == "rounded"
    assert presenter_shape("split") == "rect"


def test_on_an_upright_film_the_lower_fifth_stays_free_for_captions_and_buttons() -> None:
    size = Size(1080, 1920)
    box = presenter_box("circle", "bottom-left", 0.38, size)
    assert box.y + box.height <= size.height * 0.8 + 2
    assert safe_margins(Size(1920, 1080)).bottom < 1080 * 0.1


@pytest.mark.parametrize("position", POSITIONS)
def test_what_is_larger_than_the_frame_begins_at_its_corner(position: Position) -> None:
    assert anchored(Size(400, 400), position, Size(200, 300)) == (0, 0)


def test_opposite_anchors_mirror_each_other() -> None:
    size, inner = Size(1000, 500), Size(100, 100)
    (left, top), (right, bottom) = (
        anchored(inner, position, size) for position in ("top-left", "bottom-right")
    )
    assert abs(left - (size.width - right - inner.width)) <= 2
    assert abs(top - (size.height - bottom - inner.height)) <= 2
