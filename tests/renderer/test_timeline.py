"""Time is counted in frames: what the timeline promises to sound, captions and pictures."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.timeline import SceneLength, frames_for, lay_out

seconds = st.floats(0, 3, allow_nan=False)
length = st.builds(
    SceneLength,
    narration=st.floats(0.001, 20, allow_nan=False),
    before=seconds,
    after=seconds,
    between=seconds,
    transition=st.one_of(st.just(0.0), st.floats(0.01, 3)),
)
films = st.lists(length, min_size=1, max_size=8)
rates = st.sampled_from([1, 15, 24, 25, 30, 60])


@given(films, rates)
def test_every_narration_has_all_the_frames_it_needs_and_less_than_one_more(
    lengths: list[SceneLength], fps: int
) -> None:
    timeline = lay_out(lengths, fps)
    for asked, scene in zip(lengths, timeline.scenes, strict=True):
        frames = scene.narration_end - scene.narration
        assert frames >= asked.narration * fps - 1e-3
        assert frames <= max(1, math.ceil(asked.narration * fps))


@given(films, rates)
def test_a_transition_never_covers_speech(lengths: list[SceneLength], fps: int) -> None:
    for scene in lay_out(lengths, fps).scenes:
        assert scene.start + scene.head <= scene.narration
        assert scene.narration_end <= scene.end - scene.tail


@given(films, rates)
def test_neighbours_share_exactly_the_frames_of_their_transition(
    lengths: list[SceneLength], fps: int
) -> None:
    timeline = lay_out(lengths, fps)
    for before, after in pairwise(timeline.scenes):
        assert before.tail == after.head
        assert after.start == before.end - before.tail
    assert timeline.scenes[0].start == timeline.scenes[0].head == 0
    assert timeline.scenes[-1].tail == 0


@given(films, rates)
def test_bodies_and_joins_cover_the_film_without_gap_or_overlap(
    lengths: list[SceneLength], fps: int
) -> None:
    timeline = lay_out(lengths, fps)
    covered = sum(s.head + (s.frames - s.head - s.tail) for s in timeline.scenes)
    assert covered == timeline.frames


@given(films, rates)
def test_padding_is_kept_and_only_grows_for_a_transition(
    lengths: list[SceneLength], fps: int
) -> None:
    scenes = lay_out(lengths, fps).scenes
    for i, (before, after) in enumerate(pairwise(scenes)):
        asked = round((lengths[i].after + lengths[i].between) * fps)
        asked += round(lengths[i + 1].before * fps)
        gap = after.narration - before.narration_end
        assert gap == max(asked, round(lengths[i + 1].transition * fps))


@given(st.floats(0.001, 100), st.sampled_from([24, 25, 30, 60]))
def test_a_scene_alone_lasts_as_long_as_its_narration(narration: float, fps: int) -> None:
    timeline = lay_out([SceneLength(narration)], fps)
    assert timeline.frames == max(1, frames_for(narration, fps))
    assert timeline.seconds == timeline.at(timeline.frames)


@pytest.mark.parametrize(
    ("narration", "fps", "frames"),
    [(2.0, 30, 60), (2.0000000001, 30, 60), (2.001, 30, 61), (0.04, 25, 1), (1 / 3, 30, 10)],
)
def test_a_rounding_error_does_not_cost_a_frame(narration: float, fps: int, frames: int) -> None:
    assert frames_for(narration, fps) == frames


def test_the_first_scene_has_no_transition_even_if_it_asks_for_one() -> None:
    scene = lay_out([SceneLength(1.0, transition=0.5)], 30).scenes[0]
    assert (scene.head, scene.frames) == (0, 30)


def test_a_film_without_scenes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        lay_out([], 30)
