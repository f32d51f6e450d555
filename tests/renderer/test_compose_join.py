from pathlib import Path

import numpy as np
import pytest

from renderer.compose.join import compose_join
from renderer.compose.packets import SegmentFault
from renderer.compose.spec import BackgroundLayer
from renderer.script.models import TRANSITIONS
from support_compose import FPS, SIZE, compose, frames_of, grey_steps, near, spec_of, steps_seen

RED, BLUE = BackgroundLayer("color", color="#ff0000"), BackgroundLayer("color", color="#0000ff")


def join(
    before: Path, first: int, after: Path, frames: int, folder: Path, how: str = "fade"
) -> Path:
    work = folder / "join"
    work.mkdir(exist_ok=True)
    compose_join(before, first, after, frames, how, SIZE, FPS, "draft", folder / "j.mp4", work)
    return folder / "j.mp4"


def test_a_fade_leads_from_one_scene_into_the_next(tmp_path: Path) -> None:
    before = compose(spec_of(background=RED, cuts=(9,)), tmp_path, "a.mp4")
    after = compose(spec_of(background=BLUE, cuts=(6,)), tmp_path, "b.mp4")
    frames = frames_of(join(before, 9, after, 6, tmp_path))
    assert len(frames) == 6
    reds = frames[:, 100, 90, 0].astype(int)
    assert near(frames[0, 100, 90], (255, 0, 0)) and reds[-1] < 80
    assert (np.diff(reds) < 0).all()


def test_a_join_shows_the_very_frames_that_two_scenes_share(tmp_path: Path) -> None:
    """With a wipe, each half shows one scene: its frames must not be off by one."""
    video = BackgroundLayer("video", src=grey_steps(tmp_path / "v.mov", 20))
    before = compose(spec_of(background=video, cuts=(9,)), tmp_path, "a.mp4")
    after = compose(spec_of(background=video, cuts=(6,)), tmp_path, "b.mp4")
    frames = frames_of(join(before, 9, after, 6, tmp_path, "wipeleft"))
    assert steps_seen(frames, (160, 2))[:5] == [9, 10, 11, 12, 13]
    assert steps_seen(frames, (160, 177))[1:] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("how", TRANSITIONS)
def test_every_transition_of_the_script_exists(tmp_path: Path, how: str) -> None:
    before = compose(spec_of(background=RED, frames=4), tmp_path, "a.mp4")
    after = compose(spec_of(background=BLUE, frames=4), tmp_path, "b.mp4")
    assert len(frames_of(join(before, 0, after, 4, tmp_path, how))) == 4


def test_a_join_of_one_frame_is_one_frame(tmp_path: Path) -> None:
    before = compose(spec_of(background=RED, cuts=(14,)), tmp_path, "a.mp4")
    after = compose(spec_of(background=BLUE, cuts=(1,)), tmp_path, "b.mp4")
    assert len(frames_of(join(before, 14, after, 1, tmp_path))) == 1


def test_a_join_where_no_cut_was_promised_is_a_fault_of_ours(tmp_path: Path) -> None:
    before = compose(spec_of(background=RED), tmp_path, "a.mp4")
    with pytest.raises(SegmentFault, match="key frame"):
        join(before, 7, before, 4, tmp_path)


def test_the_same_two_segments_give_the_same_bytes(tmp_path: Path) -> None:
    before = compose(spec_of(background=RED, cuts=(9,)), tmp_path, "a.mp4")
    first = join(before, 9, before, 6, tmp_path).read_bytes()
    assert join(before, 9, before, 6, tmp_path).read_bytes() == first
