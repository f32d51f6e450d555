import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.compose.encoder import gop, key_frames
from renderer.compose.spec import BackgroundLayer, Box, PictureLayer, PresenterLayer
from support_compose import FPS, SIZE, spec_of


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def presenter(clip: Path, **changed: Any) -> PresenterLayer:
    shown = PresenterLayer(clip, True, False, Box(0, 0, *SIZE), "rect", 0, 10)
    return replace(shown, **changed)


def test_the_description_knows_files_by_content_and_never_by_name(tmp_path: Path) -> None:
    described = []
    for name in ("one.png", "another name.png"):
        path = tmp_path / name
        path.write_bytes(b"the same")
        described.append(
            spec_of(
                background=BackgroundLayer("image", src=path),
                presenter=presenter(path),
                pictures=(PictureLayer(path, "center", 0.5, 1.0, 0, 15),),
            ).describe(hash_of)
        )
    assert described[0] == described[1]
    assert str(tmp_path) not in json.dumps(described[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"frames": 16},
        {"cuts": (5,)},
        {"quality": "high"},
        {"subtitles": "x"},
        {"changes": (3,)},
        {"background": BackgroundLayer("color", color="#1b4333")},
        {"background": BackgroundLayer("color", color="#1b4332", box=Box(0, 0, 180, 160))},
    ],
)
def test_every_change_of_a_spec_changes_its_description(changed: Any) -> None:
    assert spec_of(**changed).describe(hash_of) != spec_of().describe(hash_of)


def test_a_changed_file_changes_the_description(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    keys = []
    for content in (b"1", b"2"):
        path.write_bytes(content)
        keys.append(spec_of(background=BackgroundLayer("image", src=path)).describe(hash_of))
    assert keys[0] != keys[1]


def test_files_lists_each_input_once() -> None:
    a, b = Path("a.png"), Path("b.mp4")
    spec = spec_of(
        background=BackgroundLayer("image", src=a),
        presenter=presenter(b),
        pictures=(PictureLayer(a, "center", 0.5, 1.0, 0, 15),),
    )
    assert spec.files() == (a, b)


VIDEO = BackgroundLayer("video", src=Path("v.mp4"))
ZOOM = BackgroundLayer("image", src=Path("v.png"), motion="zoom_in")
BADGE = PictureLayer(Path("a.png"), "center", 0.5, 1.0, 4, 9)


@pytest.mark.parametrize(
    ("changed", "stretches"),
    [
        ({}, (0,)),
        ({"background": VIDEO}, None),
        ({"background": ZOOM}, None),
        ({"presenter": presenter(Path("c.mp4"), still=False)}, None),
        ({"presenter": presenter(Path("c.mp4"))}, (0,)),
        ({"background": VIDEO, "presenter": presenter(Path("c.mp4"))}, (0,)),
        ({"background": VIDEO, "presenter": presenter(Path("c.mp4"), has_alpha=True)}, None),
        ({"subtitles": "x", "changes": None}, None),
        ({"subtitles": "x", "changes": ()}, (0,)),
        ({"subtitles": "x", "changes": (0, 7, 20)}, (0, 7)),
        ({"pictures": (BADGE,)}, (0, 4, 9)),
    ],
)
def test_stretches_are_where_the_picture_stands_still(changed: Any, stretches: Any) -> None:
    assert spec_of(**changed).stretches() == stretches


@given(st.integers(1, 2000), st.lists(st.integers(-5, 2100), max_size=6), st.integers(1, 60))
def test_key_frames_stand_at_every_edge_and_never_too_far_apart(
    frames: int, edges: list[int], fps: int
) -> None:
    keys = key_frames(edges, frames, fps)
    assert keys[0] == 0 and keys == sorted(set(keys)) and keys[-1] < frames
    assert {edge for edge in edges if 0 < edge < frames} <= set(keys)
    assert all(b - a <= gop(fps) for a, b in zip(keys, [*keys[1:], frames], strict=True))


@given(st.integers(2, 2000), st.integers(2, 60))
def test_no_key_frame_stands_alone_where_none_is_asked_for(frames: int, fps: int) -> None:
    keys = [*key_frames((), frames, fps), frames]
    assert all(b - a >= 2 for a, b in itertools.pairwise(keys))


def test_a_gop_lasts_two_seconds() -> None:
    assert gop(FPS) == 30
